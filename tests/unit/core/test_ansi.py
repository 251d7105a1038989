"""Colours of output: classes from a list of ours, text that is only text."""

from __future__ import annotations

import re
import time

import pytest

from gocron.core.ansi import MOST_PARTS, paint
from gocron.core.terminal import plain


def painted(text: str) -> list[tuple[str, str]]:
    return [(part.text, part.classes) for part in paint(text).parts]


@pytest.mark.parametrize(
    ("printed", "parts"),
    [
        ("plain", [("plain", "")]),
        ("a\x1b[31mb\x1b[0mc", [("a", ""), ("b", "ansi-text-1"), ("c", "")]),
        ("\x9b32mgreen", [("green", "ansi-text-2")]),
        ("\x1b[1;91mx\x1b[22my", [("x", "ansi-bold ansi-text-9"), ("y", "ansi-text-9")]),
        ("\x1b[30;43mx\x1b[39;49my", [("x", "ansi-text-0 ansi-ground-3"), ("y", "")]),
        ("\x1b[100mx", [("x", "ansi-ground-8")]),
        ("\x1b[7mx\x1b[27my", [("x", "ansi-ground-7"), ("y", "")]),
        ("\x1b[7;31mx", [("x", "ansi-ground-1")]),
        ("\x1b[38;5;9mx", [("x", "ansi-text-9")]),
        ("\x1b[38;5;196mx", [("x", "ansi-text-9")]),
        ("\x1b[38;5;244mx", [("x", "ansi-text-8")]),
        ("\x1b[38;2;0;0;250;4mx", [("x", "ansi-underline ansi-text-12")]),
        ("\x1b[38:2::255:0:0mx", [("x", "ansi-text-9")]),
        ("\x1b[38:5:2mx", [("x", "ansi-text-2")]),
        ("\x1b[4:3mx\x1b[4:0my", [("x", "ansi-underline"), ("y", "")]),
        ("\x1b[38mx", [("x", "")]),
        ("\x1b[8mhidden", [("hidden", "")]),
        ("\x1b[31m\x1b[31mone part", [("one part", "ansi-text-1")]),
        ("\x1b[999999999mx", [("x", "")]),
        ("\x1b[2J\x1b]0;title\x07text", [("text", "")]),
        ("\x1b[31mred\r\x1b[0m\nnext", [("red", "ansi-text-1"), ("\nnext", "")]),
        ("a\r\x1b[0m\nb", [("a\nb", "")]),
    ],
)
def test_colours_become_classes(printed, parts):
    assert painted(printed) == parts


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_text_may_come_in_pieces(cut):
    whole = "a\x1b[1;31mred\x1b[44m on blue\r\n\x1b[38;5;200mpink\x1b[0m end\r\n"
    first = paint(whole[:cut])
    second = paint(first.carry + whole[cut:])
    letters = [
        (letter, part.classes) for part in (*first.parts, *second.parts) for letter in part.text
    ]
    expected = [(letter, part.classes) for part in paint(whole).parts for letter in part.text]
    assert letters == expected


def test_the_text_is_what_it_is_without_colours():
    text = "\x1b[31m<b>\x1b[0m & \x1b[1m\"'\x1b[m \x07 \x1b(B \u202e ä \U0001f600\n"
    assert paint(text).text == plain(text)


def test_no_class_is_made_of_what_was_printed():
    words = "\x1b[38;5;{0}m\x1b[{0};48;2;{0};{0};{0}mx"
    hostile = "".join(words.format(n) for n in (*range(300), "-1", '"', "<x", "0x1", "4:4"))
    for part in paint(hostile).parts:
        ours = r"(ansi-(bold|dim|italic|underline|strike|(text|ground)-\d+) ?)*"
        assert re.fullmatch(ours, part.classes)


def test_many_colours_cost_a_bounded_number_of_parts():
    found = paint("".join(f"\x1b[3{n % 7}m{n}" for n in range(3 * MOST_PARTS)))
    assert len(found.parts) == MOST_PARTS + 1
    assert found.text.endswith(str(3 * MOST_PARTS - 1))


@pytest.mark.parametrize("unit", ["\r", "\x1b", "\x1b[", "\x1b[31m", "\x1b]0;", "\x9b", "\r\x1b[m"])
def test_hostile_output_takes_no_more_than_a_moment(unit):
    began = time.process_time()
    paint(unit * (500_000 // len(unit)))
    assert time.process_time() - began < 5


def test_the_carry_stays_short():
    assert len(paint("\x1b[" + "1" * 100_000).carry) < 300
