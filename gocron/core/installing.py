"""What the install wizard asks a database, and what it is answered. Pure: values and JSON.

Tables have a prefix that is fixed once a process, and the wizard is told one by a person: so the
database is spoken to by a process of its own (``gocron.processes.setting_up``), and these go back
and forth between them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum, StrEnum
from typing import Protocol


class Reason(StrEnum):
    """Why a database will not do; the wizard has the words for each."""

    UNREACHABLE = "unreachable"
    LOGIN = "login"
    DATABASE = "database"
    RIGHTS = "rights"
    UNSUPPORTED = "unsupported"
    READ_ONLY = "read_only"
    SCHEMA = "schema"
    IN_USE = "in_use"
    FOLDER = "folder"
    NAME_TAKEN = "name_taken"
    NO_ADMINISTRATOR = "no_administrator"
    SETTING = "setting"
    BUSY = "busy"
    INSTALLED = "installed"
    OTHER = "other"


@dataclass(frozen=True)
class Refused:
    """It will not do. ``detail``: one line for experts, without secrets."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True)
class Found:
    """It will do."""

    server: str
    """Product and version."""
    tables: bool
    """Whether those of gocron are there: then this node joins a cluster."""
    outdated: bool = False
    """Whether they are of an older version, and will be brought up to date."""
    nodes: int = 0
    tasks: int = 0
    users: int = 0


@dataclass(frozen=True)
class SetUp:
    """The tables are there, and so is a user."""

    created: bool
    """Whether the administrator that was typed in has become one; False: there were users."""


@dataclass(frozen=True)
class Administrator:
    """The first user."""

    username: str
    password: str
    email: str = ""


Answer = Found | SetUp | Refused


class Admission(Enum):
    """What the one-time token that came with a request is worth."""

    ADMITTED = 0
    WRONG = 1
    TOO_OFTEN = 2
    """It was not even looked at: this address has been wrong too often in the last minute."""


class Wizard(Protocol):
    """What the page of the wizard is given. ``typed``: settings by name, as texts."""

    installed: bool

    def initial(self, name: str) -> str:
        """What a setting is before anybody types, if anything was given for it."""

    def fixed_by(self, name: str) -> str:
        """The variable that decides about a setting, whatever is typed; empty if there is none."""

    def admit(self, token: str, address: str) -> Admission:
        """Whether whoever sent this may go on."""

    def look(self, typed: Mapping[str, str]) -> Found | Refused:
        """Try the database; changes nothing."""

    def install(self, typed: Mapping[str, str], first: Administrator | None) -> SetUp | Refused:
        """Set the database up and write the files. Of several at once one wins."""

    def leave(self) -> None:
        """Make room for the node, once what is being answered has been sent."""


_KINDS: dict[str, type[Found | SetUp | Refused]] = {
    kind.__name__: kind for kind in (Found, SetUp, Refused)
}


def encode(answer: Answer) -> str:
    """As JSON."""
    return json.dumps({"kind": type(answer).__name__, **asdict(answer)})


def decode(text: str) -> Answer:
    """Back again; raises ``ValueError`` for anything else."""
    try:
        fields = json.loads(text)
        kind = _KINDS[fields.pop("kind")]
        if kind is Refused:
            return Refused(Reason(fields["reason"]), fields["detail"])
        return kind(**fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an answer: {text[:100]!r}") from error
