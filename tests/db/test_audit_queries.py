"""The audit log, page by page and filtered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from gocron.db import audit_queries
from gocron.db.audit_queries import AuditFilter
from gocron.db.models import AuditLog
from tests.helpers.databases import effort, on_servers, statements_of
from tests.helpers.rows import FAR

MINUTE = timedelta(minutes=1)


@pytest.fixture
def hundred(database) -> list[int]:
    """A line a minute."""
    with database.write() as connection:
        connection.execute(
            insert(AuditLog),
            [
                {
                    "at": FAR + number * MINUTE,
                    "actor": "ada" if number % 2 else "bob",
                    "address": "",
                    "node_name": "",
                    "action": "task.edit" if number % 5 else "task.run",
                    "target": f"task {number % 10}",
                    "detail": {"number": number},
                }
                for number in range(100)
            ],
        )
    return list(range(100))


def numbers(page) -> list[int]:
    return [line.detail["number"] for line in page.lines]


def test_pages_follow_each_other_from_the_newest_to_the_oldest(database, hundred):
    seen, before = [], None
    while True:
        page = audit_queries.page(database, AuditFilter(), 33, before)
        seen += numbers(page)
        if page.older is None:
            break
        before = page.older
    assert seen == hundred[::-1]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (AuditFilter(actor="ada"), [n for n in range(100) if n % 2]),
        (AuditFilter(action="task.run"), range(0, 100, 5)),
        (AuditFilter(target="task 3"), range(3, 100, 10)),
        (AuditFilter(actor="bob", target="task 4"), range(4, 100, 10)),
        (AuditFilter(actor="nobody"), []),
        (AuditFilter(actor="Ada"), []),
        (AuditFilter(since=FAR + 97 * MINUTE), [97, 98, 99]),
        (AuditFilter(until=FAR + 3 * MINUTE), [0, 1, 2]),
        (AuditFilter(since=FAR + 10 * MINUTE, until=FAR + 12 * MINUTE), [10, 11]),
        (AuditFilter(since=FAR + 200 * MINUTE), []),
        (AuditFilter(until=FAR - MINUTE), []),
        (AuditFilter(actor="ada", since=FAR + 95 * MINUTE), [95, 97, 99]),
    ],
)
def test_filters_leave_what_fits(database, hundred, wanted, expected):
    assert numbers(audit_queries.page(database, wanted, 100)) == list(expected)[::-1]


def test_an_export_has_every_line_once(database, hundred, monkeypatch):
    monkeypatch.setattr(audit_queries, "EXPORT_PAGE", 7)
    found = [line.detail["number"] for line in audit_queries.each(database, AuditFilter())]
    assert found == hundred[::-1]


@on_servers
def test_a_page_costs_the_same_wherever_it_is_and_whatever_is_asked_for(database):
    size = 20_000
    with database.write() as connection:
        connection.execute(
            insert(AuditLog),
            [
                {
                    "at": FAR + number * MINUTE, "actor": f"user {number % 50}", "address": "",
                    "node_name": "", "action": f"action {number % 20}",
                    "target": f"task {number % 1000}", "detail": {},
                }
                for number in range(size)
            ],
        )  # fmt: skip
    analyze = "ANALYZE" if database.dialect.name == "postgresql" else "ANALYZE TABLE"
    with database.engine.connect() as connection:
        connection.exec_driver_sql(f"{analyze} {AuditLog.__tablename__}")
        connection.commit()
    middle = FAR + size // 2 * MINUTE
    for wanted in (
        AuditFilter(),
        AuditFilter(actor="user 7"),
        AuditFilter(actor="nobody"),
        AuditFilter(target="task 999"),
        AuditFilter(until=FAR + 10 * MINUTE),
        AuditFilter(since=middle, until=middle + 30 * MINUTE),
        AuditFilter(since=FAR + size * MINUTE),
    ):
        with statements_of(database) as sent:
            audit_queries.page(database, wanted, 50)
        assert sum(effort(database, statement) for statement in sent) < 2500, wanted
