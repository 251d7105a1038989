"""Parameters as lines: what was stored comes back as it was, what is wrong is named by its line."""

from __future__ import annotations

import pytest

from admin import parameter_lines
from gocron.core.parameters import Parameter


def stored(**fields):
    return Parameter.model_validate(fields).model_dump(mode="json")


PARAMETERS = [
    stored(name="DAY", default="2026-01-01"),
    stored(name="REQUIRED"),
    stored(name="EMPTY", default=""),
    stored(name="N", type="integer"),
    stored(name="N", type="integer", default=-5),
    stored(name="N", type="integer", default="5"),
    stored(name="N", type="integer", default=10**17),
    stored(name="X", type="number", default=2),
    stored(name="X", type="number", default=0.25),
    stored(name="X", type="number", default=1e-7),
    stored(name="X", type="number", default="1.50"),
    stored(name="B", type="boolean", default=True),
    stored(name="B", type="boolean", default="no"),
    stored(name="B", type="boolean", default="1"),
    stored(name="MODE", type="choice", choices=["full", "fast"], default="full", remark="how"),
    stored(name="MODE", type="choice", choices=["a, b", "(c)", ' "d', "#", "e=f"]),
    stored(name="T", default="  padded "),
    stored(name="T", default="two\nlines\r\n\ttab"),
    stored(name="T", default="#fff"),
    stored(name="T", default="a # b"),
    stored(name="T", default="# b"),
    stored(name="T", default="#"),
    stored(name="T", default='"quoted"'),
    stored(name="T", default='"'),
    stored(name="T", default="= x: y"),
    stored(name="T", default="5", remark='"so called" # and more'),
    stored(name="T", default="true", remark=" padded\n# twice "),
    stored(name="T", remark="= no default"),
    stored(name="T", default="ß ☃ \u2028 \x85"),
]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=str)
def test_a_parameter_survives_being_shown_and_sent_back(parameter):
    text = parameter_lines.write([parameter])
    assert "\n" not in text
    assert "\r" not in text
    (read,) = parameter_lines.read(text)
    again = stored(**read)
    assert again == parameter
    assert type(again["default"]) is type(parameter["default"])


def test_many_are_a_line_each():
    names = [f"P{number}" for number in range(50)]
    text = parameter_lines.write(stored(name=name) for name in names)
    assert [found["name"] for found in parameter_lines.read(text)] == names


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DAY", stored(name="DAY")),
        ("  DAY  :  TEXT  =  x y  ", stored(name="DAY", default="x y")),
        ("DAY=x", stored(name="DAY", default="x")),
        ("DAY =", stored(name="DAY", default="")),
        ("B: boolean = Yes # sure", stored(name="B", type="boolean", default=True, remark="sure")),
        ("M: choice ( a ,b)=b", stored(name="M", type="choice", choices=["a", "b"], default="b")),
        ("X: number = .5", stored(name="X", type="number", default=0.5)),
        ("DAY #", stored(name="DAY")),
    ],
)
def test_lines_may_be_written_loosely(line, expected):
    (read,) = parameter_lines.read(f"\n{line}\n\n")
    assert stored(**read) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A\n= 5", "line 2: '= 5' is no parameter; write for example NAME: text = default"),
        ("A: wood", "line 1: 'wood' is no type; it must be text, integer"),
        ("9: text", "line 1: '9' is not a name for an environment variable"),
        ("GOCRON_X", "GOCRON_"),
        ("a b", "line 1: 'b' is too much"),
        ("A: choice", "line 1: A: the type choice needs choices"),
        ("A: choice()", "line 1: "),
        ("A: choice(x, y", "line 1: the list of choices is not closed"),
        ("A: text(x)", "belong to the type choice"),
        ("A: choice(x, y) = z", "must be x or y, found 'z'"),
        ("A: integer = abc", "must be a whole number, found 'abc'"),
        ("A: integer =", "must be a whole number"),
        ('A = "open', "the quotes are not closed"),
        ('A = "closed" open', "'open' is too much"),
        ("A\n\nB\nA", "line 4: A is there already, in line 1"),
        ("A # " + "r" * 257, "line 1: remark: must be a text of at most 256 characters"),
        ("A" * 65, "line 1: name: must be a text of 1 to 64 characters"),
    ],
)
def test_mistakes_name_the_line(text, said):
    with pytest.raises(ValueError, match="line") as error:
        parameter_lines.read(text)
    assert said in str(error.value)
