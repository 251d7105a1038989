"""The environment of a command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gocron.execution.environment import DEFAULT_PATH, INHERITED, build, facts
from tests.unit.execution.carrying_out import JOB, job

DAEMON = {
    "PATH": "/opt/bin:/usr/bin",
    "HOME": "/home/gocron",
    "LANG": "C.UTF-8",
    "GOCRON_DB_PASSWORD": "secret",
    "GOCRON_AUTH_SECRET": "secret",
    "GOCRON_TASK_ID": "666",
    "PGPASSWORD": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "LD_PRELOAD": "/tmp/evil.so",
    "http_proxy": "http://user:secret@proxy",
}

FACTS = {
    "GOCRON_TASK_ID": "5",
    "GOCRON_TASK_NAME": "a report",
    "GOCRON_RUN_ID": "71",
    "GOCRON_SCHEDULED_AT": "2026-05-01T12:00:30Z",
    "GOCRON_ATTEMPT": "2",
    "GOCRON_NODE": "node-a:5920",
    "GOCRON_TERM": "9",
}


def test_a_command_sees_the_allow_list_and_the_facts_of_its_run_and_nothing_else():
    allowed = {name: DAEMON[name] for name in ("PATH", "HOME", "LANG")}
    assert build(JOB, DAEMON) == allowed | FACTS


def test_no_password_of_the_daemon_is_on_the_allow_list():
    everything = dict.fromkeys([*DAEMON, *INHERITED, "GOCRON_ALLOW_ROOT"], "secret")
    assert set(build(JOB, everything)) == set(INHERITED) | set(FACTS)


def test_a_tasks_own_variables_win_over_the_daemons_but_not_over_the_facts():
    own = {"PATH": "/mine", "COLOUR": "blue", "GOCRON_RUN_ID": "1"}
    env = build(job("x", environment=own), DAEMON)
    assert (env["PATH"], env["COLOUR"], env["GOCRON_RUN_ID"]) == ("/mine", "blue", "71")


def test_without_a_path_commands_are_still_found():
    assert build(JOB, {})["PATH"] == DEFAULT_PATH


@pytest.mark.parametrize(
    ("slot", "text"),
    [
        (datetime(2026, 5, 1, 12, tzinfo=UTC), "2026-05-01T12:00:00Z"),
        (datetime(2026, 5, 1, 12, 0, 0, 250_000, UTC), "2026-05-01T12:00:00.250000Z"),
        (
            datetime(2026, 5, 1, 17, 45, tzinfo=timezone(timedelta(hours=5, minutes=45))),
            "2026-05-01T12:00:00Z",
        ),
    ],
)
def test_the_slot_is_told_in_utc(slot, text):
    assert facts(job("x", scheduled_at=slot))["GOCRON_SCHEDULED_AT"] == text
