"""The form of a task. What is valid is said by ``gocron.core.definition`` alone: a form only turns
texts into values, and shows an ``InvalidTask`` next to the field it is about."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
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
from admin.spoken import sentence, spoken
from gocron.core.definition import HTTP_TIMEOUT_S, SHELL_TIMEOUT_S, Refused
from gocron.core.states import Backoff, Misfire, OnLost, Overlap, Protocol
from gocron.errors import InvalidTask
from gocron.sayings import inside

NO_CALENDARS = _("There are no calendars yet; the page “Calendars” makes one.")

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

    name = StringField(_("Name"), description=_("Unique; at most 128 characters."))
    tag = StringField(
        _("Tag"), description=_("For finding, and pausing, tasks that belong together.")
    )
    remark = TextAreaField(
        _("Remark"), filters=[unix_lines], description=_("What others should know about it.")
    )
    enabled = BooleanField(_("Enabled"), description=_("A disabled task runs only by hand."))

    spec = StringField(
        _("Schedule"),
        description=_(
            "second minute hour day month weekday, or the five fields of a crontab; "
            "@daily, @hourly and the like; @every 1h30m; @at 2026-12-24T18:00; @reboot. "
            "Empty for a task that runs after others."
        ),
    )
    timezone = StringField(
        _("Time zone"),
        description=_("IANA name, like Europe/Berlin. The schedule means its clock."),
    )
    starts_at = StringField(
        _("Not before"),
        description=_("Such as 2026-12-24T18:00, a time of the zone above; empty: at once."),
    )
    ends_at = StringField(
        _("Not after"), description=_("The moment itself still counts; empty: no end.")
    )
    exclude_calendars = ChecklistField(
        _("Not on the days of"), description=_("Of any of them."), empty=NO_CALENDARS
    )
    require_calendars = ChecklistField(
        _("Only on the days of"),
        description=_("Those that are in all of them."),
        empty=NO_CALENDARS,
    )
    jitter = IntegerField(
        _("Spread, in seconds"),
        default=0,
        description=_(
            "A run begins up to so much later than its slot, so that tasks that are due "
            "together do not begin together. At most 3600."
        ),
    )

    depends_on = LinesField(
        _("Runs after"),
        read=dependency_lines.read,
        write=dependency_lines.write,
        description=_(
            "One task a line, all of which have to succeed; “name: weak” is content "
            "with any end. Such a task has no schedule of its own."
        ),
    )

    protocol = SelectField(_("Kind"), choices=choices(PROTOCOL_WORDS, Protocol))
    command = TextAreaField(
        _("Command or URL"),
        filters=[unix_lines],
        description=_(
            "A shell task is given to /bin/sh -c as it stands; an HTTP task needs a URL: https://…"
        ),
    )
    timeout = IntegerField(
        _("Time limit in seconds"),
        default=0,
        description=_(
            "0: none. At most %(shell)s for a command, %(http)s for a request. Then the whole "
            "process group is ended.",
            shell=format(SHELL_TIMEOUT_S, ","),
            http=HTTP_TIMEOUT_S,
        ),
    )

    working_dir = StringField(
        _("Working directory"), description=_("An absolute path; empty: that of the node.")
    )
    environment = PairsField(
        _("Environment"),
        separator="=",
        description=_(
            "One NAME=value a line. Besides these a command only sees PATH, HOME and the "
            "like, its parameters, and GOCRON_TASK_ID, GOCRON_RUN_ID, GOCRON_SCHEDULED_AT."
        ),
    )

    http_method = SelectField(_("Method"), choices=list(METHODS))
    http_headers = PairsField(
        _("Headers"), separator=": ", description=_("One Name: value a line.")
    )
    http_body = TextAreaField(_("Body"), filters=[unix_lines])
    http_statuses = StringField(
        _("Good statuses"), description=_("Such as 200-299,304. Everything else is a failure.")
    )
    success_pattern = StringField(
        _("Pattern of success"),
        description=_("A regular expression that has to be found in the answer; empty: none."),
    )
    http_verify_tls = BooleanField(
        _("Verify the certificate"), description=_("Only switch this off in a network you trust.")
    )

    parameters = LinesField(
        _("Parameters"),
        read=parameter_lines.read,
        write=parameter_lines.write,
        description=_(
            "One a line: “DAY: text = 2026-01-01”, “MODE: choice(full, fast) = full  "
            "# remark”, “N: integer”; also number and boolean. Given for a run by hand or a "
            "backfill; a command finds them in its environment, a request sends them as JSON."
        ),
    )

    misfire = SelectField(
        _("Slots that nobody could start in time"),
        choices=choices(MISFIRE_WORDS, Misfire),
        description=_("Because no node was running, or there was a pause."),
    )
    misfire_grace = MaybeIntegerField(
        _("Late after so many seconds"),
        description=_("Empty: as the installation has it, 30 if nobody changed it."),
    )
    catch_up_limit = IntegerField(
        _("At most so many late ones"),
        default=100,
        description=_("Where each of them runs; the rest is recorded as missed."),
    )
    overlap = SelectField(
        _("While the run before is still going"), choices=choices(OVERLAP_WORDS, Overlap)
    )
    max_parallel = IntegerField(
        _("At most in parallel"),
        default=0,
        description=_("0: no limit. Only where it is started all the same."),
    )
    group = StringField(
        _("Group"), description=_("At most so many runs of all its tasks at once; empty: none.")
    )
    priority = IntegerField(
        _("Priority"),
        default=0,
        description=_("-100 to 100: who begins first where there is not room for all."),
    )

    retry_times = IntegerField(
        _("Try again so many times"), default=0, description=_("0: never; at most 10.")
    )
    retry_interval = IntegerField(
        _("Seconds until then"), default=0, description=_("0: one minute, then two, then three …")
    )
    retry_backoff = SelectField(_("That time"), choices=choices(BACKOFF_WORDS, Backoff))
    retry_jitter = IntegerField(
        _("And up to so many seconds more"),
        default=0,
        description=_("So that tasks that failed together do not come back together."),
    )
    retry_on = ChecklistField(_("Try again if"), words=RETRY_ON_WORDS)
    on_lost = SelectField(
        _("When its node died while it ran"),
        choices=choices(ON_LOST_WORDS, OnLost),
        description=_("At once, and besides the number above. Only for what may be repeated."),
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
                self._blame(mistake.field, inside(mistake.path[1:], mistake.message))
        else:
            self._blame(error.field, error.message)

    def _blame(self, field: str, message: str) -> None:
        if field in self:
            self[field].errors = [*self[field].errors, sentence(message)]
        else:
            self.general_errors.append(spoken(inside([field], message)))
