"""When a task may run and what happens when it could not: what is understood, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gocron.core.definition import Refused, TaskDefinition, define
from gocron.core.states import Backoff, Misfire, Need, OnLost, Overlap

TASK = {"name": "a", "spec": "@daily", "command": "true"}
CHILD = {"name": "a", "depends_on": "b", "command": "true"}


def mistakes(fields: dict[str, Any]) -> list[str]:
    with pytest.raises(Refused) as refusal:
        define(fields)
    return [str(mistake) for mistake in refusal.value.mistakes]


# what is taken ----------------------------------------------------------------------------------


def test_a_task_that_says_nothing_has_policies_that_surprise_nobody():
    task = define(TASK)
    assert (task.misfire, task.misfire_grace, task.catch_up_limit) == (Misfire.RUN_ONCE, None, 100)
    assert (task.overlap, task.max_parallel, task.group) == (Overlap.SKIP, 0, "")
    assert (task.retry_times, task.retry_interval) == (0, 0)
    assert (task.retry_backoff, task.retry_on) == (Backoff.FIXED, ["failed", "timeout"])
    assert (task.on_lost, task.depends_on, task.parameters) == (OnLost.FAIL, {}, [])


@pytest.mark.parametrize(
    ("given", "field", "understood"),
    [
        ({"misfire": "run_all"}, "misfire", Misfire.RUN_ALL),
        ({"misfire_grace": "60"}, "misfire_grace", 60),
        ({"misfire_grace": ""}, "misfire_grace", None),
        ({"catch_up_limit": 1000}, "catch_up_limit", 1000),
        ({"overlap": "replace"}, "overlap", Overlap.REPLACE),
        ({"priority": "-100"}, "priority", -100),
        ({"group": " etl "}, "group", "etl"),
        ({"retry_times": "3"}, "retry_times", 3),
        ({"retry_times": 10}, "retry_times", 10),
        ({"retry_interval": 3600}, "retry_interval", 3600),
        ({"retry_interval": 0}, "retry_interval", 0),
        ({"retry_on": "lost, failed"}, "retry_on", ["failed", "lost"]),
        ({"retry_on": ["lost", "lost"]}, "retry_on", ["lost"]),
        ({"retry_on": ""}, "retry_on", []),
        ({"exclude_calendars": "holidays, freeze,"}, "exclude_calendars", ["freeze", "holidays"]),
        ({"exclude_calendars": [" b ", "a"]}, "exclude_calendars", ["a", "b"]),
        ({"require_calendars": "workdays"}, "require_calendars", ["workdays"]),
        ({"jitter": 3600}, "jitter", 3600),
        ({"starts_at": ""}, "starts_at", None),
    ],
)
def test_what_forms_and_files_write_is_understood(given, field, understood):
    assert getattr(define(TASK | given), field) == understood


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("b", {"b": Need.STRONG}),
        ("c, b", {"c": Need.STRONG, "b": Need.STRONG}),
        (["b", "with, comma"], {"b": Need.STRONG, "with, comma": Need.STRONG}),
        ({"b": "weak", " c ": "strong"}, {"b": Need.WEAK, "c": Need.STRONG}),
    ],
)
def test_what_a_task_depends_on_may_be_names_alone_which_are_strong(given, understood):
    assert define(CHILD | {"depends_on": given}).depends_on == understood


@pytest.mark.parametrize("spec", [{}, {"spec": ""}, {"spec": "  "}, {"spec": None}])
def test_the_schedule_may_be_empty_only_for_a_task_that_depends_on_others(spec):
    assert define(CHILD | spec).spec == ""
    without = {name: value for name, value in CHILD.items() if name != "depends_on"}
    assert mistakes(without | spec) == [
        "spec: is missing; every task has a name, a spec and a command"
    ]


@pytest.mark.parametrize(
    ("given", "instant"),
    [
        ({"starts_at": "2026-07-01T09:00"}, datetime(2026, 7, 1, 9, tzinfo=UTC)),
        (
            {"starts_at": "2026-07-01T09:00", "timezone": "Europe/Berlin"},
            datetime(2026, 7, 1, 7, tzinfo=UTC),
        ),
        (
            {"starts_at": "2026-12-01T09:00", "timezone": "Europe/Berlin"},
            datetime(2026, 12, 1, 8, tzinfo=UTC),
        ),
        (
            {"starts_at": datetime(2026, 7, 1, 9), "timezone": "Asia/Tokyo"},  # noqa: DTZ001
            datetime(2026, 7, 1, 0, tzinfo=UTC),
        ),
        (
            {"starts_at": "2026-07-01T09:00-04:00", "timezone": "Europe/Berlin"},
            datetime(2026, 7, 1, 13, tzinfo=UTC),
        ),
        ({"starts_at": " 2026-07-01 09:00:30Z "}, datetime(2026, 7, 1, 9, 0, 30, tzinfo=UTC)),
        ({"starts_at": "2026-07-01"}, datetime(2026, 7, 1, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_one_of_the_tasks_time_zone(given, instant):
    assert define(TASK | given).starts_at == instant
    assert define(TASK | {"ends_at": given["starts_at"]} | given).ends_at == instant


def test_a_window_may_be_a_single_moment():
    moment = "2026-07-01T09:00"
    task = define(TASK | {"starts_at": moment, "ends_at": moment})
    assert task.starts_at == task.ends_at


# what is refused --------------------------------------------------------------------------------

MOMENT = "must be empty or a time such as 2026-12-24T18:00 (ISO 8601), found"
NAMES = "must be at most 100 names of tasks, each of them strong or weak, found"
PARAMETER = {"name": "DAY", "default": "x"}


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        (
            {"misfire": "never"},
            "misfire: must be run_once, skip or run_all, found 'never'",
        ),
        (
            {"misfire_grace": 0},
            "misfire_grace: must be empty or a whole number of seconds from 1 to 86400, found 0",
        ),
        (
            {"misfire_grace": 86_401},
            "misfire_grace: must be empty or a whole number of seconds from 1 to 86400, "
            "found 86401",
        ),
        ({"catch_up_limit": 0}, "catch_up_limit: must be a whole number from 1 to 1000, found 0"),
        ({"overlap": "wait"}, "overlap: must be skip, parallel, queue or replace, found 'wait'"),
        ({"max_parallel": -1}, "max_parallel: must be a whole number from 0 to 1000, found -1"),
        ({"group": "a\nb"}, "group: must be one line without control characters"),
        (
            {"group": "x" * 65},
            f"group: must be a text of at most 64 characters, found '{'x' * 65}'",
        ),
        ({"priority": 101}, "priority: must be a whole number from -100 to 100, found 101"),
        ({"priority": -101}, "priority: must be a whole number from -100 to 100, found -101"),
        ({"retry_times": 11}, "retry_times: must be a whole number from 0 to 10, found 11"),
        (
            {"retry_interval": 3601},
            "retry_interval: must be a whole number of seconds from 0 (1, 2, 3 ... minutes) "
            "to 3600, found 3601",
        ),
        (
            {"retry_backoff": "linear"},
            "retry_backoff: must be fixed or exponential, found 'linear'",
        ),
        (
            {"retry_backoff": "exponential"},
            "retry_interval: must be at least 1 second for retry_backoff: exponential, found 0",
        ),
        (
            {"retry_jitter": "x"},
            "retry_jitter: must be a whole number of seconds from 0 to 3600, found 'x'",
        ),
        (
            {"retry_on": "failed, cancelled"},
            "retry_on: number 2: must be a list of failed, timeout and lost, found 'cancelled'",
        ),
        ({"retry_on": 5}, "retry_on: must be a list of failed, timeout and lost, found 5"),
        (
            {"retry_on": [], "retry_times": 1},
            "retry_on: is empty, so nothing would be retried; leave it out, or set retry_times "
            "to 0",
        ),
        ({"on_lost": "retry"}, "on_lost: must be fail or rerun, found 'retry'"),
        (
            {"jitter": 3601},
            "jitter: must be a whole number of seconds from 0 to 3600, found 3601",
        ),
        ({"starts_at": "tomorrow"}, f"starts_at: {MOMENT} 'tomorrow'"),
        ({"starts_at": "2026-02-30T00:00"}, f"starts_at: {MOMENT} '2026-02-30T00:00'"),
        ({"ends_at": 1_800_000_000}, f"ends_at: {MOMENT} 1800000000"),
        ({"ends_at": "1800000000"}, f"ends_at: {MOMENT} '1800000000'"),
        ({"ends_at": True}, f"ends_at: {MOMENT} true"),
        ({"ends_at": ["2026-01-01"]}, f"ends_at: {MOMENT} a list"),
        (
            {"starts_at": "0001-01-01T00:00+12:00"},
            "starts_at: must lie in the years 1970 to 8999, found 0001-01-01T00:00:00+12:00",
        ),
        (
            {"ends_at": "9999-12-31T23:59-12:00"},
            "ends_at: must lie in the years 1970 to 8999, found 9999-12-31T23:59:00-12:00",
        ),
        (
            {"starts_at": "2026-07-02T00:00", "ends_at": "2026-07-01T00:00"},
            "ends_at: lies before starts_at (2026-07-02T00:00:00+00:00)",
        ),
        (
            {"starts_at": "2026-07-01T09:00", "timezone": "Mars/Base"},
            "timezone: 'Mars/Base' is not known; IANA names are allowed, "
            "for example Europe/Berlin",
        ),
        (
            {"exclude_calendars": "a, b", "require_calendars": ["b"]},
            "require_calendars: b is excluded as well: no day would be left",
        ),
        (
            {"exclude_calendars": [7]},
            "exclude_calendars: number 1: must be a list of at most 20 names of calendars, "
            "found 7",
        ),
        (
            {"require_calendars": [str(number) for number in range(21)]},
            "require_calendars: must be a list of at most 20 names of calendars, found a list",
        ),
        ({"require_calendars": [" "]}, "require_calendars: the name of a calendar must not be "
                                       "blank"),
        (
            {"depends_on": "b"},
            "spec: a task that depends on others runs after them and has no schedule of its own; "
            "leave spec empty",
        ),
        (
            {"parameters": [{"name": "DAY"}]},
            "parameters: DAY: needs a default, because scheduled runs are given nothing else",
        ),
        (
            {"parameters": [PARAMETER, PARAMETER]},
            "parameters: DAY: there are two parameters of this name",
        ),
        (
            {"parameters": [PARAMETER], "environment": {"DAY": "x"}},
            "parameters: DAY: is a variable in environment as well",
        ),
        (
            {"parameters": [PARAMETER, {"name": "A B", "default": "x"}]},
            "parameters: number 2: 'A B' is not a name for an environment variable; letters, "
            "digits and _ are allowed, not beginning with a digit",
        ),
        (
            {"parameters": [PARAMETER | {"type": "int"}]},
            "parameters: number 1: type: must be text, integer, number, boolean or choice, "
            "found 'int'",
        ),
        (
            {"parameters": [PARAMETER | {"defualt": 1}]},
            "parameters: number 1: defualt: a parameter has no such field; did you mean default?",
        ),
        (
            {"parameters": [{"default": 1}]},
            "parameters: number 1: name: is missing; every parameter has a name",
        ),
        (
            {"parameters": [{"name": "A", "default": ["x"]}]},
            "parameters: number 1: default: must be a text, a number, true or false, found a list",
        ),
        (
            {"parameters": [{"name": "A", "type": "choice", "choices": [""]}]},
            "parameters: number 1: choices: must be a list of at most 100 texts of 1 to 256 "
            "characters, found ''",
        ),
        (
            {"parameters": "DAY"},
            "parameters: must be a list of at most 50 parameters, each with name, and if needed "
            "type, default, choices and remark, found 'DAY'",
        ),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_answered_with_field_finding_and_what_is_right(given, mistake):
    assert mistakes(TASK | given) == [mistake]


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ({"depends_on": "a"}, "depends_on: 'a' cannot depend on itself"),
        ({"depends_on": {"b": "weak", " a ": "weak"}}, "depends_on: 'a' cannot depend on itself"),
        (
            {"depends_on": {"b": "hard"}},
            f"depends_on: b: {NAMES} 'hard'",
        ),
        (
            {"depends_on": {"b": None}},
            f"depends_on: b: {NAMES} nothing",
        ),
        (
            {"depends_on": 5},
            f"depends_on: {NAMES} 5",
        ),
        ({"depends_on": {" ": "weak"}}, "depends_on: the name of a task must not be blank"),
        ({"depends_on": {"b": "weak", "b ": "strong"}}, "depends_on: names a task twice"),
        (
            {"depends_on": [str(number) for number in range(101)]},
            f"depends_on: {NAMES} a mapping",
        ),
    ],
)
def test_a_wrong_dependency_is_refused(given, mistake):
    assert mistakes(CHILD | given) == [mistake]


def test_a_very_long_name_is_shortened_in_what_is_said():
    (mistake,) = mistakes(CHILD | {"depends_on": {"x" * 5000: "weak"}})
    assert mistake.startswith("depends_on: 'xxxxxxxxxxxxxxxxxxxx'… (5000 characters): must be")
    assert len(mistake) < 200


@pytest.mark.parametrize(
    "given",
    [
        {"starts_at": "2026-07-01T09:00"},
        {"ends_at": "2026-07-01T09:00"},
        {"jitter": 1},
        {"exclude_calendars": "holidays"},
        {"require_calendars": "workdays"},
    ],
)
def test_what_only_a_schedule_can_have_is_refused_for_a_task_that_runs_after_others(given):
    (field,) = given
    assert mistakes(CHILD | given) == [
        f"{field}: has no effect on a task that runs after others; give it to those that it "
        "depends on"
    ]


@pytest.mark.parametrize(
    "field",
    [
        name
        for name, info in TaskDefinition.model_fields.items()
        if info.annotation in (int, int | None)
    ],
)
@pytest.mark.parametrize("truth", [True, False])
def test_true_is_no_number_in_any_field(field, truth):
    (mistake,) = mistakes(TASK | {field: truth})
    assert mistake == f"{field}: must be a whole number, found {str(truth).lower()}"


def test_parameters_without_a_default_are_for_tasks_that_others_or_people_start():
    assert define(CHILD | {"parameters": [{"name": "DAY"}]}).parameters[0].default is None


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"http_method": "POST"}, False),
        ({"http_method": "DELETE"}, False),
        ({"http_method": "GET"}, True),
        ({"http_method": "HEAD"}, True),
        ({"http_method": "POST", "http_body": "x"}, True),
    ],
)
def test_parameters_of_a_request_need_a_body_of_their_own(given, refused):
    fields = TASK | {"protocol": "http", "command": "http://x", "parameters": [PARAMETER]} | given
    if refused:
        (mistake,) = mistakes(fields)
        assert mistake.startswith("parameters: are sent as the JSON body of a request; choose POST")
    else:
        define(fields)


def test_several_contradictions_are_told_at_once():
    found = mistakes(
        CHILD
        | {"jitter": 1, "starts_at": "2026-07-02", "ends_at": "2026-07-01", "retry_backoff": "x"}
    )
    assert found == ["retry_backoff: must be fixed or exponential, found 'x'"]
    found = mistakes(CHILD | {"jitter": 1, "retry_times": 1, "retry_on": []})
    assert [mistake.split(":")[0] for mistake in found] == ["jitter", "retry_on"]


def test_times_are_kept_to_the_second_and_comparable():
    task = define(TASK | {"starts_at": "2026-07-01T09:00", "ends_at": "2026-07-01T11:00+01:00"})
    assert task.starts_at is not None
    assert task.ends_at is not None
    assert task.ends_at - task.starts_at == timedelta(hours=1)
