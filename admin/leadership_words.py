"""Why a leadership ended, in the words of people. What is recorded stays as it is in the log."""

from __future__ import annotations

from flask_babel import gettext as _

from gocron.core.leadership import ASKED, RELEASED

TAKEN_OVER = "its leader fell silent: taken over by "


def why(reason: str) -> str:
    """A sentence; a reason that is not known here is shown as it was recorded."""
    if reason.startswith(ASKED):
        return str(_("%(name)s asked it to step down.", name=reason.removeprefix(ASKED)))
    if reason.startswith(TAKEN_OVER):
        who = reason.removeprefix(TAKEN_OVER)
        return str(_("It fell silent (crashed, hung or cut off); %(who)s took over.", who=who))
    fixed = {
        "": "",
        RELEASED: _("It was stopped in good order."),
        "the node was started again": _("The node was started again."),
        "woke up after the lease": _("It stood still for longer than its lease."),
        "the lock came back too late": _("The database answered too late to keep the lease."),
        "the lock was not to be had again in time": _("The lock was not to be had again in time."),
        "the lock row is not ours any more": _("Another node had taken the lock."),
    }
    return str(fixed.get(reason, _("It gave up leading: %(reason)s", reason=reason)))
