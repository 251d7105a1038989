"""Pauses begin, get another end, and are over: by the database's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from gocron.db import pauses
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, Pause
from gocron.errors import InvalidTask
from tests.helpers.databases import at_once
from tests.helpers.rows import insert_tasks, now_of, rows

ADA = Actor("Ada", "192.0.2.7", "node-1")
BOB = Actor("Bob")
HOUR = timedelta(hours=1)


def in_force(database: Database) -> dict[str, str]:
    with database.read() as connection:
        return pauses.in_force(connection, database.dialect)


def let_it_end(database: Database, tag: str) -> None:
    with database.write() as connection:
        connection.execute(
            update(Pause).where(Pause.tag == tag).values(until=now_of(database) - HOUR)
        )


def audits(database: Database) -> list[tuple[str, str, str, dict[str, Any]]]:
    found = rows(database, AuditLog)
    return [(line.actor, line.action, line.target, line.detail) for line in found]


def test_a_pause_without_an_end_is_in_force_until_somebody_resumes(database):
    pauses.pause(database, "", " the database moves ", None, ADA)

    (pause,) = pauses.listing(database)
    assert (pause.tag, pause.reason, pause.until) == ("", "the database moves", None)
    assert (pause.created_by, pause.in_force) == ("Ada", True)
    assert abs(pause.created_at - now_of(database)) < timedelta(seconds=30)
    assert in_force(database) == {"": "the database moves"}

    assert pauses.resume(database, "", BOB) is True
    assert pauses.resume(database, "", BOB) is False

    assert pauses.listing(database) == []
    assert in_force(database) == {}
    assert audits(database) == [
        ("Ada", "pause.begin", "everything", {"reason": "the database moves", "until": None}),
        ("Bob", "pause.end", "everything", {}),
    ]


def test_each_tag_has_a_pause_of_its_own(database):
    until = now_of(database) + HOUR
    for tag in ("reports", "", "mail"):
        pauses.pause(database, tag, f"because of {tag}!", until, ADA)
    assert [pause.tag for pause in pauses.listing(database)] == ["", "mail", "reports"]
    assert {pause.until for pause in pauses.listing(database)} == {until}
    assert pauses.resume(database, "reports", ADA)
    assert in_force(database) == {"": "because of !", "mail": "because of mail!"}
    assert pauses.resume(database, "Mail", ADA) is False


def test_pausing_again_replaces_reason_and_end(database):
    until = now_of(database) + HOUR
    pauses.pause(database, "mail", "first", None, ADA)
    (first,) = pauses.listing(database)
    pauses.pause(database, " mail ", "second", until, BOB)
    (second,) = pauses.listing(database)
    assert (second.reason, second.until) == ("second", until)
    assert (second.created_by, second.created_at) == ("Ada", first.created_at)
    pauses.pause(database, "mail", "third", None, BOB)
    assert pauses.listing(database)[0].until is None
    assert [actor for actor, *_rest in audits(database)] == ["Ada", "Bob", "Bob"]


def test_a_pause_that_has_ended_is_listed_as_such_and_makes_way_for_a_new_one(database):
    pauses.pause(database, "mail", "old", None, ADA)
    pauses.pause(database, "other", "old", None, ADA)
    let_it_end(database, "mail")
    assert [(p.tag, p.in_force) for p in pauses.listing(database)] == [
        ("mail", False),
        ("other", True),
    ]
    assert in_force(database) == {"other": "old"}

    pauses.pause(database, "mail", "new", None, BOB)

    new = pauses.listing(database)[0]
    assert (new.created_by, new.reason, new.in_force) == ("Bob", "new", True)
    assert len(rows(database, Pause)) == 2


def test_nothing_is_resumed_that_was_over_already(database):
    pauses.pause(database, "mail", "old", None, ADA)
    let_it_end(database, "mail")
    assert pauses.resume(database, "mail", BOB) is False
    assert pauses.listing(database) == []
    assert [action for _actor, action, *_rest in audits(database)] == ["pause.begin"]


def test_the_end_may_be_given_in_any_zone(database):
    until = now_of(database).replace(microsecond=0) + HOUR
    pauses.pause(database, "", "x", until.astimezone(timezone(timedelta(hours=9))), ADA)
    assert pauses.listing(database)[0].until == until


PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "tag", "reason", "until", "words"),
    [
        ("tag", "x" * 65, "x", None, "at most 64 characters"),
        ("tag", "a\nb", "x", None, "one line"),
        ("reason", "a", " \n ", None, "found nothing"),
        ("reason", "a", "x" * 257, None, "at most 256 characters"),
        ("reason", "a", "\x1b[2J", None, "control characters"),
        ("until", "a", "x", PAST, "must lie in the future: 2020-01-01T00:00:00"),
        ("until", "a", "x", datetime(2030, 1, 1), "no time zone"),  # noqa: DTZ001
        ("until", "a", "x", datetime.max.replace(tzinfo=UTC), "at most 3660 days away"),
        ("until", "a", "x", datetime.max.replace(tzinfo=timezone(-HOUR)), "at most 3660 days"),
        ("until", "a", "x", datetime.min.replace(tzinfo=timezone(HOUR)), "in the future"),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(database, field, tag, reason, until, words):
    with pytest.raises(InvalidTask, match=words) as refused:
        pauses.pause(database, tag, reason, until, ADA)
    assert refused.value.field == field
    assert rows(database, Pause) == []
    assert rows(database, AuditLog) == []


def test_those_who_pause_at_the_same_moment_make_one_pause(database):
    for number in range(5):
        tag = f"tag {number}"
        at_once(*[partial(pauses.pause, database, tag, str(n), None, ADA) for n in range(4)])
        assert in_force(database)[tag] in {"0", "1", "2", "3"}
        assert at_once(*[partial(pauses.resume, database, tag, ADA)] * 4).count(True) == 1


def test_it_is_said_how_many_tasks_a_pause_is_about(database):
    insert_tasks(database, ["a", "b"], tag="mail")
    insert_tasks(database, ["c"], tag="mail", enabled=False)
    insert_tasks(database, ["d"])
    assert pauses.concerned(database, "") == 3
    assert pauses.concerned(database, "mail") == 2
    assert pauses.concerned(database, "none") == 0
