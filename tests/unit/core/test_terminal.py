"""Output as plain text: whatever a command prints, nothing of it is obeyed."""

from __future__ import annotations

import pytest

from gocron.core.terminal import plain


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38:2::255:0:0mred\x1b[m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice control\x1b\\text", "text"),
        ("\x1b(Btext\x1b=", "text"),
        ("\x1b[2J\x1b[10;20Htext", "text"),
        ("10 %\r20 %\r\nend\r", "10 %\n20 %\nend\n"),
        ("a\r\r\nb", "a\nb"),
        ("bell\x07 back\x08 delete\x7f", "bell\ufffd back\ufffd delete\ufffd"),
        ("a lone \x1b", "a lone \ufffd"),
        ("an open \x1b[31", "an open "),
        ("\x1b]0;a title without end\nnext line", "\nnext line"),
        ("\x1bPwithout end\nnext line", "\nnext line"),
        ("tab\tand line\n", "tab\tand line\n"),
        ("snowman ☃, ä, \U0001f600", "snowman ☃, ä, \U0001f600"),
    ],
)
def test_what_a_terminal_would_obey_is_left_out(printed, shown):
    assert plain(printed) == shown


def test_no_control_character_is_left():
    every = "".join(map(chr, range(0xA0)))
    left = {character for character in plain(every) if not character.isprintable()}
    assert left <= {"\n", "\t"}


def test_it_takes_linear_time():
    for pattern in ("\x1b[", "\x1b]", "\x1bP", "\r", "\x1b", "\x1b[0;"):
        assert len(plain(pattern * 100_000)) <= len(pattern) * 100_000
