"""``gocron task …`` through the real command."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import Gocron, assert_refused
from tests.helpers.product import database_of

YAML = """
# Two tasks, one of each kind.
tasks:
  - name: Größe ☃
    spec: 0 30 2 * * *
    command: |
      cd /srv
      ./backup.sh
    tag: nightly
    environment: {LEVEL: 9, FULL: yes}
    timeout: 3600
  - name: ping
    spec: "@every 7d"
    protocol: http
    command: https://example.org/ping
    http_headers: {X-From: gocron}
    multi: 1
    status: 0
"""


@pytest.fixture
def gocron(tmp_path: Path) -> Gocron:
    """With empty tables."""
    made = Gocron(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"})
    made.must("migrate")
    return made


def _tasks(gocron: Gocron, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gocron.must("task", "list", "--json", *options))
    return found


def _lines(*tasks: dict[str, Any]) -> str:
    return "".join(
        json.dumps({"spec": "@daily", "command": "true"} | task) + "\n" for task in tasks
    )


def test_tasks_are_imported_changed_run_and_deleted(gocron, tmp_path):
    file = tmp_path / "tasks.yaml"
    file.write_text(YAML, encoding="utf-8")
    assert gocron.must("task", "import", str(file), GOCRON_TIMEZONE="Asia/Tokyo") == (
        "imported 2 tasks\n"
    )
    backup, ping = _tasks(gocron)
    assert backup["name"] == "Größe ☃"
    assert backup["command"] == "cd /srv\n./backup.sh\n"
    assert backup["environment"] == {"LEVEL": "9", "FULL": "yes"}
    assert (backup["timeout"], backup["enabled"], backup["timezone"]) == (3600, True, "Asia/Tokyo")
    assert datetime.fromisoformat(backup["next_fire_at"]).strftime("%H:%M:%S%Z") == "17:30:00UTC"
    assert backup["next_fire_at"].endswith("Z")
    assert (ping["protocol"], ping["overlap"], ping["enabled"]) == ("http", "parallel", False)
    assert ping["next_fire_at"] is None
    assert [task["name"] for task in _tasks(gocron, "--disabled")] == ["ping"]
    assert [task["name"] for task in _tasks(gocron, "--tag", "nightly")] == ["Größe ☃"]

    assert gocron.must("task", "enable", "ping", str(backup["id"])) == (
        "enabled 'ping'\n'Größe ☃' was enabled already\n"
    )
    gocron.must("task", "disable", "Größe ☃")
    assert [(task["name"], task["enabled"]) for task in _tasks(gocron)] == [
        ("Größe ☃", False),
        ("ping", True),
    ]
    assert gocron.must("task", "run", "Größe ☃", "ping") == (
        "run 1 of 'Größe ☃' is queued\nrun 2 of 'ping' is queued\n"
    )
    assert gocron.must("task", "delete", "--yes", "ping") == "deleted 'ping'\n"
    (runs, cancelled) = json.loads(gocron.must("run", "list", "--json"))[::-1]
    assert (runs["state"], runs["status"], runs["trigger"]) == ("queued", 1, "manual")
    assert (cancelled["state"], cancelled["status"]) == ("cancelled", 3)
    shown = json.loads(gocron.must("task", "show", "Größe ☃", "--json"))
    assert shown == _tasks(gocron)[0]


def test_tasks_are_imported_into_every_database_and_names_that_are_taken_are_refused(
    database_env, tmp_path
):
    gocron = Gocron(tmp_path, database_env)
    gocron.must("migrate")
    tasks = [{"name": f"task {number:04}", "tag": str(number % 2)} for number in range(1234)]
    assert gocron.must("task", "import", "-", stdin=_lines(*tasks)) == "imported 1234 tasks\n"
    said = gocron("task", "import", "-", stdin=_lines({"name": "new"}, tasks[7]))
    assert_refused(said, "nothing was imported", "line 2: name: 'task 0007' is taken")
    assert [task["name"] for task in _tasks(gocron)] == [task["name"] for task in tasks]
    table = gocron.must("task", "list", "--tag", "1").splitlines()
    assert len(table) == 1 + 1234 // 2
    assert len({line.index("@daily") for line in table[1:]}) == 1


def test_what_was_done_is_in_the_audit_log_with_the_user_of_the_system(gocron):
    gocron.must("task", "import", "-", stdin=_lines({"name": "a"}))
    gocron.must("task", "disable", "a")
    with database_of(gocron.environment) as database, database.read() as connection:
        rows = connection.exec_driver_sql("SELECT actor, action, target FROM audit_log").all()
    assert [(action, target) for _actor, action, target in rows] == [
        ("task.import", "1 tasks"),
        ("task.disable", "a"),
    ]
    assert all(actor.startswith("cli:") and len(actor) > 4 for actor, _action, _target in rows)


def test_nothing_is_changed_if_one_of_the_names_is_unknown(gocron):
    gocron.must("task", "import", "-", stdin=_lines({"name": "a"}))
    for command in (["disable"], ["delete", "--yes"], ["run"]):
        assert_refused(gocron("task", *command, "a", "nope"), "there is no task 'nope'")
    assert [task["enabled"] for task in _tasks(gocron)] == [True]
    assert json.loads(gocron.must("run", "list", "--json")) == []


def test_a_word_that_is_the_id_of_one_and_the_name_of_another_task_is_not_guessed(gocron):
    gocron.must("task", "import", "-", stdin=_lines({"name": "first"}, {"name": "1"}))
    assert_refused(gocron("task", "run", "1"), "id of task 'first'", "name of task 2")
    gocron.must("task", "run", "2")
    gocron.must("task", "run", "first")


def test_deleting_asks_unless_told_not_to(gocron):
    gocron.must("task", "import", "-", stdin=_lines({"name": "a"}, {"name": "b"}))
    said = gocron("task", "delete", "a", stdin="n\n")
    assert said.code == 1
    assert "Delete 'a'?" in said.out
    gocron.must("task", "delete", "a", stdin="y\n")
    assert [task["name"] for task in _tasks(gocron)] == ["b"]


def test_a_task_is_shown_field_by_field_without_what_a_terminal_obeys(gocron):
    evil = {"name": "a", "command": "printf '\x1b]0;pwned\x07'", "environment": {"A": "1", "B": ""}}
    gocron.must("task", "import", "-", stdin=_lines(evil))
    page = gocron.must("task", "show", "a")
    assert "\x1b" not in page
    assert re.search(r"^environment +A=1\n +B=\n", page, re.MULTILINE)
    assert re.search(r"^enabled +yes$", page, re.MULTILINE)


def test_the_form_of_a_file_is_told_by_its_name_or_by_the_option(gocron, tmp_path):
    document = tmp_path / "tasks.json"
    document.write_text(json.dumps({"tasks": [{"name": "a", "spec": "@daily", "command": "x"}]}))
    assert_refused(gocron("task", "import", str(document)), "--format yaml")
    gocron.must("task", "import", str(document), "--format", "yaml")
    assert [task["name"] for task in _tasks(gocron)] == ["a"]


def test_a_reader_that_goes_away_early_is_no_error_of_the_database(gocron):
    tasks = [{"name": f"task {number}"} for number in range(3000)]
    gocron.must("task", "import", "-", stdin=_lines(*tasks))
    said = gocron("task", "list", before=("sh", "-c", '"$@" | head -n 1', "sh"))
    assert said.out.startswith("ID ")
    assert said.err == ""
