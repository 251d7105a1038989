"""Named parameters: what a task may declare, what a run may be given, what reaches a command."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gocron.core.parameters import (
    MOST_CHARACTERS,
    Kind,
    Parameter,
    as_environment,
    check,
    require_env_name,
    values_for,
)
from gocron.errors import InvalidTask

TEXT = Parameter(name="DAY")
INTEGER = Parameter(name="N", type=Kind.INTEGER)
NUMBER = Parameter(name="X", type=Kind.NUMBER)
BOOLEAN = Parameter(name="DRY", type=Kind.BOOLEAN)
CHOICE = Parameter(name="SIZE", type=Kind.CHOICE, choices=("small", "large"))


@pytest.mark.parametrize(
    ("parameter", "value", "understood"),
    [
        (TEXT, "", ""),
        (TEXT, " a\n$(reboot) ; ' ", " a\n$(reboot) ; ' "),
        (TEXT, "x" * MOST_CHARACTERS, "x" * MOST_CHARACTERS),
        (INTEGER, 5, 5),
        (INTEGER, " -007 ", -7),
        (INTEGER, "+5", 5),
        (INTEGER, "9" * 18, 10**18 - 1),
        (NUMBER, 5, 5),
        (NUMBER, "5", 5),
        (NUMBER, 2.5, 2.5),
        (NUMBER, "-.5e3", -500.0),
        (NUMBER, "2.", 2.0),
        (NUMBER, "1" * 19, 1111111111111111111.0),
        (BOOLEAN, True, True),
        (BOOLEAN, "Yes", True),
        (BOOLEAN, "1", True),
        (BOOLEAN, 0, False),
        (BOOLEAN, " no", False),
        (BOOLEAN, "FALSE", False),
        (CHOICE, "large", "large"),
    ],
)
def test_a_value_is_understood_as_what_it_is_meant_to_be(parameter, value, understood):
    found = check(parameter, value)
    assert (found, type(found)) == (understood, type(understood))


@pytest.mark.parametrize(
    ("parameter", "value", "words"),
    [
        (TEXT, 5, "must be a text, found 5"),
        (TEXT, True, "must be a text, found true"),
        (TEXT, "a\0b", "must not contain NUL characters"),
        (TEXT, "\ud800", "has characters that are none"),
        (TEXT, "x" * 4097, "must have at most 4096 characters, found 'xxxxxxxxxxxxxxxxxxxx'…"),
        (TEXT, None, "must be a text, a number, true or false, found nothing"),
        (TEXT, ["x"], "must be a text, a number, true or false, found a list"),
        (INTEGER, "1.0", "must be a whole number, found '1.0'"),
        (INTEGER, 1.0, "must be a whole number, found 1.0"),
        (INTEGER, True, "must be a whole number, found true"),
        (INTEGER, "", "must be a whole number, found ''"),
        (INTEGER, "0x10", "must be a whole number, found '0x10'"),
        (INTEGER, "\u0663", "must be a whole number"),
        (INTEGER, 10**18, "must be a whole number, found 1000000000000000000"),
        (NUMBER, "nan", "must be a number, found 'nan'"),
        (NUMBER, float("inf"), "must be a number, found inf"),
        (NUMBER, "1" * 400, "must be a number, found"),
        (NUMBER, "1e999", "must be a number, found '1e999'"),
        (NUMBER, "1,5", "must be a number, found '1,5'"),
        (NUMBER, False, "must be a number, found false"),
        (BOOLEAN, "maybe", "must be true or false, found 'maybe'"),
        (BOOLEAN, 2, "must be true or false, found 2"),
        (CHOICE, "Large", "must be small or large, found 'Large'"),
        (CHOICE, "", "must be small or large, found ''"),
    ],
)
def test_another_value_is_refused_with_what_was_found_and_what_is_right(parameter, value, words):
    with pytest.raises(ValueError, match=r"must|has") as refusal:
        check(parameter, value)
    assert str(refusal.value).startswith(words)


def test_a_number_that_takes_minutes_to_write_is_refused_before():
    for parameter in (TEXT, INTEGER, NUMBER, BOOLEAN):
        with pytest.raises(ValueError, match="has too many digits, found a far larger number"):
            check(parameter, 10**5000)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "1A"}, "'1A' is not a name for an environment variable"),
        ({"name": "A-B"}, "'A-B' is not a name for an environment variable"),
        ({"name": "GOCRON_RUN_ID"}, "names that start with GOCRON_ are gocron's own"),
        ({"name": "A", "type": "choice"}, "A: the type choice needs choices"),
        ({"name": "A", "choices": ["x"]}, "A: choices belong to the type choice, found text"),
        ({"name": "A", "type": "choice", "choices": ["x", "x"]}, "A: 'x' is twice among its"),
        ({"name": "A", "type": "choice", "choices": ["x\0"]}, "A: choices: must not contain NUL"),
        ({"name": "A", "type": "integer", "default": "x"}, "A: default: must be a whole number"),
        (
            {"name": "A", "type": "choice", "choices": "x, y", "default": "z"},
            "A: default: must be x or y, found 'z'",
        ),
    ],
)
def test_a_parameter_that_could_never_be_given_is_refused(fields, words):
    with pytest.raises(ValidationError) as refusal:
        Parameter.model_validate(fields)
    assert words in str(refusal.value)


def test_choices_may_be_given_as_one_text():
    found = Parameter.model_validate({"name": "A", "type": "choice", "choices": "small, large,"})
    assert found.choices == ("small", "large")


def test_a_run_is_given_what_was_said_and_defaults_for_the_rest():
    declared = [
        TEXT,
        Parameter(name="N", type=Kind.INTEGER, default="7"),
        Parameter(name="DRY", type=Kind.BOOLEAN, default=False),
    ]
    assert values_for(declared, {"DAY": "monday"}) == {"DAY": "monday", "N": 7, "DRY": False}
    assert values_for(declared, {"DAY": "", "N": "8", "DRY": "yes"}) == {
        "DAY": "",
        "N": 8,
        "DRY": True,
    }
    assert values_for([], {}) == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "DAY: has no default and must be given"),
        ({"DAY": None}, "DAY: has no default and must be given"),
        ({"DAY": "x", "DAI": "y"}, "there is no parameter 'DAI'; did you mean DAY?"),
        ({"DAY": "x", "zzz": "y"}, "there is no parameter 'zzz'; there are DAY, N"),
        ({"DAY": "x", "N": "y"}, "N: must be a whole number, found 'y'"),
    ],
)
def test_what_a_run_cannot_be_given_is_refused_by_the_name_of_the_parameter(given, words):
    with pytest.raises(InvalidTask) as refusal:
        values_for([TEXT, Parameter(name="N", type=Kind.INTEGER, default=1)], given)
    assert (refusal.value.field, refusal.value.message) == ("parameters", words)


def test_a_task_without_parameters_says_so():
    with pytest.raises(InvalidTask, match="there is no parameter 'DAY'; the task has none"):
        values_for([], {"DAY": "x"})


def test_a_command_is_told_texts():
    values = {"A": "x y", "B": 5, "C": 2.5, "D": True, "E": False}
    assert as_environment(values) == {"A": "x y", "B": "5", "C": "2.5", "D": "true", "E": "false"}


@pytest.mark.parametrize("name", ["A", "_", "a_1", "Gocron_X", "GOCRON"])
def test_a_name_that_an_environment_takes_is_taken(name):
    require_env_name(name)


@pytest.mark.parametrize("name", ["", "1", "A B", "A=", "Ä", "A\n", "GOCRON_", "GOCRON_X"])
def test_another_name_is_refused(name):
    with pytest.raises(ValueError, match=r"environment variable|gocron's own"):
        require_env_name(name)
