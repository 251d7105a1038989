"""A run and what belongs to it: its chain, its attempts, what it came after, running it again."""

from __future__ import annotations

import re

from sqlalchemy import update

from gocron.db import run_queries, tasks
from gocron.db.models import Run
from tests.helpers.panel import TESTER, USER, words_of
from tests.helpers.rows import FAR, SECOND, insert_run, rows

HOSTILE = '<script>alert("1")</script>'


def chain_of_three(panel):
    load = panel.create_task(name="load")
    check = panel.create_task(name="check", spec="", depends_on=["load"])
    report = panel.create_task(
        name="report", spec="", depends_on={"check": "weak", "load": "strong"}
    )
    return load, check, report


def part(page: str, card: str) -> str:
    found = re.search(rf'id="{card}">(.*?)<div class="card( mb-3)?"', page, re.S)
    return words_of(found[1]) if found else ""


def test_the_chain_of_a_run_is_shown_by_level(panel, visitor):
    load, check, _report = chain_of_three(panel)
    ran = insert_run(panel.database, task_id=load, task_name="load", state="success")
    failed = insert_run(
        panel.database, task_id=check, task_name="check", state="failed", reason=HOSTILE
    )
    page = visitor.get(f"/runs/{failed}/").text
    assert HOSTILE not in page
    shown = part(page, "chain")
    assert re.search(r"1 load success #\d+ – 2 check this task failed #\d+ .*load 3 report", shown)
    assert "no run for this slot" in shown
    assert "check, load" in shown
    assert f'href="/runs/{ran}/"' in page
    assert "Run again from here" in words_of(page)
    alone = insert_run(panel.database, task_id=panel.create_task(), state="success", attempt=1)
    page = visitor.get(f"/runs/{alone}/").text
    assert 'id="chain"' not in page
    assert "Run again from here" not in page
    assert "Run again" in page


def test_running_again_queues_the_same_slot_once(panel, visitor):
    load, _check, _report = chain_of_three(panel)
    old = insert_run(
        panel.database, task_id=load, task_name="load", state="failed", parameters={"DAY": "x"}
    )
    answer = visitor.post(f"/runs/{old}/again")
    new = rows(panel.database, Run)[-1]
    assert answer.location == f"/runs/{new.id}/"
    assert (new.scheduled_at, new.attempt, new.state) == (FAR, 1, "queued")
    assert (new.triggered_by, new.parameters) == (USER, {"DAY": "x"})
    second = visitor.post(f"/runs/{old}/again")
    assert second.location == f"/runs/{old}/"
    assert "It was not run again: 'load' has not ended for this slot yet" in visitor.text(
        second.location
    )
    assert len(rows(panel.database, Run)) == 2
    page = visitor.get(f"/runs/{new.id}/").text
    assert "Run again" not in page
    assert "Attempt 2 of 2" in words_of(page)
    tabs = words_of(
        page[page.index('id="attempts"') : page.index("</nav>", page.index('id="attempts"'))]
    )
    assert f"Attempt 1 failed #{old} Attempt 2 queued #{new.id}" in tabs


def test_what_does_not_exist_is_not_run_again(panel, visitor):
    assert visitor.post("/runs/4711/again").status_code == 404
    task_id = panel.create_task()
    run_id = insert_run(panel.database, task_id=task_id, state="success")
    tasks.delete(panel.database, [task_id], TESTER)
    assert visitor.post(f"/runs/{run_id}/again").status_code == 404
    assert visitor.get(f"/runs/{run_id}/again").status_code == 405
    assert "Run again" not in visitor.text(f"/runs/{run_id}/")


def test_what_a_run_came_after_is_linked(panel, visitor):
    load, check, _report = chain_of_three(panel)
    parent = insert_run(panel.database, task_id=load, task_name="load", state="success")
    child = insert_run(
        panel.database,
        task_id=check,
        task_name="check",
        trigger="dependency",
        state="success",
        parents=[{"run": parent, "task": HOSTILE, "state": "success"}],
    )
    page = visitor.get(f"/runs/{child}/").text
    assert HOSTILE not in page
    assert f'<a href="/runs/{parent}/">&lt;script&gt;' in page
    assert "Came after" in page
    assert "the end of what it depends on" in page
    assert "dependency" in visitor.text("/runs/")


def test_a_run_that_is_held_says_what_it_waits_for(panel, visitor):
    run_id = insert_run(
        panel.database, task_id=panel.create_task(), reason="waits: group 'db' is full", held_at=FAR
    )
    page = visitor.text(f"/runs/{run_id}/")
    assert "queued waits: group 'db' is full" in page
    assert "Waits since" in page
    tail = visitor.get(f"/runs/{run_id}/tail").json
    assert tail["reason"] == "waits: group 'db' is full"
    with panel.database.write() as connection:
        connection.execute(update(Run).values(reason=""))
    assert "waits for its moment" in visitor.get(f"/runs/{run_id}/tail").json["reason"]


def test_a_retry_says_when_it_begins(panel, visitor):
    task_id = panel.create_task(timezone="UTC")
    first = insert_run(panel.database, task_id=task_id, state="failed")
    retry = insert_run(panel.database, task_id=task_id, attempt=1, start_at=FAR + 60 * SECOND)
    assert "Begins 2031-05-17 10:01:00" in visitor.text(f"/runs/{retry}/")
    assert "Attempts at this slot" in visitor.text(f"/runs/{first}/")
    assert "attempt 2" in visitor.text("/runs/")


def test_a_chain_of_many_is_shown_as_a_whole(panel, visitor):
    before = panel.create_task(name="task 00")
    run_id = insert_run(panel.database, task_id=before, task_name="task 00", state="success")
    for number in range(1, 40):
        panel.create_task(name=f"task {number:02}", spec="", depends_on=[f"task {number - 1:02}"])
    page = visitor.get(f"/runs/{run_id}/").text
    steps = re.findall(r'data-step="([^"]*)"', page)
    assert steps == [f"task {number:02}" for number in range(40)]


def test_facts_of_runs_are_those_of_the_database(panel, visitor):
    run_id = insert_run(panel.database, parameters={"B": False, "T": HOSTILE, "N": 0})
    assert run_queries.show(panel.database, run_id).parameters["N"] == 0
    page = visitor.get(f"/runs/{run_id}/").text
    assert HOSTILE not in page
    shown = words_of(page)
    assert "B false" in shown
    assert "N 0" in shown
