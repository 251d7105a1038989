"""An instant stays the instant it was, on every server and in every zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import StatementError

from gocron.db.engine import Database
from gocron.db.models import AuditLog, Node
from tests.helpers.rows import insert_node, row, rows, scalar

INSTANTS = {
    "utc": datetime(2031, 5, 17, 10, 0, 0, 123_456, UTC),
    "one microsecond": datetime(2031, 5, 17, 10, 0, 0, 1, UTC),
    "whole second": datetime(2031, 5, 17, 10, 0, 0, 0, UTC),
    "zone of the servers": datetime(2031, 5, 17, 0, 15, tzinfo=ZoneInfo("Asia/Kathmandu")),
    "first 2:30": datetime(2031, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
    "second 2:30": datetime(2031, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    "2:30 in a zone that skips it": datetime(2031, 3, 30, 2, 30, tzinfo=UTC),
    "far west": datetime(2031, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=-12))),
    "seconds in the offset": datetime(2031, 1, 1, tzinfo=timezone(timedelta(seconds=5025))),
    "1970": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
    "beyond 2038": datetime(2999, 12, 31, 23, 59, 59, 999_999, UTC),
}


@pytest.mark.parametrize("name", INSTANTS)
def test_an_instant_comes_back_as_the_same_instant_in_utc(database: Database, name):
    instant = INSTANTS[name]
    insert_node(database, heartbeat_at=instant)
    (node,) = rows(database, Node)
    assert node.heartbeat_at.tzinfo is UTC
    assert node.heartbeat_at == instant.astimezone(UTC)


@pytest.mark.parametrize("name", INSTANTS)
def test_an_instant_is_found_by_itself(database: Database, name):
    insert_node(database, heartbeat_at=INSTANTS[name])
    with database.read() as connection:
        found = connection.execute(select(Node.id).where(Node.heartbeat_at == INSTANTS[name]))
        assert found.first() is not None
        dialect = database.dialect
        stored = connection.exec_driver_sql("SELECT heartbeat_at FROM node").scalar_one()
        assert dialect.instant(stored) == INSTANTS[name].astimezone(UTC)


def test_instants_are_ordered_by_the_server_as_time_orders_them(database: Database):
    for name, instant in INSTANTS.items():
        insert_node(database, name, heartbeat_at=instant)
    with database.read() as connection:
        found = connection.execute(select(Node.heartbeat_at).order_by(Node.heartbeat_at))
        moments = list(found.scalars())
    assert moments == sorted(instant.astimezone(UTC) for instant in INSTANTS.values())


def test_what_the_server_stores_is_utc_although_it_lives_in_another_zone(database: Database):
    insert_node(database, heartbeat_at=INSTANTS["zone of the servers"])
    as_text = {
        "postgresql": "SELECT CAST(heartbeat_at AT TIME ZONE 'UTC' AS text) FROM node",
        "mysql": "SELECT CAST(heartbeat_at AS CHAR) FROM node",
        "sqlite": "SELECT heartbeat_at FROM node",
    }
    stored = scalar(database, as_text[database.dialect.name])
    assert stored.startswith("2031-05-16 18:30:00")


def test_an_instant_without_a_zone_is_refused(database: Database):
    with pytest.raises(StatementError, match="naive"):
        insert_node(database, heartbeat_at=datetime(2031, 1, 1))  # noqa: DTZ001 -- the point
    assert rows(database, Node) == []


def test_no_instant_is_no_instant(database: Database):
    me = insert_node(database, stopped_at=None)
    assert row(database, Node, me.id).stopped_at is None


def test_a_generated_key_grows_and_is_never_used_again(database: Database):
    keys = []
    for _time in range(3):
        keys.append(insert_node(database).id)
        with database.write() as connection:
            connection.execute(delete(Node))
    assert keys == sorted(set(keys))


def test_json_comes_back_as_it_was(database: Database):
    value: dict[str, object] = {"ä😀": ["\\", '"', None, 1.5, {"": []}], "\u2028": "\t"}
    with database.write() as connection:
        line = dict.fromkeys(("actor", "address", "node_name", "action", "target"), "")
        connection.execute(insert(AuditLog).values(at=INSTANTS["utc"], detail=value, **line))
    assert rows(database, AuditLog)[0].detail == value
