"""What is due begins, waits, or is skipped: decided and written down at one moment, on whatever
node the other runs are."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update

from gocron.clock import DatabaseClock, boottime
from gocron.core.firing import settle
from gocron.core.identity import Identity
from gocron.core.states import Overlap, RunState, Trigger
from gocron.db import adoption, migrate, runs, starts
from gocron.db.claims import Claimant
from gocron.db.engine import Database
from gocron.db.models import Backfill, ConcurrencyGroup, Pause, Run, SchedulerLock, Task
from gocron.db.nodes import Newcomer, register
from gocron.db.runs import QueuedWork
from gocron.db.starts import Decided, Going
from tests.helpers.databases import (
    at_once,
    effort,
    full_scans,
    on_servers,
    settings_for,
    statements_of,
)
from tests.helpers.private_server import PrivateServer
from tests.helpers.rows import (
    FAR,
    SECOND,
    begin_term,
    insert_node,
    insert_queued,
    insert_run,
    insert_runs,
    insert_task,
    insert_tasks,
    now_of,
    row,
    rows,
    states,
)

TERM = 4


@pytest.fixture
def database(database: Database) -> Database:
    """Under the term that everything here was claimed in."""
    begin_term(database, TERM)
    return database


@pytest.fixture
def me(database: Database) -> Identity:
    return insert_node(database, "me")


@pytest.fixture
def other(database: Database) -> Identity:
    return insert_node(database, "other")


@pytest.fixture
def task_id(database: Database) -> int:
    """Of a task whose runs are not in each other's way."""
    return insert_task(database, "nightly", overlap=Overlap.PARALLEL).id


def decide(
    database: Database,
    me: Identity,
    works: Sequence[QueuedWork],
    going: Going | None = None,
    room: int | None = None,
) -> Decided:
    """One start transaction."""
    return database.transact(
        lambda connection: starts.start(connection, database.dialect, me, works, going, room)
    )


def start(database: Database, me: Identity, works: Sequence[QueuedWork]) -> set[int]:
    """Ids of what was started."""
    ids = [work.id for work in decide(database, me, works).started]
    assert len(ids) == len(set(ids))
    return set(ids)


def skip(database: Database, me: Identity, skipped: dict[int, str]) -> None:
    database.transact(lambda connection: starts.skip(connection, database.dialect, me.id, skipped))


def works_of(database: Database, me: Identity, run_ids: Sequence[int]) -> list[QueuedWork]:
    """In the order of ``run_ids``."""
    works = {work.id: work for work in runs.load(database, me.id, run_ids)}
    assert set(works) == set(run_ids)
    return [works[run_id] for run_id in run_ids]


def queued_works(
    database: Database, me: Identity, task_id: int, count: int, **fields: Any
) -> list[QueuedWork]:
    """Runs of a task that are queued for this node, in order of their slots."""
    ids = insert_queued(database, task_id, count, me.id, **{"term": TERM} | fields)
    return works_of(database, me, ids)


def running(database: Database, me: Identity, task_id: int, count: int, **fields: Any) -> list[int]:
    """Runs of this node that have been started."""
    values = {"term": TERM, "state": RunState.RUNNING, "attempt": 100 + me.id} | fields
    return insert_queued(database, task_id, count, me.id, **values)


# beginning --------------------------------------------------------------------------------------


def test_a_start_makes_queued_runs_running_now_under_the_definition_in_force(database, me):
    task_id = insert_task(database, "nightly", revision=17, overlap=Overlap.PARALLEL).id
    ids = insert_queued(database, task_id, 3, me.id, term=TERM, revision=16)
    works = works_of(database, me, ids)

    assert start(database, me, works[::-1]) == set(ids)

    for run in rows(database, Run):
        assert (run.state, run.revision, run.term) == (RunState.RUNNING, 17, TERM)
        assert run.finished_at is None
        assert abs(run.started_at - now_of(database)) < timedelta(seconds=5)


def test_a_second_start_gets_nothing(database, me, task_id):
    works = works_of(database, me, insert_queued(database, task_id, 3, me.id, term=TERM))
    assert len(start(database, me, works)) == 3
    before = rows(database, Run)
    assert start(database, me, works) == set()
    assert rows(database, Run) == before


def test_another_node_starts_nothing_of_mine(database, me, other, task_id):
    works = works_of(database, me, insert_queued(database, task_id, 3, me.id, term=TERM))
    assert start(database, other, works) == set()
    assert set(states(database).values()) == {RunState.QUEUED}


def test_a_runner_of_an_earlier_life_of_the_node_starts_nothing(database, task_id):
    newcomer = Newcomer("me", "host", 4_999_999, 5920, "1")
    earlier = register(database, newcomer)
    works = works_of(database, earlier, insert_queued(database, task_id, 2, earlier.id, term=TERM))

    now = register(database, newcomer)

    assert now.id == earlier.id
    assert start(database, earlier, works) == set()
    assert len(start(database, now, works)) == 2


def test_a_node_that_was_forgotten_starts_nothing(database, task_id):
    nobody = Identity(4711, "nobody", "x", "host", 1)
    works = works_of(database, nobody, insert_queued(database, task_id, 1, nobody.id, term=TERM))
    assert start(database, nobody, works) == set()


@pytest.mark.parametrize("shown", [TERM - 1, TERM + 1, None])
def test_nothing_starts_that_was_queued_under_a_term_that_is_over(database, me, task_id, shown):
    works = works_of(database, me, insert_queued(database, task_id, 2, me.id, term=TERM))
    with database.write() as connection:
        if shown is None:
            connection.execute(delete(SchedulerLock))
        else:
            connection.execute(update(SchedulerLock).values(term=shown))
    assert start(database, me, works) == set()
    assert set(states(database).values()) == {RunState.QUEUED}


def test_a_run_that_was_adopted_after_loading_starts_under_its_new_term(database, me, task_id):
    works = works_of(database, me, insert_queued(database, task_id, 1, me.id, term=TERM))
    begin_term(database, TERM + 1)
    adoption.adopt(database, Claimant(me.id, TERM + 1), [works[0].id], {})

    assert [work.term for work in decide(database, me, works).started] == [TERM + 1]


@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_nothing_starts_under_a_definition_that_is_no_longer_in_force(
    database, me, task_id, change
):
    (queued,) = insert_queued(database, task_id, 1, me.id, term=TERM)
    works = works_of(database, me, [queued])
    with database.write() as connection:
        if change == "edited":
            connection.execute(update(Task).values(revision=2, command="new"))
        else:
            connection.execute(delete(Task))

    assert start(database, me, works) == set()

    assert row(database, Run, queued).state == RunState.QUEUED
    again = runs.load(database, me.id, [queued])
    if change == "deleted":
        assert again == []
    else:
        assert [work.command for work in again] == ["new"]
        assert start(database, me, again) == {queued}
        assert row(database, Run, queued).revision == 2


def test_of_a_batch_those_start_that_still_can(database, me, other, task_id):
    ids = insert_queued(database, task_id, 4, me.id, term=TERM)
    works = works_of(database, me, ids)
    with database.write() as connection:
        connection.execute(update(Run).where(Run.id == ids[0]).values(owner_id=other.id))
        connection.execute(update(Run).where(Run.id == ids[1]).values(state=RunState.CANCELLED))
        connection.execute(delete(Run).where(Run.id == ids[2]))

    assert start(database, me, works) == {ids[3]}

    assert row(database, Run, ids[0]).started_at is None
    assert row(database, Run, ids[1]).state == RunState.CANCELLED


def test_a_run_that_comes_twice_in_a_batch_starts_once(database, me, task_id):
    works = works_of(database, me, insert_queued(database, task_id, 2, me.id, term=TERM))
    assert start(database, me, [*works, *works]) == {work.id for work in works}


def test_a_run_that_exists_no_more_is_in_nobodys_way(database, me):
    """It was withdrawn by an edit after it had been loaded; its successor must not be skipped
    because of it."""
    task_id = insert_task(database, overlap=Overlap.SKIP).id
    withdrawn, real = queued_works(database, me, task_id, 2)
    with database.write() as connection:
        connection.execute(delete(Run).where(Run.id == withdrawn.id))
    assert start(database, me, [withdrawn, real]) == {real.id}


@on_servers
def test_a_start_waits_for_nobody(database, me, task_id):
    """Not for the elector, which always holds the lock row; not for a heartbeat, an edit of the
    task, or an adoption that has locked some of the runs."""
    works = works_of(database, me, insert_queued(database, task_id, 3, me.id, term=TERM))
    lock = database.dialect.for_update
    with database.read() as others:
        for statement in (
            f"SELECT 1 FROM scheduler_lock{lock}",
            f"SELECT 1 FROM node{lock}",
            f"SELECT 1 FROM task{lock}",
            f"SELECT 1 FROM run WHERE id = {works[1].id}{lock}",
        ):
            others.execute(text(statement))
        started = time.monotonic()
        assert start(database, me, works) == {works[0].id, works[2].id}
        assert time.monotonic() - started < 1.0
    assert start(database, me, works) == {works[1].id}


def test_nothing_to_start_is_no_error(database, me):
    assert start(database, me, []) == set()


def test_two_starts_of_the_same_runs_share_them_without_a_rest(database, me, task_id):
    for _round in range(10):
        works = works_of(database, me, insert_queued(database, task_id, 30, me.id, term=TERM))
        first, second = at_once(
            partial(start, database, me, works),
            partial(start, database, me, works[::-1]),
        )
        assert not first & second
        assert first | second == {work.id for work in works}
        with database.write() as connection:
            connection.execute(delete(Run))


def adopted_by(database: Database, leader: Claimant, ids: Sequence[int]) -> set[int]:
    count = adoption.adopt(database, leader, ids, {})
    mine = set(runs.queued_ids(database, leader.node_id)) & set(ids)
    assert len(mine) == count
    return mine


@on_servers
def test_of_a_start_and_an_adoption_at_the_same_moment_exactly_one_wins(
    database, me, other, task_id
):
    leader = Claimant(other.id, TERM)
    won: set[str] = set()
    for round_number in range(60):
        ids = insert_queued(database, task_id, 4, me.id, term=TERM, attempt=round_number)
        works = works_of(database, me, ids)
        shuffled = random.Random(round_number).sample(ids, k=len(ids))

        started, adopted = at_once(
            partial(start, database, me, works),
            partial(adopted_by, database, leader, shuffled),
        )

        assert not started & adopted
        assert started | adopted == set(ids)
        for run in rows(database, Run, Run.id.in_(ids)):
            if run.id in started:
                assert (run.state, run.owner_id) == (RunState.RUNNING, me.id)
            else:
                assert (run.state, run.owner_id) == (RunState.QUEUED, other.id)
        won.add("start" if started else "adoption")
    assert won == {"start", "adoption"}, "the rounds were no race"


def test_the_clock_of_a_start_is_the_databases(database, me, task_id):
    """Of the commit, not of the beginning of the transaction, and UTC on every server."""
    clock = DatabaseClock()
    with database.read() as connection:
        sent = boottime()
        clock.observe(sent, database.dialect.now(connection), boottime())
    before = clock.now()
    (work,) = queued_works(database, me, task_id, 1)
    assert start(database, me, [work]) == {work.id}
    started = row(database, Run, work.id).started_at
    slack = timedelta(milliseconds=50)
    assert before - slack <= started <= clock.now() + slack


def test_runs_are_skipped_each_with_its_reason(database, me, other, task_id):
    a, b, c = insert_queued(database, task_id, 3, me.id, term=TERM)
    theirs = insert_run(database, task_id=task_id, owner_id=other.id, attempt=1)
    (going,) = running(database, me, insert_task(database, "going").id, 1)

    skip(
        database, me, {a: "one is still going", b: "two are", c: "two are", theirs: "x", going: "x"}
    )

    for run_id, reason in ((a, "one is still going"), (b, "two are"), (c, "two are")):
        run = row(database, Run, run_id)
        assert (run.state, run.reason) == (RunState.SKIPPED, reason)
        assert run.started_at is None
        assert abs(run.finished_at - now_of(database)) < timedelta(seconds=5)
    assert row(database, Run, theirs).state == RunState.QUEUED
    assert row(database, Run, going).state == RunState.RUNNING


def test_no_more_begin_than_there_is_room_for_and_the_rest_stays_as_it_is(database, me, task_id):
    works = queued_works(database, me, task_id, 4)
    decided = decide(database, me, works, room=2)
    assert [work.id for work in decided.started] == [work.id for work in works[:2]]
    assert decided.later == works[2:]
    assert {states(database)[work.id] for work in works[2:]} == {RunState.QUEUED}


def test_what_has_to_wait_takes_no_room_from_what_may_begin(database, me, other, task_id):
    busy = insert_task(database, "busy", overlap=Overlap.QUEUE).id
    running(database, other, busy, 1)
    held = queued_works(database, me, busy, 1)
    free = queued_works(database, me, task_id, 2)
    decided = decide(database, me, [*held, *free], room=1)
    assert list(decided.held) == [held[0].id]
    assert [work.id for work in decided.started] == [free[0].id]
    assert decided.later == free[1:]


def test_a_start_notes_whether_something_follows_the_run_and_forgets_what_it_waited_for(
    database, me
):
    followed = insert_task(database, "followed", followed=True).id
    alone = insert_task(database, "alone").id
    waited: dict[str, Any] = {"reason": "it waited", "held_at": FAR}
    (first,) = queued_works(database, me, followed, 1, **waited)
    (second,) = queued_works(database, me, alone, 1, follow_up=True, **waited)
    assert (first.reason, first.held) == ("it waited", True)

    started = decide(database, me, [first, second]).started

    assert [work.followed for work in started] == [True, False]
    for work, flag in ((first, True), (second, False)):
        run = row(database, Run, work.id)
        assert (run.state, run.reason, run.follow_up) == (RunState.RUNNING, "", flag)


def test_a_run_is_followed_by_a_task_that_was_told_to_only_after_it_had_been_loaded(database, me):
    """Which is no change of its own definition: its revision stays."""
    task = insert_task(database).id
    (work,) = queued_works(database, me, task, 1)
    with database.write() as connection:
        connection.execute(update(Task).values(followed=True))
    assert decide(database, me, [work]).started[0].followed
    assert row(database, Run, work.id).follow_up


# overlap ----------------------------------------------------------------------------------------


def outcome(database: Database, works: Sequence[QueuedWork]) -> list[tuple[str, str]]:
    """State and reason of each."""
    found = {run.id: run for run in rows(database, Run)}
    return [(found[work.id].state, found[work.id].reason) for work in works]


def _count(*task_ids: int) -> Counter[int]:
    return Counter(task_ids)


def one_going(database: Database, where: str, other: Identity, task_id: int) -> Going:
    """A run of the task is going on, here or on another node."""
    if where == "here":
        return Going(by_task=_count(task_id))
    running(database, other, task_id, 1)
    return Going()


wherever = pytest.mark.parametrize("where", ["here", "elsewhere"])


@wherever
def test_skip_a_run_does_not_begin_while_another_is_going_on_whatever_node(
    database, me, other, where
):
    task_id = insert_task(database, overlap=Overlap.SKIP).id
    going = one_going(database, where, other, task_id)
    works = queued_works(database, me, task_id, 1)

    decided = decide(database, me, works, going)

    assert (decided.started, decided.held) == ([], {})
    words = "the previous run is still going (overlap: skip)"
    assert outcome(database, works) == [(RunState.SKIPPED, words)]
    assert row(database, Run, works[0].id).started_at is None


def test_skip_of_two_that_are_due_at_once_the_first_begins(database, me):
    task_id = insert_task(database, overlap=Overlap.SKIP).id
    works = queued_works(database, me, task_id, 3)
    assert start(database, me, works) == {works[0].id}
    assert [state for state, _reason in outcome(database, works)] == [
        RunState.RUNNING,
        RunState.SKIPPED,
        RunState.SKIPPED,
    ]


@wherever
def test_parallel_as_many_as_the_task_allows_begin_on_all_nodes_together(
    database, me, other, where
):
    task_id = insert_task(database, overlap=Overlap.PARALLEL, max_parallel=3).id
    going = one_going(database, where, other, task_id)
    works = queued_works(database, me, task_id, 3)

    assert len(decide(database, me, works, going).started) == 2

    words = "3 runs are going, at most 3 may (overlap: parallel)"
    assert outcome(database, works)[2] == (RunState.SKIPPED, words)


@wherever
def test_queue_one_waits_and_further_ones_are_skipped(database, me, other, where):
    task_id = insert_task(database, overlap=Overlap.QUEUE).id
    going = one_going(database, where, other, task_id)
    works = queued_works(database, me, task_id, 3)

    decided = decide(database, me, works, going)

    assert list(decided.held) == [works[0].id]
    waits = "the previous run is still going (overlap: queue)"
    full = set(decided.skipped.values())
    assert outcome(database, works)[0] == (RunState.QUEUED, waits)
    assert set(outcome(database, works)[1:]) == {(RunState.SKIPPED, reason) for reason in full}
    assert len(full) == 1


def test_queue_the_one_that_waits_begins_once_the_other_has_ended(database, me, other):
    task_id = insert_task(database, overlap=Overlap.QUEUE).id
    (going,) = running(database, other, task_id, 1)
    (waiting,) = queued_works(database, me, task_id, 1)
    assert start(database, me, [waiting]) == set()
    runs.finish(database, other.id, [runs.End(going, RunState.SUCCESS, "", 0, FAR, 0)])
    assert start(database, me, [waiting]) == {waiting.id}
    assert outcome(database, [waiting]) == [(RunState.RUNNING, "")]


def test_queue_a_run_that_waits_in_another_batch_is_remembered(database, me):
    task_id = insert_task(database, overlap=Overlap.QUEUE).id
    waiting, newer = queued_works(database, me, task_id, 2)
    books = Going(_count(task_id), waiting={task_id: [waiting.id]})
    assert list(decide(database, me, [newer], books).skipped) == [newer.id]


def test_a_run_that_was_told_to_wait_is_not_skipped_because_of_others_that_wait(database, me):
    """As after an edit of the policy, or a pause."""
    task_id = insert_task(database, overlap=Overlap.SKIP).id
    first, second = queued_works(database, me, task_id, 2, held_at=FAR)
    decided = decide(database, me, [first], Going(waiting={task_id: [second.id]}))
    assert [work.id for work in decided.started] == [first.id]


def test_since_when_and_for_what_a_run_waits_is_written_once(database, me, other):
    task_id = insert_task(database, overlap=Overlap.QUEUE).id
    running(database, other, task_id, 1)
    (work,) = queued_works(database, me, task_id, 1)
    decide(database, me, [work])
    first = row(database, Run, work.id)
    assert abs(first.held_at - now_of(database)) < timedelta(seconds=5)
    (again,) = works_of(database, me, [work.id])
    assert (again.held, again.reason) == (True, first.reason)

    with statements_of(database) as sent:
        decide(database, me, [again])
        assert list(decide(database, me, [again]).held) == [work.id]

    assert [sql for sql, _values in sent if sql.lstrip().startswith("UPDATE")] == []
    assert row(database, Run, work.id) == first


def test_a_new_reason_is_written_and_the_turn_kept(database, me, other):
    task_id = insert_task(database, overlap=Overlap.PARALLEL, group="disk").id
    set_limit(database, "disk", 1)
    running(database, other, task_id, 1)
    (work,) = queued_works(database, me, task_id, 1)
    decide(database, me, [work])
    before = row(database, Run, work.id)
    set_limit(database, "disk", 0)
    decide(database, me, works_of(database, me, [work.id]))
    after = row(database, Run, work.id)
    assert (before.reason, after.reason) == (
        "the group 'disk' is at its limit of 1",
        "the group 'disk' is at its limit of 0",
    )
    assert after.held_at == before.held_at


def test_replace_asks_for_the_end_of_what_is_going_on_every_node_and_waits_for_it(
    database, me, other
):
    task_id = insert_task(database, overlap=Overlap.REPLACE).id
    bystander = insert_task(database, "bystander").id
    third = insert_node(database, "third")
    mine = running(database, me, task_id, 1)
    theirs = running(database, other, task_id, 2)
    others = running(database, third, bystander, 1)
    (work,) = queued_works(database, me, task_id, 1)

    decided = decide(database, me, [work], Going(_count(task_id)))

    assert list(decided.held) == [work.id]
    waits = decided.held[work.id].reason
    assert "(overlap: replace)" in waits
    assert outcome(database, [work]) == [(RunState.QUEUED, waits)]
    assert runs.stop_requests(database, me.id) == dict.fromkeys(mine, starts.REPLACED_BY)
    assert runs.stop_requests(database, other.id) == dict.fromkeys(theirs, starts.REPLACED_BY)
    assert runs.stop_requests(database, third.id) == {}
    assert states(database)[others[0]] == RunState.RUNNING
    asked = rows(database, Run, Run.id.in_([*mine, *theirs]))

    decide(database, me, works_of(database, me, [work.id]), Going(_count(task_id)))

    assert rows(database, Run, Run.id.in_([*mine, *theirs])) == asked
    ends = [runs.End(run_id, RunState.CANCELLED, "", None, FAR, 0) for run_id in theirs]
    runs.finish(database, other.id, ends)
    assert start(database, me, [work]) == {work.id}


def test_replace_a_newer_run_takes_the_place_of_the_one_that_waits(database, me, other):
    task_id = insert_task(database, overlap=Overlap.REPLACE).id
    running(database, other, task_id, 1)
    works = queued_works(database, me, task_id, 3)
    decided = decide(database, me, works[:2])
    assert (list(decided.held), list(decided.skipped)) == ([works[1].id], [works[0].id])

    books = Going(waiting={task_id: [works[1].id]})
    decided = decide(database, me, [works[2]], books)

    assert (list(decided.held), list(decided.skipped)) == ([works[2].id], [works[1].id])
    words = f"replaced before it began by {starts.REPLACED_BY}"
    assert outcome(database, works[:2]) == [(RunState.SKIPPED, words)] * 2
    assert states(database)[works[2].id] == RunState.QUEUED


def test_a_policy_that_only_a_newer_version_knows_is_no_permission(database, me, other):
    task_id = insert_task(database, overlap="rotate").id
    running(database, other, task_id, 1)
    works = queued_works(database, me, task_id, 1)
    assert start(database, me, works) == set()
    assert outcome(database, works)[0][0] == RunState.SKIPPED


@on_servers
@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.REPLACE])
def test_what_a_leader_that_was_just_replaced_is_still_committing_counts_as_going(
    database, me, other, overlap
):
    """Its transaction has passed the check of its term; nobody sees the run begin yet."""
    now = now_of(database)
    task_id = insert_task(database, overlap=overlap).id
    theirs = insert_run(
        database, task_id=task_id, owner_id=other.id, term=TERM, scheduled_at=now - SECOND
    )
    with database.write() as connection:
        works = runs.load(database, other.id, [theirs])
        assert len(starts.start(connection, database.dialect, other, works).started) == 1
        begin_term(database, TERM + 1)
        mine = insert_run(
            database, task_id=task_id, owner_id=me.id, term=TERM + 1, scheduled_at=now
        )
        leader = Claimant(me.id, TERM + 1)
        assert adoption.adopt(database, leader, [theirs], {}) == 0  # it is locked
        assert start(database, me, works_of(database, me, [mine])) == set()
    assert states(database)[theirs] == RunState.RUNNING


# catching up ------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.REPLACE])
def test_what_is_caught_up_on_runs_one_after_the_other_and_none_is_skipped(database, me, overlap):
    task_id = insert_task(database, overlap=overlap).id
    works = queued_works(database, me, task_id, 4, trigger=Trigger.CATCH_UP)
    order = []
    while left := [work for work in works if work.id not in order]:
        (started,) = decide(database, me, left).started
        order.append(started.id)
        runs.finish(database, me.id, [runs.End(started.id, RunState.SUCCESS, "", 0, FAR, 0)])
    assert order == [work.id for work in works]


def test_of_a_backfill_as_many_runs_are_going_at_once_as_was_asked_for(database, me, other):
    task_id = insert_task(database, overlap=Overlap.PARALLEL).id
    first, second = (insert_backfill(database, task_id, parallel) for parallel in (2, 1))
    of: dict[str, Any] = {"trigger": Trigger.BACKFILL}
    works = queued_works(database, me, task_id, 3, backfill_id=first, **of)
    works += queued_works(database, me, task_id, 2, backfill_id=second, attempt=1, **of)
    assert [work.backfill_parallel for work in works] == [2, 2, 2, 1, 1]

    decided = decide(database, me, works)

    assert [work.id for work in decided.started] == [works[0].id, works[1].id, works[3].id]
    words = decided.held[works[2].id].reason
    assert "backfill" in words
    assert outcome(database, works)[2] == (RunState.QUEUED, words)
    books = Going(_count(task_id), by_backfill=_count(first))
    assert decide(database, me, works[2:3], books).started == [works[2]]


def test_runs_of_a_backfill_on_other_nodes_count(database, me, other):
    task_id = insert_task(database, overlap=Overlap.PARALLEL).id
    backfill = insert_backfill(database, task_id, 2)
    running(database, other, task_id, 2, backfill_id=backfill)
    works = queued_works(database, me, task_id, 1, trigger=Trigger.BACKFILL, backfill_id=backfill)
    assert start(database, me, works) == set()


def insert_backfill(database: Database, task_id: int, parallel: int) -> int:
    with database.write() as connection:
        key = connection.execute(
            insert(Backfill).values(
                task_id=task_id,
                task_name="nightly",
                first_slot=FAR,
                last_slot=FAR,
                slots=3,
                parallel=parallel,
                created_by="Ada",
                created_at=FAR,
            )
        ).inserted_primary_key
    assert key is not None
    return int(key[0])


# groups -----------------------------------------------------------------------------------------


def set_limit(database: Database, name: str, limit: int) -> None:
    with database.write() as connection:
        connection.execute(delete(ConcurrencyGroup).where(ConcurrencyGroup.name == name))
        connection.execute(insert(ConcurrencyGroup).values(name=name, max_running=limit))


def test_a_group_has_no_more_runs_going_than_its_limit_whatever_tasks_they_are_of(
    database, me, other
):
    set_limit(database, "disk", 3)
    set_limit(database, "free", 10)
    a, b, c = (task.id for task in insert_tasks(database, "abc", group="disk"))
    free = insert_task(database, "free", group="free").id
    running(database, other, a, 1)
    works = [queued_works(database, me, task_id, 1)[0] for task_id in (b, c, free)]

    decided = decide(database, me, works, Going(by_group=Counter({"disk": 1})))

    assert [work.id for work in decided.started] == [works[0].id, works[2].id]
    words = "the group 'disk' is at its limit of 3"
    assert outcome(database, works)[1] == (RunState.QUEUED, words)
    assert row(database, Run, works[1].id).held_at is not None


def test_a_group_that_is_gone_lets_one_run_go_at_once(database, me):
    a, b = (task.id for task in insert_tasks(database, "ab", group="gone"))
    works = [queued_works(database, me, task_id, 1)[0] for task_id in (a, b)]
    assert start(database, me, works) == {works[0].id}


def test_a_manual_run_has_to_wait_for_its_group_too(database, me, other):
    set_limit(database, "disk", 1)
    a, b = (task.id for task in insert_tasks(database, "ab", group="disk"))
    running(database, other, a, 1)
    works = queued_works(database, me, b, 1, trigger=Trigger.MANUAL)
    assert start(database, me, works) == set()
    assert states(database)[works[0].id] == RunState.QUEUED


@on_servers
def test_a_group_keeps_its_limit_when_two_nodes_start_at_the_same_moment(database, me, other):
    """They never both lead; but what the one that led before is committing may not be visible
    yet."""
    set_limit(database, "disk", 3)
    tasks = [task.id for task in insert_tasks(database, [f"t{n}" for n in range(8)], group="disk")]
    for _round in range(20):
        works = {
            node.id: [queued_works(database, node, task_id, 1)[0] for task_id in mine]
            for node, mine in ((me, tasks[:4]), (other, tasks[4:]))
        }
        first, second = at_once(
            partial(start, database, me, works[me.id]),
            partial(start, database, other, works[other.id][::-1]),
        )
        assert len(first) + len(second) == 3
        with database.write() as connection:
            connection.execute(delete(Run))


@on_servers
def test_nodes_that_start_runs_of_several_groups_never_wait_for_each_other_in_a_circle(
    database, me, other
):
    for group in "ab":
        set_limit(database, group, 100)
    mine = {group: insert_task(database, group, group=group).id for group in "ab"}
    theirs = {group: insert_task(database, group * 2, group=group).id for group in "ab"}
    for _round in range(20):
        forth = [queued_works(database, me, mine[group], 1)[0] for group in "ab"]
        back = [queued_works(database, other, theirs[group], 1)[0] for group in "ba"]
        first, second = at_once(
            partial(start_once, database, me, forth), partial(start_once, database, other, back)
        )
        assert (first, second) == (2, 2)
        with database.write() as connection:
            connection.execute(delete(Run))


def start_once(database: Database, node: Identity, works: Sequence[QueuedWork]) -> int:
    """Not tried again after a deadlock."""
    with database.write() as connection:
        return len(starts.start(connection, database.dialect, node, works).started)


# pauses -----------------------------------------------------------------------------------------


def pause(database: Database, tag: str, **fields: Any) -> None:
    values = {"reason": "move", "created_by": "Ada", "created_at": FAR} | fields
    with database.write() as connection:
        connection.execute(insert(Pause).values(tag=tag, **values))


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("", "everything is paused: move"),
        ("etl", "tasks with the tag 'etl' are paused: move"),
    ],
)
def test_nothing_begins_by_itself_while_it_is_paused_but_what_somebody_asks_for(
    database, me, tag, words
):
    a, b = (task.id for task in insert_tasks(database, "ab", tag="etl", overlap=Overlap.PARALLEL))
    pause(database, tag)
    (scheduled,) = queued_works(database, me, a, 1)
    (retry,) = queued_works(database, me, a, 1, attempt=1)
    (manual,) = queued_works(database, me, b, 1, trigger=Trigger.MANUAL)

    assert start(database, me, [scheduled, retry, manual]) == {manual.id}

    assert outcome(database, [scheduled, retry]) == [(RunState.QUEUED, words)] * 2
    assert row(database, Run, scheduled.id).held_at is None


def test_a_pause_of_other_tasks_or_one_that_is_over_keeps_nothing_back(database, me):
    task_id = insert_task(database, tag="etl").id
    pause(database, "reports")
    pause(database, "etl", until=now_of(database) - SECOND)
    works = queued_works(database, me, task_id, 1)
    assert start(database, me, works) == {works[0].id}


def test_a_pause_keeps_no_turn_what_became_late_in_it_follows_the_misfire_policy(
    database, me, other
):
    now = now_of(database)
    task_id = insert_task(database, misfire="skip", next_fire_at=now + timedelta(hours=1)).id
    pause(database, "")
    slot = now - timedelta(minutes=5)
    late = insert_run(database, task_id=task_id, owner_id=me.id, term=TERM, scheduled_at=slot)
    decide(database, me, works_of(database, me, [late]))

    leader = Claimant(other.id, TERM)
    found = adoption.orphans(database, leader)

    assert settle(found, now, timedelta(seconds=30)) == {
        late: "nobody started it in time (misfire: skip)"
    }


def test_a_turn_that_was_kept_before_a_pause_is_kept_through_it(database, me, other):
    task_id = insert_task(database, overlap=Overlap.QUEUE).id
    running(database, other, task_id, 1)
    (work,) = queued_works(database, me, task_id, 1)
    decide(database, me, [work])
    pause(database, "")
    decide(database, me, works_of(database, me, [work.id]))
    run = row(database, Run, work.id)
    assert run.held_at is not None
    assert run.reason == "everything is paused: move"


# another leader ---------------------------------------------------------------------------------


def test_a_run_that_waits_survives_the_leader_and_begins_under_the_next_one_in_its_turn(
    database, me, other
):
    """However late it is by then: it was told to wait."""
    now = now_of(database)
    task_id = insert_task(
        database, overlap=Overlap.QUEUE, misfire="skip", next_fire_at=now + timedelta(hours=1)
    ).id
    third = insert_node(database, "third")
    (going,) = running(database, third, task_id, 1)
    slot = now - timedelta(minutes=9)
    waiting = insert_run(database, task_id=task_id, owner_id=other.id, term=TERM, scheduled_at=slot)
    assert list(decide(database, other, works_of(database, other, [waiting])).held) == [waiting]
    begin_term(database, TERM + 1)
    leader = Claimant(me.id, TERM + 1)

    found = adoption.orphans(database, leader)
    assert [run.id for run in found] == [waiting]
    assert settle(found, now, timedelta(seconds=30)) == {}
    assert adoption.adopt(database, leader, [waiting], {}) == 1

    (work,) = works_of(database, me, [waiting])
    assert work.held
    newer = insert_run(database, task_id=task_id, owner_id=me.id, term=TERM + 1, scheduled_at=now)
    both = [work, *works_of(database, me, [newer])]
    decided = decide(database, me, both)
    assert (list(decided.held), list(decided.skipped)) == ([waiting], [newer])
    runs.finish(database, third.id, [runs.End(going, RunState.SUCCESS, "", 0, FAR, 0)])
    assert start(database, me, [work]) == {waiting}


# what it costs ----------------------------------------------------------------------------------


@contextmanager
def much_queued(
    server: PrivateServer, home: Path, count: int
) -> Iterator[tuple[Database, Identity]]:
    """A database of its own with so many runs that are queued for a node: an hour without a leader
    leaves thousands to catch up on."""
    name = server.create_database()
    database = Database(settings_for(server.environment(name), home))
    try:
        migrate.upgrade(database)
        begin_term(database, TERM)
        me, task_id = (
            insert_node(database, "me"),
            insert_task(database, "late", overlap="parallel").id,
        )
        due = now_of(database) - SECOND
        values = {"task_id": task_id, "owner_id": me.id, "term": TERM, "start_at": due}
        insert_runs(database, (values | {"scheduled_at": FAR + n * SECOND} for n in range(count)))
        yield database, me
    finally:
        database.close()
        server.drop_database(name)


@on_servers
@pytest.mark.parametrize("queued", [0, 20_000])
def test_looking_around_does_not_read_what_is_queued_here(server, home, queued):
    with much_queued(server, home, queued) as (database, me):
        other, busy = insert_node(database, "other"), insert_task(database, "busy").id
        running(database, other, busy, 3)
        analyse(database)
        with statements_of(database) as sent, database.read() as connection:
            found = starts.look_around(connection, database.dialect, me, [], Going())
        assert found.by_task == {busy: 3}
        (statement,) = (one for one in sent if "UNION ALL" in one[0])
        assert effort(database, statement) < 100
        if queued:
            assert "run" not in full_scans(database, statement)


@on_servers
def test_a_few_are_started_without_going_through_all_that_is_queued(server, home):
    """Nobody has counted the rows yet: by the statistics hardly anything is queued."""
    with much_queued(server, home, 20_000) as (database, me):
        ids = [found.id for found in rows(database, Run)[9_000:9_004]]
        with statements_of(database) as sent:
            works = works_of(database, me, ids)
            assert len(start(database, me, works)) == 4
        about_runs = [one for one in sent if "run" in one[0] and "UNION ALL" not in one[0]]
        assert {one[0][:6] for one in about_runs} == {"SELECT", "UPDATE"}
        for statement in about_runs:
            assert effort(database, statement) < 200, statement[0]


def analyse(database: Database) -> None:
    how = "ANALYZE run" if database.dialect.name == "postgresql" else "ANALYZE TABLE run"
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(how))


@on_servers
def test_replacing_does_not_read_the_history_of_the_task(big_database):
    with statements_of(big_database) as sent:
        big_database.transact(
            lambda connection: starts._stop_running(connection, big_database.dialect, {1, 2, 3})
        )
    about_runs = [one for one in sent if " run" in one[0]]
    assert about_runs
    for statement in about_runs:
        assert "run" not in full_scans(big_database, statement)
        assert effort(big_database, statement) < 500
