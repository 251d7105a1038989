"""The roles in words."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from gocron.core.access import Role

ROLE_NAMES = {
    Role.ADMIN: _("administrator"),
    Role.OPERATOR: _("operator"),
    Role.VIEWER: _("viewer"),
}

ROLE_WORDS = {
    Role.ADMIN: _("sees and changes everything, also users, settings and the cluster"),
    Role.OPERATOR: _(
        "sees all tasks and runs; runs, stops, enables and disables them; creates, changes and "
        "deletes tasks of the tags below"
    ),
    Role.VIEWER: _("sees tasks, runs and the cluster, and changes nothing"),
}
