"""Pauses in the panel, and the banner on every page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.db import pauses
from gocron.db.models import AuditLog, Pause
from tests.helpers.panel import TESTER, USER, field_of, words_of
from tests.helpers.rows import insert_run, now_of, rows

HOSTILE = '<script>alert("1")</script>'


def test_nothing_is_paused_at_first(panel, visitor):
    page = visitor.get("/pauses/").text
    assert "Nothing is paused" in page
    assert 'id="paused" hidden' in page


def test_everything_is_paused_and_resumed_from_any_page(panel, visitor):
    task_id = panel.create_task()
    answer = visitor.post("/pauses/", {"what": "all", "tag": "left over", "reason": "new disks"})
    assert answer.location == "/pauses/"
    assert "Everything is paused." in visitor.text("/pauses/")
    (row,) = rows(panel.database, Pause)
    assert (row.tag, row.reason, row.until, row.created_by) == ("", "new disks", None, USER)
    run_id = insert_run(panel.database, state="success")
    for path in ("/", "/tasks/", f"/tasks/edit/?id={task_id}", f"/runs/{run_id}/", "/password"):
        page = visitor.text(path)
        assert "Everything is paused: new disks" in page, path
        assert "until somebody resumes it" in page
    resumed = visitor.post("/pauses/resume/", {"tag": "", "url": "/tasks/?page=1"})
    assert resumed.location == "/tasks/?page=1"
    page = visitor.get("/tasks/").text
    assert "Everything goes on." in words_of(page)
    assert 'id="paused" hidden' in page
    assert rows(panel.database, Pause) == []
    actions = [row.action for row in rows(panel.database, AuditLog)][-2:]
    assert actions == ["pause.begin", "pause.end"]


def test_a_second_click_on_resume_says_that_it_was_over(panel, visitor):
    visitor.post("/pauses/resume/", {"tag": "", "url": "//evil.example/"})
    page = visitor.text("/pauses/")
    assert "Everything was not paused any more." in page


def test_a_tag_is_paused_until_an_end(panel, visitor):
    panel.create_task(name="one", tag="etl")
    panel.create_task(name="two")
    fields = {"what": "tag", "tag": " etl ", "reason": HOSTILE, "until": "2035-01-01T06:00"}
    end = now_of(panel.database) + timedelta(days=1)
    fields["until"] = f"{end:%Y-%m-%dT%H:%M}"
    assert visitor.post("/pauses/", fields).status_code == 302
    (row,) = rows(panel.database, Pause)
    assert (row.tag, row.reason) == ("etl", HOSTILE)
    assert row.until == end.replace(second=0, microsecond=0)  # the panel's zone is UTC
    page = visitor.get("/pauses/").text
    assert HOSTILE not in page
    assert 'id="paused" hidden' in page
    assert f"{end:%Y-%m-%d %H:%M}:00 UTC" in words_of(page)
    listed = visitor.get("/tasks/").text
    assert "paused</span>" in listed.split('data-task="one"')[1].split("</tr>")[0]
    assert "paused</span>" not in listed.split('data-task="two"')[1].split("</tr>")[0]
    assert visitor.post("/pauses/resume/", {"tag": "etl"}).location == "/pauses/"
    assert "Tag “etl” goes on." in visitor.text("/pauses/")


def test_a_pause_that_is_over_is_said_to_be(panel, visitor):
    pauses.pause(panel.database, "", "done", None, TESTER)
    past = now_of(panel.database) - timedelta(hours=1)
    with panel.database.write() as connection:
        connection.execute(update(Pause).values(until=past))
    page = visitor.get("/pauses/").text
    assert 'id="paused" hidden' in page
    assert "everything over done" in words_of(page)
    assert "Resume" not in page.split('id="pauses"')[1]


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("reason", "", "1 to 256"),
        ("reason", "r" * 257, "256"),
        ("tag", "", "Say which tag"),
        ("tag", "t" * 65, "64"),
        ("until", "soon", "2026-12-24T18:00"),
        ("until", "2001-01-01T00:00", "future"),
        ("until", "8999-01-01T00:00", "3660 days"),
        ("until", "9999-12-31T23:59", "1970 to 8999"),
    ],
)
def test_what_is_wrong_is_said_next_to_the_field(quick_panel, field, typed, said):
    fields = {"what": "tag", "tag": "etl", "reason": "keep me", "until": "", field: typed}
    page = quick_panel.administrator().post("/pauses/", fields).text
    assert said in field_of(page, field)
    assert field == "reason" or "keep me" in page
    assert typed in page
    assert 'value="tag" checked' in page
    assert rows(quick_panel.database, Pause) == []


def test_a_long_list_of_pauses_begins_with_that_of_everything(panel, visitor):
    for number in range(60):
        pauses.pause(panel.database, f"tag {number:02}", "r", None, TESTER)
    pauses.pause(panel.database, "", "all of it", None, TESTER)
    page = visitor.get("/pauses/").text
    assert page.count("data-pause=") == 61
    assert page.index('data-pause=""') < page.index('data-pause="tag 00"')
