"""Finding runs: every filter, both ways, on every engine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gocron.core.states import RunState, Trigger
from gocron.db import run_queries, run_search
from gocron.db.run_search import RunFilter, first_since
from tests.helpers.rows import FAR, SECOND, insert_run, insert_runs

HOUR = timedelta(hours=1)


@pytest.fixture
def made(database):
    """240 runs a minute apart, as (id, fields)."""
    states, triggers = list(RunState), list(Trigger)
    fields = [
        {
            "task_id": 1 + number % 4,
            "state": states[number % 9],
            "owner_id": (None, 1, 2)[number % 3],
            "trigger": triggers[number % 5],
            "scheduled_at": FAR + number * timedelta(minutes=1),
            "created_at": FAR + number * timedelta(minutes=1) - SECOND,
        }
        for number in range(240)
    ]
    insert_runs(database, fields)
    with database.read() as connection:
        ids = run_search.find(connection, RunFilter(), 1000)
    return list(zip(ids[::-1], fields, strict=True))


def all_pages(database, wanted: RunFilter, size: int = 7) -> list[int]:
    """Every id, page by page; going back from each page shows the one before."""
    found: list[int] = []
    page = run_queries.page(database, wanted, size)
    assert page.newer is None
    while True:
        ids = [run.id for run in page.runs]
        found += ids
        if page.older is None:
            return found
        following = run_queries.page(database, wanted, size, before=page.older)
        assert following.newer is not None
        back = run_queries.page(database, wanted, size, after=following.newer)
        assert [run.id for run in back.runs] == ids
        assert back.newer == page.newer
        assert back.older == page.older
        page = following


@pytest.mark.parametrize(
    "wanted",
    [
        RunFilter(),
        RunFilter(states=(RunState.FAILED,)),
        RunFilter(states=(RunState.SUCCESS,)),
        RunFilter(states=(RunState.FAILED, RunState.TIMEOUT, RunState.LOST)),
        RunFilter(node_id=2),
        RunFilter(node_id=2, states=(RunState.SUCCESS, RunState.QUEUED)),
        RunFilter(task_ids=(3,)),
        RunFilter(task_ids=(1, 4), states=(RunState.FAILED, RunState.MISSED)),
        RunFilter(task_ids=(1, 2), node_id=1),
        RunFilter(triggers=(Trigger.MANUAL,)),
        RunFilter(triggers=(Trigger.MANUAL, Trigger.SCHEDULE), states=(RunState.SUCCESS,)),
        RunFilter(since=FAR + HOUR, until=FAR + 2 * HOUR),
        RunFilter(since=FAR + HOUR, states=(RunState.SUCCESS, RunState.FAILED), node_id=1),
        RunFilter(task_ids=(99,)),
        RunFilter(until=FAR),
    ],
)
def test_filters_find_what_they_say(database, made, wanted):
    def fits(fields) -> bool:
        return (
            (wanted.task_ids is None or fields["task_id"] in wanted.task_ids)
            and (not wanted.states or fields["state"] in wanted.states)
            and (wanted.node_id is None or fields["owner_id"] == wanted.node_id)
            and (not wanted.triggers or fields["trigger"] in wanted.triggers)
            and (wanted.since is None or fields["scheduled_at"] >= wanted.since)
            and (wanted.until is None or fields["scheduled_at"] < wanted.until)
        )

    expected = [run_id for run_id, fields in reversed(made) if fits(fields)]
    assert all_pages(database, wanted) == expected


def test_a_run_is_found_by_when_it_came_up(database):
    """At its slot, although its row is older; or when somebody asked for it."""
    for hours in range(5):
        insert_run(
            database,
            task_id=9,
            scheduled_at=FAR - hours * HOUR,
            created_at=FAR - 6 * HOUR + hours * SECOND,
        )
    claimed = insert_run(database, scheduled_at=FAR, created_at=FAR - SECOND)
    asked_later = insert_run(database, scheduled_at=FAR - 99 * HOUR, created_at=FAR + SECOND)

    def found(since, until) -> list[int]:
        wanted = RunFilter(task_ids=(1,), since=since, until=until)
        return [run.id for run in run_queries.page(database, wanted, 10).runs]

    assert found(FAR, FAR + SECOND) == [claimed]
    assert found(FAR + SECOND, FAR + 2 * SECOND) == [asked_later]
    assert found(FAR - HOUR, FAR) == []
    assert found(FAR, None) == [asked_later, claimed]


def test_no_page_lies_beside_runs_that_are_gone(database):
    assert run_queries.page(database, RunFilter(), 5) == run_queries.RunPage((), None)
    assert run_queries.page(database, RunFilter(), 5, before=3).runs == ()
    assert run_queries.page(database, RunFilter(), 5, after=3).runs == ()


def test_a_moment_is_found_as_an_id(database):
    ids = [insert_run(database, created_at=FAR + n * SECOND, attempt=n) for n in range(20)]
    with database.read() as connection:
        for number, run_id in enumerate(ids):
            assert first_since(connection, FAR + number * SECOND) == run_id
            assert first_since(connection, FAR + (number - 0.5) * SECOND) == run_id
        assert first_since(connection, FAR + 20 * SECOND) == ids[-1] + 1
        assert first_since(connection, FAR, ids[7]) == ids[7]
