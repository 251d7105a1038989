"""Runs by the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.core.access import Scope
from gocron.core.states import RunState
from gocron.db import run_output
from gocron.db.models import Run
from tests.helpers.api import administrator, with_token
from tests.helpers.rows import FAR, SECOND, insert_run


@pytest.fixture
def api(panel):
    return administrator(panel)


def test_runs_are_listed_newest_first_page_by_page(panel, api):
    first, second = panel.create_task(name="one"), panel.create_task(name="two")
    ids = [
        insert_run(
            panel.database,
            task_id=(first, second)[number % 2],
            scheduled_at=FAR + number * SECOND,
            state=RunState.FAILED if number == 4 else RunState.SUCCESS,
        )
        for number in range(7)
    ]
    assert [run["id"] for run in api.walk("/runs", limit=2)] == ids[::-1]
    mine = list(api.walk("/runs", limit=2, task_id=first))
    assert {run["task_id"] for run in mine} == {first}
    assert [run["id"] for run in api.walk("/runs", state="failed")] == [ids[4]]
    assert len(list(api.walk("/runs", trigger="manual"))) == 0
    assert api.get("/runs", until=(FAR - timedelta(days=9)).isoformat())["items"] == []
    api.problem("GET", "/runs", since="2026-11-28T09:00:00")
    api.problem("GET", "/runs", state="nonsense")


def test_output_is_read_from_an_offset_on_while_it_runs(panel, api):
    run_id = insert_run(panel.database, task_id=panel.create_task(), state=RunState.RUNNING)
    assert api.get(f"/runs/{run_id}/output")["text"] == ""
    write(panel, run_id, ["one\n", "two\n"])
    first = api.get(f"/runs/{run_id}/output")
    assert (first["text"], first["complete"]) == ("one\ntwo\n", False)
    write(panel, run_id, ["three\n"], behind=2)
    second = api.get(f"/runs/{run_id}/output", offset=first["next_offset"])
    assert second["text"] == "three\n"
    with panel.database.write() as connection:
        connection.execute(update(Run).values(state=RunState.SUCCESS))
    last = api.get(f"/runs/{run_id}/output", offset=second["next_offset"])
    assert (last["text"], last["complete"]) == ("", True)
    api.problem("GET", f"/runs/{run_id}/output", offset=-1)


def test_a_run_is_stopped_and_run_again(panel, api):
    task = panel.create_task()
    started = api.ask("POST", f"/tasks/{task}/run", status=202).json
    path = f"/runs/{started['id']}"
    assert api.get(path)["state"] == "queued"
    assert api.ask("POST", f"{path}/stop").json["outcome"] == "cancelled"
    assert api.ask("POST", f"{path}/stop").json["outcome"] == "too_late"
    again = api.ask("POST", f"{path}/rerun", status=202)
    assert again.headers["Location"] == f"/api/v1/runs/{again.json['id']}"
    api.problem("POST", f"{path}/rerun", status=409)
    api.problem("GET", "/runs/99999", status=404)


def test_runs_of_another_tag_do_not_exist(quick_panel):
    web, db = quick_panel.create_task(name="w", tag="web"), quick_panel.create_task(name="d")
    seen = insert_run(quick_panel.database, task_id=web)
    hidden = insert_run(quick_panel.database, task_id=db)
    narrow = with_token(quick_panel, scope=Scope.RUN, tag="web")
    assert [run["id"] for run in narrow.get("/runs")["items"]] == [seen]
    for method, path in (("GET", ""), ("GET", "/output"), ("POST", "/stop"), ("POST", "/rerun")):
        narrow.problem(method, f"/runs/{hidden}{path}", status=404)
    narrow.problem("GET", "/runs", task_id=db, status=404)


def write(panel, run_id, pieces, behind=0):
    """What a command of this run wrote."""
    numbered = [(run_id, number, piece) for number, piece in enumerate(pieces, behind)]
    run_output.write_output(panel.database, numbered, [])
