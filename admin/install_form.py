"""What is typed into the install wizard, and what is wrong with it on its own. Whether the database
will do is asked of the database."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from wtforms import EmailField, Field, Form, PasswordField, RadioField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Regexp, StopValidation

from admin.forms import LONGEST_PASSWORD, PanelForm, new_password, once_more
from gocron import zones
from gocron.config import DEFAULT_PORTS
from gocron.core.installing import Administrator, Wizard

ENGINES = {
    "sqlite": lazy("SQLite"),
    "mysql": lazy("MySQL or MariaDB"),
    "postgres": lazy("PostgreSQL"),
}

FIELDS = {
    "engine": "db.engine",
    "host": "db.host",
    "port": "db.port",
    "user": "db.user",
    "password": "db.password",
    "database": "db.database",
    "file": "db.database",
    "prefix": "db.prefix",
    "node_name": "node_name",
    "timezone": "timezone",
    "language": "app_lang",
}
"""Which setting a field is for."""

SERVER_FIELDS = ("host", "port", "user", "password", "database")
ADMINISTRATOR = ("username", "new", "again", "email")

ONE_LINE = Regexp(r"^[^\x00-\x1f\x7f]*\Z", message=lazy("One line of text, please."))


def _trimmed(text: str | None) -> str:
    return (text or "").strip()


def _only_servers(form: Form, field: Field) -> None:
    """What stands in fields that are not shown is nobody's mistake."""
    if form.engine.data == "sqlite":
        raise StopValidation
    if not field.data:
        raise StopValidation(_("This is needed."))


def _only_sqlite(form: Form, _field: Field) -> None:
    if form.engine.data != "sqlite":
        raise StopValidation


def _is_port(_form: Form, field: Field) -> None:
    if not (field.data.isascii() and field.data.isdigit() and 1 <= int(field.data) <= 65_535):
        raise StopValidation(_("A whole number from 1 to 65535."))


def _is_zone(_form: Form, field: Field) -> None:
    if zones.problem(field.data):
        raise StopValidation(_("This time zone is not known. A name like Europe/Berlin, please."))


def _without_blanks_around(_form: Form, field: Field) -> None:
    if field.data and field.data != field.data.strip():
        raise StopValidation(
            _(
                "The file app.ini keeps no blanks at the ends. Give this password with the "
                "variable GOCRON_DB_PASSWORD, or choose another one."
            )
        )


class InstallForm(PanelForm):
    """All of it stands on one page."""

    token = StringField(lazy("One-time token"), [InputRequired()], filters=[_trimmed])
    engine = RadioField(
        lazy("Database"),
        choices=[SelectChoice(engine, words) for engine, words in ENGINES.items()],
        default="sqlite",
    )
    host = StringField(
        lazy("Host"),
        [
            _only_servers,
            Length(max=255),
            Regexp(r"^[^\s\x00-\x1f\x7f]+\Z", message=lazy("A name or an address.")),
        ],
        filters=[_trimmed],
        default="127.0.0.1",
    )
    port = StringField(lazy("Port"), [_only_servers, _is_port], filters=[_trimmed])
    user = StringField(lazy("User"), [_only_servers, Length(max=255), ONE_LINE], filters=[_trimmed])
    password = PasswordField(lazy("Password"), [ONE_LINE, LONGEST_PASSWORD, _without_blanks_around])
    database = StringField(
        lazy("Database name"),
        [_only_servers, Length(max=255), ONE_LINE],
        filters=[_trimmed],
        default="gocron",
    )
    file = StringField(
        lazy("File"),
        [_only_sqlite, Length(max=1024), ONE_LINE],
        filters=[_trimmed],
        description=lazy("Nothing typed: gocron.db in the home folder."),
    )
    prefix = StringField(
        lazy("Table prefix"),
        [
            Regexp(
                r"^([a-z][a-z0-9_]{0,19})?\Z",
                message=lazy("At most 20 of a-z, 0-9 and _, beginning with a letter."),
            )
        ],
        filters=[_trimmed],
        description=lazy("Only where others use the same database. All nodes have the same."),
    )
    node_name = StringField(
        lazy("Name of this node"),
        [
            Regexp(
                r"^([A-Za-z0-9][A-Za-z0-9_.:-]{0,127})?\Z",
                message=lazy(
                    "1 to 128 of letters, digits and _ . : -, beginning with a letter or digit."
                ),
            )
        ],
        filters=[_trimmed],
        description=lazy(
            "Nothing typed: host name and port. Leave it so if conf/ will be copied to other nodes."
        ),
    )
    timezone = StringField(
        lazy("Time zone"),
        [InputRequired(), _is_zone],
        filters=[_trimmed],
        default="UTC",
        description=lazy("Of tasks that have none of their own. All nodes have the same."),
    )
    username = StringField(
        lazy("Name"),
        [InputRequired(), Length(max=64), ONE_LINE],
        filters=[_trimmed],
        default="admin",
    )
    new = new_password(lazy("Password"))
    again = once_more(lazy("Password, again"))
    email = EmailField(
        lazy("E-mail"),
        [
            Length(max=254),
            Regexp(r"^([^@\s]+@[^@\s]+)?\Z", message=lazy("This is no e-mail address.")),
        ],
        filters=[_trimmed],
        description=lazy("May be left empty."),
    )

    def settings(self, language: str) -> dict[str, str]:
        """What was typed, by name of the setting. The default of the port is that of the engine."""
        server = self.engine.data != "sqlite"
        chosen = {"db.engine": self.engine.data, "timezone": self.timezone.data}
        chosen["app_lang"] = language
        for name in SERVER_FIELDS if server else ("file",):
            chosen[FIELDS[name]] = self[name].data
        for name in ("prefix", "node_name"):
            chosen[FIELDS[name]] = self[name].data
        return {
            name: text
            for name, text in chosen.items()
            if text or (name == "db.password" and server)
        }

    def first(self) -> Administrator | None:
        """The administrator, if one was typed in."""
        if not self.new.data:
            return None
        return Administrator(self.username.data, self.new.data, self.email.data)

    def check_database(self) -> bool:
        """Whether the part about the database is right on its own."""
        return self._check(("engine", *SERVER_FIELDS, "file", "prefix"))

    def check_all_but_administrator(self) -> bool:
        """Whether everything else is."""
        return self._check(tuple(name for name in self._fields if name not in ADMINISTRATOR))

    def check_administrator(self) -> bool:
        """Whether the administrator is."""
        return self._check(ADMINISTRATOR)

    def _check(self, names: tuple[str, ...]) -> bool:
        found = [self[name].validate(self) for name in names]  # not only up to the first mistake
        return all(found)


def fill_in(form: InstallForm, wizard: Wizard) -> None:
    """What file and environment say already; and the port that fits the engine."""
    for name, setting in FIELDS.items():
        text = wizard.initial(setting)
        if text and name in form and name != "password":
            form[name].data = text
    for name, setting in {"username": "admin_username", "email": "admin_email"}.items():
        form[name].data = wizard.initial(setting) or form[name].data or ""


def usual_port(engine: str) -> str:
    """Of a server of this kind; empty where there is no server."""
    return "" if engine == "sqlite" else str(DEFAULT_PORTS.get(engine, ""))
