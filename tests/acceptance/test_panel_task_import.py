"""Importing and exporting tasks in the panel: the difference first, then all of it or nothing."""

from __future__ import annotations

import base64
import io
import re
import zlib
from typing import Any

from gocron.core.definition import TaskDefinition, define
from gocron.core.task_files import Form, parse
from gocron.db import groups, tasks
from gocron.db.models import AuditLog, Task
from tests.helpers.panel import TESTER, form_values, words_of
from tests.helpers.rows import insert_tasks, rows

FILE = """\
tasks:
  - name: new one
    spec: "@hourly"
    command: echo new
  - name: backup
    spec: 0 30 2 * * *
    timezone: Europe/Berlin
    command: tar cf - /etc
    timeout: 60
    environment: {TOKEN: hidden two, LEVEL: 9}
  - name: same
    spec: 0 30 2 * * *
    timezone: Europe/Berlin
    command: tar cf - /etc
"""


def upload(visitor, text: str | bytes, name: str = "tasks.yaml"):
    data = text.encode() if isinstance(text, str) else text
    answer = visitor.post("/tasks/import/", {"file": (io.BytesIO(data), name)})
    answer.request.environ["wsgi.input"].close()  # the client keeps what is large in a file
    return answer


def form_of(page: str) -> dict[str, Any]:
    return form_values(
        page.replace('<form class="form-foot"', '<form id="apply-form"'), "apply-form"
    )


def counts(page: str) -> dict[str, int]:
    return {kind: int(n) for kind, n in re.findall(r'data-count="(\w+)">(\d+)', page)}


def definitions(panel) -> dict[str, TaskDefinition]:
    return {
        row.name: define(
            {
                name: getattr(row, "concurrency_group" if name == "group" else name)
                for name in TaskDefinition.model_fields
            }
        )
        for row in rows(panel.database, Task)
    }


def test_a_file_is_compared_first_and_applied_then(panel, visitor):
    panel.create_task(environment={"TOKEN": "hidden one", "OLD": "1"})
    panel.create_task(name="same")
    answer = upload(visitor, FILE)
    assert answer.status_code == 200
    assert counts(answer.text) == {"new": 1, "changed": 1, "unchanged": 1, "wrong": 0}
    words = words_of(answer.text)
    assert "timeout 0 60" in words
    assert "environment TOKEN (another value), OLD TOKEN (another value), LEVEL" in words
    assert "hidden" not in words
    assert "@hourly UTC" in words  # the installation's time zone
    assert [row.name for row in rows(panel.database, Task)] == ["backup", "same"]
    done = visitor.post("/tasks/import/", form_of(answer.text))
    assert done.location == "/tasks/"
    assert "1 task was created, 1 was changed." in visitor.text("/tasks/")
    found = definitions(panel)
    assert found["backup"].timeout == 60
    assert found["backup"].environment == {"TOKEN": "hidden two", "LEVEL": "9"}
    assert found["new one"].command == "echo new"
    revisions = {row.name: row.revision for row in rows(panel.database, Task)}
    assert revisions == {"backup": 2, "same": 1, "new one": 1}
    actions = [line.action for line in rows(panel.database, AuditLog)]
    assert actions[-2:] == ["task.import", "task.edit"]
    again = upload(visitor, FILE)
    assert "Everything is already as the file says" in words_of(again.text)
    assert 'id="apply"' not in again.text


def test_what_changed_meanwhile_is_shown_before_anything_is_done(panel, visitor):
    task_id = panel.create_task()
    form = form_of(upload(visitor, FILE).text)
    tasks.set_enabled(panel.database, [task_id], False, TESTER)
    answer = visitor.post("/tasks/import/", form)
    assert answer.status_code == 200
    words = words_of(answer.text)
    assert "Tasks were changed since you were asked" in words
    assert "enabled no yes" in words
    assert len(rows(panel.database, Task)) == 1
    assert visitor.post("/tasks/import/", form_of(answer.text)).status_code == 302
    assert definitions(panel)["backup"].enabled


def test_a_task_that_somebody_makes_meanwhile_is_not_overwritten(panel, visitor):
    form = form_of(upload(visitor, FILE).text)
    panel.create_task(command="theirs")
    words = words_of(visitor.post("/tasks/import/", form).text)
    assert "Tasks were changed since you were asked" in words
    assert definitions(panel)["backup"].command == "theirs"


def test_what_a_task_names_and_what_does_not_exist_is_told_before_anything_is_applied(
    panel, visitor
):
    text = FILE.replace("timeout: 60", "group: unheard of")
    answer = upload(visitor, text)
    assert counts(answer.text)["wrong"] == 1
    cells = r'<td class="text-end">(\d+)</td><td class="wrap">(.*?)</td>'
    ((line, message),) = re.findall(cells, answer.text)
    assert "unheard of" in message
    assert text.splitlines()[int(line) - 1].startswith("  - name: backup")
    assert 'id="apply"' not in answer.text


def test_if_one_task_cannot_be_saved_none_is(panel, visitor):
    panel.create_task()
    groups.save(panel.database, "narrow", 1, "", TESTER)
    form = form_of(upload(visitor, FILE.replace("timeout: 60", "group: narrow")).text)
    groups.delete(panel.database, "narrow", TESTER)
    words = words_of(visitor.post("/tasks/import/", form).text)
    assert "there is no group" in words
    assert "narrow" in words
    assert list(definitions(panel)) == ["backup"]


def test_mistakes_are_told_with_line_and_field_and_nothing_can_be_applied(quick_panel):
    visitor = quick_panel.administrator()
    text = FILE + "  - name: <b>wrong</b>\n    spec: 61 * * * * *\n    command: x\n    color: red\n"
    answer = upload(visitor, text)
    assert counts(answer.text) == {"new": 3, "changed": 0, "unchanged": 0, "wrong": 2}
    assert re.search(r'<td class="text-end">16</td><td class="wrap">spec: ', answer.text)
    assert re.search(r'<td class="text-end">18</td><td class="wrap">color: ', answer.text)
    assert 'id="apply"' not in answer.text
    form = form_of(answer.text)
    assert visitor.post("/tasks/import/", form).status_code == 200
    assert rows(quick_panel.database, Task) == []


def test_csv_and_json_lines_are_read_too(quick_panel):
    visitor = quick_panel.administrator()
    csv = upload(visitor, "name,spec,command\na,@daily,echo a\n", "tasks.csv")
    jsonl = upload(visitor, '{"name": "b", "spec": "@daily", "command": "echo b"}\n', "x.jsonl")
    for answer in (csv, jsonl):
        assert visitor.post("/tasks/import/", form_of(answer.text)).status_code == 302
    assert [row.command for row in rows(quick_panel.database, Task)] == ["echo a", "echo b"]


def test_nothing_that_the_page_sends_back_is_trusted(quick_panel):
    visitor = quick_panel.administrator()
    form = form_of(upload(visitor, FILE).text)
    for wrong in (
        {"packed": "%%%"},
        {"packed": base64.b64encode(b"no zlib").decode()},
        {"packed": base64.b64encode(zlib.compress(b" " * 5_000_000)).decode()},
        {"form": "exe"},
    ):
        assert visitor.post("/tasks/import/", form | wrong).status_code == 400
    assert "since you were asked" in words_of(
        visitor.post("/tasks/import/", form | {"state": "x"}).text
    )
    another = FILE.replace("echo new", "echo other")
    form["packed"] = base64.b64encode(zlib.compress(another.encode())).decode()
    assert visitor.post("/tasks/import/", form).status_code == 302
    assert len(rows(quick_panel.database, Task)) == 3


def test_files_that_hold_nothing_or_too_much_are_refused_in_words(quick_panel):
    visitor = quick_panel.administrator()
    assert "Choose a file" in words_of(upload(visitor, "").text)
    assert "Choose a file" in words_of(visitor.post("/tasks/import/", {}).text)
    assert "There is no task" in words_of(upload(visitor, "tasks:\n").text)
    assert "more than 4 MiB" in words_of(upload(visitor, b"#" * (4 * 1024**2 + 1)).text)
    many = "name,spec,command\n" + "".join(f"t{n},@daily,x\n" for n in range(5001))
    answer = upload(visitor, many, "tasks.csv")
    assert "more than 5000 tasks" in words_of(answer.text)
    assert 'id="apply"' not in answer.text


def test_a_file_as_large_as_allowed_comes_back_from_the_page(quick_panel):
    """Random text cannot be packed: the field of the form is as long as it can be."""
    visitor = quick_panel.administrator()
    noise = base64.b64encode(bytes(range(256)) * 64).decode()
    lines = "".join(
        f'{{"name": "t{n}", "spec": "@daily", "command": "{n}{noise}"}}\n' for n in range(180)
    )
    assert 3_500_000 < len(lines) < 4 * 1024**2
    form = form_of(upload(visitor, lines, "a.jsonl").text)
    form["packed"] = base64.b64encode(zlib.compress(lines.encode(), 0)).decode()
    posted = visitor.post("/tasks/import/", form)
    assert posted.status_code == 302
    assert len(rows(quick_panel.database, Task)) == 180


def test_what_is_exported_is_imported_again_as_the_same_tasks(panel, visitor):
    panel.create_task(name="=cmd|' /C calc'!A0", tag="x", command="+1\n-2\n", remark="@r")
    panel.create_task(name="emoji 🎉", priority=-5, environment={"A": "=1"}, enabled=False)
    panel.create_task(name="after", spec="", depends_on={"emoji 🎉": "weak"}, command="'x'")
    before = definitions(panel)
    for form in Form.YAML, Form.CSV:
        answer = visitor.get(f"/tasks/export/?format={form}")
        assert answer.status_code == 200
        assert f".{form}" in answer.headers["Content-Disposition"]
        parsed = parse(answer.data, "it", form)
        assert {one.name: one for one in parsed.definitions} == before
        name = f"tasks.{form}"
        assert counts(upload(visitor, answer.data, name).text)["unchanged"] == 3
    tasks.delete(panel.database, [row.id for row in rows(panel.database, Task)], TESTER)
    page = upload(visitor, answer.data, "tasks.csv").text
    assert visitor.post("/tasks/import/", form_of(page)).status_code == 302
    assert definitions(panel) == before


def test_no_cell_of_an_exported_table_begins_as_a_formula(quick_panel):
    for number, text in enumerate(("=1+1", "+1", "-1", "@A1", "\t=1", "\r=1")):
        quick_panel.create_task(name=f"task {number}", command=text, remark=text)
    visitor = quick_panel.administrator()
    table = visitor.get("/tasks/export/?format=csv").text
    assert table.startswith("\ufeffname,")
    assert not re.search(r'(^|,)"?[=+\-@\t]', table, re.M)
    assert len(re.findall(r"'[=+\-@\t\r]", table)) == 12


def test_an_export_holds_what_the_filter_shows(panel, visitor):
    insert_tasks(panel.database, [f"job {number}" for number in range(7)], tag="many")
    panel.create_task(name="other")
    data = visitor.get("/tasks/export/?format=yaml&tag=many&search=job").data
    assert len(parse(data, "it", Form.YAML).definitions) == 7
    assert visitor.get("/tasks/export/?format=exe").status_code == 400
    empty = visitor.get("/tasks/export/?format=yaml&tag=none")
    assert empty.text == "tasks:\n"
