"""The audit log in sentences, and its details as small differences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup

from gocron.db.audit_queries import AuditLine

SENTENCES = {
    "task.create": _("%(actor)s created task %(target)s"),
    "task.edit": _("%(actor)s changed task %(target)s"),
    "task.enable": _("%(actor)s enabled task %(target)s"),
    "task.disable": _("%(actor)s disabled task %(target)s"),
    "task.delete": _("%(actor)s deleted task %(target)s"),
    "task.run": _("%(actor)s ran task %(target)s by hand"),
    "task.import": _("%(actor)s imported tasks: %(target)s"),
    "task.backfill": _("%(actor)s runs past slots of task %(target)s"),
    "task.rollback": _("%(actor)s took task %(target)s back to an earlier version"),
    "run.stop": _("%(actor)s stopped a run of %(target)s"),
    "run.rerun": _("%(actor)s ran a slot of %(target)s again"),
    "calendar.save": _("%(actor)s saved calendar %(target)s"),
    "calendar.delete": _("%(actor)s deleted calendar %(target)s"),
    "group.save": _("%(actor)s saved group %(target)s"),
    "group.delete": _("%(actor)s deleted group %(target)s"),
    "pause.begin": _("%(actor)s paused %(target)s"),
    "pause.end": _("%(actor)s ended the pause of %(target)s"),
    "node.step_down": _("%(actor)s asked leader %(target)s to step down"),
    "node.forget": _("%(actor)s took node %(target)s off the list"),
    "settings.save": _("%(actor)s changed the settings of %(target)s"),
    "audit.purge": _("%(actor)s shortened the %(target)s, as the settings say"),
    "user.create": _("%(actor)s created user %(target)s"),
    "user.login": _("%(target)s logged in"),
    "user.password": _("%(actor)s changed the password of %(target)s"),
    "user.email": _("%(actor)s changed the e-mail address of %(target)s"),
    "user.enable": _("%(actor)s enabled user %(target)s"),
    "user.disable": _("%(actor)s disabled user %(target)s"),
    "user.unlock": _("%(actor)s unlocked user %(target)s"),
    "user.delete": _("%(actor)s deleted user %(target)s"),
    "user.role": _("%(actor)s changed what %(target)s may do"),
    "session.end": _("%(actor)s ended a session of %(target)s"),
    "session.reused": _("A key of a session of %(target)s was used twice: it was ended"),
    "token.create": _("%(actor)s made an API token for %(target)s"),
    "token.revoke": _("%(actor)s revoked an API token of %(target)s"),
}


@dataclass(frozen=True)
class Change:
    """One thing in the details of a line; ``old`` means something only if it was ``replaced``."""

    name: str
    old: str
    new: str
    replaced: bool


def sentence(line: AuditLine) -> Markup:
    """What happened; names stand out."""
    words = SENTENCES.get(line.action)
    if words is None:
        words = gettext("%(actor)s: %(action)s %(target)s")
    names = {"actor": line.actor, "action": line.action, "target": line.target}
    marked = {
        key: Markup("<strong>{}</strong>").format(_short(name)) for key, name in names.items()
    }
    return Markup(str(words)) % marked  # noqa: S704 -- our own words; names are escaped


def changes(detail: Mapping[str, Any]) -> list[Change]:
    """What the details say: first what was replaced by what, then the rest."""
    before, after = detail.get("before"), detail.get("after")
    found = []
    if isinstance(before, dict) and isinstance(after, dict):
        names = list(dict.fromkeys([*before, *after]))
        found = [
            Change(name, _text(before.get(name)), _text(after.get(name)), True)
            for name in names
            if before.get(name) != after.get(name)
        ]
        detail = {key: value for key, value in detail.items() if key not in ("before", "after")}
    return found + [
        Change(name, "", _text(value), False)
        for name, value in detail.items()
        if value not in (None, "")
    ]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:79]}…"
