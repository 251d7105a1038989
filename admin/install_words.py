"""Why the install wizard cannot use a database, in words that say what to do."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from gocron.core.installing import Reason, Refused

WORDS = {
    Reason.UNREACHABLE: _("Nobody answers there. Is the server up, and are host and port right?"),
    Reason.LOGIN: _("The server refuses this user and password."),
    Reason.DATABASE: _("There is no such database, or this user may not use it."),
    Reason.RIGHTS: _("This user may not create tables there."),
    Reason.UNSUPPORTED: _("gocron cannot work with this server."),
    Reason.READ_ONLY: _(
        "This server is read-only: a replica, or in maintenance. A node has to write what it does."
    ),
    Reason.SCHEMA: _("The tables that are there do not fit this version."),
    Reason.IN_USE: _("Another node uses this file, and SQLite serves one node only."),
    Reason.FOLDER: _("This cannot be written."),
    Reason.NAME_TAKEN: _("A node of this name is alive in the cluster. Choose another name."),
    Reason.SETTING: _("Something of this cannot be used as it is."),
    Reason.BUSY: _("Somebody else is installing this node just now. Wait a moment."),
    Reason.OTHER: _("The database refuses."),
}

FIELD = {
    Reason.UNREACHABLE: "host",
    Reason.LOGIN: "password",
    Reason.DATABASE: "database",
    Reason.RIGHTS: "user",
    Reason.IN_USE: "file",
    Reason.NAME_TAKEN: "node_name",
}
"""Beside which field it is said; the rest is said at the top."""


def refused(answer: Refused) -> tuple[str, str]:
    """The words, and the field they belong to (or nothing)."""
    return str(WORDS.get(answer.reason, WORDS[Reason.OTHER])), FIELD.get(answer.reason, "")
