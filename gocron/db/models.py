"""The tables, as SQLAlchemy models. Times are UTC; see ``types.UtcDateTime``.

A plain declarative base: elector, scheduler and runner use it without Flask, the web process
gives it to Flask-SQLAlchemy. Hot paths use the statements in ``dialects`` instead of the ORM.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, deferred, mapped_column

from gocron.core.policies import DEFAULT_RETRY_ON
from gocron.db.naming import table
from gocron.db.types import BigKey, JsonOr, LongText, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


PLAIN_OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
"""Row locks, every character, and names that compare alike on all three databases."""

OPTIONS = PLAIN_OPTIONS | {"sqlite_autoincrement": True}
"""For tables with generated keys: a key is never given out twice."""


ZERO = text("0")
EMPTY = text("''")
"""What the database fills in for a version that does not know the column yet."""


class Base(DeclarativeBase):
    """Base of all models."""

    metadata = MetaData(naming_convention=NAMING)


class Task(Base):
    """A definition: when, what, with which policies.

    ``next_fire_at`` is the cursor: the next slot that has no row in ``run`` yet. ``revision``
    grows with every change of the definition. ``followed``: something may have to happen after its
    runs (retries, dependent tasks). ``broken``: why it cannot be scheduled, empty if it can.
    ``depends_on`` is what was said; ``TaskDependency`` has the same with ids.
    """

    __tablename__ = table("task")
    __table_args__ = (
        Index(None, "enabled", "next_fire_at", "id"),
        Index(None, "concurrency_group"),
        OPTIONS,
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    spec: Mapped[str] = mapped_column(String(255))
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    protocol: Mapped[str] = mapped_column(String(16), default="shell")
    command: Mapped[str] = mapped_column(LongText)
    working_dir: Mapped[str] = mapped_column(String(1024), default="")
    environment: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    http_method: Mapped[str] = mapped_column(String(8), default="GET")
    http_headers: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    http_body: Mapped[str] = deferred(mapped_column(LongText, default="", nullable=False))
    http_statuses: Mapped[str] = mapped_column(String(255), default="200-299")
    http_verify_tls: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    success_pattern: Mapped[str] = mapped_column(String(1024), default="")
    timeout: Mapped[int] = mapped_column(Integer, default=0)
    overlap: Mapped[str] = mapped_column(String(16), default="skip")
    max_parallel: Mapped[int] = mapped_column(Integer, default=0)
    misfire: Mapped[str] = mapped_column(String(16), default="run_once")
    misfire_grace: Mapped[int | None] = mapped_column(Integer)
    catch_up_limit: Mapped[int] = mapped_column(Integer, default=100, server_default=text("100"))
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    jitter: Mapped[int] = mapped_column(Integer, default=0, server_default=ZERO)
    exclude_calendars: Mapped[list[str]] = mapped_column(JsonOr(list), nullable=True)
    require_calendars: Mapped[list[str]] = mapped_column(JsonOr(list), nullable=True)
    group: Mapped[str] = mapped_column(
        "concurrency_group", String(64), default="", server_default=EMPTY
    )
    priority: Mapped[int] = mapped_column(Integer, default=0, server_default=ZERO)
    retry_times: Mapped[int] = mapped_column(Integer, default=0, server_default=ZERO)
    retry_interval: Mapped[int] = mapped_column(Integer, default=0, server_default=ZERO)
    retry_backoff: Mapped[str] = mapped_column(String(16), default="fixed", server_default="fixed")
    retry_jitter: Mapped[int] = mapped_column(Integer, default=0, server_default=ZERO)
    retry_on: Mapped[list[str]] = mapped_column(
        JsonOr(lambda: list(DEFAULT_RETRY_ON)), nullable=True
    )
    on_lost: Mapped[str] = mapped_column(String(16), default="fail", server_default="fail")
    depends_on: Mapped[dict[str, str]] = mapped_column(JsonOr(dict), nullable=True)
    parameters: Mapped[list[dict[str, object]]] = mapped_column(JsonOr(list), nullable=True)
    followed: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    broken: Mapped[str] = mapped_column(String(512), default="", server_default=EMPTY)
    tag: Mapped[str] = mapped_column(String(64), default="", index=True)
    remark: Mapped[str] = mapped_column(LongText, default="")
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    revision: Mapped[int] = mapped_column(Integer, default=1)
    next_fire_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TaskVersion(Base):
    """A definition as it was from ``changed_at`` on; ``revision`` is that of the task."""

    __tablename__ = table("task_version")
    __table_args__ = (UniqueConstraint("task_id", "revision"), OPTIONS)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    task_id: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(Integer)
    action: Mapped[str] = mapped_column(String(32))
    definition: Mapped[dict[str, object]] = mapped_column(JSON)
    changed_by: Mapped[str] = mapped_column(String(64))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Run(Base):
    """What became of a slot, or of a manual trigger. ``(task_id, scheduled_at, attempt)`` is
    unique: whoever inserts the row has the slot, nobody else ever will.

    ``held_at``: since when it waits for others to end (overlap, group, pause). ``follow_up``: once
    it has ended, the leader has yet to see what comes after it. ``generation`` grows when a chain
    is run again from a point of it. ``parents`` are the runs that it came after.
    """

    __tablename__ = table("run")
    __table_args__ = (
        UniqueConstraint("task_id", "scheduled_at", "attempt"),
        Index(None, "state", "owner_id", "id"),
        Index(None, "state", "id"),
        Index(None, "task_id", "id"),
        # On PostgreSQL every update of a row writes into each of its indexes: most rows are kept
        # out of this one.
        Index(None, "trigger_kind", "id", postgresql_where=text("trigger_kind <> 'schedule'")),
        Index(None, "scheduled_at"),
        Index(None, "follow_up", "id"),
        Index(None, "backfill_id"),
        OPTIONS,
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    task_id: Mapped[int] = mapped_column(BigInteger)
    task_name: Mapped[str] = mapped_column(String(128))
    scheduled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    start_at: Mapped[datetime] = mapped_column(UtcDateTime)
    trigger: Mapped[str] = mapped_column("trigger_kind", String(16))
    triggered_by: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(512), default="")
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    term: Mapped[int | None] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    exit_code: Mapped[int | None] = mapped_column(Integer)
    missed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    missed_count: Mapped[int | None] = mapped_column(Integer)
    output_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    stop_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stop_requested_by: Mapped[str] = mapped_column(String(64), default="")
    held_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    follow_up: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    generation: Mapped[int] = mapped_column(Integer, default=0, server_default=ZERO)
    parents: Mapped[list[dict[str, object]]] = mapped_column(JsonOr(list), nullable=True)
    parameters: Mapped[dict[str, object]] = mapped_column(JsonOr(dict), nullable=True)
    backfill_id: Mapped[int | None] = mapped_column(BigInteger)


class RunOutput(Base):
    """A piece of a run's output, in order of ``seq``; concatenated they are what is kept of it."""

    __tablename__ = table("run_output")
    __table_args__ = (PLAIN_OPTIONS,)

    run_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[str] = mapped_column(LongText)


class TaskDependency(Base):
    """``task_id`` runs after ``parent_id``."""

    __tablename__ = table("task_dependency")
    __table_args__ = (Index(None, "parent_id"), PLAIN_OPTIONS)

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    parent_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    need: Mapped[str] = mapped_column(String(16))


class Calendar(Base):
    """A named set of days, as a sorted list of ISO dates."""

    __tablename__ = table("calendar")
    __table_args__ = (OPTIONS,)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    days: Mapped[str] = deferred(mapped_column(LongText, nullable=False))
    day_count: Mapped[int] = mapped_column(Integer)
    remark: Mapped[str] = mapped_column(String(512), default="")
    revision: Mapped[int] = mapped_column(Integer, default=1)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ConcurrencyGroup(Base):
    """At most ``max_running`` runs of the tasks of this group at once, on all nodes together."""

    __tablename__ = table("concurrency_group")
    __table_args__ = (OPTIONS,)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    max_running: Mapped[int] = mapped_column(Integer)
    remark: Mapped[str] = mapped_column(String(512), default="")


class Pause(Base):
    """While it is in force nothing is started by itself: of tasks with this ``tag``, of all if
    that is empty. ``until`` None: until somebody resumes."""

    __tablename__ = table("pause")
    __table_args__ = (OPTIONS,)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    tag: Mapped[str] = mapped_column(String(64), unique=True)
    reason: Mapped[str] = mapped_column(String(256))
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Backfill(Base):
    """Runs of past slots that somebody asked for, at most ``parallel`` of them at once."""

    __tablename__ = table("backfill")
    __table_args__ = (OPTIONS,)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    task_id: Mapped[int] = mapped_column(BigInteger, index=True)
    task_name: Mapped[str] = mapped_column(String(128))
    first_slot: Mapped[datetime] = mapped_column(UtcDateTime)
    last_slot: Mapped[datetime] = mapped_column(UtcDateTime)
    slots: Mapped[int] = mapped_column(Integer)
    parallel: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Node(Base):
    """A member of the cluster, by name. ``incarnation`` is drawn anew at every start: an older
    process of the same name can neither start runs nor report itself alive. ``processes``: how its
    children are, as of the last heartbeat. ``step_down_at``: when somebody asked it to give up
    leadership. ``forgotten_at``: since when it is left out of lists; its name stays, for the runs
    that it had."""

    __tablename__ = table("node")
    __table_args__ = (OPTIONS,)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    incarnation: Mapped[str] = mapped_column(String(32))
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(Integer)
    boot_id: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(32))
    port: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    running: Mapped[int] = mapped_column(Integer, default=0)
    processes: Mapped[list[dict[str, object]]] = mapped_column(JsonOr(list), nullable=True)
    step_down_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    step_down_by: Mapped[str] = mapped_column(String(64), default="", server_default=EMPTY)
    forgotten_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SchedulerLock(Base):
    """The one row that decides who leads; see ``lock``."""

    __tablename__ = table("scheduler_lock")
    __table_args__ = (PLAIN_OPTIONS,)

    lock_name: Mapped[str] = mapped_column(String(64), primary_key=True)
    locked_by: Mapped[str | None] = mapped_column(String(300))
    node_name: Mapped[str | None] = mapped_column(String(128))
    term: Mapped[int] = mapped_column(BigInteger, default=0)
    locked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    renewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Leadership(Base):
    """History: who led when, and why it ended."""

    __tablename__ = table("leadership")
    __table_args__ = (OPTIONS,)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    term: Mapped[int] = mapped_column(BigInteger, index=True)
    locked_by: Mapped[str] = mapped_column(String(300))
    node_name: Mapped[str] = mapped_column(String(128))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str] = mapped_column(String(255), default="")


class User(Base):
    """Somebody who may use panel and API. ``token_version`` grows whenever sessions must end.

    ``tags``: those whose tasks an operator may change. ``totp_secret`` is encrypted, and counts
    once ``totp_since`` is set; until then it waits, since ``totp_begun_at``. ``totp_step`` is the
    last thirty seconds a code was taken from.
    ``external_id``: who this is to the identity provider.
    """

    __tablename__ = table("user")
    __table_args__ = (Index(None, "external_id", unique=True), OPTIONS)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254), default="")
    password_hash: Mapped[str] = deferred(mapped_column(String(255), nullable=False))
    role: Mapped[str] = mapped_column(String(16), default="admin")
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    language: Mapped[str] = mapped_column(String(16), default="", server_default=EMPTY)
    token_version: Mapped[int] = mapped_column(Integer, default=1)
    failed_logins: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tags: Mapped[list[str]] = mapped_column(JsonOr(list), nullable=True)
    totp_secret: Mapped[str] = mapped_column(String(255), default="", server_default=EMPTY)
    totp_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    totp_begun_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    totp_step: Mapped[int] = mapped_column(BigInteger, default=0, server_default=ZERO)
    external_id: Mapped[str | None] = mapped_column(String(255))


class RecoveryCode(Base):
    """Stands in for a second factor once; only its hash is kept."""

    __tablename__ = table("recovery_code")
    __table_args__ = (PLAIN_OPTIONS,)

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)


class Session(Base):
    """A login that is in force, in a browser or of a program, as long as its user has the same
    ``token_version``. ``key_hash`` belongs to what the
    client keeps; ``spent_hash`` to the refresh token before: who shows that one has stolen it."""

    __tablename__ = table("session")
    __table_args__ = (OPTIONS,)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, index=True)
    token_version: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    spent_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    address: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ApiToken(Base):
    """Lets a program do what ``scope`` allows in the name of a user. ``hint`` is its beginning, to
    know it again; the token itself is not kept."""

    __tablename__ = table("api_token")
    __table_args__ = (UniqueConstraint("user_id", "name"), OPTIONS)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    scope: Mapped[str] = mapped_column(String(16))
    tag: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_from: Mapped[str] = mapped_column(String(64), default="")


class LoginAttempts(Base):
    """Wrong passwords from one address (or network of IPv6 addresses), since ``began_at``."""

    __tablename__ = table("login_attempts")
    __table_args__ = (PLAIN_OPTIONS,)

    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class RunRequestRow(Base):
    """A request to run a task now that may arrive again, and the run it started."""

    __tablename__ = table("run_request")
    __table_args__ = (PLAIN_OPTIONS,)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Setting(Base):
    """What all nodes share and no file holds: one value a name."""

    __tablename__ = table("setting")
    __table_args__ = (PLAIN_OPTIONS,)

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class AuditLog(Base):
    """Append-only: who changed what, from where."""

    __tablename__ = table("audit_log")
    __table_args__ = (
        Index(None, "actor", "id"),
        Index(None, "action", "id"),
        Index(None, "target", "id"),
        OPTIONS,
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64), default="")
    node_name: Mapped[str] = mapped_column(String(128), default="")
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(160))
    detail: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
