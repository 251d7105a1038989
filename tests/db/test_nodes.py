"""Who is who: one name, one live process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import update

from gocron.core.identity import Identity
from gocron.db import nodes
from gocron.db.engine import Database
from gocron.db.models import Node
from gocron.db.nodes import LOST_AFTER_S, Newcomer, boot_id, register
from gocron.errors import IdentityTaken
from tests.helpers.databases import at_once
from tests.helpers.rows import insert_node, now_of, row, rows

NEWCOMER = Newcomer("node-1", "host-1", os.getpid(), 5920, "1.2.3")


class Sleeper:
    """Stands for ``sleep``: notes how long, and lets something happen meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.slept_s = 0.0
        self._meanwhile = meanwhile

    def __call__(self, seconds: float) -> None:
        self.slept_s += seconds
        self._meanwhile()


def never(_seconds: float) -> None:
    raise AssertionError("there was nothing to wait for")


@pytest.fixture
def somebody() -> Iterator[int]:
    """The pid of a live process that is not this one."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


@pytest.fixture(scope="module")
def nobody() -> int:
    """A pid that no process has."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def there(database: Database, pid: int, **fields: object) -> Identity:
    """A node of our name that was alive a moment ago, on this host and boot."""
    now = now_of(database)
    values = {"host": "host-0", "boot_id": boot_id(), "started_at": now, "heartbeat_at": now}
    return insert_node(database, "node-1", pid=pid, **values | fields)


def beat(database: Database, me: Identity) -> None:
    assert nodes.heartbeat(database, me, 0)


# registering ------------------------------------------------------------------------------------


def test_a_new_name_is_registered_at_once(database):
    me = register(database, NEWCOMER, never)

    node = row(database, Node, me.id)
    assert (node.name, node.host, node.pid) == ("node-1", "host-1", os.getpid())
    assert (node.port, node.version, node.boot_id) == (5920, "1.2.3", boot_id())
    assert node.incarnation == me.incarnation
    assert node.stopped_at is None
    assert abs(node.heartbeat_at - now_of(database)) < timedelta(seconds=5)
    assert me.holder == f"host-1:{os.getpid()}"


def test_a_name_is_kept_and_an_incarnation_is_new_at_every_start(database, nobody):
    earlier = register(database, replace(NEWCOMER, pid=nobody), never)
    now = register(database, replace(NEWCOMER, version="2.0.0"), never)
    assert now.id == earlier.id
    assert now.incarnation != earlier.incarnation
    assert [node.version for node in rows(database, Node)] == ["2.0.0"]


def test_two_names_are_two_nodes(database):
    one = register(database, NEWCOMER, never)
    other = register(database, replace(NEWCOMER, name="node-2"), never)
    assert one.id != other.id
    assert len(rows(database, Node)) == 2


def test_a_name_whose_process_has_died_on_this_host_is_taken_over_at_once(database, nobody):
    earlier = there(database, nobody)
    assert register(database, NEWCOMER, never).id == earlier.id


def test_a_process_that_starts_the_node_again_takes_its_own_name_at_once(database):
    earlier = there(database, os.getpid())
    assert register(database, NEWCOMER, never).id == earlier.id


def test_a_name_that_was_stopped_in_good_order_is_taken_over_at_once(database, somebody):
    earlier = there(database, somebody, boot_id="elsewhere")
    nodes.stopped(database, earlier)
    assert register(database, NEWCOMER, never).id == earlier.id


def test_a_name_that_has_been_silent_for_long_is_taken_over_at_once(database, somebody):
    silent = now_of(database) - timedelta(seconds=LOST_AFTER_S + 1)
    earlier = there(database, somebody, heartbeat_at=silent)
    assert register(database, NEWCOMER, never).id == earlier.id


def test_a_name_that_a_live_process_uses_is_refused_with_the_way_out(database, somebody):
    other = there(database, somebody)
    before = other.incarnation
    sleep = Sleeper(lambda: beat(database, other))

    with pytest.raises(IdentityTaken) as refused:
        register(database, NEWCOMER, sleep)

    assert "'node-1'" in str(refused.value)
    assert f"host-0, process {somebody}" in str(refused.value)
    assert "GOCRON_NODE_NAME" in str(refused.value)
    assert row(database, Node, other.id).incarnation == before


@pytest.mark.parametrize("where", ["another boot", "a process that is no node"])
def test_a_name_is_taken_over_after_watching_that_nothing_moves(database, somebody, where):
    boot = "another/boot" if where == "another boot" else boot_id()
    earlier = there(database, somebody, boot_id=boot)
    sleep = Sleeper()

    now = register(database, NEWCOMER, sleep)

    assert now.id == earlier.id
    assert nodes.HEARTBEAT_S < sleep.slept_s <= nodes.WATCH_S
    assert not nodes.heartbeat(database, earlier, 0)


def test_a_live_node_on_another_host_is_not_taken_for_dead_because_its_pid_is_free_here(
    database, nobody
):
    other = there(database, nobody, boot_id="another/boot")
    with pytest.raises(IdentityTaken):
        register(database, NEWCOMER, Sleeper(lambda: beat(database, other)))


def test_watching_ends_as_soon_as_the_other_one_has_stopped(database, somebody):
    other = there(database, somebody)
    sleep = Sleeper(lambda: nodes.stopped(database, other))
    assert register(database, NEWCOMER, sleep).id == other.id
    assert sleep.slept_s < 1.0


def test_of_two_that_take_a_new_name_at_the_same_moment_the_last_one_has_it(database):
    for number in range(10):
        newcomer = replace(NEWCOMER, name=f"node-{number}")
        first, second = at_once(*[partial(register, database, newcomer, never)] * 2)
        assert first.id == second.id
        alive = [nodes.heartbeat(database, me, 0) for me in (first, second)]
        assert sorted(alive) == [False, True]
    assert len(rows(database, Node)) == 10


# living -----------------------------------------------------------------------------------------


def test_a_heartbeat_says_when_and_how_many_runs_are_going(database):
    long_ago = now_of(database) - timedelta(hours=1)
    me = there(database, os.getpid(), heartbeat_at=long_ago)
    assert nodes.heartbeat(database, me, 7)
    node = row(database, Node, me.id)
    assert node.running == 7
    assert abs(node.heartbeat_at - now_of(database)) < timedelta(seconds=5)


def test_a_heartbeat_within_the_same_moment_counts_as_one(database, monkeypatch):
    """A server that reports only rows that it really changed would make us give up."""
    me = register(database, NEWCOMER, never)
    clock = database.dialect.clock
    monkeypatch.setattr(type(database.dialect), "clock", "heartbeat_at")
    assert nodes.heartbeat(database, me, 0)
    assert nodes.heartbeat(database, me, 0)
    monkeypatch.setattr(type(database.dialect), "clock", clock)


def test_an_earlier_incarnation_is_told_to_go_and_leaves_no_trace(database, nobody):
    earlier = register(database, replace(NEWCOMER, pid=nobody), never)
    now = register(database, NEWCOMER, never)
    before = rows(database, Node)

    assert not nodes.heartbeat(database, earlier, 99)
    nodes.stopped(database, earlier)

    assert rows(database, Node) == before
    assert nodes.heartbeat(database, now, 1)


def test_a_node_that_was_forgotten_is_told_so(database):
    assert not nodes.heartbeat(database, Identity(4711, "x", "y", "host", 1), 0)


def test_a_node_that_stops_says_so_and_that_nothing_is_going_any_more(database):
    me = register(database, NEWCOMER, never)
    nodes.heartbeat(database, me, 3)
    nodes.stopped(database, me)
    node = row(database, Node, me.id)
    assert node.running == 0
    assert abs(node.stopped_at - now_of(database)) < timedelta(seconds=5)
    assert nodes.heartbeat(database, me, 1)
    assert row(database, Node, me.id).stopped_at is None


def test_pulses_are_measured_by_the_databases_clock(database):
    now = now_of(database)
    me = there(database, 1, heartbeat_at=now - timedelta(seconds=40))
    other = insert_node(database, "other", heartbeat_at=now, stopped_at=now)

    found = {pulse.node_id: pulse for pulse in nodes.pulses(database)}

    assert 40 <= found[me.id].age_s < 45
    assert found[me.id].heartbeat_at == now - timedelta(seconds=40)
    assert (found[me.id].name, found[me.id].stopped) == ("node-1", False)
    assert 0 <= found[other.id].age_s < 5
    assert found[other.id].stopped


def test_a_boot_is_the_same_for_all_processes_of_a_host():
    output = subprocess.run(
        ["cat", "/proc/sys/kernel/random/boot_id"], capture_output=True, text=True, check=True
    ).stdout
    assert boot_id() == boot_id()
    assert boot_id().startswith(output.strip())
    assert len(boot_id()) <= 64


def test_nodes_can_be_changed_by_hand(database):
    """The other tests of this file lean on it."""
    me = there(database, 1)
    with database.write() as connection:
        connection.execute(update(Node).values(pid=2))
    assert row(database, Node, me.id).pid == 2
