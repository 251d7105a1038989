"""What a task may be, and what a wrong one is answered with."""

from __future__ import annotations

from typing import Any

import pytest

from gocron.core.definition import (
    LONGEST_ARGUMENT,
    NOT_YET,
    Refused,
    TaskDefinition,
    define,
    parse_statuses,
)
from gocron.core.states import Misfire, Overlap, Protocol
from gocron.errors import InvalidTask

SHELL = {"name": "a", "spec": "@daily", "command": "true"}
HTTP = SHELL | {"protocol": "http", "command": "https://example.org/"}


def _mistakes(fields: dict[str, Any]) -> list[str]:
    with pytest.raises(Refused) as refusal:
        define(fields)
    return [str(mistake) for mistake in refusal.value.mistakes]


# what is taken ----------------------------------------------------------------------------------


def test_name_spec_and_command_are_enough():
    task = define(SHELL)
    assert (task.protocol, task.overlap, task.misfire) == (
        Protocol.SHELL,
        Overlap.SKIP,
        Misfire.RUN_ONCE,
    )
    assert (task.timezone, task.timeout, task.enabled) == ("UTC", 0, True)


@pytest.mark.parametrize(
    ("given", "field", "understood"),
    [
        ({"protocol": 1, "command": "http://x"}, "protocol", "http"),
        ({"protocol": "2"}, "protocol", "shell"),
        ({"http_method": 2}, "http_method", "POST"),
        ({"http_method": "1"}, "http_method", "GET"),
        ({"multi": 1}, "overlap", "parallel"),
        ({"multi": "0"}, "overlap", "skip"),
        ({"status": 0}, "enabled", False),
        ({"status": "1"}, "enabled", True),
        ({"http_headers": '{"X-A": "1"}'}, "http_headers", {"X-A": "1"}),
        ({"http_headers": ""}, "http_headers", {}),
        ({"timeout": "30"}, "timeout", 30),
        ({"enabled": "no"}, "enabled", False),
        ({"timezone": None}, "timezone", "UTC"),
        ({"name": "  a b\u2003"}, "name", "a b"),
    ],
)
def test_what_gocron_and_files_write_is_understood(given, field, understood):
    assert getattr(define(SHELL | given), field) == understood


@pytest.mark.parametrize("field", NOT_YET)
def test_a_field_of_gocron_that_asks_for_nothing_is_passed_over(field):
    for nothing in NOT_YET[field]:
        assert define(SHELL | {field: nothing}) == define(SHELL)


def test_retries_are_supported_and_no_field_of_gocron_to_be_passed_over():
    assert not {"retry_times", "retry_interval", "depends_on"} & set(NOT_YET)
    assert not set(NOT_YET) & set(TaskDefinition.model_fields)


def test_a_definition_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        define(SHELL).name = "b"


def test_the_zone_may_stand_in_the_spec():
    assert define(SHELL | {"spec": "CRON_TZ=Asia/Tokyo 0 9 * * *"}).timezone == "UTC"


# what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": ""}, "name: must be a text of 1 to 128 characters, found ''"),
        ({"name": "   "}, "name: must not be blank"),
        ({"name": "x" * 129}, "found 'xxxxxxxxxxxxxxxxxxxx'… (129 characters)"),
        ({"name": "a\nb"}, "name: must be one line"),
        ({"name": 7}, "name: must be a text of 1 to 128 characters, found 7"),
        ({"name": "\ud800"}, "name: has characters that are none"),
        ({"tag": "a\x1b[1m"}, "tag: must be one line without control characters"),
        ({"command": ""}, "command: must be a text of 1 to 65535 characters"),
        ({"command": "a\0b"}, "command: must not contain NUL"),
        ({"command": "ö" * 65_535 + "x"}, "command: must be a text"),
        ({"working_dir": "tmp"}, "working_dir: must be empty or an absolute path"),
        ({"working_dir": "/a\0b"}, "working_dir: must be empty or an absolute path"),
        ({"working_dir": "/a\nb"}, "working_dir: must be empty or an absolute path"),
        ({"environment": {"1A": ""}}, "environment: '1A' is not a name for"),
        ({"environment": {"A B": ""}}, "environment: 'A B' is not a name for"),
        ({"environment": {"GOCRON_X": ""}}, "GOCRON_ are gocron's own"),
        ({"environment": {"A": "\0"}}, "environment: A: must not contain NUL"),
        ({"environment": {"A": 1}}, "environment: A: must be a text, found 1"),
        ({"environment": {"A": ["x"]}}, "environment: A: must be a text, found a list"),
        ({"environment": {"\ud800": ""}}, "is not a name for"),
        ({"environment": ["A"]}, "environment: must be a mapping of names to texts"),
        ({"environment": {f"A{n}": "" for n in range(201)}}, "at most 200 entries"),
        ({"environment": {"A": "x" * 66_000}}, "at most 65535"),
        ({"http_headers": {"X A": ""}}, "http_headers: 'X A' is not the name of an HTTP header"),
        ({"http_headers": {"X": "a\r\nY: b"}}, "http_headers: X: a header is one line"),
        ({"http_headers": "X: y"}, "http_headers: must be a mapping"),
        ({"http_headers": "[" * 100_000}, "http_headers: must be a mapping"),
        ({"http_method": "get"}, "must be GET, POST, PUT, PATCH, DELETE or HEAD, found 'get'"),
        ({"http_method": 3}, "must be GET, POST, PUT, PATCH, DELETE or HEAD, found 3"),
        ({"http_statuses": "200-"}, "http_statuses: '200-' is no status or range"),
        ({"http_statuses": "299-200"}, "http_statuses: '299-200' is no status"),
        ({"http_statuses": "\u0662\u0660\u0660"}, "is no status or range"),
        ({"success_pattern": "(a"}, "success_pattern: not a regular expression"),
        ({"success_pattern": "a{99999999999}"}, "success_pattern: not a regular expression"),
        ({"success_pattern": "\0"}, "success_pattern: must not contain NUL"),
        ({"timeout": -1}, "timeout: must be a whole number of seconds from 0 (none) to 86400"),
        ({"timeout": 86_401}, "found 86401"),
        ({"timeout": "1h"}, "found '1h'"),
        ({"timeout": 1.5}, "found 1.5"),
        ({"timeout": True}, "timeout: must be a whole number, found true"),
        ({"timeout": 10**5000}, "found a far larger number"),
        ({"protocol": "ftp"}, "protocol: must be shell or http, found 'ftp'"),
        ({"protocol": ["http"]}, "protocol: must be shell or http, found a list"),
        ({"protocol": True}, "protocol: must be shell or http, found true"),
        ({"misfire": 1}, "misfire: must be run_once, skip or run_all, found 1"),
        ({"enabled": "perhaps"}, "enabled: must be true or false"),
        ({"status": 2}, "status: must be true or false"),
        ({"status": 1, "enabled": True}, "status: says the same as enabled"),
        ({"multi": False}, "multi: must be 0 (one run at a time) or 1 (parallel), found false"),
        ({"multi": 2}, "multi: must be 0 (one run at a time) or 1 (parallel), found 2"),
        ({"multi": 1, "overlap": "skip"}, "multi: says the same as overlap"),
        ({"max_parallel": 1001}, "max_parallel: must be a whole number from 0 to 1000"),
        ({"comand": "x"}, "comand: there is no such field; did you mean command?"),
        ({"xyzzy": "x"}, "xyzzy: there is no such field; there are name, spec,"),
        ({"level": 2}, "level: is not supported by this version of gocron; say in depends_on"),
        ({"dependency_task_id": "5"}, "dependency_task_id: is not supported by this version"),
        ({"notify_type": 4}, "notify_type: is not supported by this version of gocron; leave it"),
        ({"spec": "61 * * * *"}, "spec: minute: '61' is out of the range 0-59"),
        ({"spec": "x" * 300}, "spec: must be a text of at most 255 characters"),
        ({"timezone": "Europe/Berln"}, "timezone: 'Europe/Berln' is not known"),
        ({"spec": "CRON_TZ=Mars/Base * * * * *"}, "spec: time zone: 'Mars/Base' is not known"),
    ],
)
def test_a_wrong_value_is_answered_with_field_finding_and_what_is_allowed(given, words):
    (mistake,) = _mistakes(SHELL | given)
    assert words in mistake
    assert "Input should" not in mistake
    assert len(mistake) < 500


@pytest.mark.parametrize("field", ["name", "spec", "command"])
def test_a_field_that_every_task_needs_is_missed(field):
    assert _mistakes({name: text for name, text in SHELL.items() if name != field}) == [
        f"{field}: is missing; every task has a name, a spec and a command"
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"command": "example.org"}, "command: an HTTP task needs a URL"),
        ({"command": "ftp://example.org"}, "command: an HTTP task needs a URL"),
        ({"command": "http://"}, "command: an HTTP task needs a URL"),
        ({"command": "http://x/a b"}, "command: a URL has no blanks"),
        ({"timeout": 301}, "timeout: at most 300 seconds for HTTP, found 301"),
    ],
)
def test_an_http_task_has_rules_of_its_own(given, words):
    (mistake,) = _mistakes(HTTP | given)
    assert mistake.startswith(words)


def test_a_command_that_linux_would_not_take_is_refused():
    define(SHELL | {"command": "x" * 65_535})
    fits = "ö" * (LONGEST_ARGUMENT // 2)
    assert len(fits.encode()) <= LONGEST_ARGUMENT
    # Three bytes a character: 65,535 of them are allowed as a text, and too long for exec.
    (mistake,) = _mistakes(SHELL | {"command": "☃" * 65_535})
    assert mistake.startswith("command: 196605 bytes are too long; at most 131071 for a shell")
    define(HTTP | {"http_body": "☃" * 65_535})


def test_all_mistakes_are_told_at_once_the_schedule_included():
    mistakes = _mistakes({"name": "", "spec": "0 25 * * *", "timeout": "x", "tga": "y", "multi": 7})
    assert [mistake.split(":")[0] for mistake in mistakes] == [
        "multi",
        "name",
        "command",
        "timeout",
        "tga",
        "spec",
    ]


def test_contradictions_and_a_wrong_schedule_are_told_together():
    mistakes = _mistakes(HTTP | {"command": "x", "timeout": 301, "spec": "* * *"})
    assert [mistake.split(":")[0] for mistake in mistakes] == ["command", "timeout", "spec"]


def test_the_first_field_at_fault_is_named_for_forms():
    with pytest.raises(InvalidTask) as refusal:
        define(SHELL | {"environment": {"A": 1}})
    assert refusal.value.field == "environment"
    assert refusal.value.message == "A: must be a text, found 1"


def test_a_definition_made_directly_is_checked_as_well():
    with pytest.raises(InvalidTask, match="time zone"):
        TaskDefinition(name="a", spec="CRON_TZ=x * * * * *", command="true")


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("200", ((200, 200),)),
        ("200-299, 304", ((200, 299), (304, 304))),
        ("100 - 599", ((100, 599),)),
    ],
)
def test_statuses_are_numbers_and_ranges(text, ranges):
    assert parse_statuses(text) == ranges


@pytest.mark.parametrize("text", ["", "99", "600", "2xx", "200,", "-200", "200--299", "1e2"])
def test_what_is_no_status_is_refused(text):
    with pytest.raises(ValueError, match="is no status or range"):
        parse_statuses(text)
