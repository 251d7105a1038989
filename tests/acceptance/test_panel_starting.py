"""Starting by hand in the panel: runs with parameters, and backfills."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from gocron.db import tasks
from gocron.db.models import Backfill, Run
from tests.helpers.panel import TESTER, USER, field_of, words_of
from tests.helpers.rows import rows

HOSTILE = '<script>alert("1")</script>'

PARAMETERS = [
    {"name": "DAY", "default": "2026-01-01", "remark": HOSTILE},
    {"name": "MODE", "type": "choice", "choices": ["full", "fast"], "default": "full"},
    {"name": "N", "type": "integer", "default": 5},
    {"name": "DRY", "type": "boolean", "default": "no"},
    {"name": "NOTE", "default": "two\nlines"},
]


def parameters_of_the_run(panel):
    (run,) = rows(panel.database, Run)
    return run.parameters


def test_a_task_with_parameters_asks_for_them_with_its_defaults(panel, visitor):
    task_id = panel.create_task(parameters=PARAMETERS)
    listed = visitor.get("/tasks/").text
    assert f'href="/tasks/start/?id={task_id}"' in listed
    assert 'action="/tasks/run/"' not in listed
    page = visitor.get(f"/tasks/start/?id={task_id}").text
    assert 'name="p-DAY" value="2026-01-01"' in page
    assert '<option selected value="full">' in page
    assert '<option selected value="false">' in page
    assert 'name="p-N" value="5"' in page
    assert "two\nlines</textarea>" in page
    assert HOSTILE not in page
    assert rows(panel.database, Run) == []


def test_what_was_given_reaches_the_run_and_is_shown(panel, visitor):
    task_id = panel.create_task(parameters=PARAMETERS)
    given = {"p-DAY": " today ", "p-MODE": "fast", "p-N": "", "p-DRY": "true", "p-NOTE": "a\r\nb"}
    answer = visitor.post(f"/tasks/start/?id={task_id}", given)
    (run,) = rows(panel.database, Run)
    assert answer.location == f"/runs/{run.id}/"
    assert run.parameters == {
        "DAY": " today ", "MODE": "fast", "N": 5, "DRY": True, "NOTE": "a\nb"
    }  # fmt: skip
    assert run.triggered_by == USER
    page = visitor.text(answer.location)
    assert "Parameters DAY today MODE fast N 5 DRY true NOTE a b" in page


def test_an_emptied_text_is_an_empty_text(panel, visitor):
    task_id = panel.create_task(parameters=PARAMETERS)
    visitor.post(f"/tasks/start/?id={task_id}", {"p-DAY": ""})
    assert parameters_of_the_run(panel)["DAY"] == ""


def test_mistakes_are_said_beside_each_parameter_and_nothing_typed_is_lost(panel, visitor):
    panel.create_task(name="load")
    needed = [*PARAMETERS, {"name": "NEEDED"}]
    task_id = panel.create_task(name="report", spec="", depends_on=["load"], parameters=needed)
    typed = {"p-DAY": HOSTILE, "p-MODE": "slow", "p-N": "many", "p-DRY": "true"}
    page = visitor.post(f"/tasks/start/?id={task_id}", typed).text
    assert "must be full or fast, found 'slow'" in field_of(page, "p-MODE").lower()
    assert "must be a whole number, found 'many'" in field_of(page, "p-N").lower()
    assert "must be given" in field_of(page, "p-NEEDED")
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert 'value="many"' in page
    assert '<option selected value="slow">' in page
    assert rows(panel.database, Run) == []
    # The button of an old page, which knows of no parameters.
    answer = visitor.post("/tasks/run/", {"id": task_id})
    assert answer.location == f"/tasks/start/?id={task_id}"
    assert "NEEDED: has no default and must be given" in visitor.text(answer.location)


def test_parameters_that_are_gone_since_the_page_was_loaded_are_passed_over(panel, visitor):
    task_id = panel.create_task(parameters=PARAMETERS)
    row = panel.create_task(name="other")
    tasks.delete(panel.database, [row], TESTER)
    assert visitor.post(f"/tasks/start/?id={task_id}", {"p-GONE": "x"}).status_code == 302
    assert visitor.get(f"/tasks/start/?id={row}").status_code == 404
    assert visitor.post(f"/tasks/start/?id={row}").status_code == 404
    assert visitor.get("/tasks/start/?id=x").status_code == 404


def test_a_task_without_parameters_is_run_at_once_or_says_that_it_has_none(panel, visitor):
    task_id = panel.create_task()
    assert 'action="/tasks/run/"' in visitor.get("/tasks/").text
    assert "This task has no parameters." in visitor.text(f"/tasks/start/?id={task_id}")
    assert visitor.post(f"/tasks/start/?id={task_id}").status_code == 302
    assert len(rows(panel.database, Run)) == 1


DAYS = {"first": "2026-03-01T00:00", "last": "2026-03-03T23:00", "parallel": "2"}


def newest(page: str) -> str:
    found = re.search(r'name="newest" value="(\d*)"', page)
    assert found
    return found[1]


def test_a_backfill_queues_the_slots_of_a_time_and_shows_how_far_it_is(panel, visitor):
    task_id = panel.create_task(parameters=PARAMETERS)
    address = f"/tasks/backfill/?id={task_id}"
    assert "None yet" in visitor.text(address)
    answer = visitor.post(address, {**DAYS, "newest": "", "p-DAY": "given"})
    assert answer.location == address
    runs = rows(panel.database, Run)
    # 02:30 in Berlin; the times were typed on its clock.
    assert [run.scheduled_at for run in runs] == [
        datetime(2026, 3, day, 1, 30, tzinfo=UTC) for day in (1, 2, 3)
    ]
    assert {run.parameters["DAY"] for run in runs} == {"given"}
    page = visitor.text(address)
    assert "3 slots will run, in order." in page
    assert "2026-03-01 02:30:00 CET to 2026-03-03 02:30:00 CET" in page
    assert "0 of 3 done; 3 waiting" in page
    with panel.database.write() as connection:
        connection.execute(update(Run).where(Run.id == runs[0].id).values(state="success"))
        connection.execute(update(Run).where(Run.id == runs[1].id).values(state="running"))
    page = visitor.text(address)
    assert "1 of 3 done, 1 well; 1 running; 1 waiting" in page
    run_page = visitor.text(f"/runs/{runs[0].id}/")
    assert f"{USER}, a backfill" in run_page


def test_a_second_click_begins_no_second_backfill(panel, visitor):
    task_id = panel.create_task()
    address = f"/tasks/backfill/?id={task_id}"
    seen = newest(visitor.get(address).text)
    assert visitor.post(address, {**DAYS, "newest": seen}).status_code == 302
    again = visitor.post(address, {**DAYS, "newest": seen})
    assert again.status_code == 200
    assert "was begun since this page was loaded" in words_of(again.text)
    assert 'value="2026-03-01T00:00"' in again.text
    assert len(rows(panel.database, Backfill)) == 1
    assert visitor.post(address, {**DAYS, "newest": newest(again.text)}).status_code == 302
    assert len(rows(panel.database, Backfill)) == 2


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("first", "", "2026-12-24T18:00"),
        ("first", "soon", "2026-12-24T18:00"),
        ("first", "0001-01-01", "1970 to 8999"),
        ("first", "2090-01-01T00:00", "before"),
        ("last", "2026-02-01T00:00", "before the first"),
        ("last", "2026-03-01T01:00", "no past slot"),
        ("parallel", "0", "1 to 100"),
        ("parallel", "many", "whole number"),
        ("parallel", "9" * 30, "whole number"),
    ],
)
def test_what_is_wrong_with_a_backfill_is_said_next_to_it(quick_panel, field, typed, said):
    task_id = quick_panel.create_task()
    visitor = quick_panel.administrator()
    page = visitor.post(f"/tasks/backfill/?id={task_id}", {**DAYS, field: typed}).text
    form = words_of(page.split('id="begin"')[0])
    assert said in form
    assert f'value="{typed}"' in page
    assert rows(quick_panel.database, Run) == []


def test_more_slots_than_a_backfill_may_have_are_refused(quick_panel):
    task_id = quick_panel.create_task(spec="* * * * * *")
    visitor = quick_panel.administrator()
    page = visitor.post(f"/tasks/backfill/?id={task_id}", DAYS).text
    assert "more than 10000 slots" in field_of(page, "last")


def test_a_task_without_slots_of_its_own_has_nothing_to_backfill(panel, visitor):
    panel.create_task(name="load")
    task_id = panel.create_task(name="report", spec="", depends_on=["load"])
    address = f"/tasks/backfill/?id={task_id}"
    page = visitor.text(address)
    assert "Nothing to run again here" in page
    assert "it runs after load" in page
    visitor.post(address, DAYS)
    assert rows(panel.database, Run) == []
    assert visitor.get("/tasks/backfill/?id=99").status_code == 404


def test_a_long_list_of_backfills_shows_the_newest(panel, visitor):
    task_id = panel.create_task()
    one_slot = {"first": "2026-03-01T00:00", "last": "2026-03-02T00:00", "parallel": "1"}
    address = f"/tasks/backfill/?id={task_id}"
    for _ in range(22):
        page = visitor.get(address).text
        assert visitor.post(address, {**one_slot, "newest": newest(page)}).status_code == 302
    page = visitor.get(address).text
    shown = [int(number) for number in re.findall(r'data-backfill="(\d+)"', page)]
    assert shown == sorted((row.id for row in rows(panel.database, Backfill)), reverse=True)[:20]
