"""The form of a task with all of its policies: what is stored is shown, what is shown is stored."""

from __future__ import annotations

import re
from datetime import date

import pytest

from gocron.core.definition import TaskDefinition, define
from gocron.db import calendars, groups, tasks
from gocron.db.models import AuditLog, Task
from tests.helpers.panel import TESTER, field_of, form_values, words_of
from tests.helpers.rows import rows

HOSTILE = '<script>alert("1")</script>'

CHRISTMAS = [date(2026, 12, 24), date(2026, 12, 25)]

EVERYTHING = {
    "name": "everything",
    "tag": "t",
    "remark": "line\nline",
    "enabled": True,
    "spec": "CRON_TZ=Asia/Tokyo 0 H 2 * * *",
    "timezone": "Europe/Berlin",
    "starts_at": "2026-10-25T02:30+01:00",  # the second time that clocks show it
    "ends_at": "2031-01-01T00:00:07",
    "exclude_calendars": ["holidays", "freeze"],
    "require_calendars": ["work"],
    "jitter": 60,
    "protocol": "shell",
    "command": "one\ntwo\n",
    "timeout": 30,
    "working_dir": "/srv",
    "environment": {"PLAIN": "x", "LINES": "a\nb"},
    "parameters": [
        {"name": "DAY", "default": "2026-01-01", "remark": "which # day"},
        {"name": "MODE", "type": "choice", "choices": ["full", "a, b"], "default": "a, b"},
        {"name": "N", "type": "integer", "default": "5"},
        {"name": "X", "type": "number", "default": 0.5},
        {"name": "B", "type": "boolean", "default": False},
        {"name": "T", "default": " two\nlines "},
    ],
    "misfire": "run_all",
    "misfire_grace": 90,
    "catch_up_limit": 7,
    "overlap": "queue",
    "max_parallel": 3,
    "group": "db",
    "priority": -5,
    "retry_times": 3,
    "retry_interval": 60,
    "retry_backoff": "exponential",
    "retry_jitter": 9,
    "retry_on": ["lost"],
    "on_lost": "rerun",
    "http_method": "POST",
    "http_headers": {"X-One": "a: b"},
    "http_body": "",
    "http_statuses": "200",
    "http_verify_tls": False,
    "success_pattern": "ok",
}


def prepare(panel):
    for name in ("holidays", "freeze", "work"):
        calendars.save(panel.database, name, CHRISTMAS, "", TESTER)
    groups.save(panel.database, "db", 2, "", TESTER)


def the_task(panel, name: str):
    (row,) = rows(panel.database, Task, Task.name == name)
    return row


def untouched(visitor, task_id: int):
    return form_values(visitor.get(f"/tasks/edit/?id={task_id}").text)


def definition_of(row) -> dict[str, object]:
    return {name: row[list(row._fields).index(column)] for name, column in columns(row)}


def columns(row):
    for name in TaskDefinition.model_fields:
        yield name, "concurrency_group" if name == "group" else name


def test_nothing_in_the_example_is_as_usual():
    definition = define(EVERYTHING)
    usual = define({"name": "n", "spec": "@daily", "command": "c"})
    same = {name for name in TaskDefinition.model_fields if _same(definition, usual, name)}
    # A task has either a schedule or parents, and either a body or parameters.
    assert same == {"enabled", "protocol", "http_body", "depends_on"}


def _same(one, other, name: str) -> bool:
    return bool(getattr(one, name) == getattr(other, name))


EVERYTHING_ELSE = {
    "after": {
        "spec": "",
        "starts_at": None,
        "ends_at": None,
        "exclude_calendars": [],
        "require_calendars": [],
        "jitter": 0,
        "depends_on": {"load": "weak", "a: weak": "strong"},
        "parameters": [{"name": "NEEDED", "type": "integer"}],
        "retry_on": [],
        "retry_times": 0,
        "misfire_grace": None,
        "enabled": False,
        "overlap": "replace",
        "max_parallel": 0,
    },
}


def test_saving_an_untouched_form_with_everything_changes_nothing(panel, visitor):
    prepare(panel)
    panel.create_task(name="load")
    panel.create_task(name="a: weak")
    for name, fields in {"everything": {}, **EVERYTHING_ELSE}.items():
        task_id = tasks.create(panel.database, define(EVERYTHING | fields | {"name": name}), TESTER)
        before = the_task(panel, name)
        answer = visitor.post(f"/tasks/edit/?id={task_id}", untouched(visitor, task_id))
        assert answer.status_code == 302, words_of(answer.text)
        after = the_task(panel, name)
        assert definition_of(before) == definition_of(after)
        assert after.revision == before.revision + 1
        audited = rows(panel.database, AuditLog)[-1]
        assert audited.action == "task.edit"
        assert audited.detail == {"changed": []}


def test_everything_that_is_typed_arrives(panel, visitor):
    prepare(panel)
    panel.create_task(name="load")
    answer = visitor.save_task(
        name="typed",
        starts_at="2026-12-24T18:00",
        ends_at=" 2031-01-01 ",
        exclude_calendars=["holidays", "freeze"],
        require_calendars="work",
        jitter="60",
        misfire="run_all",
        misfire_grace=" 90 ",
        catch_up_limit="7",
        overlap="queue",
        group=" db ",
        priority="-5",
        retry_times="3",
        retry_interval="60",
        retry_backoff="exponential",
        retry_jitter="9",
        retry_on="lost",
        on_lost="rerun",
        parameters="DAY: text = 2026-01-01\r\n\r\nMODE: choice(full, fast) = full  # remark",
    )
    assert answer.status_code == 302, words_of(answer.text)
    row = the_task(panel, "typed")
    assert row.starts_at.isoformat() == "2026-12-24T17:00:00+00:00"
    assert row.ends_at.isoformat() == "2030-12-31T23:00:00+00:00"
    assert (row.exclude_calendars, row.require_calendars) == (["freeze", "holidays"], ["work"])
    assert (row.jitter, row.misfire, row.misfire_grace, row.catch_up_limit) == (
        60,
        "run_all",
        90,
        7,
    )
    assert (row.overlap, row.concurrency_group, row.priority) == ("queue", "db", -5)
    assert (row.retry_times, row.retry_interval, row.retry_jitter) == (3, 60, 9)
    assert (row.retry_backoff, row.retry_on, row.on_lost) == ("exponential", ["lost"], "rerun")
    assert [one["name"] for one in row.parameters] == ["DAY", "MODE"]
    assert row.parameters[1]["remark"] == "remark"


def test_a_task_that_runs_after_others_needs_no_schedule(panel, visitor):
    panel.create_task(name="load")
    assert visitor.save_task(name="report", spec="", depends_on="load: weak").status_code == 302
    assert the_task(panel, "report").depends_on == {"load": "weak"}


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("starts_at", "tomorrow", "2026-12-24T18:00"),
        ("ends_at", "2026-13-01", "2026-12-24T18:00"),
        ("starts_at", "0001-01-01T00:00", ""),
        ("ends_at", "9999-12-31T23:59", ""),
        ("jitter", "3601", "3600"),
        ("jitter", "", "integer"),
        ("misfire_grace", "soon", "integer"),
        ("misfire_grace", "0", "86400"),
        ("misfire", "sometimes", "valid choice"),
        ("catch_up_limit", "0", "1 to 1000"),
        ("max_parallel", "-1", "0"),
        ("group", "nowhere", "there is no group 'nowhere'"),
        ("priority", "1000", "100"),
        ("retry_times", "11", "10"),
        ("retry_on", "sunday", "failed"),
        ("on_lost", "cry", "valid choice"),
        ("exclude_calendars", "nowhere", "there is no calendar 'nowhere'"),
        ("require_calendars", "nowhere", "there is no calendar 'nowhere'"),
        ("depends_on", "nowhere", "own schedule"),
        ("depends_on", "a\r\na", "line 2: 'a' is there twice"),
        ("parameters", "A\r\nB: wood", "line 2: 'wood' is no type"),
        ("parameters", "N: integer", "needs a default"),
    ],
)
def test_what_is_wrong_is_said_next_to_the_field_and_kept(quick_panel, field, typed, said):
    visitor = quick_panel.administrator()
    answer = visitor.save_task(**{"remark": "keep me", field: typed})
    assert answer.status_code == 200
    shown = "spec" if said == "own schedule" else field
    found = field_of(answer.text, shown)
    assert (said if said != "own schedule" else "schedule of its own").lower() in found.lower()
    assert re.search(r'class="[^"]*is-invalid', answer.text)
    sent_again = form_values(answer.text)
    if field in ("misfire", "on_lost"):  # a browser has no way to choose what is not offered
        assert field not in sent_again
    else:
        assert sent_again[field] == typed
    assert sent_again["remark"] == "keep me"
    assert rows(quick_panel.database, Task) == []


def section_of(page: str, title: str) -> str:
    return page.split(f'aria-label="{title}"')[1].split("</section>")[0]


def test_a_mistake_in_a_folded_section_opens_it(quick_panel):
    visitor = quick_panel.administrator()
    fresh = visitor.get("/tasks/new/").text
    assert fresh.count("<details>") == 5
    page = visitor.save_task(retry_times="11").text
    assert "<details open>" in section_of(page, "After a failure")
    assert "<details>" in section_of(page, "Parameters")


def test_a_section_with_something_unusual_is_open(quick_panel):
    visitor = quick_panel.administrator()
    page = visitor.get(f"/tasks/edit/?id={quick_panel.create_task(priority=3)}").text
    assert "<details open>" in section_of(page, "Late and overlapping runs")
    assert page.count("<details open>") == 1


def test_calendars_and_groups_that_there_are_are_offered(panel, visitor):
    assert "There are no calendars yet" in visitor.text("/tasks/new/")
    prepare(panel)
    calendars.save(panel.database, HOSTILE, CHRISTMAS, "", TESTER)
    page = visitor.get("/tasks/new/").text
    assert 'name="exclude_calendars" value="holidays">' in page
    assert '<option value="db"></option>' in page
    assert HOSTILE not in page


def test_a_calendar_that_is_gone_is_shown_and_not_dropped_silently(panel, visitor):
    prepare(panel)
    task_id = panel.create_task(exclude_calendars=["freeze"])
    calendars.delete(panel.database, "freeze", TESTER, force=True)
    page = visitor.text(f"/tasks/edit/?id={task_id}")
    assert "freeze (does not exist)" in page
    assert "This task is broken and does not run" in page
    assert "'freeze' does not exist" in page
    listed = visitor.text("/tasks/")
    assert "broken the calendar 'freeze' does not exist" in listed
    sent = untouched(visitor, task_id)
    answer = visitor.post(f"/tasks/edit/?id={task_id}", sent)
    assert "there is no calendar 'freeze'" in field_of(answer.text, "exclude_calendars").lower()
    del sent["exclude_calendars"]
    assert visitor.post(f"/tasks/edit/?id={task_id}", sent).status_code == 302
    assert "broken" not in visitor.text("/tasks/")


def test_a_broken_task_that_cannot_be_enabled_says_why(panel, visitor):
    prepare(panel)
    task_id = panel.create_task(exclude_calendars=["freeze"], enabled=False)
    calendars.delete(panel.database, "freeze", TESTER, force=True)
    answer = visitor.post("/tasks/action/", {"action": "enable", "rowid": [task_id]})
    assert answer.location == "/tasks/"
    assert "cannot be enabled: the calendar 'freeze' does not exist" in visitor.text("/tasks/")


def test_parents_and_children_are_shown(panel, visitor):
    load, check = panel.create_task(name="load"), panel.create_task(name=HOSTILE)
    report = panel.create_task(
        name="report", spec="", depends_on={"load": "strong", HOSTILE: "weak"}
    )
    page = visitor.get(f"/tasks/details/?id={report}&tab=dependencies").text
    assert f'<a href="/tasks/details/?id={check}">' in page
    assert f'<a href="/tasks/details/?id={load}">load</a>' in page
    assert "(any end)" in page
    assert HOSTILE not in page
    after = visitor.text(f"/tasks/details/?id={load}&tab=dependencies")
    assert "2 report" in after.split("The same as a list")[1]
    listed = visitor.get("/tasks/").text
    row = words_of(listed.split('<tr data-task="report"')[1].split("</tr>")[0])
    assert "none of its own" in row
    assert "after " in row
    assert "load" in row


def test_a_task_that_others_depend_on_is_not_deleted(panel, visitor):
    load = panel.create_task(name="load")
    panel.create_task(name="report", spec="", depends_on=["load"])
    answer = visitor.post("/tasks/delete/", {"id": [load]})
    assert answer.location == "/tasks/"
    assert "'report' depends on it" in visitor.text("/tasks/")
    assert len(rows(panel.database, Task)) == 2


def test_what_somebody_else_changed_is_said_in_words(panel, visitor):
    prepare(panel)
    task_id = panel.create_task()
    mine = untouched(visitor, task_id) | {"jitter": "5"}
    theirs = untouched(visitor, task_id) | {
        "starts_at": "2026-12-24T18:00",
        "exclude_calendars": ["freeze"],
        "parameters": "DAY = today",
    }
    assert visitor.post(f"/tasks/edit/?id={task_id}", theirs).status_code == 302
    page = words_of(visitor.post(f"/tasks/edit/?id={task_id}", mine).text)
    conflict = page[page.index("Somebody else changed") : page.index("Save what is chosen")]
    assert "Not before (empty) 2026-12-24T18:00 (empty)" in conflict
    assert "Not on the days of (empty) freeze (empty)" in conflict
    assert "Parameters (empty) DAY: text = today (empty)" in conflict
    assert "Spread, in seconds 0 0 5" in conflict
    assert "Command" not in conflict


def ask(visitor, **fields: object):
    return visitor.get("/tasks/preview/", query_string=fields).json


def test_a_schedule_is_previewed_while_it_is_typed(panel, visitor):
    answer = ask(visitor, spec="0 0 12 * * *", timezone="Asia/Tokyo")
    assert len(answer["slots"]) == 10
    assert all(slot["local"].endswith("12:00:00 JST") for slot in answer["slots"])
    assert all(slot["utc"].endswith("03:00:00 UTC") for slot in answer["slots"])
    assert "12:00" in answer["words"]
    assert "Asia/Tokyo" in answer["words"]
    assert {slot["weekday"] for slot in answer["slots"]} > {"Mon", "Sun"}
    assert all(slot["iso"].endswith("T03:00:00Z") for slot in answer["slots"])
    assert "99" in ask(visitor, spec="99 * * * *", timezone="UTC")["problem"]


def test_the_preview_knows_window_calendars_name_and_changed_clocks(panel, visitor):
    calendars.save(panel.database, "holidays", [date(2030, 1, 2)], "", TESTER)
    berlin = {"spec": "0 30 2 * * *", "timezone": "Europe/Berlin"}
    window = {"starts_at": "2030-01-01T00:00", "ends_at": "2030-01-04T12:00"}
    answer = ask(visitor, **berlin, **window, exclude_calendars="holidays")
    days = [slot["local"][:10] for slot in answer["slots"]]
    assert days == ["2030-01-01", "2030-01-03", "2030-01-04"]
    answer = ask(visitor, **berlin, **window, require_calendars="holidays")
    assert [slot["local"][:10] for slot in answer["slots"]] == ["2030-01-02"]
    answer = ask(visitor, **berlin, starts_at="2030-03-31T00:00")
    assert "clocks go forward" in answer["slots"][0]["remark"]
    one, other = (
        ask(visitor, spec="H H * * *", timezone="UTC", name=name)["slots"] for name in "ab"
    )
    assert one != other
    assert ask(visitor, spec="@at 2001-01-01T00:00", timezone="UTC")["slots"] == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"exclude_calendars": "nowhere"}, "the calendar 'nowhere' does not exist"),
        ({"exclude_calendars": "\0"}, "does not exist"),
        ({"starts_at": "soon"}, "not before: must be a time"),
        ({"ends_at": "soon"}, "not after: must be a time"),
        ({"starts_at": "2030-01-02", "ends_at": "2030-01-01"}, "before it begins"),
        ({"timezone": "Europe/Berlim"}, "Europe/Berlin"),
        ({"timezone": "Europe/Berlim", "starts_at": "2030-01-01"}, "Europe/Berlin"),
        ({"spec": "x" * 10_000}, "10000 characters"),
        ({"spec": ""}, "empty"),
    ],
)
def test_the_preview_says_what_is_wrong(quick_panel, fields, said):
    visitor = quick_panel.administrator()
    assert said in ask(visitor, **{"spec": "@daily", "timezone": "UTC", **fields})["problem"]
