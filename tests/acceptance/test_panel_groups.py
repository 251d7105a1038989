"""Concurrency groups in the panel."""

from __future__ import annotations

import pytest

from gocron.db import groups
from gocron.db.models import AuditLog, ConcurrencyGroup
from tests.helpers.panel import TESTER, USER, field_of, words_of
from tests.helpers.rows import FAR, insert_run, rows

HOSTILE = '<script>alert("1")</script>'


def test_an_empty_list_says_what_groups_are_for(panel, visitor):
    page = visitor.text("/groups/")
    assert "No groups yet" in page
    assert "Create a group" in page


def test_a_group_is_created_changed_listed_and_audited(panel, visitor):
    new = {"name": " db ", "max_running": "1", "remark": "r"}
    assert visitor.post("/groups/new/", new).location == "/groups/"
    assert "Group “db”: at most 1 at once." in visitor.text("/groups/")
    task_id = panel.create_task(group="db")
    insert_run(panel.database, task_id=task_id, state="running")
    insert_run(panel.database, task_id=task_id, state="queued", attempt=1, held_at=FAR)
    page = visitor.get("/groups/").text
    assert "db r 1 1 1 1" in words_of(page)
    assert "There is no room for more" in page
    assert 'value="1"' in visitor.get("/groups/edit/?name=db").text
    change = {"name": "another name", "max_running": " 3 ", "remark": ""}
    assert visitor.post("/groups/edit/?name=db", change).location == "/groups/"
    (row,) = rows(panel.database, ConcurrencyGroup)
    assert (row.name, row.max_running, row.remark) == ("db", 3, "")
    audited = [row for row in rows(panel.database, AuditLog) if row.action == "group.save"]
    assert [(row.target, row.actor) for row in audited] == [("db", USER)] * 2


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("name", "", "1 to 64"),
        ("name", "n" * 65, "64"),
        ("name", "taken", "already"),
        ("max_running", "0", "1 to 10000"),
        ("max_running", "many", "whole number"),
        ("max_running", "²", "whole number"),
        ("max_running", "9" * 30, "whole number"),
        ("remark", "r" * 513, "512"),
    ],
)
def test_what_is_wrong_is_said_next_to_the_field(quick_panel, field, typed, said):
    groups.save(quick_panel.database, "taken", 7, "", TESTER)
    fields = {"name": "db", "max_running": "2", "remark": "keep me", field: typed}
    page = quick_panel.administrator().post("/groups/new/", fields).text
    assert said in field_of(page, field)
    assert "is-invalid" in page
    assert field == "remark" or "keep me" in page
    (row,) = rows(quick_panel.database, ConcurrencyGroup)
    assert row.max_running == 7


def test_a_group_with_tasks_is_not_deleted(panel, visitor):
    groups.save(panel.database, "db", 2, "", TESTER)
    panel.create_task(group="db")
    page = words_of(visitor.post("/groups/delete/?name=db").text)
    assert "Group 'db' cannot be deleted: 'backup' belongs to it" in page
    assert len(rows(panel.database, ConcurrencyGroup)) == 1


def test_a_group_is_deleted_after_it_was_asked_about(panel, visitor):
    groups.save(panel.database, HOSTILE, 2, HOSTILE, TESTER)
    address = f"/groups/delete/?name={HOSTILE}"
    for page in ("/groups/", address, f"/groups/edit/?name={HOSTILE}"):
        assert HOSTILE not in visitor.get(page).text
    assert len(rows(panel.database, ConcurrencyGroup)) == 1
    assert visitor.post(address).location == "/groups/"
    assert rows(panel.database, ConcurrencyGroup) == []
    assert visitor.post(address).status_code == 404


def test_a_long_list_and_odd_addresses_are_answered(panel, visitor):
    for number in range(60):
        groups.save(panel.database, f"group {number:02}", 1, "", TESTER)
    assert visitor.get("/groups/").text.count("data-group=") == 60
    for name in ("", "nowhere", "%00", "x" * 5000):
        for form in ("edit", "delete"):
            assert visitor.get(f"/groups/{form}/?name={name}").status_code == 404
