"""Whoever comes second changes nothing: every change of a run compares before it sets. (How runs
are started is in ``test_starts``.)"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from gocron.core.firing import QueuedRun
from gocron.core.identity import Identity
from gocron.core.states import RunState, Trigger
from gocron.db import adoption, run_output, runs, starts, statistics
from gocron.db.claims import Claimant, TermOver
from gocron.db.engine import Database
from gocron.db.models import Node, Run, RunOutput, SchedulerLock
from gocron.db.nodes import heartbeat
from gocron.db.runs import End
from gocron.execution.output import PIECE_CHARS
from tests.helpers.databases import effort, full_scans, on_servers, statements_of
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
WHY = "nobody started it in time"


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


def running(database: Database, me: Identity, task_id: int, count: int) -> list[int]:
    """Runs of this node that have been started."""
    return insert_queued(database, task_id, count, me.id, term=TERM, state=RunState.RUNNING)


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


def test_what_is_caught_up_on_is_read_last_or_not_at_all(database, me, task_id):
    late, backfill, now = (
        insert_run(database, task_id=task_id, owner_id=me.id, attempt=n, trigger=trigger)
        for n, trigger in enumerate((Trigger.CATCH_UP, Trigger.BACKFILL, Trigger.MANUAL))
    )
    assert runs.queued_ids(database, me.id) == [now, late, backfill]
    assert runs.queued_ids(database, me.id, with_late=False) == [now]


# not starting -----------------------------------------------------------------------------------


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
    of_other = insert_run(
        database, task_id=task_id, owner_id=other.id, term=TERM, scheduled_at=FAR + SECOND
    )
    without_task = insert_run(database, task_id=task_id + 999)
    of_earlier_term = insert_run(database, term=TERM - 1, scheduled_at=FAR + 2 * SECOND, **mine)
    insert_run(database, term=TERM, attempt=3, **mine)
    insert_run(database, term=TERM - 1, attempt=4, state=RunState.RUNNING, **mine)
    insert_run(database, task_id=task_id, attempt=5, state=RunState.MISSED)

    found = {run.id: run for run in adoption.orphans(database, Claimant(me.id, TERM))}

    assert found == {
        of_nobody: QueuedRun(of_nobody, task_id, False, FAR, FAR),
        of_other: QueuedRun(of_other, task_id, True, FAR + SECOND, FAR),
        of_earlier_term: QueuedRun(of_earlier_term, task_id, True, FAR + 2 * SECOND, FAR),
        without_task: QueuedRun(without_task, task_id + 999, True, FAR, None),
    }


def test_an_orphan_carries_what_its_task_says_about_being_late(database, me):
    task = insert_task(database, misfire="skip", misfire_grace=7)
    queued = insert_run(database, task_id=task.id)
    (found,) = adoption.orphans(database, Claimant(me.id, TERM))
    assert found == QueuedRun(queued, task.id, True, FAR, FAR, "skip", 7)


@pytest.mark.parametrize(
    "fields",
    [
        {"attempt": 1},
        {"held_at": FAR},
        {"trigger": Trigger.CATCH_UP},
        {"trigger": Trigger.MANUAL},
        {"trigger": Trigger.DEPENDENCY},
    ],
    ids=["retry", "held", "catch_up", "manual", "dependency"],
)
def test_only_a_slot_that_was_not_told_to_wait_can_have_come_too_late(
    database, me, task_id, fields
):
    insert_run(database, task_id=task_id, **fields)
    (found,) = adoption.orphans(database, Claimant(me.id, TERM))
    assert not found.scheduled


def test_adoption_takes_over_and_writes_off(database, me, other, task_id):
    keep, late = insert_queued(database, task_id, 2, other.id, term=3, follow_up=True)
    (going,) = running(database, other, insert_task(database, "going").id, 1)

    missed = dict.fromkeys([late, going], WHY)
    assert adoption.adopt(database, Claimant(me.id, TERM), [keep, going], missed) == 1

    assert (row(database, Run, keep).owner_id, row(database, Run, keep).term) == (me.id, TERM)
    assert (row(database, Run, keep).start_at, row(database, Run, keep).follow_up) == (FAR, True)
    written_off = row(database, Run, late)
    assert (written_off.state, written_off.reason) == (RunState.MISSED, WHY)
    assert written_off.follow_up, "what depends on it is told"
    assert written_off.finished_at is not None
    assert row(database, Run, going).state == RunState.RUNNING
    assert row(database, Run, going).owner_id == other.id


def test_a_late_run_begins_its_life_anew_with_its_adoption(database, me, other, task_id):
    """Or the next leader would find it late once more and write it off."""
    slot = now_of(database) - timedelta(minutes=5)
    late = insert_run(database, task_id=task_id, owner_id=other.id, term=3, scheduled_at=slot)
    assert adoption.adopt(database, Claimant(me.id, TERM), [late], {}) == 1
    run = row(database, Run, late)
    assert run.scheduled_at == slot
    assert abs(run.start_at - now_of(database)) < timedelta(seconds=5)


@on_servers
def test_an_adoption_passes_over_what_its_owner_is_just_starting(database, me, other, task_id):
    starting, waiting = insert_queued(database, task_id, 2, other.id, term=TERM)
    with database.write() as connection:
        works = runs.load(database, other.id, [starting])
        assert len(starts.start(connection, database.dialect, other, works).started) == 1
        leader = Claimant(me.id, TERM)
        assert adoption.adopt(database, leader, [starting, waiting], {}) == 1
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
        adoption.adopt(database, Claimant(me.id, 4), [first], {second: WHY})

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
        assert len(starts.start(connection, database.dialect, me, works).started) == 1
        assert runs.settle_unstarted(database, me.id, [pending, free], "") == ({free}, 0)
    assert runs.settle_unstarted(database, me.id, [pending, free], "") == ({pending, free}, 1)


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
    "load": lambda database: runs.load(database, 1, runs.queued_ids(database, 1)),
    "finish": lambda database: runs.finish(database, 9, [end(run_id) for run_id in range(1, 20)]),
    "mark_lost": lambda database: adoption.mark_lost(database, 9, "", FAR),
    "settle_unstarted": lambda database: runs.settle_unstarted(database, 9, [1, 2, 3], ""),
    "running_ids": lambda database: runs.running_ids(database, 1),
    "hand_back": lambda database: runs.hand_back(database, 9, list(range(1, 20))),
    "adopt": lambda database: adoption.adopt(database, Claimant(9, 0), [1, 2], {3: "a", 4: "b"}),
    "start": lambda database: _start(database, Identity(9, "", "", "", 1)),
}


def _start(database: Database, node: Identity) -> None:
    works = runs.load(database, 1, runs.queued_ids(database, 1))
    database.transact(lambda connection: starts.start(connection, database.dialect, node, works))


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
