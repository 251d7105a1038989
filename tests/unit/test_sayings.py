"""Texts that remember how they were made."""

from __future__ import annotations

import pickle

from gocron.errors import InvalidTask
from gocron.sayings import Saying, inside, listed, placed, said, say, say_n


def test_a_saying_is_the_english_text():
    saying = say("value %(value)s is above %(most)s", value="'7'", most=5)
    assert saying == "value '7' is above 5"
    assert type(str(saying)) is str
    assert saying.template == "value %(value)s is above %(most)s"
    assert saying.values == {"value": "'7'", "most": 5}


def test_what_has_no_values_is_taken_as_it_is():
    assert say("a URL has no blanks; write %20") == "a URL has no blanks; write %20"


def test_one_and_many_are_counted():
    assert say_n("%(num)s run of %(task)s", "%(num)s runs of %(task)s", 1, task="a") == "1 run of a"
    assert say_n("%(num)s run of %(task)s", "%(num)s runs of %(task)s", 0, task="a") == (
        "0 runs of a"
    )


def test_a_place_within_a_place_is_said_from_outside_in():
    message = inside(["environment", "HOME"], say("must be a text"))
    assert message == "environment: HOME: must be a text"
    place, what = placed(message)
    assert (place, what) == ("environment", "HOME: must be a text")
    assert placed(what) == ("HOME", "must be a text")
    assert placed("plain: text") == ("", "plain: text")
    assert inside([], "as it is") == "as it is"


def test_words_are_listed():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b, c"


def test_an_error_gives_the_saying_back_that_it_was_raised_with():
    what = say("must be one line")
    error = InvalidTask("name", what)
    assert str(error) == "name: must be one line"
    assert error.message is what
    assert placed(said(error)) == ("name", what)
    assert said(ValueError(what)) is what
    assert said(KeyError("a")) == "'a'"
    assert not isinstance(said(ValueError("plain")), Saying)


def test_a_saying_survives_being_sent_to_another_process():
    saying = pickle.loads(pickle.dumps(say("exit code %(code)s", code=3)))  # noqa: S301
    assert (saying, saying.template, saying.values) == (
        "exit code 3",
        "exit code %(code)s",
        {"code": 3},
    )
