"""Whose turn it is: what is on time must not wait for what is caught up on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gocron.core.states import Trigger
from gocron.db.runs import QueuedWork
from gocron.processes.waiting import CATCH_UP_AT_A_TIME, CLEAR_S, REST, STARVED_S, Waiting
from tests.unit.processes.queued_work import work

NOW = 1_800_000_000.0


def due(run_id: int, at: float, *, late: bool = False) -> QueuedWork:
    moment = datetime.fromtimestamp(at, UTC)
    trigger = Trigger.CATCH_UP if late else Trigger.SCHEDULE
    return work(run_id, scheduled_at=moment, start_at=moment, trigger=trigger)


def waiting(*works: QueuedWork) -> Waiting:
    line = Waiting()
    for each in works:
        line.add(each)
    return line


def taken(line: Waiting, now: float) -> list[int]:
    return [each.id for each in line.take_due(now, 1000)]


def test_what_is_on_time_is_started_alone_and_then_a_few_of_what_is_caught_up_on() -> None:
    late = [due(number, NOW - 100, late=True) for number in range(10)]
    line = waiting(*late, due(50, NOW - 0.01))
    line.caught_up(NOW - STARVED_S / 2, NOW - STARVED_S / 2)
    assert taken(line, NOW) == [50]
    assert taken(line, NOW) == [*range(CATCH_UP_AT_A_TIME)]


def test_nothing_is_caught_up_on_shortly_before_a_slot_and_the_slot_is_waited_for() -> None:
    soon = NOW + CLEAR_S / 2
    line = waiting(due(1, NOW - 100, late=True), due(50, soon))
    line.caught_up(NOW - STARVED_S / 2, NOW - STARVED_S / 2)
    assert taken(line, NOW) == []
    assert line.next_at(NOW) == soon
    assert taken(line, soon) == [50]
    assert taken(line, soon) == [1]


def test_what_is_caught_up_on_goes_at_once_while_no_slot_is_near() -> None:
    line = waiting(due(1, NOW - 100, late=True), due(50, NOW + 2 * CLEAR_S))
    line.take_due(NOW - 200, 0)
    assert taken(line, NOW) == [1]
    assert line.next_at(NOW) == NOW + 2 * CLEAR_S
    assert taken(line, NOW) == []


def test_slots_that_follow_each_other_closely_do_not_starve_what_is_caught_up_on() -> None:
    late = [due(number, NOW - 100, late=True) for number in range(10)]
    gap = CLEAR_S / 3
    line = waiting(*late, *(due(50 + n, NOW + n * gap) for n in range(100)))
    line.caught_up(NOW, NOW)
    together = [taken(line, NOW + n * gap) for n in range(100)]
    first = next(n for n, batch in enumerate(together) if len(batch) > 1)
    assert STARVED_S < first * gap < STARVED_S + 2 * gap
    assert together[first] == [50 + first, *range(CATCH_UP_AT_A_TIME)]


def test_nothing_waits_for_a_moment_when_nothing_waits() -> None:
    assert waiting().next_at(NOW) is None


def test_after_a_start_of_what_is_caught_up_on_the_machine_gets_a_rest() -> None:
    line = waiting(*(due(number, NOW - 100, late=True) for number in range(10)))
    taken(line, NOW)
    line.caught_up(NOW, NOW + 0.01)
    assert taken(line, NOW + 0.01) == []
    rested = NOW + 0.01 + REST * 0.01
    assert line.next_at(NOW + 0.01) == pytest.approx(rested)
    assert taken(line, rested + 0.001) != []


def test_a_rest_keeps_nothing_waiting_that_is_on_time() -> None:
    late = [due(number, NOW - 100, late=True) for number in range(10)]
    line = waiting(*late, due(50, NOW + 0.02))
    assert taken(line, NOW) == []
    line.caught_up(NOW, NOW + 0.01)
    assert line.next_at(NOW + 0.01) == NOW + 0.02
    assert taken(line, NOW + 0.02)[0] == 50


def test_who_keeps_a_turn_is_known_wherever_it_waits() -> None:
    first, second, late = due(1, NOW), due(2, NOW), due(3, NOW - 100, late=True)
    line = waiting(first, second, late)
    assert line.turns() == {}
    assert [*taken(line, NOW), *taken(line, NOW)] == [1, 2, 3]
    for each in (first, second, late):
        line.hold(replace(each, task_id=7, held=True), "task 7")
    assert line.turns() == {7: [1, 2]}
    line.release(["task 7"])
    assert line.turns() == {7: [1, 2]}
    assert line.take_due(NOW, 1)[0].id == 1
    assert line.turns() == {7: [2]}
    line.drop([2])
    assert line.turns() == {}
