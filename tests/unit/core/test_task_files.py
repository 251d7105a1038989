"""Files of tasks: what is read, and where a mistake is said to be."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from gocron.core import task_files, task_yaml
from gocron.core.task_files import Form, form_of, parse
from gocron.errors import InvalidImport

TASK = {"name": "a", "spec": "@daily", "command": "true"}


def _yaml(text: str, **defaults: str) -> task_files.TaskFile:
    return parse(text.encode(), "tasks.yaml", Form.YAML, defaults)


def _jsonl(*lines: Any, **defaults: str) -> task_files.TaskFile:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return parse("\n".join(texts).encode(), "tasks.jsonl", Form.JSONL, defaults)


def _mistakes(data: bytes | str, form: Form) -> list[str]:
    with pytest.raises(InvalidImport) as refusal:
        parse(data if isinstance(data, bytes) else data.encode(), "file", form)
    first, *lines = str(refusal.value).split("\n  ")
    assert first.startswith("nothing was imported: ")
    return lines or [first]


# what is read -----------------------------------------------------------------------------------


def test_yaml_is_read_with_the_line_of_each_task():
    found = _yaml(
        """
# comment
tasks:
  - name: one
    spec: '@daily'
    command: |
      first
      second
  - {name: two, spec: 0 0 * * *, command: "x"}

  -
    command: y
    name: three
    spec: "*/5 * * * *"
"""
    )
    assert [task.name for task in found.definitions] == ["one", "two", "three"]
    assert found.lines == (4, 9, 12)
    assert found.definitions[0].command == "first\nsecond\n"


def test_json_lines_are_read_with_the_line_of_each_task():
    found = _jsonl(TASK, "", TASK | {"name": "b"}, "  \r", TASK | {"name": "c"})
    assert [task.name for task in found.definitions] == ["a", "b", "c"]
    assert found.lines == (1, 3, 5)


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("name: no", {"name": "no"}),
        ("name: 2030-01-01", {"name": "2030-01-01"}),
        ("name: 1e3", {"name": "1e3"}),
        ("command: 0777", {"command": "0777"}),
        ("command: 'null'", {"command": "null"}),
        ("timeout: 010", {"timeout": 10}),
        ("enabled: off", {"enabled": False}),
        ("enabled: No", {"enabled": False}),
        ("environment: {PORT: 8080, ON: yes}", {"environment": {"PORT": "8080", "ON": "yes"}}),
        ("environment: {}", {"environment": {}}),
        ("tag:", {"tag": ""}),
        ("tag: ~", {"tag": ""}),
        ("timeout: null", {"timeout": 0}),
        ("tag: ''", {"tag": ""}),
        ("remark: >\n    a\n    b", {"remark": "a b"}),
    ],
)
def test_yaml_values_are_taken_as_they_are_written_and_the_field_decides(written, understood):
    task = {"name": "x", "spec": "'@daily'", "command": "x"}
    task.pop(written.split(":")[0], None)
    lines = [*(f"{name}: {text}" for name, text in task.items()), written]
    (definition,) = _yaml("tasks:\n- " + "\n  ".join(lines)).definitions
    for field, value in understood.items():
        assert getattr(definition, field) == value


def test_policies_are_read_from_both_forms_alike():
    written = _yaml(
        """
tasks:
  - name: load
    spec: "@daily"
    command: x
    retry_times: 3
    retry_on: failed, lost
    exclude_calendars: [holidays, freeze]
    starts_at: 2026-07-01T09:00
    timezone: Europe/Berlin
    parameters:
      - {name: DAY, default: today}
      - name: SIZE
        type: choice
        choices: small, large
        default: small
  - name: report
    depends_on: {load: strong, check: weak}
    command: x
    misfire_grace:
"""
    )
    load = {
        "name": "load",
        "spec": "@daily",
        "command": "x",
        "retry_times": 3,
        "retry_on": ["failed", "lost"],
        "exclude_calendars": "freeze, holidays",
        "starts_at": "2026-07-01T07:00Z",
        "timezone": "Europe/Berlin",
        "parameters": [
            {"name": "DAY", "default": "today"},
            {"name": "SIZE", "type": "choice", "choices": ["small", "large"], "default": "small"},
        ],
    }
    report = {"name": "report", "command": "x", "depends_on": {"load": "strong", "check": "weak"}}
    assert written.definitions == _jsonl(load, report).definitions


def test_a_default_stands_in_for_a_field_that_is_not_given():
    tasks = [TASK, TASK | {"name": "b", "timezone": "UTC"}, TASK | {"name": "c", "timezone": None}]
    found = _jsonl(*tasks, timezone="Asia/Tokyo")
    assert [task.timezone for task in found.definitions] == ["Asia/Tokyo", "UTC", "Asia/Tokyo"]


def test_a_byte_order_mark_and_windows_line_ends_are_passed_over():
    document = "\ufefftasks:\r\n- name: a\r\n  spec: '@daily'\r\n  command: x\r\n"
    assert _yaml(document).lines == (2,)
    assert _jsonl("\ufeff" + json.dumps(TASK) + "\r").lines == (1,)


def test_line_separators_of_unicode_do_not_end_a_line():
    text = json.dumps(TASK | {"remark": "a\u2028b\u0085c"}, ensure_ascii=False)
    assert _jsonl(text).definitions[0].remark == "a\u2028b\u0085c"


@pytest.mark.parametrize(
    ("name", "data", "form"),
    [
        ("x.yaml", b"{}", Form.YAML),
        ("x.YML", b"{}", Form.YAML),
        ("x.jsonl", b"tasks:", Form.JSONL),
        ("x.ndjson", b"", Form.JSONL),
        ("x.json", b' \n{"name": 1}', Form.JSONL),
        ("-", b"\xef\xbb\xbf{", Form.JSONL),
        ("-", b"tasks:", Form.YAML),
        ("-", b"", Form.YAML),
    ],
)
def test_the_form_is_told_by_the_name_or_by_the_first_character(name, data, form):
    assert form_of(name, data) is form


# what is refused --------------------------------------------------------------------------------


def test_a_mistake_is_said_to_be_in_the_line_of_its_field():
    text = """tasks:
- name: a
  spec: 0 25 * * *
  command: x
  environment:
    GOOD: 1
    1BAD: 2
- name: b
  timeout: soon
  environment:
    A: [1]
"""
    assert [line.split(":")[:2] for line in _mistakes(text, Form.YAML)] == [
        ["line 3", " spec"],
        ["line 5", " environment"],
        ["line 8", " spec"],
        ["line 8", " command"],
        ["line 9", " timeout"],
        ["line 11", " environment"],
    ]


def test_a_mistake_inside_a_list_is_said_to_be_in_a_line_of_it():
    text = """tasks:
- name: a
  spec: '@daily'
  command: x
  retry_on:
  - failed
  - cancelled
  parameters:
  - {name: DAY, default: x}
  - {name: N, type: integer, default: x}
"""
    assert _mistakes(text, Form.YAML) == [
        "line 5: retry_on: number 2: must be a list of failed, timeout and lost, found 'cancelled'",
        "line 8: parameters: number 2: N: default: must be a whole number, found 'x'",
    ]


def test_an_alias_of_a_field_is_blamed_by_the_name_that_was_written():
    text = "tasks:\n- {name: a, spec: '@daily', command: x,\n   status: 7}\n"
    assert _mistakes(text, Form.YAML)[0].startswith("line 3: status: must be true or false")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: 1\n", "line 1: 'a' is not known here; the file is a mapping with a list under tasks:"),
        ("- name: a\n", "line 1: the file is a mapping with a list under tasks:"),
        ("just words", "line 1: the file is a mapping"),
        ("tasks: 5\n", "line 1: tasks holds a list"),
        ("tasks:\n  name: a\n", "line 2: tasks holds a list"),
        ("tasks:\n- a\n", "line 2: a task is a mapping (name: …, spec: …), found 'a'"),
        ("tasks:\n-\n", "line 2: a task is a mapping (name: …, spec: …), found nothing"),
        ("tasks: []\ntasks: []\n", "line 2: 'tasks' is given twice"),
        ("tasks: []\n---\ntasks: []\n", "line 2: a file holds one document"),
        ("tasks:\n- name: a\n  name: b\n", "line 3: 'name' is given twice"),
        ("tasks:\n- {? [a]: b}\n", "line 2: the name of a field is a text"),
        ("tasks:\n- name: &x a\n", "line 2: anchors (&) and aliases (*) are not allowed"),
        ("tasks: &x [a]\n", "line 1: anchors (&) and aliases (*) are not allowed"),
        ("tasks:\n- name: a\n  <<: *b\n", "line 3: anchors (&) and aliases (*) are not allowed"),
        ("tasks:\n- !!python/name:os.system x\n", "line 2: tags (tag:yaml.org,2002:python/name"),
        ("tasks:\n- name: ! a\n", "line 2: tags (!) are not allowed"),
        ("tasks:\n\t- name: a\n", "line 2: not YAML: found character that cannot start any token"),
        ("tasks:\n- command: a: b\n", "line 2: not YAML: mapping values are not allowed"),
        ("tasks:\n- name: 'a\n", "not YAML: found unexpected end of stream"),
        ("tasks:\n- name: a\x01\n", "line 2: not YAML: control characters are not allowed"),
        ("tasks:\n\n- name: \x00\n", "line 3: not YAML: control characters are not allowed"),
        ("tasks:\n- a: {b: {c: {d: {e: 1}}}}\n", "line 2: nested too deeply"),
        ("tasks:\n- [[[[[[1]]]]]]\n", "line 2: nested too deeply"),
    ],
)
def test_yaml_that_holds_no_tasks_is_refused(text, mistake):
    assert mistake in _mistakes(text, Form.YAML)[0]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("{", "line 1: not JSON: Expecting property name"),
        ('{"name": "a",}', "line 1: not JSON"),
        ("\n{\"name\": 'a'}", "line 2: not JSON: Expecting value (column 10)"),
        ("[1]", "line 1: a task is an object {…}, found a list"),
        ('"a"', "line 1: a task is an object {…}, found 'a'"),
        ('{"name": "a", "name": "b"}', "line 1: 'name' is given twice"),
        ('{"environment": {"A": "1", "A": "2"}}', "line 1: 'A' is given twice"),
        ('{"timeout": NaN}', "line 1: not JSON: NaN is no number"),
        ('{"timeout": -Infinity}', "line 1: not JSON: -Infinity is no number"),
        ('{"timeout": ' + "9" * 5000 + "}", "line 1: a number has too many digits"),
        ('{"a": ' + "[" * 100_000, "line 1: nested too deeply"),
        ('{"tasks": [{"name": "a"}]}', "line 1: JSON lines hold one task a line"),
        (json.dumps({str(n): 1 for n in range(2000)}), "line 1: 2000 fields are too many"),
        ('{"name": "\\ud800"}', "line 1: name: has characters that are none"),
    ],
)
def test_lines_that_hold_no_task_are_refused(text, mistake):
    assert any(line.startswith(mistake) for line in _mistakes(text, Form.JSONL))


@pytest.mark.parametrize("form", Form)
def test_a_file_without_a_task_is_refused(form):
    assert _mistakes("", form) == ["nothing was imported: there is no task in file"]


@pytest.mark.parametrize("form", Form)
def test_a_file_that_is_not_utf_8_is_refused_with_the_line(form):
    assert _mistakes(b"\n\n# caf\xe9\n", form) == [
        "line 3: byte 0xe9 is not UTF-8; save the file as UTF-8"
    ]


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(task_files, "LARGEST", 100)
    (mistake,) = _mistakes("x" * 101, Form.YAML)
    assert "101 bytes, at most 100 are allowed" in mistake


def test_a_name_that_stands_twice_is_told_with_both_lines():
    lines = [TASK, TASK | {"name": "b"}, TASK | {"name": " a "}, TASK]
    with pytest.raises(InvalidImport) as refusal:
        _jsonl(*lines)
    assert str(refusal.value).split("\n  ")[1:] == [
        "line 3: name: 'a' is also in line 1",
        "line 4: name: 'a' is also in line 1",
    ]
    twice = "tasks:\n- {name: a, spec: '@daily', command: x}\n-\n  spec: '@daily'\n"
    assert _mistakes(twice + "  command: x\n  name: a\n", Form.YAML) == [
        "line 6: name: 'a' is also in line 2"
    ]
    on_one_line = "tasks: [" + "{name: a, spec: '@daily', command: x}, " * 2 + "]"
    assert _mistakes(on_one_line, Form.YAML) == ["line 1: name: 'a' is also in line 1"]


def test_twenty_mistakes_are_told_and_the_others_counted():
    with pytest.raises(InvalidImport) as refusal:
        _jsonl(*[TASK | {"name": str(number), "spec": "x"} for number in range(30)])
    first, *lines = str(refusal.value).split("\n  ")
    assert first == "nothing was imported: tasks.jsonl has 30 mistakes"
    assert len(lines) == 21
    assert lines[19].startswith("line 20: ")
    assert lines[20] == "… and 10 more"


def test_lines_behind_a_broken_one_are_still_looked_at():
    assert [line.split(":")[0] for line in _mistakes("{\n{}\n[\n", Form.JSONL)] == [
        "line 1",
        *["line 2"] * 3,
        "line 3",
    ]


@pytest.mark.parametrize(
    "bomb",
    [
        "tasks:\n- " + "[" * 500_000,
        "tasks:\n- " + "{a: " * 200_000,
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "b: &b [*a,*a,*a,*a,*a,*a,*a]\n" * 50,
        "tasks:\n- {" + ", ".join(f"f{n}: 1" for n in range(200_000)) + "}",
    ],
)
def test_what_is_made_to_cost_much_is_refused_before_it_does(bomb):
    assert all(mistake.startswith("line ") for mistake in _mistakes(bomb, Form.YAML))


def test_without_libyaml_the_same_is_read_and_refused(monkeypatch):
    monkeypatch.setattr(task_yaml, "_LOADER", yaml.SafeLoader)
    assert _yaml("tasks:\n- {name: a, spec: '@daily', command: x}\n").lines == (2,)
    assert _mistakes("tasks:\n- name: a\n\tb", Form.YAML)[0].startswith("line 3: not YAML")
    assert _mistakes("tasks:\n- name: a\x01\n", Form.YAML)[0].startswith("line 2: not YAML")
    assert "anchors" in _mistakes("tasks: &x []\n", Form.YAML)[0]
