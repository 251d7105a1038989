"""Looking at runs, and stopping them: for panel, command line and API.

Lists are read page by page, newest first; the place in the list is the id of the last run seen,
so a page costs the same wherever it is, and nothing is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, Row, Select, select, text, update

from gocron.core.states import RunState, Trigger
from gocron.db import audit, run_search
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Node, Run, RunOutput
from gocron.db.naming import table
from gocron.db.run_search import RunFilter as RunFilter
from gocron.errors import NotFound
from gocron.sayings import say

BEGIN_AT_SLOT = (Trigger.SCHEDULE, Trigger.ELECTION, Trigger.MANUAL)

FAILURES = (RunState.FAILED, RunState.TIMEOUT, RunState.LOST)

PIECES_AT_ONCE = 8
"""Rows of output read in one go; each has at most 200,000 characters."""


@dataclass(frozen=True)
class RunFacts:
    """A run as people see it. Instants are UTC; ``node`` is the name of the node that has it."""

    id: int
    task_id: int
    task_name: str
    scheduled_at: datetime
    attempt: int
    start_at: datetime
    trigger: str
    triggered_by: str
    state: RunState
    reason: str
    node: str | None
    term: int | None
    revision: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    exit_code: int | None
    missed_until: datetime | None
    missed_count: int | None
    output_bytes: int
    stop_requested_at: datetime | None
    stop_requested_by: str
    held_at: datetime | None = None
    generation: int = 0
    parents: Sequence[Mapping[str, Any]] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    backfill_id: int | None = None

    @property
    def duration(self) -> timedelta | None:
        """How long it ran; None unless it has been started and has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(self.finished_at - self.started_at, timedelta())

    @property
    def lateness(self) -> timedelta | None:
        """How long after its slot it began; None if it did not, or if its slot is not what it was
        to begin at: a retry, a backfill, what came after another run."""
        if self.started_at is None or self.attempt or self.trigger not in BEGIN_AT_SLOT:
            return None
        return max(self.started_at - self.scheduled_at, timedelta())

    @property
    def can_be_stopped(self) -> bool:
        """Whether asking it to stop would change anything."""
        return not self.state.ended and self.stop_requested_at is None


@dataclass(frozen=True)
class RunPage:
    """A page of a list; ``older`` is the id that the next page begins after, None at the end.
    ``newer`` is the id that the page before ends above, None on the first one."""

    runs: tuple[RunFacts, ...]
    older: int | None
    newer: int | None = None


class Stopped(Enum):
    """What became of the wish to stop a run."""

    CANCELLED = "it had not begun and will not begin any more"
    REQUESTED = "its node ends it within a second"
    TOO_LATE = "it had ended already"


_COLUMNS = (
    Run.id,
    Run.task_id,
    Run.task_name,
    Run.scheduled_at,
    Run.attempt,
    Run.start_at,
    Run.trigger,
    Run.triggered_by,
    Run.state,
    Run.reason,
    Node.name.label("node"),
    Run.term,
    Run.revision,
    Run.created_at,
    Run.started_at,
    Run.finished_at,
    Run.exit_code,
    Run.missed_until,
    Run.missed_count,
    Run.output_bytes,
    Run.stop_requested_at,
    Run.stop_requested_by,
    Run.held_at,
    Run.generation,
    Run.parents,
    Run.parameters,
    Run.backfill_id,
)


def _facts(row: Row[Any]) -> RunFacts:
    values = row._asdict()
    if "trigger_kind" in values:  # the column's name; `trigger` is a word of SQL
        values["trigger"] = values.pop("trigger_kind")
    return RunFacts(**values | {"state": RunState(row.state)})


@cache
def _select() -> Select[Any]:
    """Made once: that takes as long as reading a row by it."""
    statement: Any = select(*_COLUMNS)
    return cast("Select[Any]", statement.outerjoin(Node, Node.id == Run.owner_id))


def page(
    database: Database,
    wanted: RunFilter,
    limit: int,
    before: int | None = None,
    after: int | None = None,
) -> RunPage:
    """At most ``limit`` runs, newest first: those that come next after the run with the id
    ``before``, or those right in front of the one with the id ``after``."""
    if wanted.task_ids == ():
        return RunPage((), None)
    with database.read() as connection:
        found = run_search.find(connection, wanted, limit + 1, before=before, after=after)
        more = len(found) > limit
        shown = found[1:] if more and after is not None else found[:limit]
        rows = connection.execute(_select().where(Run.id.in_(shown))).all() if shown else []
    runs = tuple(_facts(row) for row in sorted(rows, key=lambda row: row.id, reverse=True))
    if not runs:
        return RunPage((), None)
    is_last, is_first = after is None and not more, before is None and (after is None or not more)
    return RunPage(runs, None if is_last else runs[-1].id, None if is_first else runs[0].id)


def failures(database: Database, within: timedelta, limit: int) -> tuple[RunFacts, ...]:
    """The newest runs that failed, timed out or got lost during the last ``within``."""
    with database.read() as connection:
        since = database.dialect.now(connection) - within
    return page(database, RunFilter(states=FAILURES, since=since), limit).runs


def show(database: Database, run_id: int) -> RunFacts:
    """One run; raises ``NotFound``."""
    with database.read() as connection:
        row = connection.execute(_select().where(Run.id == run_id)).one_or_none()
    if row is None:
        raise NotFound(say("there is no run %(run_id)s (any more)", run_id=run_id))
    return _facts(row)


def last_of_each(database: Database, task_ids: Sequence[int]) -> dict[int, RunFacts]:
    """The newest run of each task that has one, those that wait for their slot aside."""
    if not task_ids:
        return {}
    run = table("run")
    newest = text(
        f"SELECT (SELECT r.id FROM {run} r WHERE r.task_id = t.id AND r.state <> :queued "
        "ORDER BY r.scheduled_at DESC, r.attempt DESC LIMIT 1) AS run_id "
        f"FROM {table('task')} t WHERE t.id IN "
        f"({', '.join(f':t{number}' for number in range(len(task_ids)))})"
    )
    values = {f"t{number}": task_id for number, task_id in enumerate(task_ids)}
    with database.read() as connection:
        found = connection.execute(newest, values | {"queued": RunState.QUEUED}).scalars()
        run_ids = [run_id for run_id in found if run_id is not None]
        rows = connection.execute(_select().where(Run.id.in_(run_ids))).all() if run_ids else []
    return {row.task_id: _facts(row) for row in rows}


@dataclass(frozen=True)
class Output:
    """Pieces of a run's output; ``last`` is the number of the last one (to continue after it),
    ``complete`` says that no more were stored when it was read."""

    pieces: tuple[str, ...]
    last: int
    complete: bool


def output(database: Database, run_id: int, after: int = -1, limit_chars: int = 500_000) -> Output:
    """What was stored behind piece ``after``, until ``limit_chars`` have been reached."""
    pieces: list[str] = []
    size = 0
    with database.read() as connection:
        while size < limit_chars:
            rows = connection.execute(
                select(RunOutput.seq, RunOutput.content)
                .where(RunOutput.run_id == run_id, RunOutput.seq > after)
                .order_by(RunOutput.seq)
                .limit(PIECES_AT_ONCE)
            ).all()
            for row in rows:
                pieces.append(row.content)
                size += len(row.content)
                after = row.seq
            if len(rows) < PIECES_AT_ONCE:
                return Output(tuple(pieces), after, complete=True)
    return Output(tuple(pieces), after, complete=False)


def stop(database: Database, run_id: int, actor: Actor) -> Stopped:
    """Cancel a run that has not begun, or ask the node that runs it to end it. Raises
    ``NotFound``. Each step changes the row only in the state it was meant for: a run that begins
    or ends meanwhile is never reported as something else."""

    def work(connection: Connection) -> Stopped:
        found = connection.execute(select(Run.task_name).where(Run.id == run_id)).one_or_none()
        if found is None:
            raise NotFound(say("there is no run %(run_id)s (any more)", run_id=run_id))
        outcome = _cancel_or_request(connection, database, run_id, actor)
        if outcome is not Stopped.TOO_LATE:
            detail: dict[str, object] = {"run": run_id, "outcome": outcome.name.lower()}
            audit.record(connection, database.dialect, actor, "run.stop", found.task_name, detail)
        return outcome

    return database.transact(work)


def _cancel_or_request(
    connection: Connection, database: Database, run_id: int, actor: Actor
) -> Stopped:
    now = database.dialect.now(connection)
    who = actor.name[:64]
    mark = {"stop_requested_at": now, "stop_requested_by": who}
    cancelled = connection.execute(
        update(Run)
        .where(Run.id == run_id, Run.state == RunState.QUEUED)
        .values(
            state=RunState.CANCELLED,
            finished_at=now,
            reason=say("stopped by %(who)s before it began", who=who),
            **mark,
        )
    ).rowcount
    if cancelled:
        return Stopped.CANCELLED
    going = Run.state == RunState.RUNNING
    asked_before = connection.execute(
        select(Run.id).where(Run.id == run_id, going, Run.stop_requested_at.is_not(None))
    ).first()
    if asked_before:
        return Stopped.REQUESTED
    marked = connection.execute(update(Run).where(Run.id == run_id, going).values(**mark)).rowcount
    return Stopped.REQUESTED if marked else Stopped.TOO_LATE


def nodes(database: Database) -> list[tuple[int, str]]:
    """Id and name of every node there is or was, for choosing one."""
    with database.read() as connection:
        rows = connection.execute(select(Node.id, Node.name).order_by(Node.name)).all()
    return [(row.id, row.name) for row in rows]
