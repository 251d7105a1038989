"""The row that decides who leads: held by one, free at once when its holder is gone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial

import pymysql
import pytest
from sqlalchemy import delete, text, update

from gocron.clock import boottime
from gocron.config import Settings
from gocron.core.leadership import Locked
from gocron.core.lease import LockRow, Timing, takeover_in
from gocron.db.claims import Claimant, TermOver, claim
from gocron.db.engine import Database
from gocron.db.lock import LockLost, LockSession, NotHeld, ReadOnlyServer
from gocron.db.models import Leadership, SchedulerLock, Task
from tests.helpers.candidates import (
    LEASE_S,
    Candidate,
    candidates,
    leader_of,
    session_id,
    terms,
    until,
)
from tests.helpers.private_server import PrivateServer
from tests.helpers.rows import due_of, insert_task, next_slot_of, now_of, rows, scalar

pytestmark = pytest.mark.parametrize("engine", ["postgres", "mysql"], indirect=True)

NAMES = ("a", "b", "c", "d", "e")
KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}


@pytest.fixture(autouse=True)
def patient(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An elector gives up on a server that is silent for a third of its lease, and on PostgreSQL
    that goes for its whole process: here, for the tests as well."""
    monkeypatch.setattr("gocron.db.engine.limit_waits", lambda _limit_s: None)


def timing(settings: Settings) -> Timing:
    return Timing(settings.lease_s, settings.renew_s, settings.grace_s, settings.poll_s)


def elect(session: LockSession, above: int = 0) -> int:
    """Make it the holder of the row, which is free."""
    assert session.probe() is not None
    term, sent = session.take_over(above)
    assert session.lock_again(sent + 0.3, time.sleep).term == term
    return term


def the_row(database: Database) -> LockRow:
    (lock,) = rows(database, SchedulerLock)
    return LockRow(lock.locked_by, lock.term, lock.renewed_at, lock.expires_at, now_of(database))


def history(database: Database) -> list[tuple[int, str, bool, str]]:
    return [
        (past.term, past.node_name, past.ended_at is not None, past.end_reason)
        for past in rows(database, Leadership)
    ]


def anybody_leads(among: Sequence[Candidate], above: int = 0) -> bool:
    return any(one.leads() and one.trust.term > above for one in among)


def has_fallen(candidate: Candidate, times: int) -> bool:
    """More often than so."""
    return len(candidate.downfalls) > times


# one session after the other --------------------------------------------------------------------


def test_a_free_row_is_taken_under_the_next_term(database, open_session):
    me = open_session("a")
    row = me.probe()
    assert row is not None
    assert (row.locked_by, row.term, row.renewed_at) == (None, 0, None)
    assert abs((row.now - now_of(database)).total_seconds()) < 5

    term, sent = me.take_over(row.term)

    assert term == 1
    assert 0 <= boottime() - sent < 5
    assert me.lock_again(sent + 0.3, time.sleep) == Locked("a:1", 1)
    found = the_row(database)
    assert (found.locked_by, found.term) == ("a:1", 1)
    assert found.renewed_at is not None
    assert found.expires_at is not None
    assert (found.expires_at - found.renewed_at).total_seconds() == pytest.approx(LEASE_S, abs=0.05)
    assert history(database) == [(1, "a", False, "")]


def test_a_row_that_is_held_is_not_to_be_had_and_nobody_waits_for_it(database, open_session):
    elect(open_session("a"))
    follower = open_session("b")
    started = time.monotonic()
    for _time in range(20):
        assert follower.probe() is None
    assert time.monotonic() - started < 2.0
    assert the_row(database).locked_by == "a:1"


def test_a_follower_that_looked_gives_the_lock_back(open_session):
    first, second = open_session("a"), open_session("b")
    assert first.probe() is not None
    assert second.probe() is None
    first.let_go()
    assert second.probe() is not None


def test_in_the_gap_of_a_rotation_a_follower_finds_the_row_free_but_too_young(quick, open_session):
    leader, follower = open_session("a"), open_session("b")
    term = elect(leader)
    leader.renew_and_commit(term)

    row = follower.probe()

    assert row is not None
    assert row.locked_by == "a:1"
    assert 0.2 < takeover_in(row, timing(quick)) <= quick.grace_s
    follower.let_go()
    assert leader.lock_again(boottime() + 0.3, time.sleep) == Locked("a:1", term)


def test_a_leader_that_does_not_get_the_lock_back_in_time_has_lost(open_session):
    leader, follower = open_session("a"), open_session("b")
    term = elect(leader)
    leader.renew_and_commit(term)
    assert follower.probe() is not None

    started = boottime()
    with pytest.raises(LockLost):
        leader.lock_again(started + 0.2, time.sleep)
    assert 0.2 <= boottime() - started < 1.0


def test_a_leader_learns_from_the_row_who_took_it(open_session):
    leader, follower = open_session("a"), open_session("b")
    term = elect(leader)
    leader.renew_and_commit(term)
    assert follower.probe() is not None
    follower.take_over(term)
    assert leader.lock_again(boottime() + 0.3, time.sleep) == Locked("b:1", term + 1)


@pytest.mark.parametrize("change", [{"locked_by": "b:1"}, {"term": 9}, {"locked_by": None}])
def test_a_renewal_of_a_row_that_is_not_ours_is_refused(database, open_session, change):
    leader = open_session("a")
    term = elect(leader)
    leader.let_go()
    with database.write() as connection:
        connection.execute(update(SchedulerLock).values(**change))
    before = rows(database, SchedulerLock)

    with pytest.raises(NotHeld):
        leader.renew_and_commit(term)
    leader.let_go()

    assert rows(database, SchedulerLock) == before


def test_a_renewal_moves_the_lease_and_nothing_else(database, open_session):
    leader = open_session("a")
    term = elect(leader)
    before = the_row(database)
    time.sleep(0.05)
    leader.renew_and_commit(term)
    after = the_row(database)
    assert before.renewed_at is not None
    assert after.renewed_at is not None
    assert after.renewed_at > before.renewed_at
    assert (after.locked_by, after.term) == (before.locked_by, before.term)


def test_who_gives_up_leaves_the_row_to_the_next_one_at_once(quick, database, open_session):
    leader, follower = open_session("a"), open_session("b")
    term = elect(leader)

    leader.give_up(term)

    row = follower.probe()
    assert row is not None
    assert takeover_in(row, timing(quick)) == 0.0
    assert takeover_in(row, timing(quick), local_locks=False) == 0.0
    assert follower.take_over(row.term)[0] == term + 1
    assert history(database) == [(1, "a", True, "released"), (2, "b", False, "")]


def test_why_a_term_ended_is_written_once(database, open_session):
    leader, follower = open_session("a"), open_session("b")
    elect(leader)
    leader.close()
    leader.connect()
    leader.end_history(1, "the database went away")
    elect(follower, above=1)
    leader.end_history(1, "another story")
    assert history(database) == [(1, "a", True, "the database went away"), (2, "b", False, "")]


def test_a_term_whose_end_nobody_wrote_is_ended_by_its_successor(database, open_session):
    leader, follower = open_session("a"), open_session("b")
    elect(leader)
    leader.close()
    until(lambda: follower.probe() is not None, "the row is free")
    follower.take_over(1)
    (first, _second) = history(database)
    assert first == (1, "a", True, "its leader fell silent: taken over by b:1")


def test_a_term_whose_leader_fell_silent_ended_with_its_lease_however_late_it_is_followed(
    database, open_session
):
    """Nobody led while all nodes were down."""
    leader, follower = open_session("a"), open_session("b")
    elect(leader)
    leader.close()
    until(lambda: follower.probe() is not None, "the row is free")
    follower.let_go()
    hour_ago = now_of(database) - timedelta(hours=1)
    with database.write() as connection:
        connection.execute(update(SchedulerLock).values(expires_at=hour_ago))
    assert follower.probe() is not None
    follower.take_over(1)
    assert rows(database, Leadership)[0].ended_at == hour_ago


def test_a_row_that_somebody_deleted_is_created_again_above_every_term(database, open_session):
    session = open_session("a")
    elect(session, above=40)
    session.give_up(41)
    with database.write() as connection:
        connection.execute(delete(SchedulerLock))

    assert session.probe() is None
    row = session.probe()

    assert row is not None
    assert (row.term, row.locked_by) == (41, None)
    assert elect(session, above=row.term) == 42


def test_many_may_find_the_row_missing_at_the_same_moment(database, open_session):
    sessions = [open_session(name) for name in NAMES]
    with database.write() as connection:
        connection.execute(delete(SchedulerLock))

    def look(session: LockSession) -> None:
        session.probe()
        session.let_go()

    threads = [threading.Thread(target=look, args=[session]) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(database, SchedulerLock)) == 1


def test_a_row_that_another_recreated_and_holds_meanwhile_is_no_error(database, settings):
    holder, late = LockSession(settings, "a:1", "a"), LockSession(settings, "b:1", "b")
    holder.connect()
    late.connect()
    with database.write() as connection:
        connection.execute(delete(SchedulerLock))
    holder.probe()
    assert holder.probe() is not None
    late._recreate()  # it had seen no row a moment ago
    assert late.probe() is None
    assert len(rows(database, SchedulerLock)) == 1
    holder.close()
    late.close()


def test_a_closed_session_holds_nothing_and_can_be_opened_again(database, open_session):
    leader, follower = open_session("a"), open_session("b")
    elect(leader)
    leader.close()
    leader.close()
    until(lambda: follower.probe() is not None, "the row is free")
    follower.let_go()
    with pytest.raises(NotHeld):
        leader.probe()
    leader.connect()
    assert leader.probe() is not None


# servers that will not do -----------------------------------------------------------------------


@contextmanager
def read_only(database: Database, settings: Settings, server: PrivateServer) -> Iterator[None]:
    """Nobody without a special right can write; on PostgreSQL: in sessions that are new."""
    name = settings.db.database
    switch = {
        "postgresql": [
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = {word}'
            for word in ("on", "off")
        ],
        "mysql": ["SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"],
    }
    on, off = switch[database.dialect.name]
    server.execute_as_admin(on)
    try:
        yield
    finally:
        server.execute_as_admin(off)


def test_nobody_leads_through_a_server_that_is_read_only(database, quick, server):
    with read_only(database, quick, server):
        session = LockSession(quick, "a:1", "a")
        with pytest.raises(ReadOnlyServer, match="read-only"):
            session.connect()
        session.close()
        with candidates(quick, "a", "b") as both:
            until(lambda: all(len(one.failures) > 2 for one in both), "they keep trying")
            assert terms(both) == []
    assert the_row(database).term == 0


def test_a_server_that_becomes_read_only_before_the_takeover_is_noticed(
    database, open_session, quick, monkeypatch
):
    session = open_session("a")
    assert session.probe() is not None
    monkeypatch.setattr(type(database.dialect), "is_read_only", lambda *_arguments: True)
    with pytest.raises(ReadOnlyServer):
        session.take_over(0)


def test_a_leader_on_a_server_that_becomes_read_only_steps_down_and_comes_back(
    database, quick, server
):
    with candidates(quick, "a", "b") as both:
        leader = leader_of(both)
        with read_only(database, quick, server):
            for one in both:
                cut_off(database, server, one)
            until(lambda: leader.downfalls, "it steps down")
            until(lambda: not any(one.leads() for one in both), "nobody leads")
            time.sleep(0.3)
            assert not any(one.leads() for one in both)
        leader_of(both)
        assert terms(both) == [1, 2]


def test_where_locks_do_not_reach_every_server_only_the_lease_counts(
    database, quick, server, monkeypatch
):
    """Galera: the row looks free on this server although its holder lives on another."""
    monkeypatch.setattr(type(database.dialect), "locks_are_local", lambda *_arguments: True)
    session = LockSession(quick, "x:1", "x")
    assert session.connect() is False
    session.close()
    short = quick.model_copy(update={"lease_s": 1.2})
    with candidates(short, "a", "b", "c") as three:
        leader = leader_of(three)
        leader.freeze()
        cut_off(database, server, leader)
        until(lambda: session_is_free(database), "the row is unlocked")
        expires = the_row(database).expires_at
        followers = [one for one in three if one is not leader]
        until(lambda: terms(followers), "another one is elected")
        assert expires is not None
        assert now_of(database) >= expires
        assert not leader.leads()


def cut_off(database: Database, server: PrivateServer, candidate: Candidate) -> None:
    """As an administrator, or a restart of the server, does it; unless it has no session now."""
    with suppress(NotHeld, AttributeError, pymysql.OperationalError):
        number = session_id(candidate.session)
        server.execute_as_admin(KILL[database.dialect.name].format(number))


def session_is_free(database: Database) -> bool:
    with database.read() as connection:
        found = connection.execute(
            text(f"SELECT term FROM scheduler_lock{database.dialect.skip_locked}")
        )
        return found.first() is not None


# several at once --------------------------------------------------------------------------------


def test_one_of_five_leads_and_rotation_keeps_the_others_away(database, quick):
    restless = quick.model_copy(update={"renew_s": 0.35, "grace_s": 0.3, "poll_s": 0.02})
    with candidates(restless, *NAMES) as five:
        leader = leader_of(five)
        renewed = the_row(database).renewed_at
        time.sleep(1.5)
        after = the_row(database)
        assert renewed is not None
        assert after.renewed_at is not None
        assert (after.renewed_at - renewed).total_seconds() > 0.7
        assert leader_of(five) is leader
        assert terms(five) == [1]
        assert [one.downfalls for one in five] == [[]] * 5
    assert (after.locked_by, after.term) == (f"{leader.name}:1", 1)


def test_when_the_leaders_connection_is_cut_another_one_leads_at_once(database, quick, server):
    with candidates(quick, *NAMES) as five:
        for _round in range(2):
            leader = leader_of(five)
            cut = boottime()
            leader.freeze()
            cut_off(database, server, leader)
            others = [one for one in five if one is not leader]
            until(partial(anybody_leads, others), "another one leads")
            assert boottime() - cut < 1.5
            time.sleep(max(0.0, leader.trust.until - boottime()))
            downfalls = len(leader.downfalls)
            leader.thaw()
            until(partial(has_fallen, leader, downfalls), "it steps down")
        leader_of(five)
        assert terms(five) == [1, 2, 3]
    assert [past[0] for past in history(database)] == [1, 2, 3]


def test_the_server_takes_the_row_from_a_leader_that_falls_silent(database, quick):
    with candidates(quick, "a", "b") as both:
        leader = leader_of(both)
        follower = next(one for one in both if one is not leader)
        leader.freeze()
        trusted_until = leader.trust.until
        renewed = the_row(database).renewed_at
        assert renewed is not None

        until(lambda: follower.leads(), "the other one leads", 3 * LEASE_S)

        elected = follower.elected[0][1]
        taken_over = rows(database, SchedulerLock)[0].locked_at
        waited_s = (taken_over - renewed).total_seconds()
        assert trusted_until < elected, "two leaders at once"
        assert LEASE_S - 0.1 <= waited_s < LEASE_S + 1.1  # MariaDB counts whole seconds
        leader.thaw()
        until(lambda: leader.downfalls, "the old one steps down")
        assert terms(both) == [1, 2]


def test_a_follower_that_falls_silent_with_the_lock_in_its_hand_blocks_nobody_for_long(
    database, quick, open_session
):
    """It had looked, and found the row free."""
    silent = open_session("silent")
    assert silent.probe() is not None
    started = boottime()
    with candidates(quick, "a") as (candidate,):
        until(candidate.leads, "the candidate leads", 3 * LEASE_S)
    assert boottime() - started < LEASE_S + 1.5


def test_silent_followers_do_not_stand_in_the_way(database, quick, server):
    """A waiter that queued for the lock would inherit it, dead or not."""
    with candidates(quick, *NAMES) as five:
        leader = leader_of(five)
        followers = [one for one in five if one is not leader]
        waiting = {
            "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
            "mysql": "SELECT count(*) FROM information_schema.processlist "
            "WHERE state LIKE '%lock%' AND user = CURRENT_USER",
        }
        for _time in range(20):
            assert scalar(database, waiting[database.dialect.name]) == 0
        for one in followers[:3]:
            one.freeze()
        released = boottime()
        leader.release()
        until(lambda: followers[3].leads(), "the live follower leads")
        assert boottime() - released < 1.5


def test_a_leader_that_does_not_know_yet_that_it_is_none_claims_nothing(database, quick, server):
    task = insert_task(database)
    with candidates(quick, "a", "b") as both:
        leader = leader_of(both)
        term = leader.trust.term
        assert claim(database, Claimant(1, term), [next_slot_of(task)]) == 1
        (task,) = (due_of(found) for found in rows(database, Task))
        cut_off(database, server, leader)
        until(lambda: terms(both) == [term, term + 1], "another one is elected")
        with pytest.raises(TermOver):
            claim(database, Claimant(1, term), [next_slot_of(task)])
        assert claim(database, Claimant(2, term + 1), [next_slot_of(task)]) == 1


def test_a_leader_that_is_released_is_followed_at_once(database, quick):
    with candidates(quick, *NAMES[:3]) as three:
        for _round in range(2):
            leader = leader_of([one for one in three if one._thread.is_alive()])
            released = boottime()
            leader.release()
            others = [one for one in three if one is not leader and one._thread.is_alive()]
            until(partial(anybody_leads, others), "another one leads")
            assert boottime() - released < 1.0
            leader.join()
        assert terms(three) == [1, 2, 3]
    reasons = [past[3] for past in history(database)]
    assert reasons == ["released"] * 3


def test_a_row_deleted_under_a_leader_costs_one_election(database, quick):
    with candidates(quick, "a", "b", "c") as three:
        leader_of(three)
        with database.write() as connection:
            connection.execute(delete(SchedulerLock))
        until(lambda: any(one.downfalls for one in three), "the leader steps down")
        leader_of(three)
        until(lambda: len(terms(three)) >= 2, "somebody is elected")
        assert terms(three) == sorted(set(terms(three)))
    assert len(rows(database, SchedulerLock)) == 1


def test_a_table_that_an_administrator_locks_heals_by_itself(database, quick):
    lock = {
        "postgresql": "LOCK TABLE scheduler_lock IN ACCESS EXCLUSIVE MODE",
        "mysql": "LOCK TABLES scheduler_lock WRITE",
    }
    with candidates(quick, "a", "b", "c") as three:
        leader_of(three)
        with database.engine.connect() as administrator:
            administrator.exec_driver_sql(lock[database.dialect.name])
            locked = boottime()
            until(lambda: not any(one.leads() for one in three), "trust runs out", 2 * LEASE_S)
            time.sleep(max(0.0, 1.0 - (boottime() - locked)))
            if database.dialect.name == "mysql":
                administrator.exec_driver_sql("UNLOCK TABLES")
        unlocked = boottime()
        leader_of(three)
        assert boottime() - unlocked < 3.0
        assert terms(three) == sorted(set(terms(three)))


def test_terms_only_grow_whatever_happens(database, quick, server):
    with candidates(quick, *NAMES) as five:
        for what in ("cut", "delete"):
            leader = leader_of(five)
            term = leader.trust.term
            if what == "delete":
                with database.write() as connection:
                    connection.execute(delete(SchedulerLock))
            else:
                cut_off(database, server, leader)
            until(partial(anybody_leads, five, term), f"a later term leads after {what}")
        elected = terms(five)
        assert elected == sorted(set(elected))
        assert not any(one.went_back for one in five)


def test_a_term_that_went_back_raises_an_alarm_and_does_not_come_again(database, quick):
    """A failover of the database itself that lost the last commits."""
    with candidates(quick, "a") as (candidate,):
        until(candidate.leads, "it leads")
        term = candidate.trust.term
        candidate.freeze()
        candidate.session.close()
        with database.write() as connection:
            connection.execute(update(SchedulerLock).values(term=0, locked_by=None))
        candidate.thaw()
        until(lambda: len(candidate.elected) == 2, "it leads again")
        assert [(alarm.found, alarm.seen) for alarm in candidate.went_back] == [(0, term)]
        assert terms([candidate]) == [term, term + 1]


def test_an_elector_survives_the_loss_of_its_connection_at_any_step(database, quick, server):
    """Cut it again and again at random moments: never a term twice, always a leader in the end."""
    dice = random.Random(7)
    with candidates(quick, "a", "b", "c") as three:
        for _round in range(10):
            victim = dice.choice(three)
            cut_off(database, server, victim)
            time.sleep(dice.uniform(0.0, 0.2))
        leader_of(three)
        assert terms(three) == sorted(set(terms(three)))


def test_candidates_are_what_they_are_called(quick):
    """The other tests of this file lean on it."""
    candidate = Candidate(quick, "a")
    assert candidate.name == "a"
    assert not candidate.leads()
