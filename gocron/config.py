"""Settings: read once from ``conf/app.ini`` and ``GOCRON_*``, checked together, then frozen.

The environment wins over the file. Every setting is listed in ``KEYS`` with its name in both
places; the names of gocron (Go) kept their meaning. A wrong setting is answered with its key, its
value, where it came from and what is allowed.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from gocron.errors import InvalidSetting

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1, le=65_535)]

DEFAULT_PORTS = {"postgres": 5432, "mysql": 3306, "sqlite": 1}


class DatabaseSettings(BaseModel):
    """Which database, and how to reach it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["sqlite", "postgres", "mysql"] = "sqlite"
    host: str = "127.0.0.1"
    port: Port = 1
    user: str = ""
    password: SecretStr = SecretStr("")
    database: str = ""
    prefix: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,19})?$")] = ""
    charset: Literal["utf8mb4"] = "utf8mb4"
    max_idle_conns: Annotated[int, Field(ge=1, le=1000)] = 30
    max_open_conns: Annotated[int, Field(ge=1, le=1000)] = 100


class Settings(BaseModel):
    """Everything a node is told from outside. Durations are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    db: DatabaseSettings = DatabaseSettings()

    web_host: str = "0.0.0.0"  # noqa: S104 -- a panel that only its own host can reach is no panel
    web_port: Port = 5920
    web_threads: Annotated[int, Field(ge=1, le=256)] = 8
    allow_ips: tuple[str, ...] = ()
    app_name: Annotated[str, Field(min_length=1, max_length=64)] = "gocron"
    auth_secret: SecretStr | None = None
    metrics_token: SecretStr | None = None
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0

    node_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$")] = "node"
    timezone: str = "UTC"

    lease_s: Seconds = 15.0
    renew_s: Seconds = 5.0
    grace_s: Seconds = 0.8
    poll_s: Seconds = 0.2
    misfire_grace_s: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    max_running: Annotated[int, Field(ge=1, le=100_000)] = 500
    drain_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    output_limit: Annotated[int, Field(ge=1024, le=1024**3)] = 1024**2
    allow_root: bool = False

    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    admin_username: Annotated[str, Field(max_length=64)] = "admin"
    admin_password: SecretStr | None = None
    admin_email: Annotated[str, Field(max_length=254)] = ""

    @field_validator("auth_secret")
    @classmethod
    def _secret_is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError(
                "at least 32 characters; make one with: "
                'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
            )
        return value

    @field_validator("admin_password")
    @classmethod
    def _password_is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 8:
            raise ValueError("at least 8 characters")
        return value

    @model_validator(mode="after")
    def _intervals_fit_each_other(self) -> Self:
        """The order that makes the election safe: poll < grace < renew < lease / 2."""
        rules = (
            ("GOCRON_RENEW", self.renew_s, "GOCRON_LEASE / 2", self.lease_s / 2),
            ("GOCRON_GRACE", self.grace_s, "GOCRON_RENEW", self.renew_s),
            ("GOCRON_POLL", self.poll_s, "GOCRON_GRACE", self.grace_s),
        )
        for small_name, small, big_name, big in rules:
            if small >= big:
                raise ValueError(
                    f"{small_name} ({small:g} s) must be shorter than {big_name} ({big:g} s); "
                    "the defaults are lease 15, renew 5, grace 0.8, poll 0.2"
                )
        return self

    @property
    def single_node(self) -> bool:
        """SQLite serves one node only, so there is nobody to elect."""
        return self.db.engine == "sqlite"

    @property
    def sqlite_path(self) -> Path:
        """Where the SQLite file lies; relative names are below the home folder."""
        return self.home / (self.db.database or "gocron.db")


KEYS: dict[str, tuple[str, str]] = {
    # setting: (key in the section [default] of app.ini, environment variable)
    "db.engine": ("db.engine", "GOCRON_DB_ENGINE"),
    "db.host": ("db.host", "GOCRON_DB_HOST"),
    "db.port": ("db.port", "GOCRON_DB_PORT"),
    "db.user": ("db.user", "GOCRON_DB_USER"),
    "db.password": ("db.password", "GOCRON_DB_PASSWORD"),
    "db.database": ("db.database", "GOCRON_DB_DATABASE"),
    "db.prefix": ("db.prefix", "GOCRON_DB_PREFIX"),
    "db.charset": ("db.charset", "GOCRON_DB_CHARSET"),
    "db.max_idle_conns": ("db.max.idle.conns", "GOCRON_DB_MAX_IDLE_CONNS"),
    "db.max_open_conns": ("db.max.open.conns", "GOCRON_DB_MAX_OPEN_CONNS"),
    "web_host": ("web.host", "GOCRON_WEB_HOST"),
    "web_port": ("web.port", "GOCRON_WEB_PORT"),
    "web_threads": ("web.threads", "GOCRON_WEB_THREADS"),
    "allow_ips": ("allow_ips", "GOCRON_ALLOW_IPS"),
    "app_name": ("app.name", "GOCRON_APP_NAME"),
    "auth_secret": ("auth_secret", "GOCRON_AUTH_SECRET"),
    "metrics_token": ("metrics.token", "GOCRON_METRICS_TOKEN"),
    "trusted_proxies": ("web.trusted_proxies", "GOCRON_TRUSTED_PROXIES"),
    "node_name": ("node.name", "GOCRON_NODE_NAME"),
    "timezone": ("timezone", "GOCRON_TIMEZONE"),
    "lease_s": ("election.lease", "GOCRON_LEASE"),
    "renew_s": ("election.renew", "GOCRON_RENEW"),
    "grace_s": ("election.grace", "GOCRON_GRACE"),
    "poll_s": ("election.poll", "GOCRON_POLL"),
    "misfire_grace_s": ("misfire.grace", "GOCRON_MISFIRE_GRACE"),
    "max_running": ("concurrency.queue", "GOCRON_MAX_RUNNING"),
    "drain_s": ("drain.timeout", "GOCRON_DRAIN_TIMEOUT"),
    "output_limit": ("output.limit", "GOCRON_OUTPUT_LIMIT"),
    "allow_root": ("allow_root", "GOCRON_ALLOW_ROOT"),
    "log_format": ("log.format", "GOCRON_LOG_FORMAT"),
    "log_level": ("log.level", "GOCRON_LOG_LEVEL"),
    "admin_username": ("admin.username", "GOCRON_ADMIN_USERNAME"),
    "admin_password": ("admin.password", "GOCRON_ADMIN_PASSWORD"),
    "admin_email": ("admin.email", "GOCRON_ADMIN_EMAIL"),
}

Raw = dict[str, tuple[str, str]]
"""Setting name -> (text as found, where it was found)."""


def load(env: Mapping[str, str], **overrides: object) -> Settings:
    """Read file and environment; ``overrides`` are options of the command line, by setting name.

    Raises ``InvalidSetting`` with one line per problem.
    """
    from gocron.config_sources import read_environment, read_file

    home = Path(env.get("GOCRON_HOME") or ".gocron").absolute()
    raw = read_file(home / "conf" / "app.ini") | read_environment(env)
    for name, value in overrides.items():
        if value is not None:
            raw[name] = (str(value), "the command line")
    return build(home, raw)


def build(home: Path, raw: Raw) -> Settings:
    """Turn raw texts into checked settings; defaults that depend on others are filled in here."""
    from gocron.config_sources import explain

    values: dict[str, object] = {"home": home}
    database: dict[str, object] = {}
    for name, (text, _source) in raw.items():
        group, _, key = name.partition(".")
        if group == "db":
            database[key] = text
        else:
            values[name] = _split(text) if name == "allow_ips" else text
    engine = str(database.get("engine", "sqlite"))
    database.setdefault("port", DEFAULT_PORTS.get(engine, 1))
    values["db"] = database
    values.setdefault("node_name", _default_node_name(str(values.get("web_port", 5920))))
    settings = explain(lambda: Settings.model_validate(values), raw)
    if not settings.single_node:
        _require_database(settings.db)
    return settings


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _default_node_name(port: str) -> str:
    """Host and port tell two nodes of one host apart, as in gocron's own examples."""
    return f"{socket.gethostname()}:{port}"


def _require_database(db: DatabaseSettings) -> None:
    for key in ("user", "database", "host"):
        if not getattr(db, key):
            raise InvalidSetting(
                f"GOCRON_DB_{key.upper()} (db.{key} in app.ini) is missing: with the engine "
                f"{db.engine} a node needs host, user, password and database"
            )
