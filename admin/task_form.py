"""The form of a task. What is valid is said by ``gocron.core.definition`` alone: a form only turns
texts into values, and shows an ``InvalidTask`` next to the field it is about."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.widgets import HiddenInput

from admin import dependency_lines, parameter_lines
from admin.checklist import ChecklistField
from admin.choices import (
    BACKOFF_WORDS,
    METHODS,
    MISFIRE_WORDS,
    ON_LOST_WORDS,
    OVERLAP_WORDS,
    PROTOCOL_WORDS,
    RETRY_ON_WORDS,
    choices,
)
from admin.fields import LinesField, MaybeIntegerField, PairsField, unix_lines
from admin.forms import PanelForm
from gocron.core.definition import HTTP_TIMEOUT_S, SHELL_TIMEOUT_S, Refused
from gocron.core.states import Backoff, Misfire, OnLost, Overlap, Protocol
from gocron.errors import InvalidTask

NO_CALENDARS = "There are no calendars yet; the page “Calendars” makes one."

CLEANED = (
    "spec",
    "timezone",
    "working_dir",
    "http_statuses",
    "starts_at",
    "ends_at",
    "group",
)
"""Fields of one line whose blanks at the ends mean nothing."""


class TaskForm(PanelForm):
    """A task. The names of the fields are those of ``TaskDefinition``, except the last one."""

    name = StringField("Name", description="Unique; at most 128 characters.")
    tag = StringField("Tag", description="For finding, and pausing, tasks that belong together.")
    remark = TextAreaField(
        "Remark", filters=[unix_lines], description="What others should know about it."
    )
    enabled = BooleanField("Enabled", description="A disabled task runs only by hand.")

    spec = StringField(
        "Schedule",
        description="second minute hour day month weekday, or the five fields of a crontab; "
        "@daily, @hourly and the like; @every 1h30m; @at 2026-12-24T18:00; @reboot. "
        "Empty for a task that runs after others.",
    )
    timezone = StringField(
        "Time zone", description="IANA name, like Europe/Berlin. The schedule means its clock."
    )
    starts_at = StringField(
        "Not before",
        description="Such as 2026-12-24T18:00, a time of the zone above; empty: at once.",
    )
    ends_at = StringField("Not after", description="The moment itself still counts; empty: no end.")
    exclude_calendars = ChecklistField(
        "Not on the days of", description="Of any of them.", empty=NO_CALENDARS
    )
    require_calendars = ChecklistField(
        "Only on the days of", description="Those that are in all of them.", empty=NO_CALENDARS
    )
    jitter = IntegerField(
        "Spread, in seconds",
        default=0,
        description="A run begins up to so much later than its slot, so that tasks that are due "
        "together do not begin together. At most 3600.",
    )

    depends_on = LinesField(
        "Runs after",
        read=dependency_lines.read,
        write=dependency_lines.write,
        description="One task a line, all of which have to succeed; “name: weak” is content "
        "with any end. Such a task has no schedule of its own.",
    )

    protocol = SelectField("Kind", choices=choices(PROTOCOL_WORDS, Protocol))
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
        "like, its parameters, and GOCRON_TASK_ID, GOCRON_RUN_ID, GOCRON_SCHEDULED_AT.",
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

    parameters = LinesField(
        "Parameters",
        read=parameter_lines.read,
        write=parameter_lines.write,
        description="One a line: “DAY: text = 2026-01-01”, “MODE: choice(full, fast) = full  "
        "# remark”, “N: integer”; also number and boolean. Given for a run by hand or a backfill; "
        "a command finds them in its environment, a request sends them as JSON.",
    )

    misfire = SelectField(
        "Slots that nobody could start in time",
        choices=choices(MISFIRE_WORDS, Misfire),
        description="Because no node was running, or there was a pause.",
    )
    misfire_grace = MaybeIntegerField(
        "Late after so many seconds",
        description="Empty: as the installation has it, 30 if nobody changed it.",
    )
    catch_up_limit = IntegerField(
        "At most so many late ones",
        default=100,
        description="Where each of them runs; the rest is recorded as missed.",
    )
    overlap = SelectField(
        "While the run before is still going", choices=choices(OVERLAP_WORDS, Overlap)
    )
    max_parallel = IntegerField(
        "At most in parallel",
        default=0,
        description="0: no limit. Only where it is started all the same.",
    )
    group = StringField(
        "Group", description="At most so many runs of all its tasks at once; empty: none."
    )
    priority = IntegerField(
        "Priority",
        default=0,
        description="-100 to 100: who begins first where there is not room for all.",
    )

    retry_times = IntegerField(
        "Try again so many times", default=0, description="0: never; at most 10."
    )
    retry_interval = IntegerField(
        "Seconds until then", default=0, description="0: one minute, then two, then three …"
    )
    retry_backoff = SelectField("That time", choices=choices(BACKOFF_WORDS, Backoff))
    retry_jitter = IntegerField(
        "And up to so many seconds more",
        default=0,
        description="So that tasks that failed together do not come back together.",
    )
    retry_on = ChecklistField("Try again if", words=RETRY_ON_WORDS)
    on_lost = SelectField(
        "When its node died while it ran",
        choices=choices(ON_LOST_WORDS, OnLost),
        description="At once, and besides the number above. Only for what may be repeated.",
    )

    revision = IntegerField(widget=HiddenInput(), default=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.general_errors: list[str] = []

    def definition_fields(self) -> dict[str, Any]:
        """What ``gocron.core.definition.define`` takes."""
        fields = dict(self.data)
        del fields["revision"]
        for name in CLEANED:
            fields[name] = (fields[name] or "").strip()
        if fields["protocol"] == Protocol.HTTP:
            fields["command"] = (fields["command"] or "").strip()
        given = {name: "" if value is None else value for name, value in fields.items()}
        return given | {"misfire_grace": fields["misfire_grace"]}  # None: not given

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
