"""Reading tasks and users for the command line."""

from __future__ import annotations

import pytest

from gocron.core.definition import define
from gocron.db import listing, tasks, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.errors import NotFound

ME = Actor("cli:me")


def _add(database: Database, *names: str, **fields: object) -> None:
    definitions = [
        define({"name": name, "spec": "@daily", "command": "true", **fields}) for name in names
    ]
    tasks.create_many(database, definitions, ME)


def test_all_tasks_come_page_by_page_each_one_once(database, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 3)
    names = [f"task {number}" for number in range(9)]
    _add(database, *names)
    assert [row.name for row in listing.each_task(database)] == names


def test_a_task_that_is_added_or_deleted_meanwhile_makes_no_other_come_twice(database, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    _add(database, "a", "b", "c", "d")
    found = listing.each_task(database, listing.BRIEF)
    first = next(found)
    tasks.delete(database, [first.id, first.id + 2], ME)
    _add(database, "e")
    assert [row.name for row in found] == ["b", "d", "e"]


def test_tasks_are_filtered_by_tag_and_state(database):
    _add(database, "a", "b", tag="x")
    _add(database, "c", tag="x", enabled=False)
    _add(database, "d")
    both = listing.each_task(database, tag="x", enabled=True)
    assert [row.name for row in both] == ["a", "b"]
    assert [row.name for row in listing.each_task(database, enabled=False)] == ["c"]
    assert [row.name for row in listing.each_task(database, tag="")] == ["d"]


def test_a_listed_task_has_plain_values(database):
    _add(database, "a", environment={"A": "ö"}, http_verify_tls=False)
    (row,) = listing.each_task(database)
    assert (row.environment, row.http_verify_tls, row.enabled) == ({"A": "ö"}, False, True)
    assert row.next_fire_at.utcoffset().total_seconds() == 0


def test_a_task_is_found_by_name_and_by_id(database):
    _add(database, "a", "B")
    by_name = listing.find_task(database, "B")
    assert by_name.name == "B"
    assert listing.find_task(database, str(by_name.id)) == by_name
    assert listing.find_task(database, f"00{by_name.id}") == by_name
    assert listing.find_task(database, " B ") == by_name


@pytest.mark.parametrize("word", ["b", "0", "-1", "9" * 18, "9" * 50, "", "\u0661", "%"])
def test_what_is_neither_name_nor_id_is_not_found(database, word):
    _add(database, "B")
    with pytest.raises(NotFound, match="gocron task list"):
        listing.find_task(database, word)


def test_a_word_that_could_mean_two_tasks_is_not_guessed(database):
    _add(database, "first")
    first = listing.find_task(database, "first")
    _add(database, str(first.id))
    second = next(row for row in listing.each_task(database) if row.name == str(first.id))
    with pytest.raises(NotFound, match=f"say {second.id} or 'first'"):
        listing.find_task(database, str(first.id))


def test_users_are_listed_by_name_without_their_passwords(database):
    for name in ("zoe", "ada"):
        users.create(database, name, "correct horse", ME)
    found = listing.users(database)
    assert [row.username for row in found] == ["ada", "zoe"]
    assert "password_hash" not in found[0]._fields
