"""Settings: read once from ``conf/app.ini`` and ``GOCRON_*``, checked together, then frozen.

The environment wins over the file, the command line over both. Every setting is listed in
``KEYS`` with its name in both places; the names of gocron (Go) kept their meaning. A wrong setting
is answered with its key, its value, where it came from and what is allowed.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from gocron import zones
from gocron.allowed import Allowed, found
from gocron.config_keys import COMMAND_LINE, DEFAULT, ENVIRONMENT, KEYS, OPTIONS, Given, Raw
from gocron.config_sources import (
    Contradiction,
    Mistakes,
    explain,
    open_to_others,
    read_environment,
    read_file,
    without_empty,
)

__all__ = ["KEYS", "DatabaseSettings", "Loaded", "Settings", "load", "load_with_sources"]

Seconds = Annotated[
    float, Field(gt=0, le=86_400), Allowed("a number of seconds above 0, at most 86400")
]
Port = Annotated[int, Field(ge=1, le=65_535)]

Host = Annotated[
    str,
    Field(min_length=1, max_length=255, pattern=r"^[^\s\x00-\x1f\x7f]*$"),
    Allowed("a name or an address"),
]

Networks = Annotated[
    tuple[str, ...],
    Allowed("addresses and networks with commas between them, as in 10.0.0.0/8, 192.168.1.5"),
]

METADATA = (
    "169.254.0.0/16",
    "fe80::/10",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
)
"""Link-local networks, and where clouds tell a machine its credentials (AWS, Alibaba, Azure,
Oracle, Google): nothing that a task is meant to call."""

LISTS = frozenset({"allow_ips", "http_allow_networks", "http_deny_networks"})

DEFAULT_PORTS = {"postgres": 5432, "mysql": 3306, "sqlite": 1}

DEFAULT_HOME = ".gocron"


class DatabaseSettings(BaseModel):
    """Which database, and how to reach it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Annotated[
        Literal["sqlite", "postgres", "mysql"],
        Allowed("sqlite, postgres or mysql (mysql is for MariaDB too)"),
    ] = "sqlite"
    host: Host = "127.0.0.1"
    port: Port = 1
    user: str = ""
    password: SecretStr = SecretStr("")
    database: str = ""
    prefix: Annotated[
        str,
        Field(pattern=r"^([a-z][a-z0-9_]{0,19})?$"),
        Allowed("at most 20 of a-z, 0-9 and _, beginning with a letter"),
    ] = ""
    charset: Literal["utf8mb4"] = "utf8mb4"
    max_idle_conns: Annotated[int, Field(ge=1, le=1000)] = 30
    max_open_conns: Annotated[int, Field(ge=1, le=1000)] = 100


class Settings(BaseModel):
    """Everything a node is told from outside. Durations are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    db: DatabaseSettings = DatabaseSettings()

    web_host: Host = "0.0.0.0"  # noqa: S104 -- a panel that only its own host can reach is no panel
    web_port: Port = 5920
    web_threads: Annotated[int, Field(ge=1, le=256)] = 8
    allow_ips: Networks = ()
    app_name: Annotated[
        str,
        Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$"),
        Allowed("1 to 64 characters on one line"),
    ] = "gocron"
    app_lang: Annotated[
        Literal["", "en", "zh-CN"],
        Allowed("en or zh-CN; leave it out for the language that a browser asks for"),
    ] = ""
    auth_secret: Annotated[
        Annotated[SecretStr, Field(min_length=32)] | None,
        Allowed(
            "at least 32 characters; make one with: "
            'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
        ),
    ] = None
    secret_key: Annotated[
        Annotated[SecretStr, Field(min_length=32)] | None,
        Allowed(
            "at least 32 characters; make one with: "
            'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
        ),
    ] = None
    metrics_token: Annotated[
        Annotated[SecretStr, Field(min_length=1)] | None,
        Allowed("a text; leave it out to have none"),
    ] = None
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0

    node_name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"),
        Allowed("1 to 128 of letters, digits and _ . : -, beginning with a letter or digit"),
    ] = "node"
    timezone: Annotated[str, Allowed("an IANA name, as Europe/Berlin")] = "UTC"

    lease_s: Seconds = 15.0
    renew_s: Seconds = 5.0
    grace_s: Seconds = 0.8
    poll_s: Seconds = 0.2
    misfire_grace_s: Seconds = 30.0
    max_running: Annotated[int, Field(ge=1, le=100_000)] = 500
    drain_s: Annotated[
        float, Field(ge=0, le=86_400), Allowed("a number of seconds from 0 to 86400")
    ] = 60.0
    output_limit: Annotated[
        int, Field(ge=1024, le=1024**3), Allowed("a number of bytes from 1024 to 1073741824")
    ] = 1024**2
    allow_root: bool = False

    http_allow_networks: Networks = ()
    http_deny_networks: Networks = METADATA

    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    admin_username: Annotated[
        str,
        Field(max_length=64, pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$"),
        Allowed("1 to 64 characters on one line, no blank at the ends"),
    ] = "admin"
    admin_password: Annotated[
        Annotated[SecretStr, Field(min_length=8)] | None, Allowed("at least 8 characters")
    ] = None
    admin_email: Annotated[
        str, Field(max_length=254, pattern=r"^([^@\s]+@[^@\s]+)?$"), Allowed("an e-mail address")
    ] = ""

    @field_validator(*sorted(LISTS))
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                network = ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise ValueError(
                    f"{found(text)} is no address and no network; allowed are addresses and "
                    "networks with commas between them, as in 10.0.0.0/8, 192.168.1.5, fd00::/8"
                ) from None
            if "/" in text and network.network_address != ipaddress.ip_interface(text).ip:
                raise ValueError(f"{text} is an address inside a network; did you mean {network}?")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        if problem := zones.problem(value):
            raise ValueError(problem)
        return value

    @model_validator(mode="after")
    def _intervals_fit_each_other(self) -> Self:
        """The order that makes the election safe: poll < grace < renew < lease / 2."""
        rules = (
            ("renew_s", self.renew_s, "must be shorter than half of", "lease_s", self.lease_s / 2),
            ("grace_s", self.grace_s, "must be shorter than", "renew_s", self.renew_s),
            ("poll_s", self.poll_s, "must be shorter than", "grace_s", self.grace_s),
        )
        for small_name, small, words, big_name, big in rules:
            if small >= big:
                defaults = "the defaults are lease 15, renew 5, grace 0.8, poll 0.2"
                raise Contradiction(small_name, words, big_name, defaults)
        return self

    @property
    def single_node(self) -> bool:
        """SQLite serves one node only, so there is nobody to elect."""
        return self.db.engine == "sqlite"

    @property
    def sqlite_path(self) -> Path:
        """Where the SQLite file lies; relative names are below the home folder."""
        return self.home / (self.db.database or "gocron.db")


FIELDS: Mapping[str, FieldInfo] = {
    name: DatabaseSettings.model_fields[name.removeprefix("db.")]
    if name.startswith("db.")
    else Settings.model_fields[name]
    for name in KEYS
}
"""By the same names as ``KEYS``."""


@dataclass(frozen=True)
class Loaded:
    """Settings, what was given for them and where, and what should be mended all the same."""

    settings: Settings
    given: Raw
    warnings: tuple[str, ...]

    def source(self, name: str) -> str:
        """Where a setting has its value from: a file and its line, a variable, or the default."""
        if name not in self.given:
            return DEFAULT
        given = self.given[name]
        return given.label if given.place in (ENVIRONMENT, COMMAND_LINE) else given.place


def load(env: Mapping[str, str], **overrides: object) -> Settings:
    """Read file and environment; ``overrides`` are options of the command line, by setting name.

    Raises ``InvalidSetting`` with one line per problem.
    """
    return load_with_sources(env, **overrides).settings


def load_with_sources(env: Mapping[str, str], **overrides: object) -> Loaded:
    """The same, and where each value came from."""
    home = Path(env.get("GOCRON_HOME") or DEFAULT_HOME).absolute()
    file = home / "conf" / "app.ini"
    mistakes = Mistakes()
    from_file = read_file(file, mistakes)
    from_environment = read_environment(env, mistakes)
    from_command_line = {
        name: Given(OPTIONS.get(name, name), str(value), COMMAND_LINE)
        for name, value in overrides.items()
        if value is not None
    }
    given = without_empty(from_file) | without_empty(from_environment) | from_command_line
    settings = build(home, given, mistakes)
    warning = open_to_others(file, from_file) if from_file else None
    return Loaded(settings, given, (warning,) if warning else ())


def build(home: Path, given: Raw, mistakes: Mistakes | None = None) -> Settings:
    """Turn texts into checked settings; defaults that depend on others are filled in here."""
    mistakes = mistakes or Mistakes()
    values: dict[str, object] = {"home": home}
    database: dict[str, object] = {}
    for name, setting in given.items():
        group, _, key = name.partition(".")
        if group == "db":
            database[key] = setting.text
        else:
            values[name] = _split(setting.text) if name in LISTS else setting.text
    database.setdefault("port", DEFAULT_PORTS.get(str(database.get("engine", "sqlite")), 1))
    values["db"] = database
    values.setdefault("node_name", _default_node_name(str(values.get("web_port", ""))))
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        explain(error, FIELDS, given, mistakes)
        mistakes.refuse()
        raise
    _check_database(settings.db, given, mistakes)
    mistakes.refuse()
    return settings


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _default_node_name(port: str) -> str:
    """Host and port tell two nodes of one host apart, as in gocron's own examples. Always a valid
    name: what is wrong with the port is said about the port."""
    host = re.sub(r"[^A-Za-z0-9_.:-]", "-", socket.gethostname()).lstrip("_.:-")[:100]
    usable = port.isascii() and port.isdigit() and len(port) <= 5
    return f"{host or 'node'}:{port if usable else Settings.model_fields['web_port'].default}"


def _check_database(db: DatabaseSettings, given: Raw, mistakes: Mistakes) -> None:
    """Whether the place of the database is complete, or was meant to be another one."""
    if db.engine != "sqlite":
        for key in ("user", "database"):
            if not getattr(db, key):
                ini, variable = KEYS[f"db.{key}"]
                mistakes.add(
                    f"{variable} ({ini} in app.ini) is missing: with the engine {db.engine} a node "
                    "needs host, user, password and database"
                )
        return
    if "db.engine" in given:
        return
    for name in ("db.host", "db.user", "db.password"):
        if name in given and given[name].text:
            mistakes.add(
                f"{given[name].label} ({given[name].place}) is set, but no engine: without one a "
                "node uses SQLite and its own file; set GOCRON_DB_ENGINE to postgres or mysql "
                "(or to sqlite, if that is meant)"
            )
            return
