"""The cluster as everybody sees it, by the database's clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from gocron.db import cluster, nodes
from gocron.db.claims import Claimant, claim
from gocron.db.engine import Database
from gocron.db.models import Leadership, Run, SchedulerLock
from gocron.db.nodes import LOST_AFTER_S
from tests.helpers.rows import insert_node, insert_task, next_slot_of, now_of, row, rows

LEASE = timedelta(seconds=15)

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def lead(database: Database, node: str, *, renewed_s_ago: float, term: int = 5) -> None:
    renewed = now_of(database) - timedelta(seconds=renewed_s_ago)
    with database.write() as connection:
        connection.execute(
            update(SchedulerLock).values(
                locked_by=f"{node}-host:1",
                node_name=node,
                term=term,
                locked_at=renewed - LEASE,
                renewed_at=renewed,
                expires_at=renewed + LEASE,
            )
        )


def test_before_the_first_election_nobody_leads(database):
    found = cluster.look(database)
    assert (found.leader, found.term, found.members, found.lease_age_s) == (None, 0, (), None)
    assert abs(found.now - now_of(database)) < timedelta(seconds=5)


def test_the_leader_is_shown_with_the_age_of_its_lease(database):
    insert_node(database, "a", heartbeat_at=now_of(database))
    lead(database, "a", renewed_s_ago=4)

    found = cluster.look(database)

    assert found.leader is not None
    assert (found.leader.locked_by, found.leader.node_name, found.leader.term) == (
        "a-host:1",
        "a",
        5,
    )
    assert 4 <= found.leader.lease_age_s < 9
    assert found.leader.expires_at - found.leader.renewed_at == LEASE
    assert found.lease_age_s == found.leader.lease_age_s
    assert found.term == 5


def test_a_leader_whose_lease_has_run_out_is_none(database):
    lead(database, "a", renewed_s_ago=20)
    found = cluster.look(database)
    assert found.leader is None
    assert found.term == 5
    assert found.lease_age_s is not None
    assert found.lease_age_s >= 20


def test_a_leader_that_has_let_go_is_none(database):
    lead(database, "a", renewed_s_ago=1)
    with database.write() as connection:
        connection.execute(update(SchedulerLock).values(locked_by=None))
    assert cluster.look(database).leader is None


def test_without_the_lock_row_nobody_leads(database):
    lead(database, "a", renewed_s_ago=1)
    with database.write() as connection:
        connection.execute(delete(SchedulerLock))
    found = cluster.look(database)
    assert (found.leader, found.term) == (None, 0)


def test_members_are_shown_by_name_with_their_state(database):
    now = now_of(database)
    silent = now - timedelta(seconds=LOST_AFTER_S + 1)
    insert_node(database, "d", heartbeat_at=silent, stopped_at=silent)
    insert_node(database, "c", heartbeat_at=silent, running=2)
    insert_node(database, "b", heartbeat_at=now)
    insert_node(database, "a", heartbeat_at=now, running=3, host="host-a", port=5921)
    lead(database, "b", renewed_s_ago=1)

    members = cluster.look(database).members

    assert [(member.name, member.state) for member in members] == [
        ("a", "follower"),
        ("b", "leader"),
        ("c", "lost"),
        ("d", "stopped"),
    ]
    assert (members[0].host, members[0].port, members[0].running) == ("host-a", 5921, 3)
    assert 0 <= members[0].heartbeat_age_s < 5
    assert members[2].heartbeat_age_s > LOST_AFTER_S


def test_the_history_is_shown_newest_first(database):
    now = now_of(database)
    with database.write() as connection:
        for term in range(1, 6):
            connection.execute(
                insert(Leadership).values(
                    term=term,
                    locked_by="h:1",
                    node_name="a",
                    began_at=now,
                    ended_at=None if term == 5 else now,
                    end_reason="" if term == 5 else "released",
                )
            )
    shown = cluster.history(database, 3)
    assert [past.term for past in shown] == [5, 4, 3]
    assert shown[0].ended_at is None
    assert (shown[1].ended_at, shown[1].end_reason) == (now, "released")


# a single node, without elections ---------------------------------------------------------------


@only_sqlite
def test_a_single_node_leads_a_new_term_at_every_start(database):
    insert_node(database, "alone", heartbeat_at=now_of(database))
    assert cluster.lead_alone(database, "host:1", "alone") == 1
    assert cluster.lead_alone(database, "host:2", "alone") == 2

    found = cluster.look(database)

    assert found.leader is not None
    assert (found.leader.locked_by, found.leader.term) == ("host:2", 2)
    assert found.members[0].state == "leader"
    first, second = rows(database, Leadership)
    assert first.end_reason == "the node was started again"
    assert first.ended_at is not None
    assert second.ended_at is None


@only_sqlite
def test_a_single_node_that_was_away_led_until_its_last_sign_of_life(database):
    evening = now_of(database) - timedelta(hours=12)
    insert_node(database, "alone", heartbeat_at=evening)
    cluster.lead_alone(database, "host:1", "alone", nodes.last_sign_of_life(database))
    cluster.lead_alone(database, "host:2", "alone", nodes.last_sign_of_life(database))
    first, second = rows(database, Leadership)
    assert first.ended_at == evening
    assert second.ended_at is None


@only_sqlite
def test_a_single_node_claims_under_its_term(database):
    task = insert_task(database)
    term = cluster.lead_alone(database, "host:1", "alone")
    assert claim(database, Claimant(1, term), [next_slot_of(task)]) == 1
    assert rows(database, Run)[0].term == term


@only_sqlite
def test_a_single_node_leads_also_when_somebody_has_deleted_the_lock_row(database):
    assert cluster.lead_alone(database, "host:1", "alone") == 1
    with database.write() as connection:
        connection.execute(delete(SchedulerLock))
    assert cluster.lead_alone(database, "host:2", "alone") == 2
    assert row(database, SchedulerLock, "scheduler_leader").term == 2
