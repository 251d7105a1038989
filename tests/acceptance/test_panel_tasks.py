"""Tasks in the panel: what is typed arrives, what is wrong is said, nothing typed is lost."""

from __future__ import annotations

import re

import pytest

from gocron.db import tasks
from gocron.db.models import AuditLog, Run, Task
from tests.helpers.panel import BASIC_TASK, TESTER, USER, field_of, form_values, words_of
from tests.helpers.rows import insert_run, insert_tasks, rows

HOSTILE = '<script>alert("1")</script>'


def the_task(panel):
    (row,) = rows(panel.database, Task)
    return row


def names_in(page: str) -> list[str]:
    return re.findall(r'<tr data-task="([^"]*)"', page)


def untouched(visitor, task_id: int):
    """What a browser would send if nobody touched the form of a task."""
    return form_values(visitor.get(f"/tasks/edit/?id={task_id}").text)


def test_an_empty_list_says_what_to_do(panel, visitor):
    page = visitor.text("/tasks/")
    assert "No tasks yet" in page
    assert "Create a task" in page
    assert "at nine on working days" in page
    assert "Create the first task" in visitor.text("/")


def test_a_created_task_is_scheduled_and_listed_and_audited(panel, visitor):
    answer = visitor.save_task(
        tag="nightly",
        environment="LEVEL=9\r\nEMPTY=\r\nEQUATION=a=b\r\n",
        command="one\r\ntwo\r\n",
        working_dir="/srv",
        timeout="60",
    )
    assert answer.location == "/tasks/"
    row = the_task(panel)
    assert (row.name, row.spec, row.timezone) == ("backup", "0 30 2 * * *", "Europe/Berlin")
    assert row.environment == {"LEVEL": "9", "EMPTY": "", "EQUATION": "a=b"}
    assert row.command == "one\ntwo\n"
    assert (row.enabled, row.revision, row.timeout) == (True, 1, 60)
    assert row.next_fire_at is not None
    page = visitor.text("/tasks/")
    assert "Task “backup” was created." in page
    for words in ("nightly", "0 30 2 * * *", "Europe/Berlin", "02:30:00", "shell", "1 task"):
        assert words in page
    audited = rows(panel.database, AuditLog)[-1]
    assert (audited.action, audited.target) == ("task.create", "backup")
    assert (audited.actor, audited.address, audited.node_name) == (USER, "127.0.0.1", "node1")


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("spec", "61 * * * * *", "61"),
        ("spec", "", "schedule"),
        ("timezone", "Europe/Berlim", "Europe/Berlin"),
        ("name", "   ", ""),
        ("name", "n" * 129, "128"),
        ("command", "", ""),
        ("timeout", "-1", "0"),
        ("timeout", "soon", "integer"),
        ("working_dir", "relative", ""),
        ("environment", "no equals sign", "line 1: 'no equals sign' is not name=value"),
        ("environment", "A=1\nA=2", "line 2: A is there twice"),
        ("environment", "GOCRON_X=1", "GOCRON_"),
        ("environment", '{"A": 1}', "texts in quotes"),
        ("environment", "{A}", "JSON"),
        ("http_statuses", "abc", "200-299,304"),
        ("success_pattern", "(", "regular expression"),
        ("overlap", "sideways", "valid choice"),
    ],
)
def test_what_is_wrong_is_said_next_to_the_field(quick_panel, field, typed, said):
    answer = quick_panel.administrator().save_task(**{"remark": "keep me", field: typed})
    assert answer.status_code == 200
    assert "is-invalid" in answer.text
    assert said.lower() in field_of(answer.text, field).lower()
    assert "The task was not saved" in answer.text
    assert "keep me" in answer.text
    assert rows(quick_panel.database, Task) == []


def test_all_mistakes_are_said_at_once(quick_panel):
    wrong = {"name": "", "spec": "61 * * * * *", "working_dir": "relative", "environment": "1A=x"}
    page = quick_panel.administrator().save_task(**wrong).text
    for field in wrong:
        assert "is-invalid" in page.split(f'data-field="{field}"')[1].split("data-field=")[0], field


def test_http_rules_are_said_next_to_the_field(quick_panel):
    visitor = quick_panel.administrator()
    page = visitor.save_task(protocol="http", command="backup.sh").text
    assert "needs a URL" in field_of(page, "command")
    page = visitor.save_task(protocol="http", command="https://example.org", timeout="301").text
    assert "300" in field_of(page, "timeout")


def test_a_name_that_is_taken_is_said_next_to_the_name(panel, visitor):
    panel.create_task()
    page = visitor.save_task(command="mine").text
    assert "taken" in field_of(page, "name")
    assert "mine" in page


def test_saving_an_untouched_form_changes_nothing(panel, visitor):
    task_id = panel.create_task(
        protocol="http",
        command="https://example.org/a?b=c",
        http_method="POST",
        http_headers={"X-One": "1", "X-Two": "a: b"},
        environment={"PLAIN": "x", "LINES": "a\nb", "BLANK": " padded "},
        http_body="line\nline",
        http_verify_tls=False,
        success_pattern="ok|fine",
        timeout=30,
        overlap="parallel",
        max_parallel=3,
        remark="r",
        tag="t",
    )
    before = the_task(panel)
    answer = visitor.post(f"/tasks/edit/?id={task_id}", untouched(visitor, task_id))
    assert answer.status_code == 302
    after = the_task(panel)
    same = set(before._fields) - {"revision", "updated_at"}
    assert {name: getattr(before, name) for name in same} == {
        name: getattr(after, name) for name in same
    }


def test_an_edit_replaces_the_definition(panel, visitor):
    task_id = panel.create_task()
    values = untouched(visitor, task_id) | {"spec": "0 0 4 * * *", "command": "echo new"}
    del values["enabled"]
    assert visitor.post(f"/tasks/edit/?id={task_id}", values).status_code == 302
    row = the_task(panel)
    assert (row.spec, row.command, row.enabled, row.revision) == (
        "0 0 4 * * *",
        "echo new",
        False,
        2,
    )
    assert row.next_fire_at is None


def test_two_who_edit_the_same_task_do_not_overwrite_each_other(panel, visitor):
    task_id = panel.create_task()
    mine = untouched(visitor, task_id) | {"command": "mine", "remark": "typed for long"}
    theirs = untouched(visitor, task_id) | {"command": "theirs"}
    assert visitor.post(f"/tasks/edit/?id={task_id}", theirs).status_code == 302
    answer = visitor.post(f"/tasks/edit/?id={task_id}", mine)
    assert answer.status_code == 200
    page = words_of(answer.text)
    assert "Somebody else changed this task" in page
    assert "theirs" in page
    assert "typed for long" in answer.text
    assert the_task(panel).command == "theirs"
    over = {"over": str(the_task(panel).revision)}
    assert visitor.post(f"/tasks/edit/?id={task_id}", mine | over).status_code == 302
    assert the_task(panel).command == "mine"
    # Somebody was quicker again: what they saw is not what is stored now.
    assert visitor.post(f"/tasks/edit/?id={task_id}", mine | over).status_code == 200


def test_what_was_typed_survives_the_delete_of_its_task(panel, visitor):
    task_id = panel.create_task()
    mine = untouched(visitor, task_id) | {"remark": "typed for long"}
    tasks.delete(panel.database, [task_id], TESTER)
    page = visitor.post(f"/tasks/edit/?id={task_id}", mine).text
    assert "Somebody deleted this task" in words_of(page)
    assert "typed for long" in page
    assert visitor.get(f"/tasks/edit/?id={task_id}").status_code == 404
    assert visitor.post("/tasks/new/", mine).status_code == 302
    assert the_task(panel).remark == "typed for long"


def test_a_copy_begins_disabled_and_with_everything_else(panel, visitor):
    task_id = panel.create_task(environment={"A": "1"}, remark="r")
    page = visitor.get(f"/tasks/new/?like={task_id}").text
    assert 'value="backup (copy)"' in page
    assert "A=1" in page
    assert re.search(r'<input(?![^>]*checked)[^>]*id="enabled"', page)
    assert visitor.get("/tasks/new/?like=nonsense").status_code == 200


def test_run_now_queues_a_run_and_shows_it(panel, visitor):
    task_id = panel.create_task(enabled=False)
    answer = visitor.post("/tasks/run/", {"id": task_id})
    (run,) = rows(panel.database, Run)
    assert answer.location == f"/runs/{run.id}/"
    assert (run.state, run.trigger_kind, run.triggered_by) == ("queued", "manual", USER)
    page = visitor.text(answer.location)
    assert "queued" in page
    assert f"{USER}, by hand" in page
    assert visitor.post("/tasks/run/", {"id": task_id + 1}).status_code == 404
    assert visitor.post("/tasks/run/", {"id": "x"}).status_code == 400


def test_tasks_are_disabled_and_enabled_one_by_one_or_together(panel, visitor):
    ids = [panel.create_task(name=f"task {number}") for number in range(3)]
    back = "/tasks/?sort=0&page_size=50"

    def act(action, chosen):
        return visitor.post("/tasks/action/", {"action": action, "rowid": chosen, "url": back})

    assert act("disable", ids[:1]).location == back
    assert [row.enabled for row in rows(panel.database, Task)] == [False, True, True]
    act("disable", ids)
    assert [row.next_fire_at for row in rows(panel.database, Task)] == [None] * 3
    assert "2 tasks were disabled" in visitor.text("/tasks/")
    act("enable", ids[1:])
    assert [row.enabled for row in rows(panel.database, Task)] == [False, True, True]
    act("enable", [])
    assert "Choose at least one task" in visitor.text("/tasks/")
    act("launch", ids)
    act("enable", ["x", "-1", "9" * 30, str(ids[0])])
    assert all(row.enabled for row in rows(panel.database, Task))


def test_nothing_is_deleted_before_it_was_asked_about(panel, visitor):
    ids = [panel.create_task(name=f"task {number}") for number in range(3)]
    asked = f"/tasks/delete/?id={ids[0]}&id={ids[1]}&url=/tasks/"
    page = visitor.text(asked)
    assert "Delete these tasks?" in page
    assert "task 0" in page
    assert "task 1" in page
    assert "task 2" not in page
    assert len(rows(panel.database, Task)) == 3
    assert visitor.post("/tasks/delete/", {"id": ids[:2]}).location == "/tasks/"
    assert [row.name for row in rows(panel.database, Task)] == ["task 2"]
    assert "2 tasks deleted." in visitor.text("/tasks/")
    assert visitor.get(asked).status_code == 404


def test_a_list_is_searched_filtered_sorted_and_paged(panel, visitor):
    insert_tasks(panel.database, [f"job {number:03}" for number in range(45)], tag="many")
    panel.create_task(name="odd one", tag="few", command="rsync -a")
    panel.create_task(name="web", protocol="http", command="https://example.org/", enabled=False)
    first = visitor.get("/tasks/").text
    assert names_in(first) == [f"job {number:03}" for number in range(20)]
    assert "47 tasks, page 1 of 3" in words_of(first)
    assert names_in(visitor.get("/tasks/?page=2").text)[-1] == "web"
    assert len(names_in(visitor.get("/tasks/?page_size=50").text)) == 47
    assert len(names_in(visitor.get("/tasks/?page_size=9999").text)) == 20
    assert names_in(visitor.get("/tasks/?sort=0&desc=1").text)[0] == "web"
    assert names_in(visitor.get("/tasks/?search=rsync").text) == ["odd one"]
    assert names_in(visitor.get("/tasks/?search=ODD").text) == ["odd one"]
    assert names_in(visitor.get("/tasks/?flt0_enabled_equals=0").text) == ["web"]
    assert names_in(visitor.get("/tasks/?flt1_protocol_equals=http").text) == ["web"]
    assert names_in(visitor.get("/tasks/?flt2_tag_equals=few").text) == ["odd one"]
    empty = "&".join(["flt0_enabled_equals=", "flt1_protocol_equals=", "flt2_tag_equals=few"])
    filtered = visitor.get(f"/tasks/?{empty}&search=odd").text
    assert names_in(filtered) == ["odd one"]
    assert '<option value="" selected>' in filtered
    assert re.search(r'<input[^>]*name="tag" value="few"', filtered)
    assert "No task fits" in visitor.text("/tasks/?search=nowhere")
    assert "There is no such page" in visitor.text("/tasks/?page=70")


ODD_ADDRESSES = (
    "/tasks/?page=-1",
    "/tasks/?page=99999999999999999999",
    "/tasks/?page_size=-5&sort=-1&desc=x",
    "/tasks/?sort=999",
    "/tasks/?search=%00%25_%5C'\"",
    "/tasks/?flt0_enabled_equals=maybe",
    "/tasks/?flt0_enabled_equals=%00",
    "/tasks/?flt9_none_equals=1&flt=1&flt0_=",
    "/tasks/?url=//evil.example&next=//evil.example",
    "/tasks/new/?like=99999999999999999999999",
    "/tasks/preview/",
    "/tasks/preview/?spec=%00&timezone=%00",
    "/runs/?before=99999999999999999999999",
    "/runs/?before=x&task=%00&state=nonsense&node=x",
    "/runs/?task=9999999999999999999999&node=9999999999999999999999",
    "/runs/?task=%25",
)


def test_odd_addresses_are_answered(panel, visitor):
    panel.create_task()
    for address in ODD_ADDRESSES:
        answer = visitor.get(address)
        assert answer.status_code == 200, address
        assert '="//evil.example' not in answer.text, address


MISSING = {
    "/tasks/edit/?id=x": 404,
    "/tasks/edit/?id=²": 404,
    "/tasks/edit/?id=99999999999999999999999": 404,
    "/tasks/edit/": 404,
    "/tasks/delete/": 400,
    "/tasks/delete/?id=9": 404,
    "/runs/99999999999999999999999/": 404,
    "/runs/-1/": 404,
    "/runs/9/tail": 404,
    "/runs/9/output.txt": 404,
}


def test_what_does_not_exist_is_said_to_be_missing(panel, visitor):
    for address, status in MISSING.items():
        assert visitor.get(address).status_code == status, address


def test_text_of_others_is_never_markup(panel, visitor):
    task_id = panel.create_task(
        name=HOSTILE, tag=HOSTILE, command=HOSTILE, remark=HOSTILE, environment={"A": HOSTILE}
    )
    insert_run(panel.database, task_id=task_id, task_name=HOSTILE, state="failed", reason=HOSTILE)
    run = visitor.post("/tasks/run/", {"id": task_id}).location
    for path in ("/", "/tasks/", f"/tasks/edit/?id={task_id}", f"/tasks/delete/?id={task_id}"):
        assert "<script>alert" not in visitor.get(path).text, path
    for path in ("/runs/", run, f"/tasks/?search={HOSTILE}", f"/runs/?task={HOSTILE}"):
        assert "<script>alert" not in visitor.get(path).text, path
    assert HOSTILE in visitor.text("/tasks/")


def test_the_list_shows_what_became_of_each_task_last(panel, visitor):
    task_id = panel.create_task()
    assert "failed" not in visitor.text("/tasks/")
    insert_run(panel.database, task_id=task_id, state="success", attempt=0)
    newest = insert_run(panel.database, task_id=task_id, state="failed", attempt=1)
    insert_run(panel.database, task_id=task_id, state="queued", attempt=2)
    page = visitor.get("/tasks/").text
    assert re.search(rf'href="/runs/{newest}/"><span class="badge bg-red-lt"[^>]*>failed', page)


def test_times_are_shown_in_the_zone_of_the_task(panel, visitor):
    panel.create_task(timezone="Asia/Tokyo", spec="0 0 9 * * *")
    panel.create_task(name="second", timezone="UTC", spec="CRON_TZ=Asia/Kolkata 0 0 9 * * *")
    page = visitor.get("/tasks/").text
    assert re.search(r'title="[\d-]+ 00:00:00\.000 UTC"[^>]*>[\d-]+ 09:00:00 <small[^>]*>JST', page)
    assert re.search(r'title="[\d-]+ 03:30:00\.000 UTC"[^>]*>[\d-]+ 09:00:00 <small[^>]*>IST', page)
    assert BASIC_TASK["name"] in page
