"""Every error a user can cause, in one family. Anyone may import this module.

The text of an error says what was wrong, where, and what would be right: it is shown as it is,
on the console and in logs. The panel says it in the language of the page if it was raised with
``say``.
"""

from __future__ import annotations

from gocron.sayings import say


class GocronError(Exception):
    """Something the user can put right; the message says how."""


class InvalidSetting(GocronError):
    """A setting is unknown, malformed, or contradicts another one."""


class InvalidSchedule(GocronError):
    """A schedule or a time zone cannot be understood, or would never fire."""


class InvalidCalendar(GocronError):
    """Days of a calendar cannot be understood."""


class InvalidTask(GocronError):
    """A task definition breaks a rule; ``field`` names the field at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(say("%(where)s: %(what)s", where=field, what=message))
        self.field = field
        self.message = message


class InvalidImport(GocronError):
    """A file of tasks was refused as a whole; one problem a line."""


class DatabaseUnavailable(GocronError):
    """The database cannot be reached, or refused us."""


class DatabaseUnsupported(GocronError):
    """The server's version, engine or mode cannot carry what gocron promises."""


class SchemaNotCurrent(GocronError):
    """The tables are older or newer than this version can work with."""


class IdentityTaken(GocronError):
    """Another live node uses this node's name, or another process this node's database file."""


class PortInUse(GocronError):
    """The panel's address cannot be bound."""


class HomeNotWritable(GocronError):
    """GOCRON_HOME cannot be created or written."""


class RefusedAsRoot(GocronError):
    """Commands of tasks are not run as root unless that is allowed explicitly."""


class Unsealed(GocronError):
    """A stored secret cannot be sealed or opened: there is no secret key, or another one."""


class NotFound(GocronError):
    """What was asked for does not exist (any more)."""


class Conflict(GocronError):
    """Somebody else changed the same thing in the meantime."""
