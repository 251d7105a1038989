"""The audit log in the panel."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from admin.audit_words import SENTENCES
from gocron.db import audit, user_admin, users
from gocron.db.audit import Actor
from gocron.db.audit_export import harmless
from gocron.db.models import AuditLog
from tests.helpers.panel import PASSWORD, TESTER, USER, words_of
from tests.helpers.rows import now_of, rows

HOSTILE = '<script>alert("1")</script>'


def record(panel, actor: str, action: str, target: str, **detail) -> None:
    panel.database.transact(
        lambda connection: audit.record(
            connection,
            panel.database.dialect,
            Actor(actor, "192.0.2.7", "node1"),
            action,
            target,
            detail,
        )
    )


def table_of(page: str) -> str:
    return page.split("<table")[1].split("</table>")[0]


def test_what_happened_is_told_in_sentences_with_what_was_before_and_after(panel, visitor):
    bob = users.create(panel.database, "bob", PASSWORD, TESTER)
    user_admin.set_email(panel.database, bob, "bob@example.org", Actor(USER))
    record(panel, "ada", "task.edit", "backup", changed=["spec", "command"])
    record(panel, "ada", "future.thing", "x")
    page = visitor.get("/audit/").text
    words = words_of(table_of(page))
    assert f"{USER} logged in" in words
    assert "tester created user bob" in words
    assert f"{USER} changed the e-mail address of bob" in words
    assert "<ins>bob@example.org</ins>" in page
    assert "ada changed task backup" in words
    assert "changed spec, command" in words
    assert "ada : future.thing x" in words
    assert "192.0.2.7" in words


@pytest.mark.parametrize("action", SENTENCES)
def test_every_sentence_has_its_names(action):
    words = str(SENTENCES[action]) % {"actor": "ADA", "target": "TARGET"}
    assert "TARGET" in words


def test_filters_stand_in_the_address_and_hold_on_the_next_page(panel, visitor):
    for number in range(60):
        record(panel, "bob", "task.run", "backup", run=number)
    record(panel, "bob", "task.run", "other")
    record(panel, "eve", "task.run", "backup")
    page = visitor.get("/audit/?actor=bob&action=task.run&target=backup").text
    assert page.count("data-line=") == 50
    assert 'value="bob"' in page
    assert "<option selected>task.run</option>" in page
    older = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "actor=bob" in older
    second = visitor.get(older).text
    assert second.count("data-line=") == 10
    assert "These are the oldest." in second
    assert "No line fits" in visitor.text("/audit/?actor=nobody")


def test_times_are_those_of_the_installation(panel, visitor):
    record(panel, "bob", "task.run", "backup")
    now = now_of(panel.database)
    tomorrow, yesterday = now + timedelta(days=1), now - timedelta(days=1)
    assert "bob" in words_of(
        table_of(visitor.get(f"/audit/?since={yesterday:%Y-%m-%dT%H:%M}").text)
    )
    assert "No line fits" in visitor.text(f"/audit/?since={tomorrow:%Y-%m-%dT%H:%M}")
    assert "No line fits" in visitor.text(f"/audit/?until={yesterday:%Y-%m-%dT%H:%M}")
    page = visitor.get("/audit/?since=soon").text
    assert "2026-12-24T18:00" in page
    assert "is-invalid" in page
    assert 'value="soon"' in page


def test_odd_addresses_are_answered(panel, visitor):
    for odd in (
        "actor=%00",
        "before=x",
        f"before={2**63}",
        "target=" + "x" * 5000,
        "until=9999-12-31",
    ):
        assert visitor.get(f"/audit/?{odd}").status_code == 200, odd


def test_hostile_names_are_shown_harmless(panel, visitor):
    record(panel, HOSTILE, "task.run", HOSTILE, **{HOSTILE: HOSTILE})
    record(panel, "%(actor)s %s %d", "task.run", "100 %")
    page = visitor.get("/audit/").text
    assert HOSTILE not in page
    assert "%(actor)s %s %d ran task 100 % by hand" in words_of(page)


def test_the_csv_has_what_fits_and_calculates_nothing(panel, visitor):
    for target in ("=1+1", "+x", "-x", "@x", "\tx", "plain, with comma"):
        record(panel, "bob", "task.run", target, run=1)
    record(panel, "eve", "task.run", "not asked for")
    answer = visitor.get("/audit/audit.csv?actor=bob")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    heading, *lines = csv.reader(io.StringIO(answer.text))
    assert heading[2:7] == ["actor", "address", "node", "action", "target"]
    assert [line[6] for line in lines][::-1] == [
        "'=1+1", "'+x", "'-x", "'@x", "'\tx", "plain, with comma",
    ]  # fmt: skip
    assert {line[2] for line in lines} == {"bob"}
    assert lines[0][7] == '{"run": 1}'


@pytest.mark.parametrize("cell", ["=cmd", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_calculate_is_a_text(cell):
    assert harmless(cell) == f"'{cell}"
    assert harmless("a" + cell) == "a" + cell


def test_looking_at_the_log_writes_nothing(quick_panel):
    visitor = quick_panel.administrator()
    before = len(rows(quick_panel.database, AuditLog))
    visitor.get("/audit/")
    visitor.get("/audit/audit.csv")
    assert len(rows(quick_panel.database, AuditLog)) == before
