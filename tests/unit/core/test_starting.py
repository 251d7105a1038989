"""Whether a run that is due may start: what is going on, and the verdict."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from gocron.core.starting import (
    MOST_WAITING,
    Candidate,
    Replace,
    Situation,
    Skip,
    Start,
    Verdict,
    Wait,
)

TASK = 5


def run(run_id: int, overlap: str = "skip", most: int = 0, **changes) -> Candidate:
    return replace(Candidate(run_id, TASK, overlap, most), **changes)


def going(count: int, *, in_order: int = 0, waiting: tuple[int, ...] = ()) -> Situation:
    """So many runs of the task are going, ``in_order`` of them caught up on."""
    return Situation(
        by_task=Counter({TASK: count}),
        in_order=Counter({TASK: in_order}),
        waiting={TASK: list(waiting)},
    )


def decide(situation: Situation, *runs: Candidate) -> list[Verdict]:
    return [situation.decide(each) for each in runs]


def short(verdict: Verdict) -> str:
    return type(verdict).__name__.lower()


GOING = "the previous run is still going (overlap: {})"
STILL_WAITS = "the previous run still waits to begin (overlap: {})"
STOPPED = "the run before it is being stopped for it (overlap: replace)"
PUSHED_ASIDE = "the run before it waited and will not run (overlap: replace)"
FULL = "{}, at most {} may (overlap: parallel)"
CAUGHT_UP = "it is its turn once a run of a catch-up or backfill has ended"


# the task's own policy ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overlap", "most", "active", "verdict"),
    [
        ("skip", 0, 0, Start()),
        ("skip", 0, 1, Skip(GOING.format("skip"))),
        ("skip", 9, 1, Skip(GOING.format("skip"))),
        ("parallel", 0, 0, Start()),
        ("parallel", 0, 1000, Start()),
        ("parallel", 2, 1, Start()),
        ("parallel", 1, 1, Skip("1 run is going, at most 1 may (overlap: parallel)")),
        ("parallel", 2, 2, Skip("2 runs are going, at most 2 may (overlap: parallel)")),
        ("parallel", 2, 3, Skip("3 runs are going, at most 2 may (overlap: parallel)")),
        ("queue", 0, 0, Start()),
        ("queue", 0, 1, Wait("the previous run is still going (overlap: queue)")),
        ("replace", 0, 0, Start()),
        ("replace", 0, 1, Replace(STOPPED, ())),
        ("only a newer version knows it", 0, 0, Start()),
        (
            "only a newer version knows it",
            0,
            1,
            Skip(GOING.format("only a newer version knows it")),
        ),
    ],
)
def test_what_becomes_of_a_run_while_others_of_its_task_are_going(overlap, most, active, verdict):
    assert going(active).decide(run(1, overlap, most)) == verdict


@pytest.mark.parametrize(
    ("overlap", "most", "active", "verdict"),
    [
        ("skip", 0, 0, Skip(STILL_WAITS.format("skip"))),
        ("parallel", 0, 0, Start()),
        ("parallel", 3, 0, Start()),
        ("parallel", 2, 0, Skip(FULL.format("0 runs are going and 2 waiting", 2))),
        ("parallel", 3, 1, Skip(FULL.format("1 run is going and 2 waiting", 3))),
        ("queue", 0, 0, Skip("another run waits already (overlap: queue)")),
        ("queue", 0, 1, Skip("another run waits already (overlap: queue)")),
        ("replace", 0, 0, Replace(PUSHED_ASIDE, (7, 8))),
        ("replace", 0, 1, Replace(STOPPED, (7, 8))),
    ],
)
def test_what_becomes_of_a_run_while_others_of_its_task_wait(overlap, most, active, verdict):
    assert going(active, waiting=(7, 8)).decide(run(9, overlap, most)) == verdict


def test_other_tasks_are_in_nobodys_way():
    situation = Situation(by_task=Counter({6: 9}), waiting={6: [1, 2]})
    for overlap in ("skip", "parallel", "queue", "replace"):
        assert situation.decide(Candidate(1, ord(overlap[0]), overlap, 1)) == Start()


# several in one batch -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overlap", "most", "verdicts"),
    [
        ("skip", 0, ["start", "skip", "skip", "skip"]),
        ("parallel", 0, ["start", "start", "start", "start"]),
        ("parallel", 3, ["start", "start", "start", "skip"]),
        ("queue", 0, ["start", "wait", "skip", "skip"]),
        ("replace", 0, ["start", "replace", "replace", "replace"]),
    ],
)
def test_what_becomes_of_four_runs_that_are_due_at_once(overlap, most, verdicts):
    found = decide(Situation(), *(run(number, overlap, most) for number in range(1, 5)))
    assert [short(verdict) for verdict in found] == verdicts


def test_of_runs_that_replace_each_other_the_newest_waits_and_each_older_one_is_skipped_once():
    situation = going(1)
    found = decide(situation, *(run(number, "replace") for number in (1, 2, 3)))
    assert found == [Replace(STOPPED, ()), Replace(STOPPED, (1,)), Replace(STOPPED, (2,))]
    assert situation.waiting[TASK] == [3]


def test_the_one_that_replaces_starts_once_the_other_has_gone_and_not_before():
    newest = run(9, "replace", held=True)
    assert short(going(1, waiting=(9,)).decide(newest)) == "replace"
    assert going(0, waiting=(9,)).decide(newest) == Start()


def test_the_one_that_is_queued_starts_once_the_other_has_gone_and_the_next_may_wait():
    situation = going(0, waiting=(7,))
    found = decide(situation, run(7, "queue", held=True), run(8, "queue"), run(9, "queue"))
    assert [short(verdict) for verdict in found] == ["start", "wait", "skip"]
    assert situation.waiting[TASK] == [8]


def test_being_asked_again_while_waiting_changes_neither_verdict_nor_order():
    situation = Situation(by_group=Counter(etl=1), limits={"etl": 1})
    runs = [run(number, "parallel", group="etl") for number in (1, 2, 3)]
    assert decide(situation, *runs) == decide(situation, *runs)
    assert situation.waiting[TASK] == [1, 2, 3]


def test_a_run_that_kept_its_turn_is_not_skipped_for_those_that_came_after_it():
    # The first of them is asked about, and all the others are known to wait.
    for overlap in ("skip", "queue", "parallel"):
        situation = going(0, waiting=tuple(range(2, 2 * MOST_WAITING)))
        assert situation.decide(run(1, overlap, 1, held=True)) == Start()


def test_what_is_skipped_is_in_nobodys_way_any_more():
    situation = going(1, waiting=(1,))
    assert short(situation.decide(run(1, "skip"))) == "skip"
    situation.by_task.clear()
    assert situation.decide(run(2, "skip")) == Start()


# groups -----------------------------------------------------------------------------------------


def full(limit: int = 1, active: int = 1) -> Situation:
    return Situation(by_group=Counter(etl=active), limits={"etl": limit})


@pytest.mark.parametrize(
    ("limit", "active", "verdicts"),
    [
        (1, 0, ["start", "wait", "wait"]),
        (2, 0, ["start", "start", "wait"]),
        (2, 1, ["start", "wait", "wait"]),
        (2, 2, ["wait", "wait", "wait"]),
        (2, 5, ["wait", "wait", "wait"]),
    ],
)
def test_no_more_runs_of_a_group_start_than_it_allows(limit, active, verdicts):
    tasks = [Candidate(number, number, "skip", 0, group="etl") for number in (1, 2, 3)]
    found = decide(full(limit, active), *tasks)
    assert [short(verdict) for verdict in found] == verdicts


def test_who_waits_for_a_group_is_told_so_and_let_through_with_the_others_of_it():
    assert full().decide(run(1, group="etl")) == Wait(
        "the group 'etl' is at its limit of 1", blocker="group etl"
    )


def test_a_group_that_is_gone_lets_one_run_at_a_time():
    runs = [Candidate(number, number, "skip", 0, group="gone") for number in (1, 2)]
    assert [short(verdict) for verdict in decide(Situation(), *runs)] == ["start", "wait"]


def test_a_group_counts_only_what_really_starts():
    situation = full(limit=1, active=0)
    situation.by_task[TASK] = 1
    found = decide(situation, run(1, group="etl"), replace(run(2, group="etl"), task_id=6))
    assert [short(verdict) for verdict in found] == ["skip", "start"]


@pytest.mark.parametrize(
    ("overlap", "most", "verdicts"),
    [
        ("skip", 0, ["wait", "skip", "skip"]),
        ("queue", 0, ["wait", "skip", "skip"]),
        ("replace", 0, ["wait", "replace", "replace"]),
        ("parallel", 2, ["wait", "wait", "skip"]),
        ("parallel", 0, ["wait", "wait", "wait"]),
    ],
)
def test_what_becomes_of_slots_while_their_group_is_at_its_limit(overlap, most, verdicts):
    found = decide(full(), *(run(number, overlap, most, group="etl") for number in (1, 2, 3)))
    assert [short(verdict) for verdict in found] == verdicts


def test_the_queue_of_a_task_that_is_due_faster_than_its_group_runs_it_has_an_end():
    situation = full()
    found = decide(
        situation, *(run(number, "parallel", group="etl") for number in range(MOST_WAITING + 1))
    )
    assert {short(verdict) for verdict in found[:-1]} == {"wait"}
    assert found[-1] == Skip(f"{MOST_WAITING} runs are waiting already for the group 'etl'")
    assert short(situation.decide(run(0, "parallel", group="etl", held=True))) == "wait"


def test_after_a_full_group_only_the_newest_of_a_task_that_replaces_starts():
    situation = full()
    decide(situation, run(1, "replace", group="etl"), run(2, "replace", group="etl"))
    situation.by_group.clear()
    assert situation.waiting[TASK] == [2]
    assert situation.decide(run(2, "replace", group="etl", held=True)) == Start()
    assert situation.by_task[TASK] == 1


# pauses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pauses", "verdict"),
    [
        ({}, Start()),
        ({"other": "x"}, Start()),
        (
            {"etl": "new disks"},
            Wait("tasks with the tag 'etl' are paused: new disks", False, "pause etl"),
        ),
        ({"": "moving"}, Wait("everything is paused: moving", False, "pause ")),
        ({"etl": "new disks", "": "moving"}, Wait("everything is paused: moving", False, "pause ")),
    ],
)
def test_a_pause_keeps_back_what_it_is_about(pauses, verdict):
    assert Situation(pauses=pauses).decide(run(1, tag="etl")) == verdict
    assert Situation(pauses=pauses).decide(run(1, tag="etl", by_hand=True)) == Start()


def test_a_pause_of_a_tag_is_no_pause_of_tasks_without_one():
    assert Situation(pauses={"etl": "x"}).decide(run(1)) == Start()


def test_what_is_paused_keeps_no_turn_and_is_in_nobodys_way_afterwards():
    situation = Situation(pauses={"": "x"})
    for overlap in ("skip", "queue", "replace", "parallel"):
        assert short(situation.decide(run(ord(overlap[0]), overlap))) == "wait"
    assert situation.waiting[TASK] == []
    after = Situation(waiting=situation.waiting)
    assert [short(v) for v in decide(after, run(1), run(2))] == ["start", "skip"]


def test_during_a_pause_a_run_by_hand_starts_past_those_that_have_to_wait():
    for overlap in ("skip", "queue"):
        situation = Situation(pauses={"": "x"}, waiting={TASK: [1]})
        assert situation.decide(run(2, overlap, by_hand=True)) == Start()


def test_without_a_pause_a_run_by_hand_has_no_privilege():
    assert short(going(1).decide(run(1, by_hand=True))) == "skip"
    assert short(going(0, waiting=(1,)).decide(run(2, by_hand=True))) == "skip"
    assert short(full().decide(run(1, group="etl", by_hand=True))) == "wait"


# caught up on and backfilled ----------------------------------------------------------------------


def late(run_id: int, overlap: str = "skip", most: int = 0, **changes) -> Candidate:
    return run(run_id, overlap, most, in_order=True, **changes)


def backfilled(run_id: int, parallel: int, overlap: str = "skip", **changes) -> Candidate:
    return late(run_id, overlap, backfill_id=3, backfill_parallel=parallel, **changes)


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace", "only a newer version knows it"])
def test_what_is_caught_up_on_runs_one_after_the_other_and_none_is_skipped(overlap):
    situation, left, ended = Situation(), [late(n, overlap) for n in range(1, 6)], []
    while left:
        verdicts = decide(situation, *left)
        assert [short(verdict) for verdict in verdicts] == ["start"] + ["wait"] * (len(left) - 1)
        ended.append(left.pop(0).id)
        situation.by_task[TASK] -= 1
        situation.in_order[TASK] -= 1
    assert ended == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("most", "started"), [(0, 5), (2, 2)])
def test_with_overlap_parallel_as_many_are_caught_up_on_at_once_as_may(most, started):
    found = decide(Situation(), *(late(n, "parallel", most) for n in range(1, 6)))
    assert [short(v) for v in found] == ["start"] * started + ["wait"] * (5 - started)


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace"])
def test_a_catch_up_costs_no_slot_and_is_not_stopped_for_one(overlap):
    """The run that is due waits for the one that is going, and goes before the others."""
    situation = going(1, in_order=1)
    due = run(9, overlap)
    found = decide(situation, due, late(2, overlap), late(3, overlap))
    assert [short(verdict) for verdict in found] == ["wait"] * 3
    situation.by_task[TASK] = situation.in_order[TASK] = 0
    again = decide(situation, late(2, overlap), replace(due, held=True), late(3, overlap))
    assert again[0] == Wait("a run that is due now goes first")
    assert [short(verdict) for verdict in again] == ["wait", "start", "wait"]
    situation.by_task[TASK] = 0
    assert situation.decide(late(2, overlap)) == Start()


def test_what_begins_to_be_caught_up_on_in_the_same_moment_costs_no_slot_either():
    assert decide(Situation(), late(1), run(2)) == [Start(), Wait(CAUGHT_UP)]


def test_of_two_slots_during_one_long_run_of_a_catch_up_the_policy_says_which():
    assert decide(going(1, in_order=1), run(8), run(9)) == [
        Wait(CAUGHT_UP),
        Skip(STILL_WAITS.format("skip")),
    ]
    assert decide(going(1, in_order=1), run(8, "replace"), run(9, "replace")) == [
        Wait(CAUGHT_UP),
        Replace(PUSHED_ASIDE, (8,)),
    ]


def test_parallel_slots_wait_for_the_places_that_a_catch_up_takes():
    situation = going(2, in_order=2)
    found = decide(situation, run(7, "parallel", 2), run(8, "parallel", 2), run(9, "parallel", 2))
    assert [short(verdict) for verdict in found] == ["wait", "wait", "skip"]


def test_during_a_pause_a_backfill_does_not_wait_for_runs_that_are_paused():
    situation = Situation(pauses={"": "x"}, waiting={TASK: [1]})
    assert situation.decide(backfilled(2, 1, by_hand=True)) == Start()


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace", "parallel"])
@pytest.mark.parametrize("parallel", [1, 2, 4])
def test_as_many_runs_of_a_backfill_go_on_at_once_as_it_says(parallel, overlap):
    situation = Situation()
    found = decide(situation, *(backfilled(n, parallel, overlap) for n in range(1, 6)))
    assert [short(v) for v in found] == ["start"] * parallel + ["wait"] * (5 - parallel)
    assert situation.by_backfill == {3: parallel}


def test_a_backfill_waits_while_another_run_of_the_task_is_going():
    situation = going(1)
    assert situation.decide(backfilled(1, 3)) == Wait(
        "it is its turn once the runs before it have ended"
    )


def test_two_backfills_of_a_task_that_skips_go_on_one_after_the_other():
    situation = Situation()
    other = replace(backfilled(2, 3), backfill_id=4)
    found = decide(situation, backfilled(1, 3), other)
    assert [short(verdict) for verdict in found] == ["start", "wait"]


def test_who_waits_for_a_backfill_is_let_through_with_the_others_of_it():
    found = decide(Situation(), backfilled(1, 1), backfilled(2, 1))
    assert found[1] == Wait(
        "1 run is going in this backfill, no more may at once", blocker="backfill 3"
    )


def test_a_backfill_keeps_to_the_limit_of_its_group():
    found = decide(full(2, 1), backfilled(1, 3, group="etl"), backfilled(2, 3, group="etl"))
    assert [short(verdict) for verdict in found] == ["start", "wait"]


# over a long time ---------------------------------------------------------------------------------


class World:
    """A runner in small: what is due is asked about in turn, and what waits is asked again."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.overlap = chance.choice(["skip", "parallel", "queue", "replace"])
        self.most = chance.choice([0, 1, 3])
        self.limit = chance.choice([1, 2])
        self.pauses: dict[str, str] = {}
        self.asked: list[Candidate] = []
        self.active: list[Candidate] = []
        self.fate: Counter[int] = Counter()

    def _situation(self, batch: list[Candidate]) -> Situation:
        ids = {each.id for each in batch}
        waiting: dict[int, list[int]] = {}
        for each in self.asked:
            if each.held and not each.in_order and each.id not in ids:
                waiting.setdefault(each.task_id, []).append(each.id)
        return Situation(
            Counter(each.task_id for each in self.active),
            Counter(each.group for each in self.active if each.group),
            Counter(each.backfill_id for each in self.active if each.backfill_id),
            {"etl": self.limit},
            self.pauses,
            waiting,
            Counter(each.task_id for each in self.active if each.in_order),
        )

    def round(self) -> None:
        self.asked.sort(key=lambda each: (each.in_order, each.id))
        batch = self.asked[: self.chance.choice([1, 2, 50])] if self.pauses else list(self.asked)
        situation = self._situation(batch)
        gone: set[int] = set()
        for each in batch:
            if each.id in gone:
                continue
            match situation.decide(each):
                case Start():
                    self.active.append(each)
                    gone.add(each.id)
                case Skip(reason):
                    assert reason
                    assert not each.in_order, "what is to be caught up on is never skipped"
                    self.fate[each.id] += 1
                    gone.add(each.id)
                case Wait(reason, keeps_turn, _blocker):
                    assert reason
                    self._hold(each, keeps_turn)
                case Replace(_reason, skipped):
                    self._hold(each, True)
                    self.fate.update(skipped)
                    gone |= set(skipped)
                    for other in [run for run in self.active if run.task_id == each.task_id]:
                        self._end(other)
            self._check()
        self.asked = [each for each in self.asked if each.id not in gone]

    def _hold(self, each: Candidate, turn: bool) -> None:
        place = self.asked.index(next(other for other in self.asked if other.id == each.id))
        self.asked[place] = replace(each, held=each.held or turn)

    def _end(self, each: Candidate) -> None:
        self.active.remove(each)
        self.fate[each.id] += 1

    def end_some(self, share: float) -> None:
        for each in list(self.active):
            if self.chance.random() < share:
                self._end(each)

    def _check(self) -> None:
        assert sum(each.group == "etl" for each in self.active) <= self.limit
        own = [each for each in self.active if each.task_id == TASK]
        beside = {each.backfill_id for each in own}
        if self.overlap != "parallel":
            assert len(own) <= 1 or (len(beside) == 1 and beside != {None})
        elif self.most:
            assert len(own) <= self.most


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_limits_are_kept_and_every_run_comes_to_an_end_once(seed):
    world = World(random.Random(seed))
    chance = world.chance
    group = chance.choice(["", "etl"])
    for number in range(1, 150):
        kind = chance.choice(["slot"] * 5 + ["late", "backfill", "hand", "other"])
        if kind == "other":
            fresh = Candidate(number, 6, "skip", 0, group="etl")
        else:
            fresh = run(number, world.overlap, world.most, group=group, tag="t")
            if kind == "late":
                fresh = replace(fresh, in_order=True)
            elif kind == "backfill":
                fresh = replace(fresh, in_order=True, backfill_id=3, backfill_parallel=2)
            elif kind == "hand":
                fresh = replace(fresh, by_hand=True)
        world.asked.append(fresh)
        if chance.random() < 0.05:
            world.pauses = {} if world.pauses else {chance.choice(["", "t"]): "x"}
        world.round()
        world.end_some(0.3)
    world.pauses = {}
    for _ in range(400):
        world.round()
        world.end_some(0.7)
    assert (world.asked, world.active) == ([], []), "nobody waits for ever"
    assert world.fate == Counter(range(1, 150)), "each has one fate"
