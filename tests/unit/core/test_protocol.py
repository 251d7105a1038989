"""What children tell their parent."""

from __future__ import annotations

import select

import pytest

from gocron.core.protocol import (
    LONGEST_TEXT,
    Acting,
    Leading,
    NotLeading,
    Ready,
    StandingBy,
    Unable,
    decode,
    encode,
)

MESSAGES = [
    Ready(),
    Leading(2**62),
    NotLeading("released"),
    Acting(3),
    StandingBy(),
    Unable('a "text"\nwith ütf-8, NUL \0 and half a pair \udc80'),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message):
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == message


@pytest.mark.parametrize("character", ["x", "ü", "€", "😀", "\0", '"', "\\", "\udc80"])
def test_however_long_its_text_a_message_is_written_in_one_piece(character):
    line = encode(Unable(character * 100_000))
    assert len(line) <= select.PIPE_BUF
    assert decode(line) == Unable(character * LONGEST_TEXT)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_torn_anywhere_is_no_message(message):
    line = encode(message).rstrip(b"\n")
    assert not any(decode(line[:length]) for length in range(len(line)))


@pytest.mark.parametrize(
    "line",
    [
        b"", b"null", b"[]", b"7", b'"Ready"', b"{}", b'{"kind": "Nonsense"}', b'{"kind": []}',
        b'{"kind": "Leading"}', b'{"kind": "Ready", "term": 1}', b"\xff\xfe", b"\0" * 50,
        b'{"kind": "Lea{"kind": "Ready"}',
    ],
)  # fmt: skip
def test_a_line_that_makes_no_sense_is_passed_over(line):
    assert decode(line) is None
