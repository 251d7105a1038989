"""A database as it is after some months: what must be quick is measured in it."""

from __future__ import annotations

from sqlalchemy import text

from gocron.db.engine import Database

TASKS = 100_000
DUE = 2_500
ENDED = 200_000
"""Half a second apart: the last hour has 7,200 of them."""

SERIES = {
    "postgresql": "generate_series(1, {count}) AS s(n)",
    "mysql": "(SELECT seq AS n FROM seq_1_to_{count}) AS s",
}
LATER = {
    "postgresql": "clock_timestamp() + ({seconds}) * INTERVAL '1 second'",
    "mysql": "SYSDATE(6) + INTERVAL ROUND(({seconds}) * 1000000) MICROSECOND",
}


def fill(database: Database) -> None:
    """``TASKS`` tasks, of which ``DUE`` share a cursor that has passed; ``ENDED`` ended runs and
    a handful that are queued or running, on the nodes 1 to 3."""
    name = database.dialect.name

    def series(count: int) -> str:
        return SERIES[name].format(count=count)

    def later(seconds: str) -> str:
        return LATER[name].format(seconds=seconds)

    now = later("0")
    run_columns = (
        "task_id, task_name, scheduled_at, attempt, start_at, trigger_kind, triggered_by, "
        "state, reason, owner_id, term, revision, created_at, output_bytes, stop_requested_by, "
        "stop_requested_at"
    )
    with database.write() as connection:
        (moment,) = connection.execute(text(f"SELECT {now}")).one()
        connection.execute(
            text(
                "INSERT INTO task (name, spec, timezone, protocol, command, working_dir, "
                "environment, http_method, http_headers, http_body, http_statuses, "
                "success_pattern, timeout, overlap, max_parallel, misfire, tag, remark, enabled, "
                "revision, next_fire_at, created_at, updated_at) "
                "SELECT CONCAT('task ', n), '0 0 4 * * *', 'UTC', 'shell', 'true', '', '{}', "
                "'GET', '{}', '', '200-299', '', 0, 'skip', 0, 'run_once', '', '', true, 1, "
                f"CASE WHEN n <= {DUE} THEN :moment ELSE {later('3600 + n')} END, "
                f"{now}, {now} FROM {series(TASKS)}"
            ),
            {"moment": moment},
        )
        for count, state, owner, first, marked in (
            (ENDED, "CASE WHEN MOD(n, 7) = 0 THEN 'failed' ELSE 'success' END", "MOD(n, 3)", 0, 0),
            (20, "'queued'", "NULL", 1, 0),
            (30, "'queued'", "1", 2, 0),
            (15, "'running'", "2", 3, 0),
            (5, "'running'", "1", 4, 0),
            (2, "'running'", "1", 5, 1),
        ):
            at = later(f"{first} - n * 0.5")
            connection.execute(
                text(
                    f"INSERT INTO run ({run_columns}) SELECT MOD(n, {TASKS}) + 1, 'task', {at}, "
                    f"{first}, {at}, 'schedule', '', {state}, '', {owner}, 1, 1, {at}, 0, '', "
                    f"CASE WHEN {marked} = 1 THEN {now} END FROM {series(count)}"
                )
            )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("task", "run"):
            words = f"ANALYZE {table}" if name == "postgresql" else f"ANALYZE TABLE {table}"
            connection.execute(text(words))
