"""A look that takes too long keeps nobody waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gocron.web.lookout import Lookout, NoAnswer

PATIENT_S = 10.0


class Database:
    """Answers when it is let go, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.being_asked = threading.Semaphore(0)
        self.go = threading.Event()

    def look(self) -> int:
        self.asked += 1
        self.being_asked.release()
        assert self.go.wait(PATIENT_S)
        return self.asked


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database()
    yield database
    database.go.set()


def test_an_answer_in_time_is_the_answer(database):
    database.go.set()
    lookout = Lookout("test", database.look, PATIENT_S)
    assert [lookout.answer(), lookout.answer()] == [1, 2]
    lookout.close()


def test_a_look_that_takes_too_long_is_given_up_on_and_its_answer_taken_by_the_next(database):
    lookout = Lookout("test", database.look, 0.01)
    for _ in range(3):
        with pytest.raises(NoAnswer, match=r"no answer within 0\.01 s"):
            lookout.answer()
    assert database.asked == 1
    patient = Lookout("test", lambda: 7, PATIENT_S)
    assert patient.answer() == 7, "one that hangs does not keep another waiting"
    database.go.set()
    for each in (lookout, patient):
        each.close()


def test_those_who_ask_meanwhile_share_one_look(database):
    lookout = Lookout("test", database.look, PATIENT_S)
    with ThreadPoolExecutor(4) as callers:
        answers = [callers.submit(lookout.answer) for _ in range(4)]
        assert database.being_asked.acquire(timeout=PATIENT_S)
        database.go.set()
        assert {answer.result(PATIENT_S) for answer in answers} <= {1, 2, 3, 4}
        assert answers[0].result(PATIENT_S) == 1
    lookout.close()


def test_an_error_of_the_look_is_the_callers_and_the_next_look_is_a_new_one():
    outcomes: list[int | Exception] = [ConnectionRefusedError("nobody there"), TimeoutError("x"), 5]

    def look() -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    lookout = Lookout("test", look, PATIENT_S)
    with pytest.raises(ConnectionRefusedError):
        lookout.answer()
    with pytest.raises(TimeoutError, match="x"):
        lookout.answer()
    assert lookout.answer() == 5
    lookout.close()
