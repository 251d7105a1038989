"""What comes after the end of a run: retries, and the tasks that depend on it."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gocron.core.chain import (
    MOST_RERUNS,
    ChainRun,
    Chains,
    ChainTask,
    Edge,
    NextRun,
    ancestors,
    find_cycle,
    retry_delay,
    upwards,
)
from gocron.core.jitter import jitter_of
from gocron.core.parameters import Kind, Parameter
from gocron.core.states import RunState, Trigger

SLOT = datetime(2026, 5, 1, 12, tzinfo=UTC)
BY_HAND = SLOT + timedelta(seconds=7, microseconds=123_456)
NOW = SLOT + timedelta(minutes=3)

SUCCESS, FAILED, TIMEOUT = RunState.SUCCESS, RunState.FAILED, RunState.TIMEOUT
CANCELLED, LOST, SKIPPED = RunState.CANCELLED, RunState.LOST, RunState.SKIPPED
MISSED, QUEUED, RUNNING = RunState.MISSED, RunState.QUEUED, RunState.RUNNING

ENDS = (SUCCESS, FAILED, TIMEOUT, CANCELLED, LOST, SKIPPED, MISSED)


def task(task_id: int, **changes) -> ChainTask:
    return replace(
        ChainTask(task_id, "abcdefghijkl"[task_id - 1], 7, True, followed=True), **changes
    )


def ended(task_id: int, state: RunState = SUCCESS, attempt: int = 0, **changes) -> ChainRun:
    """A run that has ended and was not looked after."""
    run = ChainRun(
        100 * task_id + attempt, task_id, SLOT, attempt, state, Trigger.SCHEDULE, follow_up=True
    )
    return replace(run, **changes)


def done(task_id: int, state: RunState = SUCCESS, attempt: int = 0, **changes) -> ChainRun:
    """A run that has ended and was looked after."""
    return ended(task_id, state, attempt, follow_up=False, **changes)


def edges(text: str) -> list[Edge]:
    """``1>2 1~3``: task 2 needs the success of 1, task 3 only its end."""
    found = []
    for word in text.split():
        parent, child = word.replace("~", ">").split(">")
        found.append(Edge(int(child), int(parent), "weak" if "~" in word else "strong"))
    return found


def after(
    text: str,
    news: Iterable[ChainRun],
    known: Iterable[ChainRun] = (),
    tasks: Mapping[int, ChainTask] | None = None,
) -> list[NextRun]:
    """The rows that follow from ``news`` in the chain ``text``; ``known`` are the other runs."""
    news, known = list(news), list(known)
    ids = {run.task_id for run in (*news, *known)}
    ids |= {task_id for edge in edges(text) for task_id in (edge.task_id, edge.parent_id)}
    all_tasks = {task_id: task(task_id) for task_id in ids} | dict(tasks or {})
    return Chains(all_tasks.values(), edges(text), [*news, *known]).after(news, NOW)


def told(rows: Iterable[NextRun]) -> list[tuple[int, str]]:
    return [(row.task_id, str(row.state)) for row in rows]


# retries ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "minutes"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"retry_interval": 60}, [1] * 10),
        (
            {"retry_interval": 60, "retry_backoff": "exponential"},
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
        ),
        (
            {"retry_interval": 3600, "retry_backoff": "exponential"},
            [60, 120, 240, 480, 960, 1440, 1440, 1440, 1440, 1440],
        ),
    ],
)
def test_the_time_before_each_retry(changes, minutes):
    found = [retry_delay(task(1, **changes), number, SLOT) for number in range(1, 11)]
    assert found == [timedelta(minutes=each) for each in minutes]


def test_jitter_is_added_to_it_and_stays_the_same_for_a_retry_of_a_slot():
    jittery = task(1, retry_interval=60, retry_jitter=30)
    found = [retry_delay(jittery, number, SLOT) for number in (1, 2, 3)]
    assert found == [retry_delay(jittery, number, SLOT) for number in (1, 2, 3)]
    assert found == [
        timedelta(seconds=60) + jitter_of(f"a {number}", SLOT, 30) for number in (1, 2, 3)
    ]
    assert len(set(found)) > 1


def retries(state: RunState, earlier: Iterable[ChainRun] = (), **changes) -> list[NextRun]:
    policy = {"retry_times": 2, "retry_on": ("failed", "timeout")} | changes
    earlier = list(earlier)
    run = ended(1, state, attempt=len(earlier))
    return after("", [run], earlier, {1: task(1, **policy)})


def test_a_retry_is_the_same_run_once_more():
    run = ended(
        1,
        FAILED,
        trigger="backfill",
        triggered_by="ann",
        parameters={"day": "x"},
        parents=({"run": 5},),
        backfill_id=3,
        generation=4,
        finished_at=NOW - timedelta(seconds=20),
    )
    (row,) = after("", [run], [], {1: task(1, retry_times=1, retry_on=("failed",))})
    assert row == NextRun(
        task_id=1,
        task_name="a",
        revision=7,
        scheduled_at=SLOT,
        attempt=1,
        trigger="backfill",
        triggered_by="ann",
        generation=4,
        start_at=NOW - timedelta(seconds=20) + timedelta(minutes=1),
        follow_up=True,
        parents=({"run": 5},),
        parameters={"day": "x"},
        backfill_id=3,
    )


@pytest.mark.parametrize(
    ("retry_on", "retried"),
    [
        (("failed", "timeout"), {FAILED, TIMEOUT}),
        (("failed",), {FAILED}),
        (("timeout",), {TIMEOUT}),
        (("lost",), {LOST}),
        (("failed", "timeout", "lost"), {FAILED, TIMEOUT, LOST}),
        ((), set()),
    ],
)
def test_only_the_ends_that_are_named_are_retried_and_never_a_cancelled_one(retry_on, retried):
    assert {state for state in ENDS if retries(state, retry_on=retry_on)} == retried


@pytest.mark.parametrize("times", [0, 1, 3, 10])
def test_a_run_is_retried_so_many_times(times):
    earlier: list[ChainRun] = []
    while rows := retries(FAILED, earlier, retry_times=times):
        assert rows[0].attempt == len(earlier) + 1
        assert rows[0].start_at == NOW + timedelta(minutes=len(earlier) + 1)
        earlier.append(done(1, FAILED, len(earlier)))
    assert len(earlier) == times


@pytest.mark.parametrize(
    ("enabled", "trigger", "retried"),
    [
        (True, "schedule", True),
        (True, "manual", True),
        (False, "schedule", False),
        (False, "catch_up", False),
        (False, "dependency", False),
        (False, "election", False),
        (False, "manual", True),
        (False, "backfill", True),
    ],
)
def test_of_a_disabled_task_only_what_somebody_asked_for_is_retried(enabled, trigger, retried):
    policy = task(1, enabled=enabled, retry_times=1, retry_on=("failed",))
    rows = after("", [ended(1, FAILED, trigger=trigger)], [], {1: policy})
    assert bool(rows) is retried


def test_attempts_of_a_generation_are_counted_by_themselves_and_numbered_with_the_others():
    earlier = [done(1, FAILED, attempt) for attempt in range(3)]
    policy = {1: task(1, retry_times=2, retry_on=("failed",))}
    anew = ended(1, FAILED, 3, generation=1)
    (row,) = after("", [anew], earlier, policy)
    assert (row.attempt, row.generation) == (4, 1)
    assert row.start_at == NOW + timedelta(minutes=1), "it is the first retry"
    last = ended(1, FAILED, 5, generation=1)
    also = [done(1, FAILED, attempt, generation=1) for attempt in (3, 4)]
    assert after("", [last], earlier + also, policy) == []


def test_a_run_that_was_begun_anew_meanwhile_is_not_retried():
    anew = ended(1, QUEUED, 1, generation=1)
    policy = {1: task(1, retry_times=9, retry_on=("failed",), on_lost="rerun")}
    assert after("", [ended(1, FAILED)], [anew], policy) == []
    assert after("", [ended(1, LOST)], [anew], policy) == []


def test_a_lost_run_is_run_again_at_once_if_the_task_says_so():
    (row,) = retries(LOST, on_lost="rerun", retry_times=0)
    assert (row.attempt, row.start_at, row.state) == (1, None, QUEUED)
    assert retries(LOST, on_lost="fail") == []


def test_a_run_that_kills_its_nodes_is_not_begun_again_for_ever():
    for retry_on in (("failed",), ("failed", "lost")):
        earlier: list[ChainRun] = []
        while retries(LOST, earlier, on_lost="rerun", retry_on=retry_on):
            earlier.append(done(1, LOST, len(earlier)))
            assert len(earlier) < 50
        assert len(earlier) == MOST_RERUNS


def test_nodes_that_died_take_nothing_from_the_retries():
    earlier = [done(1, LOST, attempt) for attempt in range(4)]
    retry_on = ("failed", "lost")
    (row,) = retries(FAILED, earlier, on_lost="rerun", retry_times=1, retry_on=retry_on)
    assert row.start_at == NOW + timedelta(minutes=1)
    earlier.append(done(1, FAILED, 4))
    assert retries(FAILED, earlier, on_lost="rerun", retry_times=1, retry_on=retry_on) == []


def test_nothing_comes_after_a_run_whose_task_is_gone():
    chains = Chains([], edges("1>2"), [ended(1, FAILED)])
    assert chains.after([ended(1, FAILED)], NOW) == []


# one parent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ENDS)
@pytest.mark.parametrize("need", [">", "~"])
def test_a_child_runs_after_what_it_needs_and_is_skipped_otherwise(need, state):
    (row,) = after(f"1{need}2", [ended(1, state)])
    runs = state is SUCCESS or (need == "~" and state is not MISSED)
    assert row.state is (QUEUED if runs else SKIPPED)
    assert row.reason == ("" if runs else f"'a', which it depends on, ended {state}")
    assert row.start_at is None


def test_a_child_tells_where_it_comes_from():
    (row,) = after("1>2", [ended(1, triggered_by="ann")])
    assert row == NextRun(
        task_id=2,
        task_name="b",
        revision=7,
        scheduled_at=SLOT,
        attempt=0,
        trigger=Trigger.DEPENDENCY,
        triggered_by="ann",
        generation=0,
        follow_up=True,
        parents=[{"run": 100, "task": "a", "state": "success"}],
    )


@pytest.mark.parametrize("followed", [True, False])
def test_a_child_is_followed_if_something_comes_after_it(followed):
    (row,) = after("1>2", [ended(1)], tasks={2: task(2, followed=followed)})
    assert row.follow_up is followed


def test_all_children_follow():
    assert told(after("1>2 1>3 1~4 4>5", [ended(1, FAILED)])) == [
        (2, "skipped"),
        (3, "skipped"),
        (4, "queued"),
    ]


def test_a_child_waits_for_the_last_retry_of_its_parent():
    policy = {1: task(1, retry_times=1, retry_on=("failed",))}
    assert [row.task_id for row in after("1~2", [ended(1, FAILED)], [], policy)] == [1]
    assert [
        row.task_id for row in after("1~2", [ended(1, FAILED, 1)], [done(1, FAILED)], policy)
    ] == [2]


def test_a_disabled_child_is_skipped_and_those_after_it_too():
    tasks = {2: task(2, enabled=False)}
    (row,) = after("1>2 2>3 2~4", [ended(1)], tasks=tasks)
    assert (row.state, row.reason, row.follow_up) == (SKIPPED, "the task is disabled", True)
    next_rows = after("1>2 2>3 2~4", [ended(2, SKIPPED, trigger="dependency")], [done(1)], tasks)
    assert told(next_rows) == [(3, "skipped"), (4, "queued")]


def test_a_slot_is_decided_about_once():
    for state in RunState:
        assert after("1>2", [ended(1)], [done(2, state, trigger="dependency")]) == []


# several parents ----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [*itertools.permutations([1, 2, 3])])
@pytest.mark.parametrize("batches", [(1, 1, 1), (2, 1), (1, 2), (3,)])
def test_a_child_of_three_runs_after_the_last_of_them_in_whatever_order_they_end(order, batches):
    text, known, found = "1>4 2>4 3~4", [ended(n, RUNNING) for n in order], []
    ahead = list(order)
    for size in batches:
        batch, ahead = ahead[:size], ahead[size:]
        news = [ended(n, FAILED if n == 3 else SUCCESS) for n in batch]
        known = [run for run in known if run.task_id not in batch]
        rows = after(text, news, known)
        found.append(told(rows))
        known += [replace(run, follow_up=False) for run in news]
    assert found == [[]] * (len(batches) - 1) + [[(4, "queued")]]
    assert [parent["task"] for parent in rows[0].parents] == ["a", "b", "c"]


def test_a_child_is_skipped_as_soon_as_one_parent_has_not_given_what_it_needs():
    rows = after("1>3 2>3", [ended(1, FAILED)], [ended(2, RUNNING)])
    assert told(rows) == [(3, "skipped")]
    assert after("1>3 2>3", [ended(2)], [done(1, FAILED), done(3, SKIPPED)]) == []


@pytest.mark.parametrize("state", [QUEUED, RUNNING])
def test_a_child_waits_while_a_parent_has_not_ended(state):
    assert after("1>3 2>3", [ended(1)], [ended(2, state)]) == []


def test_a_child_waits_while_the_end_of_a_parent_may_still_be_retried():
    assert after("1>3 2~3", [ended(1)], [ended(2, FAILED)]) == []
    policy = {2: task(2, retry_times=1, retry_on=("failed",))}
    both = [ended(1), ended(2, FAILED)]
    for news in (both, both[::-1]):
        assert [row.task_id for row in after("1>3 2~3", news, [], policy)] == [2]


def test_a_child_waits_for_a_parent_that_has_not_begun():
    assert after("1>3 2>3", [ended(1)]) == []


def test_a_child_of_levels_waits_for_the_long_way_round():
    text = "1>2 2>3 3>4 1>4"
    assert told(after(text, [ended(1)])) == [(2, "queued")]
    known = [done(1), done(2, trigger="dependency")]
    assert told(after(text, [ended(3, trigger="dependency")], known)) == [(4, "queued")]


@pytest.mark.parametrize("need", [">", "~"])
def test_a_parent_that_is_disabled_has_no_slot_and_its_child_is_told(need):
    tasks = {2: task(2, enabled=False)}
    (row,) = after(f"1>3 2{need}3", [ended(1)], tasks=tasks)
    assert (row.state, row.reason) == (SKIPPED, "'b', which it depends on, is disabled")
    (row,) = after(f"1>3 2{need}3", [ended(1)], [done(2)], tasks)
    assert row.state is QUEUED, "it was disabled after its slot"


def test_a_disabled_task_in_the_middle_is_waited_for_because_it_will_be_skipped():
    tasks = {2: task(2, enabled=False)}
    assert after("1>3 2~3 4>2 5>2", [ended(1)], [ended(4, RUNNING), ended(5, RUNNING)], tasks) == []


@pytest.mark.parametrize("need", [">", "~"])
def test_a_slot_that_a_parent_missed_is_skipped_also_within_a_range(need):
    missed = done(2, MISSED, scheduled_at=SLOT - timedelta(hours=2))
    for until, rows in [
        (SLOT + timedelta(hours=1), [(3, "skipped")]),
        (SLOT, [(3, "skipped")]),
        (SLOT - timedelta(seconds=1), []),
    ]:
        found = after(f"1>3 2{need}3", [ended(1)], [replace(missed, missed_until=until)])
        assert told(found) == rows


# begun by hand ------------------------------------------------------------------------------------


def by_hand(task_id: int, state: RunState = SUCCESS, **changes) -> ChainRun:
    return replace(ended(task_id, state, scheduled_at=BY_HAND, trigger="manual"), **changes)


def test_a_run_by_hand_is_followed_by_those_that_depend_on_it():
    (row,) = after("1>2", [by_hand(1, triggered_by="ann")])
    assert (row.task_id, row.scheduled_at, row.triggered_by) == (2, BY_HAND, "ann")
    assert row.trigger == Trigger.DEPENDENCY


def test_parents_that_nobody_began_do_not_count():
    assert told(after("1>3 2>3", [by_hand(1)])) == [(3, "queued")]
    assert told(after("1>3 2>3 4>2", [by_hand(1)])) == [(3, "queued")]
    disabled = {2: task(2, enabled=False)}
    assert told(after("1>3 2>3", [by_hand(1)], [], disabled)) == [(3, "queued")]


def test_parents_that_are_to_come_do_count():
    diamond = "1>2 1>3 2>4 3>4"
    assert told(after(diamond, [by_hand(1)])) == [(2, "queued"), (3, "queued")]
    running = by_hand(3, RUNNING, trigger="dependency")
    assert after(diamond, [by_hand(2)], [by_hand(1, follow_up=False), running]) == []
    # 3 has no row yet, but what leads to it has been begun.
    assert after(diamond, [by_hand(2)], [by_hand(1, RUNNING)]) == []


# run again from a point ---------------------------------------------------------------------------


def again(task_id: int, state: RunState = SUCCESS, attempt: int = 1, **changes) -> ChainRun:
    return ended(task_id, state, attempt, generation=1, trigger="manual", **changes)


def test_only_what_is_downstream_is_run_again():
    text = "1>2 1>3 2>4 3>4"
    first = [done(1), done(2, FAILED), done(3), done(4, SKIPPED)]
    (row,) = after(text, [again(2)], first)
    assert (row.task_id, row.state, row.attempt, row.generation) == (4, QUEUED, 1, 1)
    assert [parent["run"] for parent in row.parents] == [201, 300], "3 counts with its old end"


def test_an_untouched_parent_that_failed_still_counts_as_failed():
    first = [done(1), done(2, FAILED), done(3, FAILED), done(4, SKIPPED)]
    (row,) = after("1>2 1>3 2>4 3>4", [again(2)], first)
    assert (row.state, row.reason) == (SKIPPED, "'c', which it depends on, ended failed")


def test_what_will_be_run_again_is_waited_for():
    text = "1>2 2>3 1>3"
    first = [done(1, FAILED), done(2, SKIPPED), done(3, SKIPPED)]
    assert told(after(text, [again(1)], first)) == [(2, "queued")]
    rows = after(text, [again(2)], [*first, done(1, attempt=1, generation=1)])
    assert [(row.task_id, row.generation) for row in rows] == [(3, 1)]


@pytest.mark.parametrize("text", ["1>2 2>3 3>4 1>4", "1>4 3>4 2>3 1>2"])
def test_the_old_end_of_what_will_be_run_again_counts_no_more(text):
    first = [done(number) for number in (1, 2, 3, 4)]
    assert told(after(text, [again(1)], first)) == [(2, "queued")]


def test_a_parent_that_ends_after_the_other_was_run_again_completes_the_new_generation():
    # 2 failed, so 4 was skipped at once; 2 was run again with success while 3 was still going.
    known = [done(1), done(2, FAILED), done(2, SUCCESS, 1, generation=1), done(4, SKIPPED)]
    (row,) = after("1>2 1>3 2>4 3>4", [ended(3)], known)
    assert (row.task_id, row.state, row.attempt, row.generation) == (4, QUEUED, 1, 1)


def test_an_old_end_decides_nothing_about_what_was_begun_anew():
    assert after("1>2", [ended(1)], [again(1, RUNNING)]) == []
    assert after("1>2", [again(1)], [done(1, FAILED), done(2, RUNNING, generation=1)]) == []


# parameters ---------------------------------------------------------------------------------------

DAY = Parameter(name="DAY", default="today")
LEVEL = Parameter(name="LEVEL", type=Kind.INTEGER, default=3)


def given(text: str, news: ChainRun, known=(), **parameters) -> dict[str, object] | None:
    """What the one child that follows is given; ``b=(DAY,)`` says what a task knows."""
    tasks = {
        "abcdefgh".index(name) + 1: task("abcdefgh".index(name) + 1, parameters=known_to)
        for name, known_to in parameters.items()
    }
    (row,) = after(text, [news], known, tasks)
    assert row.state is QUEUED
    return None if row.parameters is None else dict(row.parameters)


def test_a_child_is_given_what_its_parent_was_as_far_as_it_knows_the_names():
    run = ended(1, parameters={"DAY": "monday", "OTHER": 1})
    assert given("1>2", run, a=(DAY,), b=(DAY, LEVEL)) == {"DAY": "monday", "LEVEL": 3}
    assert given("1>2", run, a=(DAY,)) is None


def test_what_was_not_given_to_the_parent_is_its_default():
    run = ended(1, parameters=None)
    own = replace_default(DAY, "tuesday")
    assert given("1>2", run, a=(own,), b=(DAY,)) == {"DAY": "tuesday"}


def replace_default(parameter: Parameter, default: str) -> Parameter:
    return parameter.model_copy(update={"default": default})


def test_a_task_that_does_not_know_a_name_does_not_keep_it_from_those_after_it():
    first = done(1, parameters={"DAY": "monday"})
    assert given("1>2 2>3", ended(2), [first], a=(DAY,), c=(DAY,)) == {"DAY": "monday"}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_what_a_child_of_two_is_given_does_not_depend_on_who_ends_last(order):
    runs = {1: ended(1, parameters={"DAY": "monday"}), 2: ended(2, parameters={"DAY": "friday"})}
    first, last = (runs[number] for number in order)
    known = [replace(first, follow_up=False)]
    assert given("1>3 2>3", last, known, a=(DAY,), b=(DAY,), c=(DAY,)) == {"DAY": "monday"}


def test_what_was_run_again_counts_before_what_was_not():
    known = [done(1, parameters={"DAY": "monday"}), done(2, parameters={"DAY": "x"}), done(3)]
    run = again(2, parameters={"DAY": "friday"})
    assert given("1>3 2>3", run, known, a=(DAY,), b=(DAY,), c=(DAY,)) == {"DAY": "friday"}


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (
            Parameter(name="DAY", type=Kind.INTEGER, default=1),
            "it cannot be given its parameters: DAY: must be a whole number, found 'monday'",
        ),
        (
            Parameter(name="MONTH"),
            "it cannot be given its parameters: MONTH: has no default and must be given",
        ),
    ],
)
def test_a_child_that_cannot_be_given_its_parameters_is_skipped_and_says_why(wanted, reason):
    run = ended(1, parameters={"DAY": "monday"})
    tasks = {1: task(1, parameters=(DAY,)), 2: task(2, parameters=(wanted,))}
    (row,) = after("1>2", [run], tasks=tasks)
    assert (row.state, row.reason) == (SKIPPED, reason)


# graphs -------------------------------------------------------------------------------------------


def test_what_is_upwards_comes_nearest_first():
    parents: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges("1>2 2>4 3>4 1>3 5>1 5>4"):
        parents[edge.task_id].append(edge)
    assert upwards(4, parents) == [2, 3, 5, 1]
    assert ancestors(4, parents) == {1, 2, 3, 5}
    assert upwards(5, parents) == []


@pytest.mark.parametrize(
    ("graph", "way"),
    [
        ({}, None),
        ({"a": ["b"], "b": ["c"]}, None),
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"]}, None),
        ({"a": ["a"]}, "aa"),
        ({"a": ["b"], "b": ["a"]}, "aba"),
        ({"a": ["x", "b"], "x": ["y"], "b": ["c"], "c": ["a"]}, "abca"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, None),
        ({"a": ["b", "c"], "b": ["d"], "d": ["b"], "c": ["d", "a"]}, "aca"),
    ],
)
def test_a_way_back_to_where_it_began_is_found_and_named(graph, way):
    assert find_cycle(graph, "a") == (None if way is None else list(way))


def test_a_very_long_way_is_found_too():
    graph = {str(number): [str(number + 1)] for number in range(20_000)}
    assert find_cycle(graph, "0") is None
    graph["20000"] = ["0"]
    assert len(find_cycle(graph, "0") or ()) == 20_002


# everything together ------------------------------------------------------------------------------


class World:
    """Tasks in a graph without cycles; runs end as they like and are looked after in batches."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.count = chance.randint(2, 9)
        self.edges = [
            Edge(child, parent, chance.choice(["strong", "weak"]))
            for child in range(2, self.count + 1)
            for parent in range(1, child)
            if chance.random() < 0.35
        ]
        self.parents: dict[int, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            self.parents[edge.task_id].append(edge)
        self.roots = [n for n in range(1, self.count + 1) if n not in self.parents]
        self.tasks = [
            task(
                number,
                enabled=number in self.roots or chance.random() < 0.9,
                retry_times=chance.choice([0, 0, 2]),
                retry_on=("failed", "timeout"),
                on_lost=chance.choice(["fail", "rerun"]),
            )
            for number in range(1, self.count + 1)
        ]
        self.runs: list[ChainRun] = []
        self.decisions: Counter[tuple[int, int]] = Counter()

    def begin(self, task_id: int, slot: datetime, generation: int, trigger: str) -> None:
        earlier = [run.attempt for run in self.runs if run.task_id == task_id]
        attempt = max(earlier, default=-1) + 1
        self.decisions[task_id, generation] += 1
        self._write(
            ChainRun(0, task_id, slot, attempt, QUEUED, trigger, generation, follow_up=True)
        )

    def _write(self, run: ChainRun) -> None:
        keys = {(other.task_id, other.scheduled_at, other.attempt) for other in self.runs}
        assert (run.task_id, run.scheduled_at, run.attempt) not in keys, "the database refuses it"
        self.runs.append(replace(run, id=len(self.runs) + 1))

    def end_some(self) -> None:
        for index, run in enumerate(self.runs):
            if not run.state.ended and self.chance.random() < 0.5:
                state = self.chance.choice([SUCCESS] * 5 + [FAILED, TIMEOUT, CANCELLED, LOST])
                self.runs[index] = replace(run, state=state)

    def look_after_some(self) -> None:
        waiting = [run for run in self.runs if run.state.ended and run.follow_up]
        self.chance.shuffle(waiting)
        batch = waiting[: self.chance.randint(1, 4)]
        rows = Chains(self.tasks, self.edges, self.runs).after(batch, NOW)
        looked_after = {run.id for run in batch}
        self.runs = [
            replace(run, follow_up=False) if run.id in looked_after else run for run in self.runs
        ]
        retried = {_key(run) for run in batch}
        for row in rows:
            if _key(row) not in retried:
                self.decisions[_key(row)] += 1
                if row.state is QUEUED:
                    self._require_final_parents(row)
            if row.state is SKIPPED:
                assert row.reason
            self._write(
                ChainRun(
                    0,
                    row.task_id,
                    row.scheduled_at,
                    row.attempt,
                    row.state,
                    row.trigger,
                    row.generation,
                    row.follow_up,
                )
            )

    def _require_final_parents(self, row: NextRun) -> None:
        for edge in self.parents[row.task_id]:
            last = self.last(edge.parent_id)
            if last is None:
                continue  # nobody began it
            assert last.state.ended
            assert not last.follow_up
            above = ancestors(edge.parent_id, self.parents)
            begun = [run.generation for run in self.runs if run.task_id in above]
            assert last.generation >= min(row.generation, max(begun, default=0)), "old end"
            assert edge.need == "weak" or last.state is SUCCESS

    def last(self, task_id: int) -> ChainRun | None:
        own = [run for run in self.runs if run.task_id == task_id]
        return max(own, key=lambda run: run.attempt, default=None)

    def settle(self) -> None:
        for _ in range(2000):
            if not any(run.follow_up or not run.state.ended for run in self.runs):
                return
            self.end_some()
            self.look_after_some()
        pytest.fail("it never comes to an end")

    def below(self, task_id: int) -> set[int]:
        return {n for n in range(1, self.count + 1) if task_id in ancestors(n, self.parents)}

    def decided(self, generation: int) -> dict[int, int]:
        """Task -> how many times it was begun or skipped, retries aside."""
        return {task_id: n for (task_id, own), n in self.decisions.items() if own == generation}


def _key(run: ChainRun | NextRun) -> tuple[int, int]:
    return run.task_id, run.generation


@pytest.mark.parametrize("seed", range(300))
def test_every_chain_comes_to_its_end_with_one_row_for_each_task(seed):
    world = World(random.Random(seed))
    for root in world.roots:
        world.begin(root, SLOT, 0, "schedule")
    world.settle()
    assert world.decided(0) == dict.fromkeys(range(1, world.count + 1), 1)


@pytest.mark.parametrize("seed", range(200))
def test_a_chain_begun_by_hand_runs_everything_after_that_point_and_nothing_else(seed):
    world = World(random.Random(seed))
    start = world.chance.randint(1, world.count)
    world.begin(start, BY_HAND, 0, "manual")
    world.settle()
    assert world.decided(0) == dict.fromkeys({start} | world.below(start), 1)


@pytest.mark.parametrize("seed", range(300))
def test_a_chain_run_again_from_a_point_comes_to_its_end_once_more(seed):
    world = World(random.Random(seed))
    for root in world.roots:
        world.begin(root, SLOT, 0, "schedule")
    world.settle()
    start = world.chance.randint(1, world.count)
    world.begin(start, SLOT, 1, "manual")
    world.settle()
    assert world.decided(1) == dict.fromkeys({start} | world.below(start), 1)


@pytest.mark.parametrize("seed", range(300))
def test_a_branch_that_is_run_again_while_another_is_still_going_leaves_nobody_waiting(seed):
    world = World(random.Random(seed))
    for root in world.roots:
        world.begin(root, SLOT, 0, "schedule")
    for _ in range(world.chance.randint(1, 12)):
        world.end_some()
        world.look_after_some()
    free = [
        number
        for number in range(1, world.count + 1)
        if (last := world.last(number)) is not None
        and all(
            run.state.ended for run in world.runs if run.task_id in {number} | world.below(number)
        )
        and last.state.ended
    ]
    if free:
        start = world.chance.choice(free)
        world.begin(start, SLOT, 1, "manual")
    world.settle()
    for number in range(1, world.count + 1):
        last = world.last(number)
        assert last is not None, "it was decided about"
        above = [world.last(edge.parent_id) for edge in world.parents[number]]
        assert last.generation >= max((run.generation for run in above if run), default=0)
