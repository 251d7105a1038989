"""Everything at once: claims, starts, edits and changes of leadership on the same tasks. When the
dust has settled every slot is accounted for, and none was started twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text

from gocron.clock import DatabaseClock
from gocron.core.definition import TaskDefinition, define
from gocron.core.firing import plan, settle
from gocron.core.identity import Identity
from gocron.core.states import RunState, Trigger
from gocron.core.timetable import parse
from gocron.db import adoption, runs, starts, tasks
from gocron.db.audit import Actor
from gocron.db.claims import Claimant, TermOver, claim, due
from gocron.db.engine import Database
from gocron.db.models import Run, Task
from gocron.db.runs import End
from gocron.errors import Conflict
from tests.helpers.rows import begin_term, insert_node, now_of, row, rows, scalar

pytestmark = pytest.mark.parametrize("engine", ["postgres", "mysql"], indirect=True)

DURATION_S = 3.0
AHEAD_S = 1.5
GRACE = timedelta(seconds=30)
SPECS = ("* * * * * *", "*/2 * * * * *", "1-59/2 * * * * *", "*/3 * * * * *")
ADA = Actor("Ada")


def defined(name: str, spec: str) -> TaskDefinition:
    """All its runs may go on at once: each that is due starts."""
    return define({"name": name, "spec": spec, "command": "true", "overlap": "parallel"})


@dataclass(frozen=True)
class Chapter:
    """A definition of a task, in force from a moment on."""

    since: datetime
    revision: int
    spec: str
    enabled: bool


@dataclass
class World:
    """What the threads share."""

    database: Database
    dice: random.Random = field(default_factory=lambda: random.Random(11))
    over: threading.Event = field(default_factory=threading.Event)
    leader: tuple[int, int] = (0, 0)
    """Node and term."""
    started: Counter[int] = field(default_factory=Counter)
    conflicts: int = 0
    term_over: int = 0
    old_and_to_come: int = 0
    errors: list[BaseException] = field(default_factory=list)
    chapters: dict[int, list[Chapter]] = field(default_factory=dict)

    def thread(self, step: Callable[[], object], pause_s: float) -> threading.Thread:
        """Repeats ``step`` until it is over."""

        def work() -> None:
            try:
                while not self.over.is_set():
                    step()
                    time.sleep(self.dice.uniform(0, pause_s))
            except BaseException as error:
                self.errors.append(error)
                self.over.set()

        return threading.Thread(target=work)

    def note(self, task_id: int) -> None:
        task = row(self.database, Task, task_id)
        chapter = Chapter(task.updated_at, task.revision, task.spec, bool(task.enabled))
        self.chapters.setdefault(task_id, []).append(chapter)


def schedule(world: World, me: Identity, clock: DatabaseClock) -> None:
    """A round of the scheduler, by a node that may have learnt late who leads."""
    node, term = world.leader
    if node != me.id:
        return
    time.sleep(world.dice.choice((0, 0, 0.05)))
    claimant = Claimant(node, term)
    try:
        found = due(world.database, clock, AHEAD_S, None)
        waiting = adoption.orphans(world.database, claimant)
        missed = settle(waiting, clock.now(), GRACE)
        if waiting:
            wanted = [run.id for run in waiting if run.id not in missed]
            adoption.adopt(world.database, claimant, wanted, missed)
        now = clock.now()
        horizon = now + timedelta(seconds=AHEAD_S)
        plans = [plan(task, parse(task.spec, task.timezone), now, horizon, GRACE) for task in found]
        claim(world.database, claimant, plans)
    except TermOver:
        world.term_over += 1


def start_and_finish(world: World, me: Identity) -> None:
    """A round of the runner: everything that is due, done at once."""
    database = world.database
    works = runs.load(database, me.id, runs.queued_ids(database, me.id))
    now = now_of(database)
    ready = [work for work in works if work.start_at <= now]
    started = database.transact(
        lambda connection: starts.start(connection, database.dialect, me, ready)
    ).started
    world.started.update(work.id for work in started)
    runs.finish(
        database, me.id, [End(work.id, RunState.SUCCESS, "", 0, now, 0) for work in started]
    )


def change(world: World, task_id: int) -> None:
    """An edit, or the switch, by somebody who may look at an old page."""
    database = world.database
    task = row(database, Task, task_id)
    spec = world.dice.choice(SPECS)
    try:
        if world.dice.random() < 0.6:
            stale = world.dice.random() < 0.1
            wanted = defined(task.name, spec)
            tasks.edit(database, task_id, wanted, ADA, task.revision - stale)
        else:
            tasks.set_enabled(database, [task_id], not task.enabled, ADA)
    except Conflict:
        world.conflicts += 1
        return
    world.note(task_id)


def look(world: World) -> None:
    """One statement, one moment: nothing waits for a slot to come under an old definition."""
    world.old_and_to_come += scalar(
        world.database,
        "SELECT COUNT(*) FROM run r JOIN task t ON t.id = r.task_id WHERE r.state = 'queued' "
        "AND r.trigger_kind = 'schedule' AND r.revision <> t.revision "
        f"AND r.scheduled_at > {world.database.dialect.clock}",
    )


def lead(world: World, nodes: list[Identity]) -> None:
    """Another node begins another term; the old one may be in the middle of something."""
    term = world.leader[1] + 1
    begin_term(world.database, term)
    world.leader = (nodes[term % len(nodes)].id, term)
    time.sleep(world.dice.uniform(0.2, 0.6))


def expected(chapters: list[Chapter], until: datetime) -> list[datetime]:
    """The slots that were in force."""
    slots = []
    for chapter, following in zip(chapters, [*chapters[1:], None], strict=True):
        end = until if following is None else min(until, following.since)
        if chapter.enabled:
            slots += parse(chapter.spec, "UTC").between(chapter.since, end, 10_000)
    return slots


def accounted(database: Database, task_id: int, chapters: list[Chapter]) -> Counter[datetime]:
    """The slots that have a row, each range of missed ones unfolded."""
    spec_of = {chapter.revision: chapter.spec for chapter in chapters}
    slots: Counter[datetime] = Counter()
    for run in rows(database, Run, Run.task_id == task_id, Run.trigger == Trigger.SCHEDULE):
        if run.missed_until is None:
            slots[run.scheduled_at] += 1
        else:
            before = run.scheduled_at - timedelta(microseconds=1)
            missed = parse(spec_of[run.revision], "UTC").between(before, run.missed_until, 10_000)
            assert len(missed) == run.missed_count
            slots.update(missed)
    return slots


def test_no_slot_is_lost_and_none_runs_twice_whatever_happens_at_the_same_time(database):
    world = World(database)
    nodes = [insert_node(database, name) for name in ("a", "b")]
    clock = DatabaseClock()
    ids = [tasks.create(database, defined(name, SPECS[0]), ADA) for name in ("x", "y", "z")]
    for task_id in ids:
        world.note(task_id)
    lead(world, nodes)

    threads = [
        *(world.thread(partial(schedule, world, me, clock), 0.05) for me in nodes),
        *(world.thread(partial(start_and_finish, world, me), 0.02) for me in nodes),
        *(world.thread(partial(change, world, task_id), 0.25) for task_id in ids),
        world.thread(partial(tasks.run_now, database, ids[0], ADA), 0.1),
        world.thread(lambda: look(world), 0.01),
        world.thread(lambda: lead(world, nodes), 0.1),
    ]
    for thread in threads:
        thread.start()
    world.over.wait(DURATION_S)
    world.over.set()
    for thread in threads:
        thread.join()

    assert world.errors == []
    end = now_of(database)
    while now_of(database) < end + timedelta(seconds=0.2):
        time.sleep(0.05)
    leader = next(node for node in nodes if node.id == world.leader[0])
    for _round in range(3):  # adopts, claims, and starts what is due by now
        schedule(world, leader, clock)
        start_and_finish(world, leader)

    assert world.old_and_to_come == 0
    assert max(world.started.values()) == 1
    for task_id in ids:
        chapters = world.chapters[task_id]
        slots = accounted(database, task_id, chapters)
        up_to_end = Counter({slot: n for slot, n in slots.items() if slot <= end})
        assert up_to_end == Counter(expected(chapters, end))
    states = Counter(run.state for run in rows(database, Run))
    waiting = [
        run for run in rows(database, Run, Run.state == RunState.QUEUED) if run.start_at <= end
    ]
    assert waiting == []
    assert states[RunState.RUNNING] == 0
    manual = rows(database, Run, Run.trigger == Trigger.MANUAL)
    assert {run.state for run in manual} == {RunState.SUCCESS}
    # It was a struggle indeed.
    assert states[RunState.SUCCESS] > 10
    assert len(world.chapters[ids[0]]) > 5
    assert world.leader[1] > 4


def test_the_statement_that_looks_for_old_runs_finds_them(database):
    """The test above leans on it."""
    world = World(database)
    task_id = tasks.create(database, defined("x", SPECS[0]), ADA)
    world.leader = (insert_node(database).id, 0)
    schedule(world, Identity(world.leader[0], "", "", "", 1), DatabaseClock())
    look(world)
    assert world.old_and_to_come == 0
    with database.write() as connection:
        connection.execute(text(f"UPDATE task SET revision = 2 WHERE id = {task_id}"))
    look(world)
    assert world.old_and_to_come >= 1
