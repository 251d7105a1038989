"""Mappings as lines: what was stored comes back as it was."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import MultiDict
from wtforms import Form

from admin.fields import PairsField, unix_lines


class Pairs(Form):
    environment = PairsField("Environment", separator="=")
    headers = PairsField("Headers", separator=": ")


@pytest.mark.parametrize(
    "pairs",
    [
        {},
        {"A": "1", "B": ""},
        {"EQUATION": "a=b=c"},
        {"BLANKS": "  both sides  "},
        {"LINES": "one\ntwo"},
        {"RETURN": "a\rb"},
        {"SEPARATOR": "a\u2028b"},
        {"QUOTES": "\"double\" 'single'"},
        {"{BRACE": "x"},
        {"COLON": "a: b"},
        {"Ümlaut": "ß"},
        {"A:B": "x"},
        {" PADDED ": "x"},
    ],
)
@pytest.mark.parametrize("name", ["environment", "headers"])
def test_a_mapping_survives_being_shown_and_sent_back(name, pairs):
    shown = Pairs(data={name: pairs})[name]._value()
    as_a_browser_sends_it = shown.replace("\r\n", "\n").replace("\n", "\r\n")
    form = Pairs(MultiDict({name: as_a_browser_sends_it}))
    assert form.validate(), form.errors
    assert form[name].data == pairs


def test_lines_are_understood_with_blanks_around_names():
    form = Pairs(MultiDict({"environment": "\r\n A = 1\r\n\r\nB=2", "headers": "X-A:1\nX-B :  2 "}))
    assert form.environment.data == {"A": " 1", "B": "2"}
    assert form.headers.data == {"X-A": "1", "X-B": "2"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("A=1\nnothing", "line 2: 'nothing' is not name=value"),
        ("=1", "line 1: '=1' is not name=value"),
        ("A=1\nA=2", "line 2: A is there twice"),
        ('{"A": 1}', "texts in quotes"),
        ('{"A": ', "is none"),
        ("{}x", "is none"),
    ],
)
def test_mistakes_are_named(typed, said):
    form = Pairs(MultiDict({"environment": typed}))
    assert not form.validate()
    assert said in form.environment.errors[0]
    assert form.environment._value() == typed


@pytest.mark.parametrize(
    ("typed", "kept"), [("a\r\nb", "a\nb"), ("a\rb", "a\nb"), ("a\nb", "a\nb"), (None, None)]
)
def test_line_ends_are_those_of_a_shell(typed, kept):
    assert unix_lines(typed) == kept
