"""The queries behind the list of tasks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gocron.core.states import RunState
from gocron.db import recent_runs, task_list, task_search
from gocron.db.task_list import LastResult, Order, TaskFilter
from tests.helpers.databases import effort, full_scans, on_servers, statements_of
from tests.helpers.rows import FAR, SECOND, insert_run, insert_runs, insert_tasks


def in_time() -> float:
    """The clock of a fast machine."""
    return 0.0


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
    found = recent_runs.newest_of_each(database, [first.id, second.id, third.id])
    assert [run.duration for run in found[first.id]] == [n * SECOND for n in range(5, 25)]
    assert found[first.id][0].scheduled_at == FAR + 5 * SECOND
    (only,) = found[second.id]
    assert (only.id, only.state, only.reason, only.duration) == (running, "running", "r", None)
    assert third.id not in found
    assert recent_runs.newest_of_each(database, []) == {}


@on_servers
def test_the_newest_runs_of_a_page_are_one_short_statement(big_database):
    ids = range(1, 101)
    with statements_of(big_database) as sent:
        found = recent_runs.newest_of_each(big_database, ids)
    assert len(found) == 100
    (statement,) = [one for one in sent if "run" in one[0]]
    scanned = full_scans(big_database, statement)
    assert not [table for table in scanned if not table.startswith("<")]  # but what it makes itself
    assert effort(big_database, statement) < 1500


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
            for number in range(1 + index % 3)
        ],
    )
    wanted = TaskFilter(last=last)
    page = task_list.page(database, wanted, size=50)
    assert task_search.look(database, wanted, size=50, clock=in_time).tasks == page.tasks
    assert [task.id for task in page.tasks] == task_list.ids(database, wanted, 50)
    assert {row.id for row in task_list.each(database, wanted)} == {t.id for t in page.tasks}
    assert page.count == len(page.tasks) > 0


def test_each_reads_page_by_page(database, monkeypatch):
    monkeypatch.setattr(task_list, "PAGE", 2)
    insert_tasks(database, ["a", "b", "c", "d"], tag="x")
    insert_tasks(database, ["e"])
    found = task_list.each(database, TaskFilter(tag="x"))
    assert [row.name for row in found] == ["a", "b", "c", "d"]


def looked_for(database, wanted: TaskFilter, **more) -> tuple[list[str], list[str | None]]:
    """All names, page by page; and where each page ended."""
    found, ends, after = [], [], ""
    while True:
        page = task_search.look(database, wanted, after=after, **{"clock": in_time} | more)
        found += names(page)
        ends.append(page.after)
        if page.after is None:
            return found, ends
        assert page.more
        after = page.after


@pytest.mark.parametrize("descending", [False, True])
def test_a_search_goes_on_where_it_stopped(database, monkeypatch, descending):
    monkeypatch.setattr(task_search, "WINDOW", 3)
    insert_tasks(database, [f"t{number:02}" for number in range(20)])
    insert_tasks(database, ["t05 broken", "t06 broken", "t19 broken"], broken="why")
    wanted = TaskFilter(broken=True)
    right = ["t05 broken", "t06 broken", "t19 broken"]
    right = right[::-1] if descending else right
    assert looked_for(database, wanted, descending=descending)[0] == right
    assert looked_for(database, wanted, descending=descending, size=1)[0] == right
    ticks = iter(range(1000))
    found, ends = looked_for(database, wanted, descending=descending, clock=lambda: next(ticks))
    assert found == right
    assert len(ends) == 8  # one window a page: the time was over after each


def test_a_search_that_was_stopped_says_so(database, monkeypatch):
    monkeypatch.setattr(task_search, "WINDOW", 2)
    insert_tasks(database, ["a", "b", "c"])
    ticks = iter(range(100))
    page = task_search.look(database, TaskFilter(broken=True), clock=lambda: next(ticks))
    assert (page.tasks, page.count, page.stopped, page.after) == ((), None, True, "b")
    page = task_search.look(database, TaskFilter(broken=True), after="b", clock=in_time)
    assert (page.tasks, page.stopped, page.after, page.more) == ((), False, None, False)


def test_a_text_is_looked_for_in_commands_if_no_name_has_it(database, monkeypatch):
    monkeypatch.setattr(task_search, "WINDOW", 2)
    insert_tasks(database, ["rsync it", "b"], command="true")
    insert_tasks(database, ["c"], command="rsync", tag="x")
    by_name = task_search.look(database, TaskFilter(text="RSYNC"), clock=in_time)
    assert (names(by_name), by_name.wanted.everywhere) == (["rsync it"], False)
    everywhere = task_search.look(
        database, TaskFilter(text="RSYNC", everywhere=True), clock=in_time
    )
    assert names(everywhere) == ["c", "rsync it"]
    by_tag = task_search.look(database, TaskFilter(text="X"), clock=in_time)
    assert (names(by_tag), by_tag.wanted.everywhere) == (["c"], True)
    monkeypatch.setattr(task_search, "WINDOW", 3)
    assert names(task_search.look(database, TaskFilter(text="RSYNC"), clock=in_time)) == [
        "c",
        "rsync it",
    ]


@on_servers
def test_one_window_is_all_that_a_statement_looks_at(big_database):
    ticks = iter(range(100))
    for wanted in (
        TaskFilter(text="nowhere", everywhere=True),
        TaskFilter(broken=True),
        TaskFilter(last=LastResult.NEVER),
    ):
        with statements_of(big_database) as sent:
            page = task_search.look(big_database, wanted, clock=lambda: next(ticks))
        assert page.stopped
        assert page.tasks == ()
        assert sum(effort(big_database, statement) for statement in sent) < 60_000
