"""Whoever comes second changes nothing: every change of a run compares before it sets."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from gocron.clock import DatabaseClock, boottime
from gocron.core.firing import QueuedRun
from gocron.core.identity import Identity
from gocron.core.states import RunState, Trigger
from gocron.db import adoption, run_output, runs, statistics
from gocron.db.claims import Claimant, TermOver
from gocron.db.engine import Database
from gocron.db.models import Node, Run, RunOutput, SchedulerLock, Task
from gocron.db.nodes import Newcomer, heartbeat, register
from gocron.db.runs import End, QueuedWork, Refusal
from gocron.execution.output import PIECE_CHARS
from tests.helpers.databases import at_once, effort, full_scans, on_servers, statements_of
from tests.helpers.rows import (
    FAR,
    SECOND,
    begin_term,
    insert_node,
    insert_queued,
    insert_run,
    insert_task,
    now_of,
    row,
    rows,
    states,
)

ENDED_AT = datetime(2031, 5, 17, 12, 30, 0, 250_001, UTC)
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
    return insert_task(database, "nightly").id


def never(_work: QueuedWork) -> str | None:
    """Refuses nothing."""
    return None


def start(
    database: Database, me: Identity, works: Sequence[QueuedWork], refusal: Refusal = never
) -> set[int]:
    """Ids of what was started."""
    started = database.transact(
        lambda connection: runs.start(connection, database.dialect, me, works, refusal)
    )
    ids = [work.id for work in started]
    assert len(ids) == len(set(ids))
    return set(ids)


def skip(database: Database, me: Identity, skipped: dict[int, str]) -> None:
    database.transact(lambda connection: runs.skip(connection, database.dialect, me.id, skipped))


def works_of(database: Database, me: Identity, run_ids: Sequence[int]) -> list[QueuedWork]:
    works = runs.load(database, me.id, run_ids)
    assert {work.id for work in works} == set(run_ids)
    return works


def running(database: Database, me: Identity, task_id: int, count: int) -> list[int]:
    """Runs of this node that have been started."""
    ids = insert_queued(database, task_id, count, me.id, term=TERM)
    assert start(database, me, works_of(database, me, ids)) == set(ids)
    return ids


def end(run_id: int, state: str = RunState.SUCCESS, reason: str = "") -> End:
    return End(run_id, state, reason, 0, ENDED_AT, 12)


# loading ----------------------------------------------------------------------------------------


def test_a_queued_run_is_loaded_with_the_definition_it_will_execute(database, me):
    task = insert_task(
        database,
        "nightly 😀",
        protocol="http",
        command="http://example.org/ä?x=%41",
        environment={"PASSWÖRD": 'a"b\\c\n😀'},
        http_method="POST",
        http_headers={"X-Y": "z"},
        http_body="body",
        http_verify_tls=False,
        success_pattern="ok",
        timeout=30,
        overlap="parallel",
        max_parallel=4,
        revision=17,
    )
    (queued,) = insert_queued(database, task.id, 1, me.id, term=5)

    (work,) = runs.load(database, me.id, [queued])

    assert (work.id, work.task_id, work.task_name) == (queued, task.id, "nightly 😀")
    assert (work.scheduled_at, work.start_at, work.attempt) == (FAR, FAR, 0)
    assert (work.scheduled, work.term, work.revision) == (True, 5, 17)
    assert work.environment == {"PASSWÖRD": 'a"b\\c\n😀'}
    assert work.http_headers == {"X-Y": "z"}
    assert (work.http_verify_tls, work.http_method, work.http_body) == (False, "POST", "body")
    assert (work.protocol, work.command) == ("http", "http://example.org/ä?x=%41")
    assert (work.timeout, work.overlap, work.max_parallel) == (30, "parallel", 4)


def test_a_manual_run_is_loaded_as_one_that_no_slot_made(database, me, task_id):
    manual = insert_run(database, task_id=task_id, owner_id=me.id, trigger=Trigger.MANUAL)
    assert [work.scheduled for work in runs.load(database, me.id, [manual])] == [False]


def test_only_queued_runs_of_tasks_that_exist_are_loaded(database, me, task_id):
    queued = insert_run(database, task_id=task_id, owner_id=me.id)
    ended = insert_run(database, task_id=task_id, state=RunState.SUCCESS, attempt=1)
    orphan = insert_run(database, task_id=task_id + 999, owner_id=me.id)
    assert [work.id for work in runs.load(database, me.id, [orphan, ended, queued])] == [queued]
    assert runs.load(database, me.id, []) == []


def test_a_node_sees_the_queued_runs_it_owns_the_next_ones_first(database, me, other, task_id):
    mine = [
        insert_run(database, task_id=task_id, owner_id=me.id, scheduled_at=FAR + n * SECOND)
        for n in (5, 3, 4, 1, 2)
    ][::-1]
    mine = [mine[1], mine[0], mine[3], mine[2], mine[4]]
    insert_run(database, task_id=task_id, owner_id=other.id, attempt=1)
    insert_run(database, task_id=task_id, owner_id=None, attempt=2)
    insert_run(database, task_id=task_id, owner_id=me.id, attempt=3, state=RunState.RUNNING)
    assert runs.queued_ids(database, me.id) == mine


# starting ---------------------------------------------------------------------------------------


def test_a_start_makes_queued_runs_running_now_under_the_definition_in_force(database, me):
    task_id = insert_task(database, "nightly", revision=17).id
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
    adoption.adopt(database, Claimant(me.id, TERM + 1), [works[0].id], [])

    started = database.transact(
        lambda connection: runs.start(connection, database.dialect, me, works)
    )

    assert [work.term for work in started] == [TERM + 1]


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
    asked: list[int] = []

    def refusal(work: QueuedWork) -> str | None:
        asked.append(work.id)
        return None if work.id == works[0].id else "refused"

    assert start(database, me, [*works, *works], refusal) == {works[0].id}
    assert asked == [work.id for work in works]


def test_a_refused_run_is_skipped_with_the_reason(database, me, task_id):
    works = works_of(database, me, insert_queued(database, task_id, 3, me.id, term=TERM))
    going: list[int] = []

    def one_at_a_time(work: QueuedWork) -> str | None:
        if going:
            return f"{going[0]} is still going"
        going.append(work.id)
        return None

    assert start(database, me, works, one_at_a_time) == {works[0].id}
    for work in works[1:]:
        run = row(database, Run, work.id)
        assert (run.state, run.reason) == (RunState.SKIPPED, f"{works[0].id} is still going")
        assert run.started_at is None


def test_a_run_that_exists_no_more_is_in_nobodys_way(database, me, task_id):
    """It was withdrawn by an edit after it had been loaded; its successor must not be refused
    because of it."""
    withdrawn, real = works_of(database, me, insert_queued(database, task_id, 2, me.id, term=TERM))
    with database.write() as connection:
        connection.execute(delete(Run).where(Run.id == withdrawn.id))
    going: list[int] = []

    def one_at_a_time(work: QueuedWork) -> str | None:
        going.append(work.id)
        return None if len(going) == 1 else "overlap"

    assert start(database, me, [withdrawn, real], one_at_a_time) == {real.id}


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
    count = adoption.adopt(database, leader, ids, [])
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


# not starting -----------------------------------------------------------------------------------


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


def test_what_is_handed_back_belongs_to_nobody_and_the_leader_finds_it(
    database, me, other, task_id
):
    (queued,) = insert_queued(database, task_id, 1, me.id, term=TERM)
    (going,) = running(database, me, insert_task(database, "going").id, 1)
    theirs = insert_run(database, task_id=task_id, owner_id=other.id, attempt=1)

    runs.hand_back(database, me.id, [theirs, going, queued])

    assert row(database, Run, queued).owner_id is None
    assert row(database, Run, going).owner_id == me.id
    assert row(database, Run, theirs).owner_id == other.id
    assert queued in {run.id for run in adoption.orphans(database, Claimant(me.id, TERM))}


# adopting ---------------------------------------------------------------------------------------


def test_orphans_are_queued_runs_of_others_of_nobody_and_of_earlier_terms(
    database, me, other, task_id
):
    mine: dict[str, Any] = {"task_id": task_id, "owner_id": me.id}
    of_nobody = insert_run(database, task_id=task_id, trigger=Trigger.MANUAL)
    of_other = insert_run(database, task_id=task_id, owner_id=other.id, term=TERM, attempt=1)
    without_task = insert_run(database, task_id=task_id + 999)
    of_earlier_term = insert_run(database, term=TERM - 1, attempt=2, **mine)
    insert_run(database, term=TERM, attempt=3, **mine)
    insert_run(database, term=TERM - 1, attempt=4, state=RunState.RUNNING, **mine)
    insert_run(database, task_id=task_id, attempt=5, state=RunState.MISSED)

    found = {run.id: run for run in adoption.orphans(database, Claimant(me.id, TERM))}

    assert found == {
        of_nobody: QueuedRun(of_nobody, task_id, False, FAR, FAR),
        of_other: QueuedRun(of_other, task_id, True, FAR, FAR),
        of_earlier_term: QueuedRun(of_earlier_term, task_id, True, FAR, FAR),
        without_task: QueuedRun(without_task, task_id + 999, True, FAR, None),
    }


def test_adoption_takes_over_and_writes_off(database, me, other, task_id):
    keep, late = insert_queued(database, task_id, 2, other.id, term=3)
    (going,) = running(database, other, insert_task(database, "going").id, 1)

    assert adoption.adopt(database, Claimant(me.id, TERM), [keep, going], [late, going]) == 1

    assert (row(database, Run, keep).owner_id, row(database, Run, keep).term) == (me.id, TERM)
    assert row(database, Run, keep).start_at == FAR
    written_off = row(database, Run, late)
    assert written_off.state == RunState.MISSED
    assert written_off.reason
    assert written_off.finished_at is not None
    assert row(database, Run, going).state == RunState.RUNNING
    assert row(database, Run, going).owner_id == other.id


def test_a_late_run_begins_its_life_anew_with_its_adoption(database, me, other, task_id):
    """Or the next leader would find it late once more and write it off."""
    slot = now_of(database) - timedelta(minutes=5)
    late = insert_run(database, task_id=task_id, owner_id=other.id, term=3, scheduled_at=slot)
    assert adoption.adopt(database, Claimant(me.id, TERM), [late], []) == 1
    run = row(database, Run, late)
    assert run.scheduled_at == slot
    assert abs(run.start_at - now_of(database)) < timedelta(seconds=5)


@on_servers
def test_an_adoption_passes_over_what_its_owner_is_just_starting(database, me, other, task_id):
    starting, waiting = insert_queued(database, task_id, 2, other.id, term=TERM)
    with database.write() as connection:
        works = runs.load(database, other.id, [starting])
        assert len(runs.start(connection, database.dialect, other, works)) == 1
        leader = Claimant(me.id, TERM)
        assert adoption.adopt(database, leader, [starting, waiting], []) == 1
    assert row(database, Run, waiting).owner_id == me.id
    assert (row(database, Run, starting).owner_id, states(database)[starting]) == (
        other.id,
        RunState.RUNNING,
    )


@pytest.mark.parametrize("shown", [5, None])
def test_a_term_that_is_over_adopts_nothing_and_writes_nothing_off(
    database, me, other, task_id, shown
):
    first, second = insert_queued(database, task_id, 2, other.id, term=TERM)
    begin_term(database, shown or 0)
    if shown is None:
        with database.write() as connection:
            connection.execute(delete(SchedulerLock))
    before = rows(database, Run)

    with pytest.raises(TermOver):
        adoption.adopt(database, Claimant(me.id, 4), [first], [second])

    assert rows(database, Run) == before


# ending -----------------------------------------------------------------------------------------


def test_ends_are_written_to_their_own_runs_in_whatever_order_they_come(database, me, task_id):
    ids = running(database, me, task_id, 20)
    kinds = [RunState.SUCCESS, RunState.FAILED, RunState.TIMEOUT, RunState.CANCELLED]
    ends = [
        End(
            run_id,
            kinds[run_id % 4],
            f"reason of {run_id} 😀",
            run_id % 256 if run_id % 3 else None,
            ENDED_AT + run_id * SECOND,
            2**33 + run_id,
        )
        for run_id in ids
    ]

    runs.finish(database, me.id, random.Random(1).sample(ends, k=len(ends)))

    for wanted in ends:
        run = row(database, Run, wanted.id)
        found = End(run.id, run.state, run.reason, run.exit_code, run.finished_at, run.output_bytes)
        assert found == wanted


def test_an_end_that_is_written_again_changes_nothing(database, me, task_id):
    (run_id,) = running(database, me, task_id, 1)
    runs.finish(database, me.id, [end(run_id)])
    before = rows(database, Run)

    runs.finish(database, me.id, [end(run_id, RunState.FAILED, "another story"), end(run_id)])

    assert rows(database, Run) == before


def test_ends_of_runs_that_are_not_running_here_are_passed_over(database, me, other, task_id):
    (queued,) = insert_queued(database, task_id, 1, me.id, term=TERM)
    (theirs,) = running(database, other, insert_task(database, "theirs").id, 1)
    (lost,) = running(database, me, insert_task(database, "lost").id, 1)
    (mine,) = running(database, me, insert_task(database, "mine").id, 1)
    with database.write() as connection:
        connection.execute(update(Run).where(Run.id == lost).values(state=RunState.LOST))

    runs.finish(database, me.id, [end(run_id) for run_id in (mine, lost, theirs, queued, 10**9)])

    assert states(database) == {
        queued: RunState.QUEUED,
        theirs: RunState.RUNNING,
        lost: RunState.LOST,
        mine: RunState.SUCCESS,
    }


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("x" * 2000, "x" * 512),
        ("😀" * 600, "😀" * 512),
        ("a NUL \0 in it", "a NUL \u2400 in it"),
        ("half a pair \ud83d of it", "half a pair \ufffd of it"),
        ("a whole pair \ud83d\ude00", "a whole pair 😀"),
        ("\r\n\t\x1b[31m", "\r\n\t\x1b[31m"),
    ],
)
def test_an_end_is_recorded_whatever_its_reason_is_made_of(database, me, task_id, reason, kept):
    awkward, plain = running(database, me, task_id, 2)
    runs.finish(database, me.id, [end(awkward, RunState.FAILED, reason), end(plain)])
    assert row(database, Run, awkward).reason == kept
    assert states(database) == {awkward: RunState.FAILED, plain: RunState.SUCCESS}


def test_running_runs_of_a_node_that_is_gone_are_lost(database, me, other, task_id):
    mine = running(database, me, task_id, 2)
    gone = running(database, other, insert_task(database, "gone").id, 3)
    queued = insert_run(database, task_id=task_id, owner_id=other.id, attempt=1)
    assert sorted(adoption.nodes_with_running(database, me.id)) == [other.id]
    assert sorted(runs.running_ids(database, other.id)) == gone

    assert adoption.mark_lost(database, other.id, "no sign of life") == 3

    for run_id in gone:
        run = row(database, Run, run_id)
        assert (run.state, run.reason) == (RunState.LOST, "no sign of life")
        assert run.finished_at is not None
    assert {states(database)[run_id] for run_id in mine} == {RunState.RUNNING}
    assert states(database)[queued] == RunState.QUEUED
    assert adoption.mark_lost(database, other.id, "again") == 0
    assert adoption.nodes_with_running(database, me.id) == []
    assert runs.running_ids(database, other.id) == []


def test_a_node_that_has_come_back_meanwhile_loses_nothing(database, me, task_id):
    (run_id,) = running(database, me, task_id, 1)
    seen = row(database, Node, me.id).heartbeat_at
    heartbeat(database, me, 1)
    assert adoption.mark_lost(database, me.id, "gone", seen) == 0
    seen = row(database, Node, me.id).heartbeat_at
    assert adoption.mark_lost(database, me.id, "gone", seen) == 1
    assert states(database) == {run_id: RunState.LOST}


def test_runs_of_a_node_that_was_forgotten_are_lost(database, task_id):
    insert_run(database, task_id=task_id, owner_id=4711, state=RunState.RUNNING)
    assert adoption.mark_lost(database, 4711, "gone", FAR) == 1


def test_a_start_of_which_nothing_came_is_written_off_and_only_that(database, me, other, task_id):
    mine, also_mine = running(database, me, task_id, 2)
    (theirs,) = running(database, other, insert_task(database, "theirs").id, 1)
    queued = insert_run(database, task_id=task_id, owner_id=me.id, attempt=1)
    wanted = [queued, theirs, mine, 10**9]

    assert runs.settle_unstarted(database, me.id, wanted, "nothing was started") == (
        set(wanted),
        1,
    )

    assert states(database) == {
        mine: RunState.LOST,
        also_mine: RunState.RUNNING,
        theirs: RunState.RUNNING,
        queued: RunState.QUEUED,
    }
    assert row(database, Run, mine).reason == "nothing was started"
    assert runs.settle_unstarted(database, me.id, [mine], "again") == ({mine}, 0)


@on_servers
def test_a_start_whose_commit_may_still_be_under_way_is_not_settled_yet(database, me, task_id):
    pending, free = insert_queued(database, task_id, 2, me.id, term=TERM)
    with database.write() as connection:
        works = runs.load(database, me.id, [pending])
        assert len(runs.start(connection, database.dialect, me, works)) == 1
        assert runs.settle_unstarted(database, me.id, [pending, free], "") == ({free}, 0)
    assert runs.settle_unstarted(database, me.id, [pending, free], "") == ({pending, free}, 1)


def test_runs_of_other_nodes_are_counted_by_task(database, me, other, task_id):
    another = insert_task(database, "another").id
    running(database, me, task_id, 2)
    running(database, other, another, 3)
    insert_run(database, task_id=another, owner_id=other.id, attempt=1)
    with database.read() as connection:
        assert runs.running_elsewhere(connection, me.id) == {another: 3}
        assert runs.running_elsewhere(connection, other.id) == {task_id: 2}


def test_stop_requests_reach_the_node_that_runs_and_no_other(database, me, other, task_id):
    wanted, unwanted = running(database, me, task_id, 2)
    (theirs,) = running(database, other, insert_task(database, "theirs").id, 1)
    with database.write() as connection:
        connection.execute(
            update(Run)
            .where(Run.id.in_([wanted, theirs]))
            .values(stop_requested_at=FAR, stop_requested_by="Ada")
        )
    assert runs.stop_requests(database, me.id) == {wanted: "Ada"}
    assert unwanted not in runs.stop_requests(database, other.id)
    runs.finish(database, me.id, [end(wanted)])
    assert runs.stop_requests(database, me.id) == {}


# output -----------------------------------------------------------------------------------------


def pieces(database: Database, run_id: int = 1) -> dict[int, str]:
    return {
        piece.seq: piece.content for piece in rows(database, RunOutput, RunOutput.run_id == run_id)
    }


def test_pieces_of_output_are_added_once_and_dropped(database):
    first = [(1, 0, "a\n"), (1, 1, "ä 😀 \x1b[0m \\ % : {}"), (2, 0, "other")]
    run_output.write_output(database, first, [])
    run_output.write_output(database, [(1, 1, "again"), (1, 2, "c")], [(1, 0), (1, 77)])
    assert pieces(database) == {1: "ä 😀 \x1b[0m \\ % : {}", 2: "c"}
    assert pieces(database, 2) == {0: "other"}
    run_output.write_output(database, [], [(2, 0)])
    assert pieces(database, 2) == {}


def test_the_longest_piece_is_stored_whole(database):
    long = "😀" * PIECE_CHARS
    run_output.write_output(database, [(1, 0, long), (1, 1, "after")], [])
    assert pieces(database) == {0: long, 1: "after"}


def test_more_output_than_fits_in_one_packet_is_written_all_the_same(database):
    many = [(run, seq, "😀\\" * 100_000) for run in range(6) for seq in range(3)]
    run_output.write_output(database, many, [])
    assert len(rows(database, RunOutput)) == len(many)
    assert all(piece.content == "😀\\" * 100_000 for piece in rows(database, RunOutput))


# what it costs ----------------------------------------------------------------------------------

HOT = {
    "orphans": lambda database: adoption.orphans(database, Claimant(1, 1)),
    "queued_ids": lambda database: runs.queued_ids(database, 1),
    "stop_requests": lambda database: runs.stop_requests(database, 1),
    "nodes_with_running": lambda database: adoption.nodes_with_running(database, 1),
    "running_elsewhere": lambda database: _running_elsewhere(database, 1),
    "load": lambda database: runs.load(database, 1, runs.queued_ids(database, 1)),
    "finish": lambda database: runs.finish(database, 9, [end(run_id) for run_id in range(1, 20)]),
    "mark_lost": lambda database: adoption.mark_lost(database, 9, "", FAR),
    "settle_unstarted": lambda database: runs.settle_unstarted(database, 9, [1, 2, 3], ""),
    "running_ids": lambda database: runs.running_ids(database, 1),
    "hand_back": lambda database: runs.hand_back(database, 9, list(range(1, 20))),
    "adopt": lambda database: adoption.adopt(database, Claimant(9, 0), [1, 2, 3], [4, 5]),
    "start": lambda database: start(
        database, Identity(9, "", "", "", 1), runs.load(database, 1, runs.queued_ids(database, 1))
    ),
}


def _running_elsewhere(database: Database, node_id: int) -> dict[int, int]:
    with database.read() as connection:
        return runs.running_elsewhere(connection, node_id)


@on_servers
@pytest.mark.parametrize("name", HOT)
def test_hot_statements_do_not_touch_what_has_ended(big_database, name):
    with statements_of(big_database) as sent:
        HOT[name](big_database)
    about_runs = [one for one in sent if " run" in one[0]]
    assert about_runs
    for statement in about_runs:
        assert "run" not in full_scans(big_database, statement)
        # Some fifty rows are queued or running; tests of claims may have added a thousand.
        assert effort(big_database, statement) < 2_000


@on_servers
def test_statistics_read_the_last_hour_and_not_the_history(big_database):
    with statements_of(big_database) as sent:
        counts = statistics.recent(big_database)
    assert counts.runs[RunState.SUCCESS] < 10_000
    about_runs = [one for one in sent if " run" in one[0]]
    assert about_runs
    for statement in about_runs:
        assert "run" not in full_scans(big_database, statement)
        assert effort(big_database, statement) < 20_000


def test_the_clock_of_a_start_is_the_databases(database, me, task_id):
    """Of the commit, not of the beginning of the transaction, and UTC on every server."""
    clock = DatabaseClock()
    with database.read() as connection:
        sent = boottime()
        clock.observe(sent, database.dialect.now(connection), boottime())
    before = clock.now()
    (run_id,) = running(database, me, task_id, 1)
    started = row(database, Run, run_id).started_at
    slack = timedelta(milliseconds=50)
    assert before - slack <= started <= clock.now() + slack
