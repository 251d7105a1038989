"""What can be typed in. What is valid is said by ``gocron.core.definition`` alone: a form only
turns texts into values, and shows an ``InvalidTask`` next to the field it is about."""

from __future__ import annotations

from typing import Any

from wtforms import (
    BooleanField,
    Form,
    IntegerField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import EqualTo, InputRequired, Length, Regexp
from wtforms.widgets import HiddenInput

from admin.fields import PairsField, unix_lines
from gocron.core.definition import HTTP_TIMEOUT_S, SHELL_TIMEOUT_S, Refused
from gocron.core.states import Misfire, Overlap, Protocol
from gocron.db.users import SHORTEST_PASSWORD
from gocron.errors import InvalidTask

NO_NUL = Regexp(r"^[^\0]*\Z")
LONGEST_PASSWORD = Length(max=1024)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")

PROTOCOL_WORDS = {
    Protocol.SHELL: "Shell command",
    Protocol.HTTP: "HTTP request",
}
OVERLAP_WORDS = {
    Overlap.SKIP: "Skip the new run",
    Overlap.PARALLEL: "Start it all the same",
}
MISFIRE_WORDS = {
    Misfire.RUN_ONCE: "Run once, for the newest slot; the others are recorded as missed",
}


class LoginForm(Form):
    """Name and password."""

    username = StringField("Name", [InputRequired(), Length(max=64), NO_NUL])
    password = PasswordField("Password", [InputRequired(), LONGEST_PASSWORD, NO_NUL])


class PasswordForm(Form):
    """The old password, and the new one twice."""

    old = PasswordField("Current password", [InputRequired(), LONGEST_PASSWORD, NO_NUL])
    new = PasswordField(
        "New password",
        [
            InputRequired(),
            Length(min=SHORTEST_PASSWORD, message=f"At least {SHORTEST_PASSWORD} characters."),
            LONGEST_PASSWORD,
            NO_NUL,
        ],
        description=f"At least {SHORTEST_PASSWORD} characters.",
    )
    again = PasswordField("New password, again", [EqualTo("new", "This is not the same as above.")])


def _choices(words: dict[Any, str], policies: Any) -> list[SelectChoice]:
    """Every policy there is, also one that has no words here yet."""
    return [SelectChoice(str(policy), words.get(policy, str(policy))) for policy in policies]


class TaskForm(Form):
    """A task. The names of the fields are those of ``TaskDefinition``, except the last ones."""

    name = StringField("Name", description="Unique; at most 128 characters.")
    tag = StringField("Tag", description="For finding tasks that belong together.")
    remark = TextAreaField(
        "Remark", filters=[unix_lines], description="What others should know about it."
    )
    enabled = BooleanField("Enabled", description="A disabled task runs only by hand.")

    spec = StringField(
        "Schedule",
        description="second minute hour day month weekday, or the five fields of a crontab; "
        "@daily, @hourly and the like; @every 1h30m.",
    )
    timezone = StringField(
        "Time zone", description="IANA name, like Europe/Berlin. The schedule means its clock."
    )
    overlap = SelectField(
        "While the run before is still going",
        choices=_choices(OVERLAP_WORDS, Overlap),
    )
    max_parallel = IntegerField(
        "At most in parallel",
        default=0,
        description="0: no limit. Only where runs may overlap.",
    )
    misfire = SelectField(
        "Slots that nobody could start in time",
        choices=_choices(MISFIRE_WORDS, Misfire),
        description="Because no node was running, for example.",
    )

    protocol = SelectField("Kind", choices=_choices(PROTOCOL_WORDS, Protocol))
    command = TextAreaField(
        "Command or URL",
        filters=[unix_lines],
        description="A shell task is given to /bin/sh -c as it stands; "
        "an HTTP task needs a URL: https://…",
    )
    timeout = IntegerField(
        "Time limit in seconds",
        default=0,
        description=f"0: none. At most {SHELL_TIMEOUT_S:,} for a command, "
        f"{HTTP_TIMEOUT_S} for a request. Then the whole process group is ended.",
    )

    working_dir = StringField(
        "Working directory", description="An absolute path; empty: that of the node."
    )
    environment = PairsField(
        "Environment",
        separator="=",
        description="One NAME=value a line. Besides these a command only sees PATH, HOME and the "
        "like, and GOCRON_TASK_ID, GOCRON_RUN_ID, GOCRON_SCHEDULED_AT.",
    )

    http_method = SelectField("Method", choices=list(METHODS))
    http_headers = PairsField("Headers", separator=": ", description="One Name: value a line.")
    http_body = TextAreaField("Body", filters=[unix_lines])
    http_statuses = StringField(
        "Good statuses", description="Such as 200-299,304. Everything else is a failure."
    )
    success_pattern = StringField(
        "Pattern of success",
        description="A regular expression that has to be found in the answer; empty: none.",
    )
    http_verify_tls = BooleanField(
        "Verify the certificate", description="Only switch this off in a network you trust."
    )

    revision = IntegerField(widget=HiddenInput(), default=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.general_errors: list[str] = []

    def definition_fields(self) -> dict[str, Any]:
        """What ``gocron.core.definition.define`` takes."""
        fields = dict(self.data)
        del fields["revision"]
        for name in ("spec", "timezone", "working_dir", "http_statuses"):
            fields[name] = (fields[name] or "").strip()
        if fields["protocol"] == Protocol.HTTP:
            fields["command"] = (fields["command"] or "").strip()
        return {name: "" if value is None else value for name, value in fields.items()}

    def blame(self, error: InvalidTask) -> None:
        """Show every mistake next to the field it is about."""
        if isinstance(error, Refused):
            for mistake in error.mistakes:
                self._blame(mistake.field, ": ".join([*mistake.path[1:], mistake.message]))
        else:
            self._blame(error.field, error.message)

    def _blame(self, field: str, message: str) -> None:
        if field in self:
            message = message[:1].upper() + message[1:]
            self[field].errors = [*self[field].errors, message]
        else:
            self.general_errors.append(f"{field}: {message}")


SECTIONS = (
    ("Task", "", ("name", "tag", "remark", "enabled")),
    ("When", "", ("spec", "timezone", "overlap", "max_parallel", "misfire")),
    ("What", "", ("protocol", "timeout", "command")),
    ("Shell", "shell", ("working_dir", "environment")),
    (
        "HTTP",
        "http",
        (
            "http_method",
            "http_statuses",
            "http_headers",
            "http_body",
            "success_pattern",
            "http_verify_tls",
        ),
    ),
)
"""Title, the kind of task it is for ("" every), fields."""
