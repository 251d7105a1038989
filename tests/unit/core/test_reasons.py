"""Stored reasons are known again: whatever the code makes, and with the values it had."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file

import gocron
from gocron.core.chain import ChainRun, Chains, ChainTask, Edge
from gocron.core.firing import DueTask, QueuedRun, missed_only, plan, settle
from gocron.core.parameters import Parameter
from gocron.core.reasons import COUNTING, TEMPLATES, recognised
from gocron.core.starting import MOST_WAITING, Candidate, Replace, Situation, Skip, Wait
from gocron.core.states import RunState, Trigger
from gocron.core.timetable import parse
from gocron.execution.shell import describe_exit
from gocron.sayings import Saying, inside, say

CODE = Path(gocron.__file__).parent
ONLY_REASONS = (
    "core/starting.py",
    "core/firing.py",
    "core/chain.py",
    "execution/shell.py",
    "execution/http.py",
    *(f"processes/{path.name}" for path in (CODE / "processes").glob("*.py")),
)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KNOWN = {*TEMPLATES, *(one for one, _many in COUNTING)}


def templates_in(path: Path) -> set[str]:
    found = extract_from_file("python", path, keywords={"say": None, "say_n": (1, 2)})
    return {key if isinstance(key, str) else key[0] for _line, key, _comments, _context in found}


def story(text: str) -> object:
    """How a text was made, down to its parts, with values as they are shown."""
    if not isinstance(text, Saying):
        return text
    values = {
        name: story(value) if isinstance(value, Saying) else str(value)
        for name, value in text.values.items()
    }
    return text.template, values


def require_recognised(reason: str) -> None:
    again = recognised(str(reason))
    assert isinstance(reason, Saying), reason
    assert again == reason
    assert story(again) == story(reason)


@pytest.mark.parametrize("module", ONLY_REASONS)
def test_every_reason_that_is_made_is_listed(module):
    assert templates_in(CODE / module) - KNOWN == set()


def test_every_reason_that_is_listed_is_made():
    made = {
        template
        for path in CODE.rglob("*.py")
        if path.name != "reasons.py"
        for template in templates_in(path)
    }
    assert KNOWN - made == set()


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_reason_is_known_again_with_its_values(template):
    values = {name: sample(name) for name in re.findall(r"%\((\w+)\)s", template)}
    require_recognised(say(template, **values))


def sample(name: str) -> object:
    parts = {
        "runs": recognised("2 runs are"),
        "missed": recognised("3 slots missed"),
        "changed": say("the task was deleted"),
        "state": say("failed"),
        "mistake": inside(["DAY"], say("has no default and must be given")),
        "working_dir": "/srv/a b",
    }
    numbers = {"code", "status", "limit", "most", "waiting", "seconds", "body_limit"}
    return 17 if name in numbers else parts.get(name, f"any: {name}, (of) 'them'")


def test_what_is_decided_about_a_start_is_known_again():
    choice = random.Random(3)
    seen = set()
    for overlap, most, group, tag, backfill in itertools.product(
        ("skip", "queue", "replace", "parallel"), (0, 1, 3), ("", "db"), ("", "night"), (None, 4)
    ):
        for _ in range(20):
            going = choice.randint(0, 3)
            situation = Situation(
                by_task=Counter({5: going}),
                by_group=Counter({"db": choice.randint(0, 2)}),
                by_backfill=Counter({4: choice.randint(0, 2)}),
                in_order=Counter({5: 1 if going and choice.random() < 0.4 else 0}),
                limits={"db": 2},
                pauses=choice.choice([{}, {}, {}, {"": "a: move"}, {"night": "no (why)?"}]),
                waiting={5: list(range(choice.choice([0, 0, 1, 2, MOST_WAITING])))},
            )
            run = Candidate(
                1000,
                5,
                overlap,
                most,
                group,
                tag,
                in_order=choice.random() < 0.3,
                backfill_id=backfill,
            )
            verdict = situation.decide(run)
            if isinstance(verdict, Skip | Wait | Replace):
                require_recognised(verdict.reason)
                seen.add(verdict.reason.template)  # type: ignore[attr-defined]
    assert len(seen) == 16


def test_what_is_planned_of_late_slots_is_known_again():
    slots = parse("* * * * * *", "UTC")
    for misfire, late in itertools.product(("skip", "run_once", "run_all"), (30, 31, 3600)):
        cursor = NOON - timedelta(seconds=late)
        due = DueTask(1, "a", 1, cursor, "* * * * * *", "UTC", misfire=misfire, catch_up_limit=1)
        made = plan(due, slots, NOON, NOON, timedelta(seconds=29))
        for run in made.runs:
            if run.state is RunState.MISSED:
                require_recognised(run.reason)
    due = DueTask(1, "a", 1, NOON - timedelta(days=2), "* * * * * *", "UTC")
    for run in missed_only(due, slots, NOON, say("the calendar %(name)s was changed", name="'a'")):
        assert run.reason.startswith("at least ")
        require_recognised(run.reason)


def test_why_a_waiting_run_is_written_off_is_known_again():
    for misfire in ("skip", "run_once"):
        waiting = [
            QueuedRun(number, 1, True, NOON - timedelta(hours=number), None, misfire)
            for number in (1, 2)
        ]
        for reason in settle(waiting, NOON, timedelta(seconds=30)).values():
            require_recognised(reason)


def test_why_a_child_is_skipped_is_known_again():
    needy = (Parameter(name="DAY", default=None),)
    for state in (RunState.FAILED, RunState.LOST, RunState.MISSED, RunState.SUCCESS):
        for more, parameters in itertools.product(("gone", "off", "on"), ((), needy)):
            tasks = [
                ChainTask(1, "a: b", 1, enabled=True, followed=True),
                ChainTask(2, "child", 1, enabled=more != "on", parameters=parameters),
            ]
            if more != "gone":
                tasks.append(ChainTask(3, "c", 1, enabled=more != "off"))
            parents = [Edge(2, 1, "strong"), *([Edge(2, 3, "strong")] if more != "on" else [])]
            run = ChainRun(9, 1, NOON, 0, state, Trigger.SCHEDULE, follow_up=True)
            for row in Chains(tasks, parents, [run]).after([run], NOON):
                if row.reason:
                    require_recognised(row.reason)


@pytest.mark.parametrize("code", [1, 2, 126, 127, 128, 137, 143, 255, -9, -15, -64])
def test_how_a_command_ended_is_known_again(code):
    require_recognised(describe_exit(code))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "what only a newer version says",
        "exit code x",
        "hello: exit code 3",
        "the weather before this run began",
    ],
)
def test_what_nobody_here_says_stays_as_it_is(text):
    assert not isinstance(recognised(text), Saying)
    assert recognised(text) == text


def test_what_somebody_typed_is_not_translated():
    assert story(recognised("everything is paused: exit code 3")) == (
        "everything is paused: %(reason)s",
        {"reason": "exit code 3"},
    )
    assert recognised("no connection within 10 s: Connection timed out") == (
        "no connection within 10 s: Connection timed out"
    )
