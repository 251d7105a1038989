"""Chains of tasks as people see them, and running one again from a point of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from gocron.core.chain import Edge, NextRun
from gocron.core.states import RunState, Trigger
from gocron.db import audit, follow_ups, references, task_rows
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Run, Task, TaskDependency
from gocron.errors import Conflict, NotFound
from gocron.sayings import say


@dataclass(frozen=True)
class ChainStep:
    """One task of a chain, and its latest run for the slot (None: it has none yet). ``level`` 0
    has no parents; ``parents`` are names."""

    task_id: int
    task_name: str
    level: int
    parents: tuple[str, ...]
    run_id: int | None = None
    state: RunState | None = None
    reason: str = ""
    attempt: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None


def show(database: Database, run_id: int) -> list[ChainStep]:
    """The chain that a run is part of, for its slot, parents before children. A task that neither
    depends on others nor has others depend on it is a chain of one. Raises ``NotFound``."""
    with database.read() as connection:
        run = connection.execute(
            select(Run.task_id, Run.task_name, Run.scheduled_at).where(Run.id == run_id)
        ).one_or_none()
        if run is None:
            raise NotFound(say("there is no run %(run_id)s (any more)", run_id=run_id))
        edges = _edges(connection)
        members = follow_ups.connected({run.task_id}, edges)
        names = {
            row.id: row.name
            for row in connection.execute(select(Task.id, Task.name).where(Task.id.in_(members)))
        }
        names.setdefault(run.task_id, run.task_name)
        runs = {
            row.task_id: row
            for row in connection.execute(
                select(
                    Run.task_id,
                    Run.id,
                    Run.state,
                    Run.reason,
                    Run.attempt,
                    Run.started_at,
                    Run.finished_at,
                )
                .where(Run.task_id.in_(members), Run.scheduled_at == run.scheduled_at)
                .order_by(Run.attempt)
            )
        }
    steps = []
    for task_id, level in sorted(_levels(members, edges).items(), key=lambda item: item[1]):
        parents = tuple(
            sorted(names.get(edge.parent_id, "?") for edge in edges if edge.task_id == task_id)
        )
        step = ChainStep(task_id, names.get(task_id, "?"), level, parents)
        if (last := runs.get(task_id)) is not None:
            step = ChainStep(
                task_id,
                step.task_name,
                level,
                parents,
                last.id,
                RunState(last.state),
                last.reason,
                last.attempt,
                last.started_at,
                last.finished_at,
            )
        steps.append(step)
    return steps


def _edges(connection: Connection) -> list[Edge]:
    found = connection.execute(
        select(TaskDependency.task_id, TaskDependency.parent_id, TaskDependency.need)
    )
    return [Edge(row.task_id, row.parent_id, row.need) for row in found]


def _levels(members: set[int], edges: list[Edge]) -> dict[int, int]:
    """How far each is from the beginning: one more than the farthest of its parents."""
    levels = dict.fromkeys(sorted(members), 0)
    for _round in members:
        changed = False
        for edge in edges:
            if edge.task_id in levels and levels[edge.task_id] <= levels[edge.parent_id]:
                levels[edge.task_id] = levels[edge.parent_id] + 1
                changed = True
        if not changed:
            break
    return levels


def rerun(database: Database, run_id: int, actor: Actor) -> int:
    """Run the slot of an ended run once more, with what it was given then, and after it everything
    that depends on it; the id of the new run. What is not downstream of it keeps its old end.
    Raises ``NotFound``, and ``Conflict`` while it, or something after it, has not ended."""

    def work(connection: Connection) -> int:
        run = connection.execute(select(Run.__table__).where(Run.id == run_id)).one_or_none()
        if run is None:
            raise NotFound(say("there is no run %(run_id)s (any more)", run_id=run_id))
        task = task_rows.lock(connection, run.task_id)
        if task is None:
            raise NotFound(say("the task of run %(run_id)s has been deleted", run_id=run_id))
        below = references.downstream(connection, run.task_id)
        going = connection.execute(
            select(Run.task_name)
            .where(
                Run.task_id.in_(below),
                Run.scheduled_at == run.scheduled_at,
                Run.state.in_((RunState.QUEUED, RunState.RUNNING)),
            )
            .limit(1)
        ).scalar_one_or_none()
        if going is not None:
            raise Conflict(
                say(
                    "%(going)s has not ended for this slot yet; stop it, or wait for its end",
                    going=repr(going),
                )
            )
        last = connection.execute(
            select(func.max(Run.attempt)).where(
                Run.task_id == run.task_id, Run.scheduled_at == run.scheduled_at
            )
        ).scalar_one()
        generation = connection.execute(
            select(func.max(Run.generation)).where(
                Run.task_id.in_(below), Run.scheduled_at == run.scheduled_at
            )
        ).scalar_one()
        row = NextRun(
            task.id,
            task.name,
            task.revision,
            run.scheduled_at,
            last + 1,
            Trigger.MANUAL,
            actor.name[:64],
            generation + 1,
            follow_up=bool(task.followed),
            parents=run.parents,
            parameters=run.parameters or None,
        )
        follow_ups.insert_next(connection, database.dialect, [row])
        new = connection.execute(
            select(Run.id).where(
                Run.task_id == task.id,
                Run.scheduled_at == run.scheduled_at,
                Run.attempt == last + 1,
            )
        ).scalar_one()
        detail: dict[str, object] = {"run": new, "again": run_id}
        audit.record(connection, database.dialect, actor, "run.rerun", task.name, detail)
        return int(new)

    return database.transact(work)
