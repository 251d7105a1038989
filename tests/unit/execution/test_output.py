"""What is kept of a run's output."""

from __future__ import annotations

import random
import re
import tracemalloc

import pytest

from gocron.execution.output import PIECE_CHARS, Changes, OutputKeeper

MARKER = re.compile(r"\n\[gocron: (\d+) bytes left out here\]\n")


class Stored:
    """What the database holds after all flushes."""

    def __init__(self) -> None:
        self.pieces: dict[int, str] = {}

    def apply(self, changes: Changes) -> None:
        for seq, text in changes.add:
            assert seq not in self.pieces, "a seq is written once"
            assert 0 < len(text) <= PIECE_CHARS
            assert len(text.encode()) <= 65_535, "MySQL would cut it off"
            self.pieces[seq] = text
        for seq in changes.drop:
            self.pieces.pop(seq, None)

    @property
    def text(self) -> str:
        return "".join(self.pieces[seq] for seq in sorted(self.pieces))

    @property
    def size(self) -> int:
        return sum(len(text.encode()) for text in self.pieces.values())

    def left_out(self) -> int:
        found = [match for text in self.pieces.values() if (match := MARKER.fullmatch(text))]
        assert len(found) <= 1
        return int(found[0][1]) if found else 0


def keep(data: bytes, limit: int, chance: random.Random | None = None) -> Stored:
    """Feed ``data``, in random pieces and with flushes in between if ``chance`` is given."""
    keeper, stored = OutputKeeper(limit), Stored()
    position = 0
    while position < len(data):
        length = len(data) if chance is None else chance.choice((1, 2, 3, 7, 64, 300, 5000))
        keeper.feed(data[position : position + length])
        position += length
        if chance is not None and chance.random() < 0.3:
            stored.apply(keeper.flush())
    stored.apply(keeper.flush(final=True))
    assert keeper.seen == len(data)
    assert not keeper.pending
    return stored


def words(chance: random.Random, size: int) -> bytes:
    """Text in characters of one to four bytes."""
    return "".join(chance.choices("ab \nüß€漢😀", k=size // 2)).encode()


def independent_bytes(chance: random.Random, size: int) -> bytes:
    """Each byte is a character, or is none, whatever stands beside it."""
    return bytes(chance.choices(b"abc\n\xff\0", k=size))


def shown(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\0", "\u2400")


@pytest.mark.parametrize("kind", ["text", "bytes"])
def test_output_below_the_limit_is_kept_whole_however_it_comes(kind):
    for seed in range(300):
        chance = random.Random(seed)
        limit = chance.choice((1024, 1025, 4096))
        size = chance.randrange(limit + 1)
        data = words(chance, size)[:limit] if kind == "text" else chance.randbytes(size)
        assert keep(data, limit, chance).text == shown(data), seed


@pytest.mark.parametrize("flushes", [True, False])
def test_of_more_the_head_and_the_tail_are_kept_and_how_much_lies_between(flushes):
    for seed in range(300):
        chance = random.Random(seed)
        limit = chance.choice((1024, 1025, 4096))
        data = independent_bytes(chance, limit + chance.randrange(1, 4 * limit))
        stored = keep(data, limit, chance if flushes else None)
        head, left_out = limit // 2, stored.left_out()
        tail = len(data) - head - left_out
        assert limit - head <= tail <= 2 * (limit - head), "a tail window, and one flush at most"
        marker = f"\n[gocron: {left_out} bytes left out here]\n" if left_out else ""
        expected = shown(data[:head]) + marker + shown(data[len(data) - tail :])
        assert stored.text == expected, seed
        if not flushes:
            assert tail == limit - head


def test_a_character_torn_by_pieces_flushes_or_the_middle_is_whole_again():
    for seed in range(200):
        chance = random.Random(seed)
        data = words(chance, chance.randrange(2000))
        stored = keep(data, 4096, chance)
        assert stored.text == data.decode(), seed
        assert "\ufffd" not in stored.text


def test_at_the_edges_of_what_was_left_out_at_most_one_character_suffers():
    for seed in range(200):
        chance = random.Random(seed)
        data = words(chance, 12_000)
        stored = keep(data, 1024, chance)
        head, _, tail = MARKER.split(stored.text)
        assert data.decode().startswith(head)
        assert len(head.encode()) > 512 - 4
        whole = tail.lstrip("\ufffd")
        assert data.decode().endswith(whole)
        assert len(tail) - len(whole) <= 3
        assert "\ufffd" not in whole


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"plain", "plain"),
        (b"a\0b\0", "a\u2400b\u2400"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"gr\xfc\xdfe", "gr\ufffd\ufffde"),
        (b"cut \xe2\x82", "cut \ufffd"),
        (b"cut \xf0", "cut \ufffd"),
        (b"\xed\xb2\x80", "\ufffd\ufffd\ufffd"),
        (b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    ],
)
def test_what_no_database_stores_is_shown_by_a_sign(data, text):
    assert keep(data, 1024).text == text
    assert keep(data, 1024, random.Random(3)).text == text


def test_the_last_character_may_be_torn_although_everything_else_was_flushed():
    keeper, stored = OutputKeeper(1024), Stored()
    keeper.feed(b"x" * 600 + b"\xe2\x82")
    stored.apply(keeper.flush())
    stored.apply(keeper.flush(final=True))
    assert stored.text == "x" * 600 + "\ufffd"


@pytest.mark.parametrize("limit", [1024, 1024**2])
def test_exactly_the_limit_is_not_cut_and_one_byte_more_is(limit):
    data = bytes(random.Random(1).choices(b"abcdefgh\n", k=limit + 1))
    assert keep(data[:limit], limit).text == data[:limit].decode()
    stored = keep(data, limit)
    assert stored.left_out() == 1


def test_a_gigabyte_costs_no_memory_and_little_storage():
    limit, piece = 1024**2, b"0123456789abcde\n" * 4096
    keeper, stored = OutputKeeper(limit), Stored()
    tracemalloc.start()
    try:
        for number in range(16 * 1024):
            keeper.feed(piece)
            if number % 512 == 0:
                stored.apply(keeper.flush())
                assert stored.size <= 1.5 * limit
        stored.apply(keeper.flush(final=True))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert keeper.seen == 1024**3
    assert peak < 12 * limit
    assert stored.size <= 1.5 * limit + 100
    assert stored.left_out() == 1024**3 - limit


def test_while_the_database_takes_nothing_memory_is_bounded_too():
    keeper = OutputKeeper(1024**2)
    tracemalloc.start()
    try:
        for _ in range(2048):
            keeper.feed(b"x" * 65_536)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 3 * 1024**2


def test_one_endless_line_is_kept_in_pieces_that_fit_everywhere():
    stored = keep("€".encode() * 400_000, 1024**2, None)
    assert len(stored.pieces) > 10
    assert stored.text.count("€") > 340_000


def test_a_flush_in_between_shows_what_came_so_far():
    keeper, stored = OutputKeeper(1024), Stored()
    for number in range(20):
        keeper.feed(f"line {number}\n".encode())
        assert keeper.pending
        stored.apply(keeper.flush())
        assert stored.text.endswith(f"line {number}\n")
        assert not keeper.pending
    assert stored.text.startswith("line 0\n")


def test_the_end_of_a_long_output_can_be_read_while_it_goes_on():
    keeper, stored = OutputKeeper(1024), Stored()
    for number in range(5000):
        keeper.feed(f"line {number}\n".encode())
        if number % 10 == 9:
            stored.apply(keeper.flush())
            assert stored.text.endswith(f"line {number}\n")
            assert stored.size <= 1536
    assert stored.text.startswith("line 0\n")


def test_nothing_new_writes_nothing():
    keeper = OutputKeeper(1024)
    assert keeper.flush() == Changes()
    keeper.feed(b"x" * 2000)
    keeper.flush()
    assert keeper.flush() == Changes()
