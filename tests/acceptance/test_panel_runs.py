"""Runs and nodes in the panel."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import insert, update

from admin.presentation import STATE_WORDS
from gocron.core.states import RunState
from gocron.db import run_queries
from gocron.db.audit import Actor
from gocron.db.models import AuditLog, Leadership, Run, RunOutput, SchedulerLock
from gocron.db.run_queries import Stopped
from tests.helpers.panel import USER, words_of
from tests.helpers.rows import FAR, SECOND, insert_node, insert_run, now_of, rows

ME = Actor("me")


def write_output(panel, run_id: int, *pieces: str, first: int = 0) -> None:
    with panel.database.write() as connection:
        connection.execute(
            insert(RunOutput),
            [
                {"run_id": run_id, "seq": number, "content": text}
                for number, text in enumerate(pieces, first)
            ],
        )


def runs_in(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<a href="/runs/(\d+)/">#', page)]


def the_run(panel, run_id: int):
    (row,) = rows(panel.database, Run, Run.id == run_id)
    return row


def test_an_empty_list_says_when_there_will_be_something(panel, visitor):
    assert "No runs yet" in visitor.text("/runs/")


def test_runs_are_listed_newest_first_and_page_by_page(panel, visitor):
    ids = [
        insert_run(panel.database, scheduled_at=FAR + number * SECOND, state="success")
        for number in range(120)
    ]
    seen: list[int] = []
    address = "/runs/"
    while address:
        page = visitor.get(address).text
        seen += runs_in(page)
        older = re.search(r'rel="next" href="([^"]*)"', page)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == ids[::-1]


def test_runs_are_filtered_by_task_state_and_node(panel, visitor):
    first, second = (insert_node(panel.database, name).id for name in ("alpha", "beta"))
    backup, report = panel.create_task(), panel.create_task(name="report")
    made = {
        key: insert_run(
            panel.database,
            task_id=key[0],
            task_name="whatever it was called then",
            state=key[1],
            owner_id=key[2],
            attempt=number,
        )
        for number, key in enumerate(
            (task, state, node)
            for task in (backup, report)
            for state in ("failed", "success")
            for node in (first, second)
        )
    }

    def shown(query: str) -> set[int]:
        return set(runs_in(visitor.get(f"/runs/?{query}").text))

    def expected(**wanted) -> set[int]:
        names = ("task", "state", "node")
        return {
            run_id
            for key, run_id in made.items()
            if all(key[names.index(name)] == value for name, value in wanted.items())
        }

    assert shown("task=backup") == shown(f"task={backup}") == expected(task=backup)
    assert shown("task=REP") == expected(task=report)
    assert shown("state=failed") == expected(state="failed")
    assert shown(f"node={second}") == expected(node=second)
    assert shown(f"task=report&state=success&node={first}") == {made[report, "success", first]}
    assert shown("state=nonsense&node=&task=") == set(made.values())
    assert "No run fits" in visitor.text("/runs/?task=nothing")


def test_a_run_shows_its_facts_and_its_output_as_text(panel, visitor):
    node = insert_node(panel.database, "alpha")
    task_id = panel.create_task(timezone="Asia/Tokyo")
    run_id = insert_run(
        panel.database,
        task_id=task_id,
        state="failed",
        reason="exit code 3",
        exit_code=3,
        owner_id=node.id,
        term=7,
        started_at=FAR,
        finished_at=FAR + timedelta(seconds=83),
    )
    write_output(panel, run_id, "\x1b[3", "1mred\x1b[0m <b>bold</b>\r\n50 %\r100 %\n\x07end")
    page = visitor.get(f"/runs/{run_id}/").text
    coloured = (
        '<span class="ansi-text-1">red</span> &lt;b&gt;bold&lt;/b&gt;\n50 %\n100 %\n\ufffdend'
    )
    assert f"{coloured}</pre>" in page
    text = visitor.text(f"/runs/{run_id}/")
    for words in ("failed exit code 3", "alpha", "1 min 23 s", "its schedule", "19:00:00 JST"):
        assert words in text, words
    assert "Stop" not in text
    assert "run.js" not in page
    whole = visitor.get(f"/runs/{run_id}/output.txt")
    assert whole.text == "\x1b[31mred\x1b[0m <b>bold</b>\r\n50 %\r100 %\n\x07end"
    assert "attachment" in whole.headers["Content-Disposition"]
    assert whole.mimetype == "text/plain"


def test_a_run_without_output_says_why(panel, visitor):
    silent = insert_run(panel.database, state="success", started_at=FAR, finished_at=FAR)
    missed = insert_run(
        panel.database,
        state="missed",
        attempt=1,
        finished_at=FAR,
        missed_until=FAR + 9 * SECOND,
        missed_count=10,
    )
    assert "It printed nothing." in visitor.text(f"/runs/{silent}/")
    text = visitor.text(f"/runs/{missed}/")
    assert "It was not started" in text
    assert "10 slots" in text
    assert "and 9 more" in visitor.text("/runs/")


def test_the_tail_of_a_running_run_is_read_piece_by_piece(panel, visitor):
    run_id = insert_run(panel.database, state="running", started_at=FAR)
    page = visitor.get(f"/runs/{run_id}/").text
    assert f'data-tail="/runs/{run_id}/tail" data-last="-1"' in page
    assert "run.js" in page
    write_output(panel, run_id, "one\n", "two\n")
    answer = visitor.get(f"/runs/{run_id}/tail?after=-1").json
    assert answer.pop("reason") == STATE_WORDS[RunState.RUNNING]
    parts = [["one\ntwo\n", ""]]
    assert answer == {"state": "running", "ended": False, "parts": parts, "last": 1, "carry": ""}
    write_output(panel, run_id, "three\n", first=2)
    assert visitor.get(f"/runs/{run_id}/tail?after=1").json["parts"] == [["three\n", ""]]
    with panel.database.write() as connection:
        connection.execute(update(Run).values(state="success", finished_at=FAR))
    answer = visitor.get(f"/runs/{run_id}/tail?after=2").json
    assert answer.pop("reason") == STATE_WORDS[RunState.SUCCESS]
    assert answer == {"state": "success", "ended": True, "parts": [], "last": 2, "carry": ""}
    assert visitor.get(f"/runs/{run_id}/tail?after=99999999999999999999").json["ended"]


def test_a_long_output_is_shown_in_part_and_downloaded_whole(panel, visitor):
    run_id = insert_run(panel.database, state="success", started_at=FAR, finished_at=FAR)
    pieces = [f"{number:02}" + "x" * 99_998 for number in range(20)]
    write_output(panel, run_id, *pieces)
    page = visitor.get(f"/runs/{run_id}/").text
    assert len(page) < 1_000_000
    assert "There is more" in page
    assert visitor.get(f"/runs/{run_id}/output.txt").text == "".join(pieces)
    answer = visitor.get(f"/runs/{run_id}/tail?after=-1").json
    assert not answer["ended"]
    assert answer["last"] < 19


def test_a_queued_run_is_cancelled_at_once(panel, visitor):
    run_id = insert_run(panel.database, task_name="backup", state="queued")
    answer = visitor.post(f"/runs/{run_id}/stop")
    assert answer.location == f"/runs/{run_id}/"
    run = the_run(panel, run_id)
    assert (run.state, run.reason) == ("cancelled", f"stopped by {USER} before it began")
    assert run.finished_at is not None
    assert "it had not begun and will not begin any more" in visitor.text(answer.location)
    audited = rows(panel.database, AuditLog)[-1]
    assert (audited.action, audited.target, audited.actor) == ("run.stop", "backup", USER)
    assert audited.detail == {"run": run_id, "outcome": "cancelled"}


def test_a_running_run_is_marked_for_its_node(panel, visitor):
    run_id = insert_run(panel.database, state="running", started_at=FAR)
    assert "Stop" in visitor.text(f"/runs/{run_id}/")
    visitor.post(f"/runs/{run_id}/stop")
    run = the_run(panel, run_id)
    assert (run.state, run.stop_requested_by) == ("running", USER)
    first_asked = run.stop_requested_at
    assert first_asked is not None
    text = visitor.text(f"/runs/{run_id}/")
    assert f"{USER} asked for its end" in text
    assert "Stop asked for" in text
    assert run_queries.stop(panel.database, run_id, ME) is Stopped.REQUESTED
    assert the_run(panel, run_id).stop_requested_at == first_asked


def test_a_run_that_has_ended_stays_as_it_ended(panel, visitor):
    for number, state in enumerate(state for state in RunState if state.ended):
        run_id = insert_run(panel.database, state=state, reason="as it was", attempt=number)
        before = the_run(panel, run_id)
        assert run_queries.stop(panel.database, run_id, ME) is Stopped.TOO_LATE
        assert the_run(panel, run_id) == before
    visitor.post(f"/runs/{run_id}/stop")
    assert "it had ended already" in visitor.text(f"/runs/{run_id}/")
    assert visitor.post("/runs/4711/stop").status_code == 404


def test_runs_of_a_deleted_task_stay_readable(panel, visitor):
    run_id = insert_run(panel.database, task_id=99, task_name="gone", state="success")
    text = visitor.text(f"/runs/{run_id}/")
    assert "gone (deleted)" in text
    assert "Run again" not in text
    assert runs_in(visitor.get("/runs/?task=99").text) == [run_id]


def test_nodes_show_leader_members_and_history(panel, visitor):
    insert_node(panel.database, "beta", heartbeat_at=FAR - timedelta(days=9000))
    assert "No node leads" in visitor.text("/nodes/")
    assert "no leader" in visitor.text("/")
    with panel.database.write() as connection:
        connection.execute(
            update(SchedulerLock).values(
                locked_by="host1:1",
                node_name="node1",
                term=41,
                locked_at=FAR - timedelta(days=3000),
                renewed_at=FAR - timedelta(days=3000),
                expires_at=FAR,
            )
        )
        connection.execute(
            insert(Leadership),
            [
                {
                    "term": term,
                    "locked_by": "host1:1",
                    "node_name": "node1",
                    "began_at": FAR,
                    "ended_at": None if term == 41 else FAR,
                    "end_reason": "" if term == 41 else f"reason {term}",
                }
                for term in range(10, 42)
            ],
        )
    page = visitor.text("/nodes/")
    assert "Leader node1 Term 41" in page
    assert "node1 this node leader Host host1:5920 pid 1" in page
    assert "beta lost" in page
    assert "reason 40" in page
    assert "reason 22" in page
    assert "reason 21" not in page
    assert "node1 leads" in visitor.text("/")


def test_several_filters_at_once_are_in_the_address_and_can_be_taken_away(panel, visitor):
    task_id = panel.create_task()
    made = {
        state: insert_run(panel.database, task_id=task_id, state=state, trigger=trigger, attempt=n)
        for n, (state, trigger) in enumerate(
            (
                ("failed", "manual"),
                ("lost", "schedule"),
                ("success", "manual"),
                ("missed", "catch_up"),
            )
        )
    }

    def shown(query: str) -> set[int]:
        return set(runs_in(visitor.get(f"/runs/?{query}").text))

    assert shown("state=failures") == {made["failed"], made["lost"]}
    assert shown("state=failures&state=missed") == {made["failed"], made["lost"], made["missed"]}
    assert shown("trigger=manual") == {made["failed"], made["success"]}
    assert shown("trigger=manual&trigger=nonsense&state=success") == {made["success"]}
    page = visitor.get("/runs/?task=backup&state=failures&trigger=manual").text
    chips = re.findall(r'class="chip" href="([^"]*)"', page)
    assert [chip.replace("&amp;", "&") for chip in chips] == [
        "/runs/?state=failures&trigger=manual",
        "/runs/?task=backup&trigger=manual",
        "/runs/?task=backup&state=failures",
    ]
    text = words_of(page)
    for words in ("Task: backup", "State: Failures", "Started by: by hand"):
        assert words in text


def test_runs_are_filtered_by_time_on_the_clock_of_the_installation(panel, visitor):
    now = now_of(panel.database)
    hours = {
        ago: insert_run(
            panel.database,
            task_id=ago + 1,
            state="success",
            scheduled_at=now - timedelta(hours=ago),
            created_at=now - timedelta(hours=ago),
        )
        for ago in (200, 30, 2, 0)
    }

    def shown(query: str) -> list[int]:
        return runs_in(visitor.get(f"/runs/?{query}").text)

    assert shown("within=1h") == [hours[0]]
    assert shown("within=24h") == [hours[0], hours[2]]
    assert shown("within=7d") == [hours[0], hours[2], hours[30]]
    since, until = (now - timedelta(hours=ago) for ago in (31, 1))
    address = f"from={since:%Y-%m-%dT%H:%M:%S}&until={until:%Y-%m-%dT%H:%M}"
    assert shown(address) == [hours[2], hours[30]]
    assert "From: must be a time" in visitor.text("/runs/?from=yesterday")


def test_pages_can_be_walked_both_ways(panel, visitor):
    ids = [insert_run(panel.database, scheduled_at=FAR + n * SECOND) for n in range(120)]
    first = visitor.get("/runs/").text
    assert 'rel="prev"' not in first
    second = visitor.get(link(first, "next")).text
    third = visitor.get(link(second, "next")).text
    assert 'rel="next"' not in third
    assert runs_in(visitor.get(link(third, "prev")).text) == runs_in(second) == ids[69:19:-1]
    back = visitor.get(link(second, "prev"), follow_redirects=True)
    assert runs_in(back.text) == runs_in(first)
    answer = visitor.get(f"/runs/?state=queued&after={ids[-1]}")
    assert answer.location == "/runs/?state=queued"


def link(page: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]*)"', page)
    assert found, rel
    return found[1].replace("&amp;", "&")


def test_a_late_run_says_by_how_much_and_why(panel, visitor):
    late = {"started_at": FAR + timedelta(seconds=3.2), "finished_at": FAR + 5 * SECOND}
    busy = insert_run(panel.database, state="success", **late)
    held = insert_run(panel.database, task_id=2, state="success", held_at=FAR, **late)
    caught_up = insert_run(
        panel.database, task_id=3, state="success", created_at=FAR + 3 * SECOND, **late
    )
    punctual = insert_run(panel.database, task_id=4, state="success", started_at=FAR + SECOND / 2)
    words = "It began 3.20 s after its slot: "
    assert words + "its node had no room, or was busy" in visitor.text(f"/runs/{busy}/")
    assert words + "it had to wait for other runs" in visitor.text(f"/runs/{held}/")
    assert words + "nobody led" in visitor.text(f"/runs/{caught_up}/")
    assert "after its slot" not in visitor.text(f"/runs/{punctual}/")
    assert visitor.get("/runs/").text.count("+3.20 s") == 3


def test_colours_go_on_where_the_last_answer_ended(panel, visitor):
    run_id = insert_run(panel.database, state="running", started_at=FAR)
    write_output(panel, run_id, "\x1b[31mred\x1b[")
    first = visitor.get(f"/runs/{run_id}/tail?after=-1").json
    assert first["parts"] == [["red", "ansi-text-1"]]
    write_output(panel, run_id, "1m<i>bold\x1b[0m", first=1)
    query = {"after": first["last"], "carry": first["carry"]}
    second = visitor.get(f"/runs/{run_id}/tail", query_string=query).json
    assert second["parts"] == [["<i>bold", "ansi-bold ansi-text-1"]]
    query["carry"] = "\x1b[31m" * 1000 + "<script>"
    assert visitor.get(f"/runs/{run_id}/tail", query_string=query).status_code == 200
