"""Everything that PostgreSQL, MySQL/MariaDB and SQLite do differently, in one object each.

Nobody else asks which database this is. Batches travel as one JSON parameter that the server
unfolds into rows: one statement, one round trip, whatever the number of rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import Connection, text

from gocron.db.requirements import require_innodb, require_utf8, require_version

Columns = Mapping[str, str]
"""Column name -> kind of its values: ``int``, ``text`` or ``time``."""

NUL_SHOWN = "\u2400"
"""No database stores NUL in a text; this is the sign for it."""


def storable(value: str | None) -> str | None:
    """A text without what a server refuses (NUL, halves of surrogate pairs): one of them would
    keep the whole batch from being written, again and again."""
    if value is None or (value.isascii() and "\0" not in value):
        return value
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", NUL_SHOWN)


LOCK_WAIT_S = 3
"""How long a statement waits for a row that somebody else has locked."""

IDLE_S = 5
"""How long a transaction may stay open without a statement."""

STATEMENT_S = 15
"""How long a statement of a write transaction may take."""


class Dialect:
    """What the rest of gocron needs to know of a server."""

    name: ClassVar[str]
    clock: ClassVar[str]
    """SQL: the server's clock *now*, not at the start of the transaction, UTC, microseconds."""
    for_update: ClassVar[str] = " FOR UPDATE"
    skip_locked: ClassVar[str] = " FOR UPDATE SKIP LOCKED"
    straight_join: ClassVar[str] = "JOIN"
    """A join that reads its left side first."""
    by_key: ClassVar[str] = ""
    """SQL, behind a table: find its rows by the primary key. A scan may be cheaper while the table
    is small, but waits for every row that somebody has locked, wanted or not."""

    def by_index(self, name: str) -> str:
        """SQL, behind a table: find its rows by this index, where the optimizer may take another
        one that makes it sort."""
        return ""

    def time(self, value: datetime | None) -> str | None:
        """An instant as this server reads it from a text."""
        if value is None:
            return None
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

    def read_time(self, value: Any) -> datetime | None:
        """An instant as this server's driver hands it over."""
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]
        return value.astimezone(UTC)  # type: ignore[no-any-return]

    def instant(self, value: Any) -> datetime:
        """The same for a column that is never empty."""
        moment = self.read_time(value)
        if moment is None:
            raise ValueError("an instant was expected, NULL was found")
        return moment

    def read_json(self, value: Any) -> Any:
        """A JSON column as read by a plain statement."""
        return json.loads(value) if isinstance(value, str | bytes) else value

    def assign(self, *columns: str, source: str) -> str:
        """SQL: assignments that copy ``columns`` from ``source`` in ``update_from``."""
        return ", ".join(f"{column} = {source}.{column}" for column in columns)

    def now(self, connection: Connection) -> datetime:
        """The server's clock."""
        return self.instant(connection.execute(text(f"SELECT {self.clock}")).scalar_one())

    def estimate_rows(self, connection: Connection, target: str) -> int:
        """About how many rows the table ``target`` has, without counting them: at most as many as
        its ids ``id`` allow."""
        found = connection.execute(text(f"SELECT MAX(id) - MIN(id) + 1 FROM {target}"))
        return int(found.scalar_one() or 0)

    def for_update_of(self, alias: str) -> str:
        """SQL: lock only the rows of ``alias`` in a join."""
        return self.for_update

    def skip_locked_of(self, alias: str) -> str:
        """SQL: the same, passing over rows that somebody else has locked."""
        return self.skip_locked

    def limit_write(self, connection: Connection) -> None:
        """First statement of a write transaction: the server ends one that waits or idles for
        long, so that the locks of a machine that vanished never outlive it by much."""

    def as_int(self, parameter: str) -> str:
        """SQL: a parameter that may be NULL, typed as a number."""
        return f"CAST({parameter} AS INTEGER)"

    def as_json(self, expression: str) -> str:
        """SQL: a text as the value of a JSON column."""
        return expression

    def ignore_conflicts(self, target: str, column: str) -> str:
        """SQL: end of an INSERT that leaves rows alone which are there already."""
        return " ON CONFLICT DO NOTHING"

    def pack(self, columns: Columns, rows: Iterable[Sequence[Any]]) -> str:
        """Rows as the JSON parameter that ``unpack`` unfolds."""
        convert: dict[str, Callable[[Any], Any]] = {"time": self.time, "text": storable}
        converted = [
            (number, convert[kind])
            for number, kind in enumerate(columns.values())
            if kind in convert
        ]
        packed = []
        for row in rows:
            values = list(row)
            for number, how in converted:
                values[number] = how(values[number])
            packed.append(dict(zip(columns, values, strict=True)))
        return json.dumps(packed)

    def unpack(self, columns: Columns, parameter: str, alias: str) -> str:
        """SQL: a table expression called ``alias`` over the JSON in ``:parameter``."""
        raise NotImplementedError

    def update_from(self, target: str, source: str, on: str, assignments: str) -> str:
        """SQL: UPDATE ``target`` (alias ``t``) with values of the table expression ``source``."""
        return f"UPDATE {target} AS t SET {assignments} FROM {source} WHERE {on}"

    def interval(self, seconds: float) -> str:
        """SQL: a duration that can be added to the clock."""
        raise NotImplementedError

    def day_number(self, column: str, offset: str) -> str:
        """SQL: days from 1970-01-01 to an instant, on a clock that is ``offset`` seconds ahead."""
        raise NotImplementedError

    def span(self, column: str, length_s: int) -> str:
        """SQL: how many whole spans of that length lie between 1970 and an instant."""
        raise NotImplementedError

    def seconds(self, since: str, until: str) -> str:
        """SQL: the seconds from one instant to another."""
        raise NotImplementedError

    def check_server(self, connection: Connection) -> str:
        """The server in words; raises ``DatabaseUnsupported`` if it cannot carry our promises."""
        raise NotImplementedError

    def is_read_only(self, connection: Connection) -> bool:
        """Whether the server takes no writes (a replica, a maintenance mode)."""
        raise NotImplementedError

    def locks_are_local(self, connection: Connection) -> bool:
        """True where several servers accept writes and a row lock holds on one of them only."""
        return False

    def prepare_elector(self, connection: Connection, lease_s: float) -> None:
        """First statements of each of the elector's transactions: the server ends a silent one."""

    def try_lock_migrations(self, connection: Connection, key: str) -> bool:
        """Take the lock under which migrations run; False if somebody else holds it."""
        raise NotImplementedError

    def unlock_migrations(self, connection: Connection, key: str) -> None:
        """Give it back, where the end of the transaction does not."""


class PostgreSQL(Dialect):
    """PostgreSQL 12 and later, through psycopg2."""

    name = "postgresql"
    clock = "clock_timestamp()"
    _kinds: ClassVar = {"int": "bigint", "text": "text", "time": "timestamptz"}

    def time(self, value: datetime | None) -> str | None:
        """With the zone, so that the session's own zone does not matter."""
        plain = super().time(value)
        return plain and plain + "+00"

    def for_update_of(self, alias: str) -> str:
        """Named, because the other side of the join is not a table."""
        return f" FOR UPDATE OF {alias}"

    def skip_locked_of(self, alias: str) -> str:
        """Named likewise."""
        return f" FOR UPDATE OF {alias} SKIP LOCKED"

    def limit_write(self, connection: Connection) -> None:
        """Transaction-local, so it also holds behind a pooler in transaction mode."""
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {LOCK_WAIT_S * 1000}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_S * 1000}; "
            f"SET LOCAL statement_timeout = {STATEMENT_S * 1000}"
        )

    def as_json(self, expression: str) -> str:
        """``json``."""
        return f"CAST({expression} AS json)"

    def as_int(self, parameter: str) -> str:
        """bigint."""
        return f"CAST({parameter} AS bigint)"

    def unpack(self, columns: Columns, parameter: str, alias: str) -> str:
        """``json_to_recordset``, which the planner takes for 100 rows: told how many there are, it
        does not read a whole table for the sake of one."""
        names = ", ".join(f"{name} {self._kinds[kind]}" for name, kind in columns.items())
        values = f"CAST(:{parameter} AS json)"
        return (
            f"(SELECT * FROM json_to_recordset({values}) AS v({names}) "
            f"LIMIT json_array_length({values})) AS {alias}"
        )

    def interval(self, seconds: float) -> str:
        """Microseconds, as an interval."""
        return f"INTERVAL '{round(seconds * 1e6)} microseconds'"

    def day_number(self, column: str, offset: str) -> str:
        """From the seconds of the epoch."""
        return f"CAST(FLOOR((EXTRACT(EPOCH FROM {column}) + {offset}) / 86400) AS integer)"

    def span(self, column: str, length_s: int) -> str:
        """Of the epoch."""
        return f"CAST(FLOOR(date_part('epoch', {column}) / {length_s}) AS bigint)"

    def seconds(self, since: str, until: str) -> str:
        """A difference of timestamps is an interval."""
        return f"date_part('epoch', {until} - {since})"

    def estimate_rows(self, connection: Connection, target: str) -> int:
        """As of the last ANALYZE, where there has been one."""
        ids = super().estimate_rows(connection, target)
        known = connection.execute(
            text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)"), {"name": target}
        ).scalar_one_or_none()
        return min(ids, int(known)) if known is not None and known > 0 else ids

    def check_server(self, connection: Connection) -> str:
        """PostgreSQL >= 12, with a database in UTF-8."""
        version = connection.execute(text("SHOW server_version")).scalar_one()
        words = require_version("PostgreSQL", str(version), (12, 0))
        require_utf8(connection)
        return words

    def is_read_only(self, connection: Connection) -> bool:
        """A replica in recovery, or ``default_transaction_read_only``."""
        row = connection.execute(
            text("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
        ).one()
        return bool(row[0]) or row[1] == "on"

    def prepare_elector(self, connection: Connection, lease_s: float) -> None:
        """Transaction-local, so it also holds behind a pooler in transaction mode."""
        lease_ms = int(lease_s * 1000)
        statement_ms = max(100, lease_ms // 5)
        connection.exec_driver_sql(
            f"SET LOCAL idle_in_transaction_session_timeout = {lease_ms}; "
            f"SET LOCAL statement_timeout = {statement_ms}"
        )

    def try_lock_migrations(self, connection: Connection, key: str) -> bool:
        """An advisory lock of this database that ends with the transaction."""
        got = connection.execute(
            text("SELECT pg_try_advisory_xact_lock(hashtext(:key), 0)"), {"key": "gocron " + key}
        )
        return bool(got.scalar_one())


class MySQL(Dialect):
    """MySQL 8 and MariaDB 10.6 and later, through PyMySQL. Sessions run in UTC (``engine``)."""

    name = "mysql"
    clock = "SYSDATE(6)"
    straight_join = "STRAIGHT_JOIN"
    by_key = " FORCE INDEX (PRIMARY)"
    _kinds: ClassVar = {
        "int": "BIGINT",
        # TEXT would cut what is longer than 64 KiB off, and without a character set the
        # database's own would lose what it does not know: both without a word.
        "text": "MEDIUMTEXT CHARACTER SET utf8mb4",
        "time": "DATETIME(6)",
    }
    _lock_name = "CONCAT('gocron ', SHA1(CONCAT(DATABASE(), ' ', :key)))"

    def assign(self, *columns: str, source: str) -> str:
        """Qualified: both sides of the join have these columns."""
        return ", ".join(f"t.{column} = {source}.{column}" for column in columns)

    def by_index(self, name: str) -> str:
        """FORCE INDEX."""
        return f" FORCE INDEX ({name})"

    def as_int(self, parameter: str) -> str:
        """SIGNED."""
        return f"CAST({parameter} AS SIGNED)"

    def ignore_conflicts(self, target: str, column: str) -> str:
        """Not INSERT IGNORE: that would swallow every other error as well."""
        return f" ON DUPLICATE KEY UPDATE {target}.{column} = {target}.{column}"

    def unpack(self, columns: Columns, parameter: str, alias: str) -> str:
        """``JSON_TABLE``."""
        names = ", ".join(
            f"{name} {self._kinds[kind]} PATH '$.{name}'" for name, kind in columns.items()
        )
        return f"JSON_TABLE(:{parameter}, '$[*]' COLUMNS ({names})) AS {alias}"

    def update_from(self, target: str, source: str, on: str, assignments: str) -> str:
        """A join; STRAIGHT_JOIN, because the optimizer cannot know how small ``source`` is."""
        return f"UPDATE {source} STRAIGHT_JOIN {target} AS t{self.by_key} ON {on} SET {assignments}"

    def interval(self, seconds: float) -> str:
        """Microseconds, as an interval."""
        return f"INTERVAL {round(seconds * 1e6)} MICROSECOND"

    def day_number(self, column: str, offset: str) -> str:
        """Not UNIX_TIMESTAMP: it takes times for those of the session's zone."""
        return f"(TIMESTAMPDIFF(SECOND, '1970-01-01', {column}) + {offset}) DIV 86400"

    def span(self, column: str, length_s: int) -> str:
        """Not UNIX_TIMESTAMP: that ends in 2038."""
        return f"FLOOR(TIMESTAMPDIFF(SECOND, '1970-01-01', {column}) / {length_s})"

    def seconds(self, since: str, until: str) -> str:
        """Microseconds, divided."""
        return f"(TIMESTAMPDIFF(MICROSECOND, {since}, {until}) / 1000000)"

    def estimate_rows(self, connection: Connection, target: str) -> int:
        """As InnoDB estimates it."""
        ids = super().estimate_rows(connection, target)
        known = connection.execute(
            text(
                "SELECT table_rows FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_name = :name"
            ),
            {"name": target},
        ).scalar_one_or_none()
        return min(ids, int(known)) if known else ids

    def check_server(self, connection: Connection) -> str:
        """MySQL >= 8.0 or MariaDB >= 10.6, with InnoDB as the engine of what we create."""
        version = str(connection.execute(text("SELECT VERSION()")).scalar_one())
        require_innodb(connection)
        if "mariadb" in version.lower():
            return require_version("MariaDB", version, (10, 6))
        return require_version("MySQL", version, (8, 0))

    def is_read_only(self, connection: Connection) -> bool:
        """``read_only`` is ON; an account that may write all the same is none for a replica."""
        return bool(connection.execute(text("SELECT @@global.read_only")).scalar_one())

    def locks_are_local(self, connection: Connection) -> bool:
        """Galera (``wsrep_on``) or group replication with several primaries."""
        rows = connection.execute(
            text(
                "SHOW VARIABLES WHERE Variable_name IN "
                "('wsrep_on', 'group_replication_single_primary_mode')"
            )
        ).all()
        found = {str(name): str(value).upper() for name, value in rows}
        return (
            found.get("wsrep_on") in ("ON", "1")
            or found.get("group_replication_single_primary_mode") == "OFF"
        )

    def prepare_elector(self, connection: Connection, lease_s: float) -> None:
        """Session-wide; repeated in each transaction because a pooler may change sessions."""
        connection.exec_driver_sql(f"SET SESSION wait_timeout = {max(1, math.ceil(lease_s))}")

    def try_lock_migrations(self, connection: Connection, key: str) -> bool:
        """A named lock of the session: DDL commits, so a transaction cannot hold one. Names are
        shared by all databases of a server."""
        got = connection.execute(text(f"SELECT GET_LOCK({self._lock_name}, 0)"), {"key": key})
        return bool(got.scalar_one())

    def unlock_migrations(self, connection: Connection, key: str) -> None:
        """Release the named lock."""
        connection.execute(text(f"SELECT RELEASE_LOCK({self._lock_name})"), {"key": key})


class SQLite(Dialect):
    """SQLite in WAL mode: one node, no election, transactions that write begin IMMEDIATE."""

    name = "sqlite"
    clock = "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"
    for_update = ""
    skip_locked = ""
    straight_join = "CROSS JOIN"

    def unpack(self, columns: Columns, parameter: str, alias: str) -> str:
        """``json_each``. The LIMIT keeps the optimizer from reading the JSON once per row of the
        other table, which takes seconds for a thousand rows."""
        names = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
        return f"(SELECT {names} FROM json_each(:{parameter}) LIMIT -1) AS {alias}"

    def day_number(self, column: str, offset: str) -> str:
        """Whole numbers are divided without a rest."""
        return f"(CAST(strftime('%s', {column}) AS INTEGER) + {offset}) / 86400"

    def span(self, column: str, length_s: int) -> str:
        """Without the fraction, which would be rounded; whole numbers divide to whole numbers."""
        return f"(CAST(strftime('%s', substr({column}, 1, 19)) AS INTEGER) / {length_s})"

    def seconds(self, since: str, until: str) -> str:
        """Days, exact to a tenth of a millisecond."""
        return f"((julianday({until}) - julianday({since})) * 86400.0)"

    def check_server(self, connection: Connection) -> str:
        """SQLite >= 3.35 (UPDATE FROM came with 3.33)."""
        version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
        return require_version("SQLite", str(version), (3, 35))

    def is_read_only(self, connection: Connection) -> bool:
        """The file may not be written."""
        return bool(connection.execute(text("PRAGMA query_only")).scalar_one())

    def try_lock_migrations(self, connection: Connection, key: str) -> bool:
        """BEGIN IMMEDIATE has locked the file already."""
        return True


DIALECTS: dict[str, Dialect] = {
    "postgres": PostgreSQL(),
    "mysql": MySQL(),
    "sqlite": SQLite(),
}
"""By the setting ``db.engine``."""
