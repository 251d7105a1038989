"""The page of the cluster: who leads, who is there and how, who led when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from gocron.db import nodes
from gocron.db.models import AuditLog, Leadership, Node, SchedulerLock
from tests.helpers.panel import TESTER, USER, words_of
from tests.helpers.rows import insert_node, insert_run, now_of, rows

HOSTILE = '<script>alert("1")</script>'

PROCESSES = [
    {"name": "elector", "phase": "running", "pid": 11, "restarts": 0},
    {"name": "scheduler", "phase": "backoff", "pid": 0, "restarts": 3},
    {"name": "runner", "phase": "fatal", "pid": 0, "restarts": 8},
    {"name": "web", "phase": "running", "pid": 14, "restarts": 1},
]


def lead(panel, node: str, term: int = 5) -> None:
    now = now_of(panel.database)
    values = {
        "locked_by": f"{node}-host:1",
        "node_name": node,
        "term": term,
        "locked_at": now - timedelta(hours=1),
        "renewed_at": now,
        "expires_at": now + timedelta(hours=1),
    }
    with panel.database.write() as connection:
        connection.execute(update(SchedulerLock).values(**values))


def led(panel, term: int, node: str, began_h_ago: float, ended_h_ago: float | None, why="") -> None:
    now = now_of(panel.database)
    ended = None if ended_h_ago is None else now - timedelta(hours=ended_h_ago)
    with panel.database.write() as connection:
        connection.execute(
            insert(Leadership).values(
                term=term,
                locked_by=f"{node}-host:1",
                node_name=node,
                began_at=now - timedelta(hours=began_h_ago),
                ended_at=ended,
                end_reason=why,
            )
        )


def gone(panel, name: str, *, stopped: bool = False) -> None:
    silent = now_of(panel.database) - timedelta(hours=2)
    insert_node(panel.database, name, heartbeat_at=silent, stopped_at=silent if stopped else None)


def alive(panel, name: str, **fields) -> None:
    insert_node(panel.database, name, heartbeat_at=now_of(panel.database), **fields)


def report(panel) -> None:
    """What node1 says with its heartbeat."""
    with panel.database.write() as connection:
        connection.execute(update(Node).where(Node.name == "node1").values(processes=PROCESSES))


def card(page: str, name: str) -> str:
    return page.split(f'data-node="{name}"')[1].split("</section>")[0]


@pytest.fixture
def servers_panel(request):
    """A panel whose cluster may have several nodes."""
    found = request.getfixturevalue("postgres_panel")
    found.begin_anew()
    return found


# what there is ----------------------------------------------------------------------------------


def test_every_node_is_shown_with_its_processes_and_how_it_is(panel, visitor):
    report(panel)
    alive(panel, "node2")
    gone(panel, "crashed")
    gone(panel, "retired", stopped=True)
    lead(panel, "node1")
    page = visitor.get("/nodes/").text
    first = card(page, "node1")
    assert 'data-phase="fatal"' in first
    words = words_of(first)
    assert "leader" in words
    assert "elector running · pid 11" in words
    assert "scheduler waits to be started again 3 restarts" in words
    assert "runner keeps dying, given up on 8 restarts" in words
    assert "web running · pid 14 1 restart" in words
    assert 'data-state="follower"' in page
    assert "Forget" not in card(page, "node2")
    assert "Forget" in card(page, "crashed")
    assert "lost" in words_of(card(page, "crashed"))
    assert "stopped in good order" in words_of(card(page, "retired"))
    assert "process" not in card(page, "retired")


def test_the_part_that_a_script_asks_for_is_only_the_part(quick_panel):
    lead(quick_panel, "node1", term=7)
    visitor = quick_panel.administrator()
    part = visitor.get("/nodes/now").text
    assert '<strong id="leading-node">node1</strong>' in part
    assert '<span id="leading-term">7</span>' in part
    assert "<html" not in part
    assert "<html" not in visitor.get("/nodes/past").text


def test_an_empty_history_is_said_to_be_one(quick_panel):
    page = quick_panel.administrator().text("/nodes/")
    assert "Nobody has led yet" in page
    assert "nobody" in page


def test_the_history_says_why_in_words_and_where_nobody_led(panel, visitor):
    alive(panel, "b")
    led(panel, 1, "a", 20, 10, "released")
    led(panel, 2, "b", 10, 8, "its leader fell silent: taken over by c-host:1")
    led(panel, 3, "c", 6, 5, "asked to step down by ada")
    led(panel, 4, "b", 5, 3, f"OperationalError: {HOSTILE}")
    led(panel, 5, "a", 3, None)
    lead(panel, "a")
    page = visitor.get("/nodes/").text
    words = words_of(page)
    assert HOSTILE not in page
    assert "It was stopped in good order." in words
    assert "c-host:1 took over" in words
    assert "ada asked it to step down." in words
    assert "It gave up leading: OperationalError" in words
    assert "after 2 h without a leader" in words
    assert "1 time without a leader" in words
    assert page.count('class="strip-gap"') == 4, "one gap in the strip of each node"
    assert page.count('class="strip-term"') == 5
    assert 'data-strip="c"' in page


def test_the_history_of_a_week_and_its_pages(panel, visitor):
    for term in range(1, 46):
        led(panel, term, f"node{term % 2}", 100 - term, 99 - term, "released")
    day = visitor.get("/nodes/").text
    week = visitor.get("/nodes/?days=7").text
    assert day.count('class="strip-term"') == 0
    assert week.count('class="strip-term"') == 45
    assert week.count("data-term=") == 20
    assert 'data-term="45"' in week
    second = visitor.get("/nodes/?days=7&before=26").text
    assert 'data-term="25"' in second
    assert 'data-term="26"' not in second
    last = visitor.get("/nodes/?before=6").text
    assert last.count("data-term=") == 5
    assert "These are the oldest." in last
    for odd in ("?before=x", "?before=-1", "?days=9999", f"?before={2**63}"):
        assert visitor.get(f"/nodes/{odd}").status_code == 200


def test_names_that_are_long_or_hostile_break_nothing(panel, visitor):
    alive(panel, HOSTILE)
    led(panel, 1, HOSTILE, 5, None)
    lead(panel, HOSTILE)
    page = visitor.get("/nodes/").text
    assert HOSTILE not in page
    assert "alert(" in page


# stepping down ----------------------------------------------------------------------------------


def test_stepping_down_is_asked_about_and_marked(servers_panel):
    alive(servers_panel, "node2")
    lead(servers_panel, "node2")
    report(servers_panel)
    visitor = servers_panel.administrator()
    page = visitor.text("/nodes/step-down/")
    assert "node2 leads since" in page
    assert "another node leads a moment later: node1." in page
    assert visitor.post("/nodes/step-down/").location == "/nodes/"
    page = visitor.get("/nodes/").text
    assert "node2 steps down within a few seconds" in words_of(page)
    assert f"asked to step down by {USER}" in words_of(card(page, "node2"))
    assert [line.action for line in rows(servers_panel.database, AuditLog)][-1] == "node.step_down"


def test_the_only_node_does_not_step_down(servers_panel):
    report(servers_panel)
    lead(servers_panel, "node1")
    visitor = servers_panel.administrator()
    for answer in (visitor.get("/nodes/step-down/"), visitor.post("/nodes/step-down/")):
        assert answer.status_code == 200
        assert "node1 is the only node that can lead. Start another one first." in answer.text
        assert "do-step-down" not in answer.text
    assert rows(servers_panel.database, Node)[0].step_down_at is None


def test_on_sqlite_nobody_steps_down_whatever_nodes_there_seem_to_be(quick_panel):
    alive(quick_panel, "node2")
    lead(quick_panel, "node1")
    visitor = quick_panel.administrator()
    assert "With SQLite there is one node only" in words_of(visitor.post("/nodes/step-down/").text)
    assert 'id="step-down"' not in visitor.get("/nodes/").text
    assert all(node.step_down_at is None for node in rows(quick_panel.database, Node))


# forgetting -------------------------------------------------------------------------------------


def test_a_node_that_is_gone_is_forgotten_and_its_runs_keep_its_name(panel, visitor):
    gone(panel, "crashed")
    (node,) = rows(panel.database, Node, Node.name == "crashed")
    insert_run(panel.database, state="success", owner_id=node.id)
    assert "taken off the list" in visitor.text("/nodes/forget/?name=crashed")
    assert visitor.post("/nodes/forget/?name=crashed").location == "/nodes/"
    page = visitor.get("/nodes/").text
    assert 'data-node="crashed"' not in page
    assert "crashed" in visitor.text("/runs/")
    line = rows(panel.database, AuditLog)[-1]
    assert (line.actor, line.action, line.target) == (USER, "node.forget", "crashed")
    assert visitor.post("/nodes/forget/?name=crashed").status_code == 404


def test_a_node_that_lives_is_not_forgotten(panel, visitor):
    alive(panel, "node2")
    visitor.post("/nodes/forget/?name=node2")
    page = visitor.get("/nodes/").text
    assert "is alive" in words_of(page)
    assert 'data-node="node2"' in page
    assert visitor.get("/nodes/forget/?name=nowhere").status_code == 404


def test_a_forgotten_node_that_shows_itself_again_is_back(panel, visitor):
    silent = now_of(panel.database) - timedelta(hours=2)
    me = insert_node(panel.database, "crashed", heartbeat_at=silent)
    nodes.forget(panel.database, "crashed", TESTER)
    assert 'data-node="crashed"' not in visitor.get("/nodes/").text
    assert nodes.heartbeat(panel.database, me, 0)
    assert 'data-node="crashed"' in visitor.get("/nodes/").text
