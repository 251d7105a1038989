"""Asking the leader to step down: a mark in its node's row, which it looks for at each renewal."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.core.leadership import Locked
from gocron.db import cluster, step_down
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, Leadership, Node, SchedulerLock
from gocron.errors import Conflict
from tests.helpers.candidates import candidates, leader_of, terms, until
from tests.helpers.databases import on_servers
from tests.helpers.rows import insert_node, now_of, rows

ADA = Actor("ada", "192.0.2.1", "b")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An elector's impatience with PostgreSQL goes for its whole process: not for the tests."""
    monkeypatch.setattr("gocron.db.engine.limit_waits", lambda _limit_s: None)


def alive(database: Database, *names: str) -> None:
    for name in names:
        insert_node(database, name, heartbeat_at=now_of(database))


def lead(database: Database, name: str) -> None:
    """As if it had been elected a second ago."""
    now = now_of(database)
    values = {
        "locked_by": f"{name}:1",
        "node_name": name,
        "term": 3,
        "locked_at": now - timedelta(seconds=1),
        "renewed_at": now,
        "expires_at": now + timedelta(seconds=60),
    }
    with database.write() as connection:
        connection.execute(update(SchedulerLock).values(**values))


def node(database: Database, name: str):
    (found,) = rows(database, Node, Node.name == name)
    return found


# asking -----------------------------------------------------------------------------------------


def test_the_leader_is_marked_shown_to_be_asked_and_it_is_audited(database):
    alive(database, "a", "b")
    lead(database, "a")
    assert step_down.ask(database, ADA) == "a"
    assert node(database, "a").step_down_by == "ada"
    assert node(database, "b").step_down_at is None
    shown = {member.name: member.step_down_by for member in cluster.look(database).members}
    assert shown == {"a": "ada", "b": ""}
    (line,) = rows(database, AuditLog)
    assert (line.actor, line.action, line.target) == ("ada", "node.step_down", "a")
    assert line.detail == {"term": 3}


def test_where_nobody_leads_nobody_can_step_down(database):
    alive(database, "a", "b")
    with pytest.raises(Conflict, match="no node leads"):
        step_down.ask(database, ADA)
    assert rows(database, AuditLog) == []


def test_the_only_node_is_not_asked(database):
    alive(database, "a")
    silent = now_of(database) - timedelta(minutes=5)
    insert_node(database, "lost", heartbeat_at=silent)
    insert_node(database, "stopped", heartbeat_at=now_of(database), stopped_at=silent)
    given_up = [{"name": "elector", "phase": "stopped", "pid": 0, "restarts": 8}]
    insert_node(database, "no elector", heartbeat_at=now_of(database), processes=given_up)
    lead(database, "a")
    with pytest.raises(Conflict, match="'a' is the only one that can lead"):
        step_down.ask(database, ADA)
    assert node(database, "a").step_down_at is None


# being asked ------------------------------------------------------------------------------------


@on_servers
def test_a_leader_learns_of_it_with_its_lock_and_forgets_it_when_it_has_given_up(
    database, open_session
):
    alive(database, "a", "b")
    session = open_session("a")
    assert session.probe() is not None
    term, _sent = session.take_over(0)
    assert session.lock_again(time.monotonic() + 10, time.sleep) == Locked("a:1", term)
    step_down.ask(database, ADA)
    session.renew_and_commit(term)
    assert session.lock_again(time.monotonic() + 10, time.sleep) == Locked("a:1", term, "ada")
    session.give_up(term, "asked to step down by ada")
    assert node(database, "a").step_down_at is None
    (past,) = rows(database, Leadership)
    assert past.end_reason == "asked to step down by ada"
    assert past.ended_at is not None


@on_servers
def test_what_was_asked_of_an_earlier_leadership_means_nothing(database, open_session):
    alive(database, "a", "b")
    lead(database, "a")
    step_down.ask(database, ADA)
    session = open_session("a")
    assert session.probe() is not None
    term, _sent = session.take_over(3)
    assert session.lock_again(time.monotonic() + 10, time.sleep) == Locked("a:1", term)
    shown = {member.step_down_by for member in cluster.look(database).members}
    assert shown == {""}


@on_servers
def test_heartbeats_do_not_wait_for_a_leader_that_has_looked_for_the_mark(database, open_session):
    alive(database, "a", "b")
    session = open_session("a")
    assert session.probe() is not None
    session.take_over(0)
    session.lock_again(time.monotonic() + 10, time.sleep)
    started = time.monotonic()
    with database.write() as connection:
        connection.execute(update(Node).values(running=7))
    assert time.monotonic() - started < 1.0


@on_servers
def test_another_candidate_leads_the_next_term_and_the_one_that_was_asked_stays_aside(
    database, quick
):
    names = ("a", "b", "c")
    alive(database, *names)
    with candidates(quick, *names) as three:
        leader = leader_of(three)
        assert step_down.ask(database, ADA) == leader.name
        until(lambda: leader.downfalls, "it steps down")
        other = leader_of([one for one in three if one is not leader])
        until(lambda: other.trust.until > 0, "another one leads")
        assert leader.downfalls == [(1, "asked to step down by ada")]
        assert terms(three) == [1, 2]
        assert not leader.leads()
    reasons = [past.end_reason for past in rows(database, Leadership)]
    assert reasons[0] == "asked to step down by ada"
