"""The page of memory that the processes of a node share."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager

import pytest

from gocron import board as board_module
from gocron.board import CHILDREN, Board, ChildCell, TrustCell


@contextmanager
def forked(work: Callable[[], None]):
    """``work`` in a process of its own, which is killed at the end; its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def write_forever(board: Board) -> None:
    number = board.trust().term
    while True:
        number += 1
        board.write_trust(TrustCell(number, number * 1.5, -number, number * 2.0**-40))
        board.write_counters(number, -number)


def consistent(trust: TrustCell) -> bool:
    n = trust.term
    return trust == TrustCell(n, n * 1.5, -n, n * 2.0**-40)


def test_a_new_board_promises_nothing():
    board = Board()
    assert board.trust() == TrustCell()
    assert not board.trust().holds(0.0)
    assert not board.wanted_to_lead
    assert not board.stopping
    assert board.acting() == (0, 0.0)
    assert board.runner() == (0, 0, 0.0)
    assert board.ticks() == {"scheduler": 0.0, "runner": 0.0}
    assert board.counters() == (0, 0)
    assert {board.child(name) for name in CHILDREN} == {ChildCell()}


def test_every_cell_keeps_what_was_written_and_disturbs_no_other():
    board = Board()
    for _twice in range(2):
        board.write_trust(TrustCell(2**62, 1e9 + 0.25, 3.5, float("inf")))
        board.want(lead=True, stop=False)
        board.write_acting(7, 12.5)
        board.write_runner(501, 3, 99.5, 100.25)
        board.write_counters(4, 5)
        for number, name in enumerate(CHILDREN):
            board.write_child(name, ChildCell(number, 4_000_000 + number, number * 10))
    assert board.trust() == TrustCell(2**62, 1e9 + 0.25, 3.5, float("inf"))
    assert (board.wanted_to_lead, board.stopping) == (True, False)
    assert board.acting() == (7, 12.5)
    assert board.runner() == (501, 3, 99.5)
    assert board.ticks() == {"scheduler": 12.5, "runner": 100.25}
    assert board.counters() == (4, 5)
    for number, name in enumerate(CHILDREN):
        assert board.child(name) == ChildCell(number, 4_000_000 + number, number * 10)


def test_trust_holds_until_its_moment_and_not_in_it():
    trust = TrustCell(3, until=100.0)
    assert trust.holds(99.999)
    assert not trust.holds(100.0)


def test_a_forked_child_sees_what_its_parent_writes_and_the_other_way_round():
    board = Board()
    pid = os.fork()
    if pid == 0:
        board.write_acting(9, 1.0)
        os._exit(0 if board.counters() == (0, 0) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert board.acting() == (9, 1.0)


def test_a_reader_never_sees_half_of_what_is_being_written():
    board = Board()
    with forked(lambda: write_forever(board)):
        end = time.monotonic() + 1.5
        seen = newest = 0
        while time.monotonic() < end:
            trust = board.trust()
            assert consistent(trust), trust
            if trust.term:  # zeros are the answer of last resort, for a writer that does not go on
                assert trust.term >= newest, "it went back"
                newest = trust.term
            seen += 1
            elections, errors = board.counters()
            assert elections == -errors
    assert seen > 1000
    assert newest > 1000


def test_a_writer_killed_anywhere_leaves_a_consistent_cell_or_zeros_and_hangs_nobody():
    board, chance = Board(), random.Random(1)
    for _ in range(60):
        with forked(lambda: write_forever(board)):
            time.sleep(chance.uniform(0.001, 0.004))
        began = time.monotonic()
        trust = board.trust()
        assert time.monotonic() - began < 2.0
        assert consistent(trust), trust
        board.write_trust(TrustCell(1, 1.5, -1.0, 2.0**-40))
        assert board.trust().term == 1, "the next writer heals it"


def test_a_cell_whose_writer_died_within_it_reads_as_nothing_until_it_is_written_again(monkeypatch):
    monkeypatch.setattr(board_module, "PATIENCE_S", 0.0)
    board = Board()
    board.write_trust(TrustCell(5, 1e12, 2.0, 3.0))
    board.want(lead=True, stop=True)
    for cell in (0, 8):  # the versions of the trust cell and of the wanted cell
        board._versions[cell] |= 1
    assert board.trust() == TrustCell()
    assert not board.wanted_to_lead
    board.write_trust(TrustCell(6, 1e12, 2.0, 3.0))
    assert board.trust().term == 6


def test_a_reader_waits_for_a_writer_that_lost_its_processor():
    """On a busy machine a writer may stand still for some milliseconds within a cell: that is no
    reason to believe that leadership is over."""
    board = Board()
    board.write_trust(TrustCell(5, 1e12, 2.0, 3.0))

    def finish_writing() -> None:
        time.sleep(0.03)
        board._versions[0] += 1

    board._versions[0] |= 1
    with forked(finish_writing):
        assert board.trust().term == 5


@pytest.mark.parametrize("name", ["", "parent", "Elector"])
def test_only_known_children_have_a_cell(name):
    with pytest.raises(ValueError, match=r"not in tuple|is not in"):
        Board().child(name)
