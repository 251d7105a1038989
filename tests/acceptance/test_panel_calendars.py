"""Calendars in the panel."""

from __future__ import annotations

import io
from datetime import date

import pytest

from gocron.db import calendars
from gocron.db.models import AuditLog, Calendar, Task
from tests.helpers.panel import TESTER, USER, field_of, words_of
from tests.helpers.rows import rows

HOSTILE = '<script>alert("1")</script>'

ICS = "\r\n".join(
    (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "BEGIN:VEVENT",
        "UID:1",
        "DTSTART;VALUE=DATE:20270101",
        "DTEND;VALUE=DATE:20270103",
        "SUMMARY:New year",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
)

THREE = [date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 31)]


def days_of(panel, name: str = "holidays"):
    return sorted(calendars.days_of(panel.database, name))


def seen(visitor, name: str = "holidays") -> str:
    page = visitor.get(f"/calendars/edit/?name={name}").text
    return str(page.split('name="seen" value="')[1].split('"')[0].replace("&#43;", "+"))


def test_an_empty_list_says_what_calendars_are_for(panel, visitor):
    page = visitor.text("/calendars/")
    assert "No calendars yet" in page
    assert "Create a calendar" in page


def test_a_calendar_is_created_listed_and_audited(panel, visitor):
    days = "2026-12-24..2026-12-25  # Christmas\r\n\r\n2026-12-31\r\n"
    answer = visitor.post("/calendars/new/", {"name": " holidays ", "days": days, "remark": "r"})
    assert answer.location == "/calendars/"
    assert days_of(panel) == THREE
    panel.create_task(exclude_calendars=["holidays"])
    page = visitor.text("/calendars/")
    assert "Calendar “holidays” has 3 days now." in page
    assert "holidays r 3 2026-12-24 2026-12-31 1 task" in page
    audited = [row for row in rows(panel.database, AuditLog) if row.action == "calendar.save"]
    assert [(row.target, row.actor) for row in audited] == [("holidays", USER)]


def test_an_untouched_calendar_stays_as_it_is(panel, visitor):
    calendars.save(panel.database, "holidays", THREE, "r", TESTER)
    page = visitor.get("/calendars/edit/?name=holidays").text
    assert "\n2026-12-24..2026-12-25\n2026-12-31</textarea>" in page
    fields = {"days": "2026-12-24..2026-12-25\r\n2026-12-31", "remark": "r", "seen": seen(visitor)}
    assert visitor.post("/calendars/edit/?name=holidays", fields).status_code == 302
    assert days_of(panel) == THREE
    (row,) = rows(panel.database, Calendar)
    assert row.remark == "r"


def test_days_of_a_file_are_added(panel, visitor):
    calendars.save(panel.database, "holidays", THREE, "", TESTER)
    fields = {
        "days": "2026-12-24",
        "seen": seen(visitor),
        "ics": (io.BytesIO(ICS.encode()), "h.ics"),
    }
    assert visitor.post("/calendars/edit/?name=holidays", fields).status_code == 302
    assert days_of(panel) == [date(2026, 12, 24), date(2027, 1, 1), date(2027, 1, 2)]


@pytest.mark.parametrize(
    ("file", "said"),
    [(b"\xff\xfe\x00", "not UTF-8"), (b"hello", ""), (b"BEGIN:VCALENDAR\r\n", "")],
)
def test_a_file_that_is_no_calendar_is_refused_and_the_days_are_kept(quick_panel, file, said):
    visitor = quick_panel.administrator()
    fields = {"name": "holidays", "days": "2026-12-24 # kept", "ics": (io.BytesIO(file), "h.ics")}
    answer = visitor.post("/calendars/new/", fields)
    if answer.status_code == 302:  # nothing in it is wrong, there is only nothing in it
        assert file.startswith(b"BEGIN")
        return
    assert said in field_of(answer.text, "ics")
    assert "is-invalid" in answer.text
    assert "2026-12-24 # kept</textarea>" in answer.text
    assert rows(quick_panel.database, Calendar) == []


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("name", "", "1 to 128"),
        ("name", "a,b", "comma"),
        ("name", "n" * 129, "128"),
        ("name", "taken", "already"),
        ("remark", "r" * 513, "512"),
        ("days", "2026-12-24\r\nChristmas", "Line 2: 'Christmas'"),
        ("days", "2026-02-30", "no day 2026-02-30"),
        ("days", "2026-12-31..2026-12-24", "backwards"),
        ("days", "1970-01-01..8999-12-31", "more than 20000 days"),
    ],
)
def test_what_is_wrong_is_said_next_to_the_field(quick_panel, field, typed, said):
    calendars.save(quick_panel.database, "taken", THREE, "", TESTER)
    fields = {"name": "holidays", "days": "2026-12-24 # kept", "remark": "", field: typed}
    page = quick_panel.administrator().post("/calendars/new/", fields).text
    assert said in field_of(page, field)
    assert "was not saved" in page
    assert field == "days" or "2026-12-24 # kept" in page
    assert len(rows(quick_panel.database, Calendar)) == 1
    assert days_of(quick_panel, "taken") == THREE


def test_two_who_edit_the_same_calendar_do_not_overwrite_each_other(panel, visitor):
    calendars.save(panel.database, "holidays", THREE, "", TESTER)
    mine = {"days": "2030-01-01", "seen": seen(visitor)}
    calendars.save(panel.database, "holidays", THREE[:1], None, TESTER)
    answer = visitor.post("/calendars/edit/?name=holidays", mine)
    assert answer.status_code == 200
    assert "Somebody else changed this calendar" in answer.text
    assert "it has 1 day now" in words_of(answer.text)
    assert "2030-01-01</textarea>" in answer.text
    assert days_of(panel) == THREE[:1]
    mine["seen"] = answer.text.split('name="seen" value="')[1].split('"')[0].replace("&#43;", "+")
    assert visitor.post("/calendars/edit/?name=holidays", mine).status_code == 302
    assert days_of(panel) == [date(2030, 1, 1)]


def test_a_calendar_is_deleted_after_it_was_asked_about(panel, visitor):
    calendars.save(panel.database, HOSTILE, THREE, HOSTILE, TESTER)
    assert HOSTILE not in visitor.get("/calendars/").text
    address = f"/calendars/delete/?name={HOSTILE}"
    page = visitor.get(address).text
    assert HOSTILE not in page
    assert "used by no task" in page
    assert len(rows(panel.database, Calendar)) == 1
    assert visitor.post(address).location == "/calendars/"
    assert rows(panel.database, Calendar) == []
    assert visitor.post(address).status_code == 404


def test_a_calendar_in_use_is_only_deleted_when_that_is_confirmed(panel, visitor):
    calendars.save(panel.database, "holidays", THREE, "", TESTER)
    for number in range(7):
        panel.create_task(name=f"task {number}", exclude_calendars=["holidays"])
    address = "/calendars/delete/?name=holidays"
    page = words_of(visitor.post(address).text)
    assert "cannot be deleted" in page
    assert "'task 0'" in page
    assert "Delete “holidays” and break these tasks" in page
    assert len(rows(panel.database, Calendar)) == 1
    assert visitor.post(address, {"force": "yes"}).location == "/calendars/"
    assert "7 tasks are broken until somebody changes that" in visitor.text("/calendars/")
    assert all("holidays" in row.broken for row in rows(panel.database, Task))


def test_a_long_list_and_odd_addresses_are_answered(panel, visitor):
    for number in range(60):
        calendars.save(panel.database, f"calendar {number:02}", [], "", TESTER)
    page = visitor.get("/calendars/").text
    assert page.count("data-calendar=") == 60
    assert "0 – – 0 tasks" in words_of(page)
    for name in ("", "nowhere", "%00", "x" * 5000):
        for form in ("edit", "delete"):
            assert visitor.get(f"/calendars/{form}/?name={name}").status_code == 404
