"""What belongs to no task: cluster, calendars, groups, pauses, users, audit log, settings."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from sqlalchemy import insert

from gocron.core.access import Role, Scope
from gocron.db import cluster
from gocron.db.models import Leadership
from tests.helpers.api import Api, administrator, with_token
from tests.helpers.panel import PASSWORD, USER
from tests.helpers.rows import now_of

NEW = {"username": "eve", "password": "quite long enough", "role": "operator", "tags": ["web"]}
FOR_EVER = dict.fromkeys(("run_days", "runs_per_task", "audit_days", "leadership_days"))


@pytest.fixture
def api(panel):
    return administrator(panel)


@pytest.fixture
def quick(quick_panel):
    return administrator(quick_panel)


def test_the_cluster_says_who_leads(quick_panel, quick):
    nobody = quick.get("/cluster")
    assert (nobody["leader"], nobody["term"]) == (None, 0)
    term = cluster.lead_alone(quick_panel.database, "holder", "node1")
    found = quick.get("/cluster")
    assert (found["leader"], found["term"]) == ("node1", term)
    assert 0 <= found["lease_age_s"] < 60
    assert found["renewed_at"].endswith("Z")
    assert [(node["name"], node["state"]) for node in found["nodes"]] == [("node1", "leader")]
    problem = quick.problem("POST", "/cluster/step-down", status=409)
    assert "'node1' is the only one that can lead" in problem["detail"]


def test_who_led_is_listed_page_by_page(panel, api):
    now = now_of(panel.database)
    with panel.database.write() as connection:
        for term in range(1, 6):
            values = {"term": term, "node_name": "n", "locked_by": "x", "began_at": now}
            ended = None if term == 5 else now
            connection.execute(insert(Leadership).values(**values, ended_at=ended, end_reason=""))
    listed = list(api.walk("/cluster/leadership", limit=2))
    assert [one["term"] for one in listed] == [5, 4, 3, 2, 1]
    assert listed[0]["ended_at"] is None


def test_a_maintenance_begins_and_ends(api):
    assert api.get("/cluster/maintenance") == {"pause": None}
    begun = api.ask("POST", "/cluster/maintenance", {"reason": "upgrade"}).json
    assert (begun["tag"], begun["created_by"], begun["in_force"]) == ("", USER, True)
    assert api.get("/cluster/maintenance")["pause"] == begun
    api.ask("DELETE", "/cluster/maintenance", status=204)
    api.problem("DELETE", "/cluster/maintenance", status=404)


def test_a_tag_is_paused_and_goes_on(panel, api):
    until = now_of(panel.database) + timedelta(hours=1)
    body = {"tag": "web / db", "reason": "move", "until": until.isoformat()}
    begun = api.ask("POST", "/pauses", body).json
    assert begun["until"] is not None
    assert api.get("/pauses")["items"] == [begun]
    assert api.get("/cluster/maintenance") == {"pause": None}
    api.ask("DELETE", "/pauses", status=204, tag="web / db")
    api.problem("DELETE", "/pauses", status=404, tag="web / db")
    api.problem("DELETE", "/pauses")
    past = api.problem("POST", "/pauses", body | {"until": "2020-01-01T00:00:00Z"})
    assert past["errors"][0]["pointer"] == "/until"
    api.problem("POST", "/pauses", body | {"reason": " "})


def test_a_calendar_is_made_changed_and_deleted(panel, api):
    body = {"name": "holidays", "days": ["2026-12-24..2026-12-26", "2027-01-01"], "remark": "r"}
    answer = api.ask("POST", "/calendars", body, status=201)
    path = answer.headers["Location"].removeprefix("/api/v1")
    assert answer.json["days"] == ["2026-12-24", "2026-12-25", "2026-12-26", "2027-01-01"]
    assert api.get(path) == answer.json
    api.problem("POST", "/calendars", body | {"days": []}, status=409)
    assert api.get(path)["day_count"] == 4
    changed = api.ask("PUT", path, {"days": ["2028-02-29"]}).json
    assert (changed["days"], changed["remark"]) == (["2028-02-29"], "r")
    panel.create_task(exclude_calendars=["holidays"])
    assert api.get("/calendars")["items"][0]["used_by"] == 1
    api.problem("DELETE", path, status=409)
    api.ask("DELETE", path, status=204, force=True)
    api.problem("GET", path, status=404)


@pytest.mark.parametrize(
    "days", ["2026-12-24", ["2026-02-30"], ["24.12.2026"], ["2026-12-26..2026-12-24"], [1]]
)
def test_days_that_are_none_are_refused(quick, days):
    problem = quick.problem("POST", "/calendars", {"name": "x", "days": days})
    assert problem["errors"][0]["pointer"].startswith("/days")


def test_a_group_is_made_changed_and_deleted(panel, api):
    answer = api.ask("POST", "/groups", {"name": "reports", "max_running": 2}, status=201)
    path = answer.headers["Location"].removeprefix("/api/v1")
    api.problem("POST", "/groups", {"name": "reports", "max_running": 9}, status=409)
    assert api.get(path)["max_running"] == 2
    assert api.ask("PUT", path, {"max_running": 3, "remark": "r"}).json["max_running"] == 3
    task = panel.create_task(group="reports")
    assert api.get("/groups")["items"][0]["tasks"] == 1
    api.problem("DELETE", path, status=409)
    api.ask("DELETE", f"/tasks/{task}", status=204)
    api.ask("DELETE", path, status=204)
    api.problem("PUT", path, {"max_running": 3}, status=404)
    api.problem("POST", "/groups", {"name": "a\nb", "max_running": 1})
    api.problem("POST", "/groups", {"name": "a", "max_running": 0})


def test_a_user_is_made_changed_and_deleted(api):
    answer = api.ask("POST", "/users", NEW, status=201)
    path = answer.headers["Location"].removeprefix("/api/v1")
    assert "password" not in answer.text
    assert (answer.json["role"], answer.json["tags"]) == ("operator", ["web"])
    api.problem("POST", "/users", NEW, status=409)
    assert {user["username"] for user in api.get("/users")["items"]} == {USER, "eve"}
    changed = api.ask("PATCH", path, {"role": "viewer", "email": "eve@example.org"}).json
    assert (changed["role"], changed["tags"]) == ("viewer", ["web"])
    assert changed["email"] == "eve@example.org"
    api.ask("POST", f"{path}/unlock")
    api.ask("DELETE", path, status=204)
    api.problem("GET", path, status=404)


def test_a_change_of_a_user_is_made_as_a_whole_or_not(api):
    path = f"/users/{api.ask('POST', '/users', NEW, status=201).json['id']}"
    before = api.get(path)
    api.problem("PATCH", path, {"role": "admin", "enabled": False, "email": "nonsense"})
    assert api.get(path) == before


def test_nobody_takes_away_their_own_rights(quick):
    path = f"/users/{quick.get('/auth/me')['id']}"
    for body in ({"role": "viewer"}, {"enabled": False}):
        assert "your own account" in quick.problem("PATCH", path, body, status=409)["detail"]
    quick.problem("DELETE", path, status=409)
    quick.problem("PUT", f"{path}/password", {"password": PASSWORD}, status=409)


def test_what_an_administrator_does_ends_somebodys_logins(panel, api):
    path = f"/users/{api.ask('POST', '/users', NEW, status=201).json['id']}"

    def log_in(password):
        stranger = Api(panel)
        body = {"username": "eve", "password": password}
        stranger.token = stranger.ask("POST", "/auth/login", body).json["access_token"]
        return stranger

    eve = log_in(NEW["password"])
    (session,) = api.get(f"{path}/sessions")["items"]
    api.ask("DELETE", f"{path}/sessions/{session['id']}", status=204)
    eve.problem("GET", "/auth/me", status=401)
    eve = log_in(NEW["password"])
    api.ask("PUT", f"{path}/password", {"password": "another long one"}, status=204)
    eve.problem("GET", "/auth/me", status=401)
    eve = log_in("another long one")
    api.ask("PATCH", path, {"enabled": False})
    eve.problem("GET", "/auth/me", status=401)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"username": "a\nb"}, "/username"),
        ({"password": "short"}, "/password"),
        ({"role": "king"}, "/role"),
        ({"email": "nonsense"}, "/email"),
        ({"tags": ["a\0b"]}, "/tags"),
    ],
)
def test_users_that_break_a_rule_are_refused(quick, change, pointer):
    problem = quick.problem("POST", "/users", NEW | change)
    assert problem["errors"][0]["pointer"] == pointer


def test_the_audit_log_is_filtered_and_walked_through(panel, api):
    for number in range(3):
        api.ask("POST", "/groups", {"name": f"g{number}", "max_running": 1}, status=201)
    lines = list(api.walk("/audit", action="group.save", limit=2))
    assert [line["target"] for line in lines] == ["g2", "g1", "g0"]
    assert {(line["actor"], line["node_name"]) for line in lines} == {(USER, "node1")}
    later = (now_of(panel.database) + timedelta(hours=1)).isoformat()
    assert api.get("/audit", target="g1", until=later)["items"] == [lines[1]]
    assert api.get("/audit", since=later)["items"] == []
    assert api.get("/audit", actor="nobody")["items"] == []
    api.problem("GET", "/audit", actor="a\0b")
    api.problem("GET", "/audit", since="yesterday")


def test_the_audit_log_is_exported(api):
    api.ask("POST", "/groups", {"name": "=1+1", "max_running": 1}, status=201)
    text = api.ask("GET", "/audit/export", action="group.save").text
    heading, line = csv.reader(io.StringIO(text))
    assert dict(zip(heading, line, strict=True))["target"] == "'=1+1"
    lines = api.ask("GET", "/audit/export", format="jsonl", action="group.save").text.splitlines()
    assert [json.loads(line)["target"] for line in lines] == ["=1+1"]


def test_rules_of_keeping_are_shown_and_replaced(api):
    assert api.get("/settings/retention")["run_days"] is None
    saved = api.ask("PUT", "/settings/retention", FOR_EVER | {"run_days": 30}).json
    assert (saved["run_days"], saved["audit_days"]) == (30, None)
    assert api.get("/settings/retention") == saved
    api.problem("PUT", "/settings/retention", FOR_EVER | {"runs_per_task": 9})
    api.problem("PUT", "/settings/retention", {"run_days": 30})


def test_who_is_no_administrator_changes_nothing_of_the_system(quick_panel):
    operator = with_token(quick_panel, Role.OPERATOR, name="operator", tags=("web",))
    weak = with_token(quick_panel, scope=Scope.WRITE, name="weak")
    narrow = with_token(quick_panel, tag="web", name="narrow")
    for path in ("/cluster", "/cluster/leadership", "/calendars", "/groups", "/pauses"):
        operator.get(path)
        weak.get(path)
        narrow.problem("GET", path, status=403)
    for who in (operator, weak, narrow):
        for path in ("/users", "/audit", "/audit/export", "/settings/retention"):
            who.problem("GET", path, status=403)
        who.problem("POST", "/groups", {"name": "x", "max_running": 1}, status=403)
        who.problem("POST", "/cluster/maintenance", {"reason": "x"}, status=403)
