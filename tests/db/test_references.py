"""What a task names has to exist, and tasks never wait for each other in a circle: whoever saves
what on which node."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update

from gocron.core.definition import Refused, TaskDefinition, define
from gocron.db import references, tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Calendar, ConcurrencyGroup, Setting, Task, TaskDependency
from gocron.errors import Conflict, InvalidTask
from tests.helpers.databases import at_once, on_servers
from tests.helpers.rows import now_of, row, rows

ADA = Actor("Ada")


def definition(name: str, *parents: str, **fields: Any) -> TaskDefinition:
    """Every day, or after its parents."""
    when: dict[str, Any] = {"depends_on": list(parents)} if parents else {"spec": "@daily"}
    return define({"name": name, "command": "true"} | when | fields)


def create(database: Database, name: str, *parents: str, **fields: Any) -> int:
    return tasks.create(database, definition(name, *parents, **fields), ADA)


def edges(database: Database) -> set[tuple[str, str, str]]:
    """(child, parent, need), by name."""
    names = {task.id: task.name for task in rows(database, Task)}
    return {
        (names[edge.task_id], names[edge.parent_id], edge.need)
        for edge in rows(database, TaskDependency)
    }


def said(database: Database) -> set[tuple[str, str, str]]:
    """The same, as the tasks themselves say it."""
    return {
        (task.name, parent, need)
        for task in rows(database, Task)
        for parent, need in task.depends_on.items()
    }


def followed(database: Database) -> set[str]:
    return {task.name for task in rows(database, Task) if task.followed}


def add_calendar(database: Database, name: str, *days: str) -> None:
    with database.write() as connection:
        connection.execute(
            insert(Calendar).values(
                name=name, days=json.dumps(sorted(days)), day_count=1, updated_at=now_of(database)
            )
        )


def add_group(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(insert(ConcurrencyGroup).values(name=name, max_running=1))


def outcome_of(change: Callable[..., object], *arguments: Any) -> str:
    """``done``, or why not."""
    try:
        change(*arguments)
    except (InvalidTask, Conflict) as error:
        return str(error)
    return "done"


# what does not exist ----------------------------------------------------------------------------


WAYS: dict[str, Callable[[Database, TaskDefinition], object]] = {
    "create": lambda database, wanted: tasks.create(database, wanted, ADA),
    "import": lambda database, wanted: tasks.create_many(
        database, [definition("another"), wanted], ADA
    ),
    "edit": lambda database, wanted: tasks.edit(
        database, create(database, "task, as it was"), wanted, ADA
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        (
            {"exclude_calendars": ["holidys"]},
            "exclude_calendars",
            "'holidys'; did you mean holidays",
        ),
        ({"require_calendars": ["x"]}, "require_calendars", "no calendar 'x'.*gocron calendar"),
        ({"group": "dsk"}, "group", "no group 'dsk'; did you mean disk"),
        ({"group": "x"}, "group", "no group 'x'; create it with `gocron group`"),
        (
            {"depends_on": ["extrct"], "spec": ""},
            "depends_on",
            "no task 'extrct'; did you mean extract",
        ),
        (
            {"depends_on": ["Extract"], "spec": ""},
            "depends_on",
            "no task 'Extract'; did you mean extract",
        ),
    ],
)
def test_what_a_task_names_has_to_exist(database, way, fields, field, words):
    add_calendar(database, "holidays", "2031-12-25")
    add_group(database, "disk")
    create(database, "extract")
    before = len(rows(database, Task))
    with pytest.raises(InvalidTask, match=words) as refused:
        WAYS[way](database, definition("task", **fields))
    assert refused.value.field == field
    assert len(rows(database, Task)) == before + (way == "edit")
    assert "task" not in [task.name for task in rows(database, Task)]
    assert edges(database) == set()


def test_all_that_is_missing_is_said_at_once_and_of_which_task(database):
    wanted = [definition("a", group="g", exclude_calendars=["c"]), definition("b", "p")]
    with pytest.raises(Refused) as refused:
        tasks.create_many(database, wanted, ADA)
    assert [(mistake.field, mistake.message[:9]) for mistake in refused.value.mistakes] == [
        ("exclude_calendars", "task 'a':"),
        ("group", "task 'a':"),
        ("depends_on", "task 'b':"),
    ]


def test_what_exists_is_taken(database):
    add_calendar(database, "holidays", "2031-12-25")
    add_group(database, "disk")
    create(database, "extract")
    task_id = create(database, "load", "extract", group="disk")
    other = create(database, "report", exclude_calendars=["holidays"], group="disk")
    assert row(database, Task, task_id).concurrency_group == "disk"
    assert row(database, Task, other).exclude_calendars == ["holidays"]
    assert edges(database) == {("load", "extract", "strong")}


def test_an_import_keeps_what_each_task_names(database):
    add_calendar(database, "holidays", "2031-12-25")
    add_group(database, "disk")
    wanted = definition("report", exclude_calendars=["holidays"], group="disk", priority=7)
    tasks.create_many(database, [wanted, definition("other")], ADA)
    report, other = rows(database, Task)
    assert (report.concurrency_group, report.priority) == ("disk", 7)
    assert report.exclude_calendars == ["holidays"]
    assert other.concurrency_group == ""


# circles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["edit", "import"])
def test_a_circle_is_refused_with_the_way_round_it(database, way):
    if way == "import":
        wanted = [definition("a", "c"), definition("b", "a"), definition("c", "b")]
        with pytest.raises(InvalidTask) as refused:
            tasks.create_many(database, wanted, ADA)
    else:
        a = create(database, "a")
        create(database, "b", "a")
        create(database, "c", "b")
        with pytest.raises(InvalidTask) as refused:
            tasks.edit(database, a, definition("a", "c"), ADA)
    assert refused.value.field == "depends_on"
    assert "the tasks would wait for each other for ever: 'a' → 'c' → 'b' → 'a'" in str(
        refused.value
    )
    assert ("a", "c", "strong") not in edges(database)


def test_a_circle_through_a_task_that_is_renamed_is_seen(database):
    a = create(database, "a")
    create(database, "b", "a")
    with pytest.raises(InvalidTask, match="'z' → 'b' → 'z'"):
        tasks.edit(database, a, definition("z", "b"), ADA)
    assert said(database) == edges(database) == {("b", "a", "strong")}


def test_a_diamond_is_no_circle(database):
    create(database, "top")
    create(database, "left", "top")
    create(database, "right", "top")
    create(database, "bottom", "left", "right")
    assert len(edges(database)) == 4


@on_servers
@pytest.mark.parametrize("guarded", [True, False], ids=["with guard row", "without"])
def test_two_editors_never_make_a_circle_together_at_the_same_moment(database, guarded):
    """Each of the two changes alone would be fine."""
    for _round in range(8):
        with database.write() as connection:
            for model in (TaskDependency, Task):
                connection.execute(delete(model))
            if not guarded:
                connection.execute(delete(Setting).where(Setting.name == references.GUARD))
        a, b = create(database, "a"), create(database, "b")
        outcome = at_once(
            partial(outcome_of, tasks.edit, database, a, definition("a", "b"), ADA),
            partial(outcome_of, tasks.edit, database, b, definition("b", "a"), ADA),
        )
        assert "done" in outcome
        (refusal,) = (words for words in outcome if words != "done")
        assert "for each other for ever" in refusal
        assert len(edges(database)) == 1


@on_servers
def test_a_ring_of_editors_leaves_it_open_somewhere(database):
    names = [f"t{n}" for n in range(5)]
    ids = [create(database, name) for name in names]
    order = random.Random(3).sample(range(5), 5)
    outcome = at_once(
        *(
            partial(outcome_of, tasks.edit, database, ids[n], definition(names[n], parent), ADA)
            for n in order
            for parent in [names[(n + 1) % 5]]
        )
    )
    assert outcome.count("done") == 4
    assert len(edges(database)) == 4


# renaming ---------------------------------------------------------------------------------------


def test_the_new_name_of_a_task_is_seen_in_those_that_depend_on_it(database):
    parent = create(database, "parent")
    create(database, "other")
    child = create(database, "child", "parent", "other")
    stranger = create(database, "stranger", "other")
    before = row(database, Task, stranger)

    tasks.edit(database, parent, definition("mother"), ADA)

    assert said(database) == edges(database)
    assert row(database, Task, child).depends_on == {"mother": "strong", "other": "strong"}
    assert row(database, Task, stranger) == before
    tasks.edit(database, child, definition("child", "mother"), ADA)
    assert edges(database) == {("child", "mother", "strong"), ("stranger", "other", "strong")}


def test_the_old_name_can_be_given_to_another_task_that_nobody_depends_on(database):
    parent = create(database, "parent")
    create(database, "child", "parent")
    tasks.edit(database, parent, definition("mother"), ADA)
    create(database, "parent")
    assert edges(database) == {("child", "mother", "strong")}
    assert followed(database) == {"mother"}


@on_servers
def test_whoever_is_renamed_while_others_begin_to_depend_on_it_is_known_by_one_name(database):
    for number in range(12):
        parent = create(database, f"p{number}")
        child = create(database, f"c{number}")

        new_name = definition(f"q{number}")
        after_it = definition(f"c{number}", f"p{number}")
        renamed, depends = at_once(
            partial(outcome_of, tasks.edit, database, parent, new_name, ADA),
            partial(outcome_of, tasks.edit, database, child, after_it, ADA),
        )
        assert renamed == "done"
        assert depends == "done" or f"no task 'p{number}'" in depends
        assert said(database) == edges(database)


@on_servers
def test_whoever_stops_depending_on_a_task_that_is_renamed_stays_without_it(database):
    for number in range(12):
        parent = create(database, f"p{number}")
        child = create(database, f"c{number}", f"p{number}")

        at_once(
            partial(tasks.edit, database, parent, definition(f"q{number}"), ADA),
            partial(tasks.edit, database, child, definition(f"c{number}"), ADA),
        )
        assert said(database) == edges(database) == set()
        assert followed(database) == set()


# deleting ---------------------------------------------------------------------------------------


def test_a_task_that_others_depend_on_is_not_deleted_alone(database):
    parent = create(database, "parent")
    for name in ("one", "two"):
        create(database, name, "parent")
    with pytest.raises(Conflict, match="'parent' cannot be deleted: 'one', 'two' depend on it"):
        tasks.delete(database, [parent], ADA)
    assert len(rows(database, Task)) == 3
    assert len(edges(database)) == 2


@pytest.mark.parametrize("turned", [False, True])
def test_together_with_those_that_depend_on_it_it_is_deleted(database, turned):
    ids = [create(database, "parent")]
    ids.append(create(database, "child", "parent"))
    ids.append(create(database, "grandchild", "child"))
    kept = create(database, "kept")
    assert tasks.delete(database, ids[::-1] if turned else ids, ADA) == 3
    assert [task.id for task in rows(database, Task)] == [kept]
    assert rows(database, TaskDependency) == []


def test_whoever_dies_while_deleting_a_long_chain_leaves_none_without_its_parent(
    database, monkeypatch
):
    """They are deleted in several transactions."""
    monkeypatch.setattr(tasks, "CHANGE_PAGE", 3)
    names = [f"t{n}" for n in range(10)]
    ids = [create(database, names[0])]
    ids += [create(database, child, parent) for parent, child in itertools.pairwise(names)]
    transact = database.transact
    left = iter(range(2))

    def die_soon(work: Any) -> Any:
        if next(left, None) is None:
            raise RuntimeError("kill -9")
        return transact(work)

    monkeypatch.setattr(database, "transact", die_soon)
    with pytest.raises(RuntimeError):
        tasks.delete(database, ids, ADA)
    assert [task.name for task in rows(database, Task)] == names[:4]
    assert said(database) == edges(database)


@on_servers
def test_nobody_depends_on_a_task_that_was_deleted_at_the_same_moment(database):
    for number in range(12):
        parent = create(database, "parent")

        removed, depends = at_once(
            partial(outcome_of, tasks.delete, database, [parent], ADA),
            partial(outcome_of, create, database, f"child {number}", "parent"),
        )
        if removed == "done":
            assert "no task 'parent'" in depends
        else:
            assert ("depends on it" in removed, depends) == (True, "done")
        assert said(database) == edges(database)
        with database.write() as connection:
            for model in (TaskDependency, Task):
                connection.execute(delete(model))


# importing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_tasks_that_name_each_other_are_imported_in_whatever_order_they_come(database, seed):
    create(database, "there")
    wanted = [
        definition("a", "there"),
        definition("b", "a"),
        define({"name": "c", "command": "x", "depends_on": {"a": "weak", "b": "strong"}}),
        definition("d"),
    ]
    random.Random(seed).shuffle(wanted)
    assert tasks.create_many(database, wanted, ADA) == 4
    assert (
        said(database)
        == edges(database)
        == {
            ("a", "there", "strong"),
            ("b", "a", "strong"),
            ("c", "a", "weak"),
            ("c", "b", "strong"),
        }
    )
    assert followed(database) == {"there", "a", "b"}


def test_hundreds_of_tasks_that_depend_on_each_other_are_imported(database):
    wanted = [definition("t0"), *(definition(f"t{n}", f"t{n // 2}") for n in range(1, 1200))]
    tasks.create_many(database, wanted[::-1], ADA)
    assert len(edges(database)) == 1199
    assert len(followed(database)) == 600


# whether something follows ----------------------------------------------------------------------


def test_a_task_is_followed_by_retries_reruns_and_children_and_only_by_those(database):
    create(database, "plain")
    create(database, "retried", retry_times=1)
    create(database, "rerun", on_lost="rerun")
    create(database, "parent")
    create(database, "child", "parent")
    assert followed(database) == {"retried", "rerun", "parent"}


def test_a_task_whose_last_child_leaves_is_followed_no_more(database):
    for name, fields in (("a", {}), ("b", {"retry_times": 1}), ("c", {"on_lost": "rerun"})):
        create(database, name, **fields)
    child = create(database, "child", "a", "b", "c")
    other = create(database, "other", "a")
    assert followed(database) == {"a", "b", "c"}
    tasks.edit(database, child, definition("child"), ADA)
    assert followed(database) == {"a", "b", "c"}
    tasks.delete(database, [other], ADA)
    assert followed(database) == {"b", "c"}


def test_an_edit_keeps_what_follows_because_of_others(database):
    parent = create(database, "parent", retry_times=2)
    create(database, "child", "parent")
    tasks.edit(database, parent, definition("parent"), ADA)
    assert followed(database) == {"parent"}
    tasks.edit(database, parent, definition("mother", retry_times=1), ADA)
    assert followed(database) == {"mother"}


def test_a_child_that_changes_its_parent_takes_it_along(database):
    create(database, "a")
    create(database, "b")
    child = create(database, "child", "a")
    tasks.edit(database, child, definition("child", "b"), ADA)
    assert followed(database) == {"b"}


@on_servers
def test_a_parent_that_is_edited_while_a_child_comes_or_goes_knows_it(database):
    for number in range(10):
        parent = create(database, f"p{number}")
        leaving = create(database, f"l{number}", f"p{number}")

        at_once(
            partial(tasks.edit, database, parent, definition(f"p{number}", command="new"), ADA),
            partial(tasks.create, database, definition(f"c{number}", f"p{number}"), ADA),
            partial(tasks.delete, database, [leaving], ADA),
        )
        assert row(database, Task, parent).followed
    assert said(database) == edges(database)


# what is changed meanwhile ----------------------------------------------------------------------


@pytest.fixture
def before_the_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    """What somebody else commits after a task has been looked at, and before it is stored."""
    meanwhile: list[Callable[[], None]] = []
    confirm = references.confirm

    def changed_first(*arguments: Any) -> None:
        while meanwhile:
            thread = threading.Thread(target=meanwhile.pop())
            thread.start()
            thread.join()
        confirm(*arguments)

    monkeypatch.setattr(references, "confirm", changed_first)
    yield meanwhile
    assert meanwhile == []


@on_servers
@pytest.mark.parametrize("way", WAYS)
def test_a_group_that_is_deleted_meanwhile_is_noticed(database, before_the_end, monkeypatch, way):
    add_group(database, "disk")

    def remove() -> None:
        with database.write() as connection:
            connection.execute(delete(ConcurrencyGroup))

    wanted = definition("task", group="disk")
    if way == "edit":
        create(database, "task, as it was")
        monkeypatch.setattr(tasks, "create", lambda *_arguments: rows(database, Task)[0].id)
    before_the_end.append(remove)
    with pytest.raises(InvalidTask, match="'disk' was deleted in the meantime") as refused:
        WAYS[way](database, wanted)
    assert refused.value.field == "group"
    assert "task" not in [task.name for task in rows(database, Task)]


@on_servers
@pytest.mark.parametrize("how", ["deleted", "changed"])
def test_a_calendar_that_is_changed_meanwhile_is_noticed(database, before_the_end, how):
    """The first slot was computed with the days that it had."""
    today = now_of(database).date()
    add_calendar(database, "holidays", today.isoformat())

    def change() -> None:
        days = json.dumps([(today + timedelta(days=1)).isoformat()])
        with database.write() as connection:
            what = delete(Calendar) if how == "deleted" else update(Calendar).values(days=days)
            connection.execute(what)

    before_the_end.append(change)
    wanted = [definition("a"), definition("b", exclude_calendars=["holidays"])]
    with pytest.raises(InvalidTask, match="'holidays' was changed in the meantime") as refused:
        tasks.create_many(database, wanted, ADA)
    assert refused.value.field == "exclude_calendars"
    assert rows(database, Task) == []


@on_servers
def test_a_start_does_not_wait_for_a_task_of_the_group_that_is_being_saved(database):
    """An import takes seconds."""
    add_group(database, "disk")
    with database.write() as connection:
        references.require(connection, [definition("task", group="disk")])
        with database.write() as starting:
            locking = f"SELECT name FROM concurrency_group{database.dialect.skip_locked}"
            assert starting.execute(text(locking)).scalars().all() == ["disk"]


def test_without_the_guard_row_everything_is_as_with_it(database):
    with database.write() as connection:
        connection.execute(delete(Setting))
    create(database, "a")
    create(database, "b", "a")
    with database.read() as connection:
        found = connection.execute(select(Setting.name)).scalars().all()
    assert found == [references.GUARD]
    create(database, "c", "a", "b")
    assert len(edges(database)) == 3
