"""The queries behind the list of tasks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gocron.core.states import RunState
from gocron.db import task_history, task_list, task_queries
from gocron.db.task_list import LastResult, Order, TaskFilter
from tests.helpers.databases import effort, full_scans, on_servers, statements_of
from tests.helpers.rows import FAR, SECOND, insert_run, insert_runs, insert_tasks


def names(page: task_list.TaskPage) -> list[str]:
    return [task.name for task in page.tasks]


def test_the_newest_runs_of_each_task_come_oldest_first(database):
    first, second, third = insert_tasks(database, ["a", "b", "c"])
    for number in range(25):
        insert_run(
            database,
            task_id=first.id,
            state=RunState.SUCCESS,
            scheduled_at=FAR + number * SECOND,
            started_at=FAR,
            finished_at=FAR + timedelta(seconds=number),
        )
    insert_run(database, task_id=first.id, state=RunState.QUEUED, scheduled_at=FAR - SECOND)
    running = insert_run(
        database, task_id=second.id, state=RunState.RUNNING, started_at=FAR, reason="r"
    )
    found = task_history.newest_of_each(database, [first.id, second.id, third.id])
    assert [run.duration.total_seconds() for run in found[first.id]] == list(range(5, 25))
    assert found[first.id][0].scheduled_at == FAR + 5 * SECOND
    (only,) = found[second.id]
    assert (only.id, only.state, only.reason, only.duration) == (running, "running", "r", None)
    assert third.id not in found
    assert task_history.newest_of_each(database, []) == {}


@on_servers
def test_the_newest_runs_of_a_page_are_one_short_statement(big_database):
    ids = range(1, 101)
    with statements_of(big_database) as sent:
        found = task_history.newest_of_each(big_database, ids)
    assert len(found) == 100
    (statement,) = [one for one in sent if "run" in one[0]]
    assert not full_scans(big_database, statement)
    assert effort(big_database, statement) < 1500


def test_tags_are_in_order_each_once_and_not_too_many(database):
    assert task_queries.tags(database) == []
    insert_tasks(database, ["a", "b"], tag="x")
    insert_tasks(database, ["c"], tag="Ünï, 漢")
    insert_tasks(database, ["d"])
    insert_tasks(database, ["e"], tag="b")
    assert set(task_queries.tags(database)) == {"b", "x", "Ünï, 漢"}
    assert task_queries.tags(database)[0] == "b"
    assert len(task_queries.tags(database, 2)) == 2


def test_a_page_knows_how_many_fit_and_whether_more_follow(database):
    insert_tasks(database, [f"t{number}" for number in range(7)])
    page = task_list.page(database, TaskFilter(), offset=0, size=3)
    assert (names(page), page.count, page.more) == (["t0", "t1", "t2"], 7, True)
    page = task_list.page(database, TaskFilter(), offset=6, size=3)
    assert (names(page), page.count, page.more) == (["t6"], 7, False)
    page = task_list.page(database, TaskFilter(), offset=9, size=3)
    assert (names(page), page.count, page.more) == ([], 7, False)


def test_pages_behind_what_is_counted_are_found_all_the_same(database, monkeypatch):
    monkeypatch.setattr(task_list, "COUNTED", 4)
    insert_tasks(database, [f"on{number}" for number in range(6)])
    insert_tasks(
        database, [f"off{number}" for number in range(3)], enabled=False, next_fire_at=None
    )
    in_order = [f"on{number}" for number in range(6)] + [f"off{number}" for number in range(3)]
    for offset in range(0, 12, 2):
        page = task_list.page(database, TaskFilter(), Order.NEXT, offset=offset, size=2)
        assert names(page) == in_order[offset : offset + 2]
        assert page.count == 4
        assert page.more is (offset + 2 < 9)


@pytest.mark.parametrize("last", LastResult)
def test_all_and_a_page_agree_on_what_fits(database, last):
    found = insert_tasks(database, [f"t{number:02}" for number in range(30)])
    states = (*RunState, RunState.FAILED)
    insert_runs(
        database,
        [
            {
                "task_id": task.id,
                "state": states[(index + number) % len(states)],
                "scheduled_at": FAR + number * SECOND,
            }
            for index, task in enumerate(found)
            for number in range(index % 4)
        ],
    )
    wanted = TaskFilter(last=last)
    page = task_list.page(database, wanted, size=50)
    assert [task.id for task in page.tasks] == task_list.ids(database, wanted, 50)
    assert {row.id for row in task_list.each(database, wanted)} == {t.id for t in page.tasks}
    assert page.count == len(page.tasks) > 0


def test_each_reads_page_by_page(database, monkeypatch):
    monkeypatch.setattr(task_list, "PAGE", 2)
    insert_tasks(database, ["a", "b", "c", "d"], tag="x")
    insert_tasks(database, ["e"])
    found = task_list.each(database, TaskFilter(tag="x"))
    assert [row.name for row in found] == ["a", "b", "c", "d"]
