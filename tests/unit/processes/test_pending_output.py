"""Output on its way to the database."""

from __future__ import annotations

import random

from gocron.execution.output import Changes
from gocron.processes import pending_output
from gocron.processes.pending_output import BATCH_CHARS, PendingOutput


def changes(*pieces: tuple[int, str], drop: list[int] | None = None) -> Changes:
    return Changes(list(pieces), drop or [])


def test_pieces_leave_in_the_order_they_came_and_stay_until_they_are_written():
    output = PendingOutput()
    assert not output
    output.put(1, changes((0, "a"), (1, "b")))
    output.put(2, changes((0, "c")))
    pieces, drops = output.batch()
    assert (pieces, drops) == ([(1, 0, "a"), (1, 1, "b"), (2, 0, "c")], [])
    assert output.batch() == (pieces, drops)
    output.put(1, changes((2, "later")))
    output.written(pieces, drops)
    assert output.batch() == ([(1, 2, "later")], [])
    output.written(*output.batch())
    assert not output


def test_an_empty_piece_is_not_worth_a_row():
    output = PendingOutput()
    output.put(1, changes((0, "")))
    assert not output


def test_no_batch_is_larger_than_a_packet_and_none_is_empty():
    chance = random.Random(1)
    output = PendingOutput()
    put = [(n % 7, n, "x" * chance.randrange(1, 16_000)) for n in range(500)]
    for run_id, seq, text in put:
        output.put(run_id, changes((seq, text)))
    left = []
    while output:
        pieces, drops = output.batch()
        assert pieces
        assert sum(len(text) for _, _, text in pieces) <= BATCH_CHARS
        left += pieces
        output.written(pieces, drops)
    assert left == put


def test_a_piece_is_never_added_after_it_was_dropped():
    output = PendingOutput()
    for seq in range(100):
        output.put(1, changes((seq, "x" * 16_000), drop=[seq - 1] if seq else []))
    stored: set[int] = set()
    while output:
        pieces, drops = output.batch()
        stored |= {seq for _, seq, _ in pieces}
        stored -= {seq for _, seq in drops}
        output.written(pieces, drops)
    assert stored == {99}


def test_drops_alone_are_written_too():
    output = PendingOutput()
    output.put(1, changes(drop=[4, 5]))
    assert output
    assert output.batch() == ([], [(1, 4), (1, 5)])


def test_while_nothing_can_be_written_memory_is_bounded_and_what_is_left_out_is_said(monkeypatch):
    monkeypatch.setattr(pending_output, "MOST_CHARS", 10_000)
    output = PendingOutput()
    for run_id in range(1000):
        output.put(run_id, changes((0, "x" * 900), (1, "y" * 900)))
    size = sum(len(text) for _, _, text in output.pieces)
    assert size < 10_000 + 1000 * 70
    assert output.pieces[0] == (0, 0, "x" * 900)
    assert [text for run_id, _, text in output.pieces if run_id == 999] == [
        "\n[gocron: more could not be kept, the database was away]\n"
    ]
    while output:
        output.written(*output.batch())
    output.put(1, changes((0, "x" * 9000)))
    assert output.batch() == ([(1, 0, "x" * 9000)], []), "there is room again"


def test_what_an_earlier_process_left_is_taken_up():
    output = PendingOutput()
    output.put_back([(1, 0, "a"), (1, 1, "")])
    assert output.batch() == ([(1, 0, "a")], [])
