"""Tasks by the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.core.access import Role, Scope
from gocron.db.models import Run, Task
from tests.helpers.api import administrator, with_token
from tests.helpers.rows import now_of, rows

TASK = {"name": "backup", "spec": "0 30 2 * * *", "timezone": "Europe/Berlin", "command": "true"}


@pytest.fixture
def api(panel):
    return administrator(panel)


@pytest.fixture
def quick(quick_panel):
    return administrator(quick_panel)


def made(api, **fields):
    return api.ask("POST", "/tasks", TASK | fields, status=201).json


def test_a_task_is_created_shown_replaced_and_deleted(api):
    answer = api.ask("POST", "/tasks", TASK | {"tag": "web"}, status=201)
    path = answer.headers["Location"].removeprefix("/api/v1")
    shown = api.ask("GET", path)
    assert shown.json == answer.json
    assert shown.json["tag"] == "web"
    assert shown.headers["ETag"] == '"1"'
    replaced = api.ask("PUT", path, TASK | {"timeout": 60}, headers={"If-Match": '"1"'})
    assert (replaced.json["tag"], replaced.json["timeout"]) == ("", 60)
    assert replaced.headers["ETag"] == '"2"'
    api.ask("DELETE", path, status=204, headers={"If-Match": '"2"'})
    api.problem("GET", path, status=404)


def test_a_change_leaves_alone_what_it_does_not_name(api):
    path = f"/tasks/{made(api, timeout=60)['id']}"
    changed = api.ask("PATCH", path, {"remark": "of the night"}).json
    assert (changed["timeout"], changed["remark"], changed["revision"]) == (60, "of the night", 2)
    api.problem("PATCH", path, {"colour": "red"})


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_task_that_somebody_else_changed_is_left_alone(quick, method):
    path = f"/tasks/{made(quick)['id']}"
    quick.ask("PATCH", path, {"remark": "x"})
    body = None if method == "DELETE" else TASK
    problem = quick.problem(method, path, body, status=412, headers={"If-Match": '"1"'})
    assert "revision 2, not 1" in problem["detail"]
    quick.problem(method, path, body, headers={"If-Match": "1"})


def test_a_name_is_given_once(api):
    made(api)
    other = made(api, name="other")
    for method, path in (("POST", "/tasks"), ("PUT", f"/tasks/{other['id']}")):
        problem = api.problem(method, path, TASK)
        assert problem["errors"][0]["pointer"] == "/name"
        assert "'backup' is taken by task" in problem["detail"]


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-name", "next_fire_at"])
def test_every_order_can_be_walked_through_page_by_page(api, sort):
    specs = ("@daily", "@hourly", "@daily")
    for number in range(7):
        made(api, name=f"task {number * 3 % 7}", spec=specs[number % 3], enabled=number % 4 != 0)
    listed = list(api.walk("/tasks", sort=sort, limit=2))
    names = [task["name"] for task in listed]
    assert sorted(names) == [f"task {number}" for number in range(7)]
    if "name" in sort:
        assert names == sorted(names, reverse=sort.startswith("-"))
    elif "id" in sort:
        ids = [task["id"] for task in listed]
        assert ids == sorted(ids, reverse=sort.startswith("-"))
    else:
        slots = [task["next_fire_at"] for task in listed]
        due = [slot for slot in slots if slot]
        assert slots == sorted(due) + [None] * (7 - len(due))
        assert 0 < len(due) < 7


def test_a_cursor_of_another_list_is_refused(quick):
    for number in range(3):
        made(quick, name=str(number))
    cursor = quick.get("/tasks", limit=1, sort="name")["next"]
    assert "sort='name'" in quick.problem("GET", "/tasks", cursor=cursor, sort="-name")["detail"]
    for wrong in ("x", cursor[:-3], "W10", cursor * 20):
        quick.problem("GET", "/tasks", cursor=wrong, sort="name")


def test_filters_narrow_the_list(api):
    made(api, name="one", tag="web", command="deploy it")
    made(api, name="two", enabled=False)
    made(api, name="three", protocol="http", command="http://127.0.0.1/deploy")
    for query, names in (
        ({"tag": "web"}, {"one"}),
        ({"enabled": False}, {"two"}),
        ({"protocol": "http"}, {"three"}),
        ({"search": "DEPLOY"}, {"one", "three"}),
        ({"last": "never"}, {"one", "two", "three"}),
        ({"broken": True}, set()),
    ):
        assert {task["name"] for task in api.get("/tasks", **query)["items"]} == names, query


def test_a_request_with_the_same_key_starts_one_run(api):
    path = f"/tasks/{made(api)['id']}/run"
    headers = {"Idempotency-Key": "deploy 7"}
    first = api.ask("POST", path, status=202, headers=headers).json
    assert (first["state"], first["trigger"]) == ("queued", "manual")
    assert api.ask("POST", path, {}, status=202, headers=headers).json["id"] == first["id"]
    other = api.ask("POST", path, status=202, headers={"Idempotency-Key": "8"}).json
    assert other["id"] != first["id"]
    api.problem("POST", path, headers={"Idempotency-Key": "x" * 129})


def test_a_task_is_enabled_and_disabled(quick):
    path = f"/tasks/{made(quick)['id']}"
    assert quick.ask("POST", f"{path}/disable").json["next_fire_at"] is None
    assert quick.ask("POST", f"{path}/enable").json["enabled"] is True


def test_next_slots_say_what_a_change_of_clocks_does(api):
    path = f"/tasks/{made(api)['id']}/next"
    slots = api.get(path, count=400)["slots"]
    assert len(slots) == 400
    assert {slot["local"][11:16] for slot in slots} <= {"02:30", "03:00"}
    assert any("clocks go forward" in slot["remark"] for slot in slots)
    assert all(slot["slot"].endswith("Z") for slot in slots)
    api.problem("GET", path, count=501)


def test_a_broken_task_says_why_it_has_no_slots(quick_panel, quick):
    task = made(quick)
    with quick_panel.database.write() as connection:
        connection.execute(update(Task).values(exclude_calendars=["gone"]))
    found = quick.get(f"/tasks/{task['id']}/next")
    assert found["slots"] == []
    assert "'gone'" in found["broken"]


def test_a_schedule_is_said_in_words(quick):
    found = quick.get("/cron/explain", spec="0 30 2 * * *", timezone="Europe/Berlin", count=2)
    assert found["words"] == "At 02:30 every day, Europe/Berlin time"
    assert len(found["slots"]) == 2
    for wrong in ({"spec": "nonsense"}, {"spec": "@daily", "timezone": "Mars/Olympus"}, {}):
        assert quick.problem("GET", "/cron/explain", **wrong)["errors"][0]["pointer"] == "spec"
    quick.problem("GET", "/cron/explain", spec="@daily\0")


def test_versions_are_listed_and_a_task_goes_back_to_one(api):
    path = f"/tasks/{made(api)['id']}"
    for number in range(3):
        api.ask("PATCH", path, {"remark": str(number)})
    listed = list(api.walk(f"{path}/versions", limit=2))
    assert [one["revision"] for one in listed] == [4, 3, 2, 1]
    assert [one["current"] for one in listed] == [True, False, False, False]
    assert listed[0]["changed"] == ["remark"]
    second = api.get(f"{path}/versions/2")
    assert second["definition"]["remark"] == "0"
    api.problem("GET", f"{path}/versions/9", status=404)
    stale = {"If-Match": '"3"'}
    api.problem("POST", f"{path}/rollback", {"revision": 2}, status=412, headers=stale)
    back = api.ask("POST", f"{path}/rollback", {"revision": 2}, headers={"If-Match": '"4"'})
    assert (back.json["remark"], back.json["revision"]) == ("0", 5)
    api.problem("POST", f"{path}/rollback", {"revision": 99}, status=404)


def test_nobody_takes_a_task_back_to_a_tag_that_is_not_theirs(quick_panel, quick):
    path = f"/tasks/{made(quick, tag='db')['id']}"
    quick.ask("PATCH", path, {"tag": "web"})
    operator = with_token(quick_panel, Role.OPERATOR, tags=("web",))
    operator.ask("PATCH", path, {"remark": "mine"})
    problem = operator.problem("POST", f"{path}/rollback", {"revision": 1}, status=403)
    assert "'db'" in problem["detail"]


@pytest.mark.parametrize("form", ["yaml", "csv", "jsonl"])
def test_what_is_exported_is_imported_as_the_same(panel, form):
    api = administrator(panel)
    made(api, name="one", tag="web", environment={"A": "b"}, remark="=1+1")
    made(api, name="two", spec="@hourly", command="a\nb")
    text = api.ask("GET", "/tasks/export", format=form).text
    body = {"format": form, "content": text}
    result = api.ask("POST", "/tasks/import", body).json
    assert (result["unchanged"], result["created"], result["changed"]) == (["one", "two"], [], [])
    for task in api.get("/tasks")["items"]:
        api.ask("DELETE", f"/tasks/{task['id']}", status=204)
    result = api.ask("POST", "/tasks/import", body).json
    assert [task["name"] for task in result["created"]] == ["one", "two"]
    assert api.ask("GET", "/tasks/export", format=form).text == text


def test_a_dry_run_says_the_difference_and_changes_nothing(api):
    made(api)
    content = (
        "tasks:\n- {name: backup, spec: '@daily', command: 'false'}\n"
        "- {name: new, spec: '@daily', command: 'true'}\n"
    )
    body = {"format": "yaml", "content": content, "dry_run": True}
    result = api.ask("POST", "/tasks/import", body).json
    assert result["created"] == [{"name": "new", "line": 3}]
    fields = {one["field"]: one["new"] for one in result["changed"][0]["fields"]}
    assert fields["command"] == "false"
    assert [task["name"] for task in api.get("/tasks")["items"]] == ["backup"]
    body = body | {"dry_run": False, "state": result["state"]}
    api.ask("POST", "/tasks/import", body)
    assert len(api.get("/tasks")["items"]) == 2
    api.problem("POST", "/tasks/import", body, status=409)


def test_mistakes_of_a_file_are_all_told_and_nothing_is_done(quick):
    content = '{"name": "good", "spec": "@daily", "command": "x"}\n{"name": "bad"}\n[]\n'
    problem = quick.problem("POST", "/tasks/import", {"format": "jsonl", "content": content})
    told = [one["detail"] for one in problem["errors"]]
    assert any(words.startswith("line 2:") for words in told)
    assert any(words.startswith("line 3:") for words in told)
    assert quick.get("/tasks")["items"] == []
    quick.problem("POST", "/tasks/import", {"format": "yaml", "content": "tasks: []"})


def test_an_import_touches_only_tasks_that_one_may_change(quick_panel, quick):
    made(quick, name="web task", tag="web")
    made(quick, name="db task", tag="db", environment={"KEY": "hidden value"})
    operator = with_token(quick_panel, Role.OPERATOR, tags=("web",), name="operator")
    narrow = with_token(quick_panel, scope=Scope.WRITE, tag="web", name="narrow")

    def sent(who, name, tag, status):
        line = f'{{"name": "{name}", "tag": "{tag}", "spec": "@daily", "command": "x"}}'
        body = {"format": "jsonl", "content": line, "dry_run": True}
        return who.ask("POST", "/tasks/import", body, status=status).text

    for who in (operator, narrow):
        sent(who, "web task", "web", 200)
        sent(who, "new", "web", 200)
        sent(who, "new", "db", 403)
        sent(who, "web task", "db", 403)
    sent(operator, "db task", "web", 403)
    assert "hidden value" not in sent(narrow, "db task", "web", 409)
    assert [task["name"] for task in quick.get("/tasks", tag="db")["items"]] == ["db task"]


def test_an_export_has_only_tasks_that_one_may_see(quick_panel, quick):
    made(quick, name="web task", tag="web")
    made(quick, name="db task", tag="db")
    narrow = with_token(quick_panel, scope=Scope.READ, tag="web")
    assert "db task" not in narrow.ask("GET", "/tasks/export").text
    assert "web task" not in narrow.ask("GET", "/tasks/export", tag="db").text
    assert "web task" in narrow.ask("GET", "/tasks/export", tag="web").text


def test_past_slots_are_run_again(panel, api):
    task = made(api, spec="@hourly")
    now = now_of(panel.database)
    body = {"first": (now - timedelta(hours=3)).isoformat(), "last": now.isoformat()}
    begun = api.ask("POST", f"/tasks/{task['id']}/backfill", body, status=202).json
    assert begun["slots"] == begun["waiting"] == 3
    assert len(rows(panel.database, Run)) == 3
    (listed,) = api.get(f"/tasks/{task['id']}/backfills")["items"]
    assert listed["id"] == begun["id"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"first": "2026-11-28T09:00:00"}, "/first"),
        ({"first": 1}, "/first"),
        ({"first": "0001-01-01T00:00:00+14:00"}, "/first"),
        ({"last": "2000-01-01T00:00:00Z"}, "/last"),
        ({"parallel": 101}, "/parallel"),
    ],
)
def test_slots_that_cannot_be_run_again_are_refused(quick, change, pointer):
    task = made(quick, spec="@hourly")
    body = {"first": "2026-01-01T00:00:00Z", "last": "2026-01-01T09:00:00Z"} | change
    problem = quick.problem("POST", f"/tasks/{task['id']}/backfill", body)
    assert problem["errors"][0]["pointer"] == pointer


def test_a_viewer_changes_nothing(quick_panel, quick):
    path = f"/tasks/{made(quick)['id']}"
    viewer = with_token(quick_panel, Role.VIEWER)
    viewer.get(path)
    viewer.problem("POST", f"{path}/run", status=403)
    viewer.problem("PATCH", path, {"remark": "x"}, status=403)
    viewer.problem("POST", "/tasks", TASK | {"name": "x"}, status=403)
