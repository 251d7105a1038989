"""Logging in to the API, and what it says to requests that make no sense."""

from __future__ import annotations

import pytest

from gocron.core.access import Role, Scope
from tests.helpers.api import Api, administrator, with_token
from tests.helpers.panel import PASSWORD, USER

TASK = {"name": "a", "spec": "@daily", "command": "true"}


@pytest.fixture
def api(quick_panel):
    return administrator(quick_panel)


def test_a_login_gives_a_token_that_says_who_one_is(panel):
    answer = Api(panel).ask("POST", "/auth/login", {"username": USER, "password": PASSWORD})
    assert answer.json["token_type"] == "Bearer"
    assert 0 < answer.json["expires_in"] <= 3600
    assert answer.headers["Cache-Control"] == "no-store"
    me = Api(panel, answer.json["access_token"]).get("/auth/me")
    assert (me["username"], me["role"], me["scope"]) == (USER, "admin", "admin")


@pytest.mark.parametrize("username", [USER, "nobody of this name"])
def test_a_wrong_login_does_not_say_what_was_wrong(quick_panel, username):
    stranger = Api(quick_panel)
    wrong = {"username": username, "password": "not this one"}
    problem = stranger.problem("POST", "/auth/login", wrong, status=401)
    assert problem["detail"] == "this name and password do not fit together"


def test_a_refresh_token_works_once_and_shown_again_ends_the_login(panel):
    stranger = Api(panel)
    login = {"username": USER, "password": PASSWORD}
    first = stranger.ask("POST", "/auth/login", login).json
    second = stranger.ask("POST", "/auth/refresh", {"refresh_token": first["refresh_token"]}).json
    user = Api(panel, second["access_token"])
    user.get("/auth/me")
    stranger.problem("POST", "/auth/refresh", {"refresh_token": first["refresh_token"]}, status=401)
    user.problem("GET", "/auth/me", status=401)
    again = {"refresh_token": second["refresh_token"]}
    stranger.problem("POST", "/auth/refresh", again, status=401)


def test_a_logout_holds_at_once(panel):
    user = administrator(panel)
    user.ask("POST", "/auth/logout", status=204)
    problem = user.ask("GET", "/auth/me", status=401)
    assert problem.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["", "nonsense", "gct_nonsense", "a.b.c", "x" * 5000])
def test_without_a_token_in_force_there_is_no_answer(quick_panel, token):
    Api(quick_panel, token).problem("GET", "/tasks", status=401)


def test_one_sees_and_ends_ones_own_logins_only(panel):
    mine, other = administrator(panel), administrator(panel)
    robot = with_token(panel)
    listed = mine.get("/sessions")["items"]
    assert [one["current"] for one in listed].count(True) == 1
    theirs = next(one["id"] for one in listed if not one["current"])
    robot.problem("DELETE", f"/sessions/{theirs}", status=404)
    mine.ask("DELETE", f"/sessions/{theirs}", status=204)
    other.problem("GET", "/auth/me", status=401)
    mine.problem("DELETE", f"/sessions/{theirs}", status=404)


def test_a_token_is_shown_once_and_is_over_when_it_is_revoked(panel):
    user = administrator(panel)
    wanted = {"name": "deploy", "scope": "run", "days": 30, "tag": "web"}
    made = user.ask("POST", "/tokens", wanted, status=201).json
    robot = Api(panel, made["token"])
    me = robot.get("/auth/me")
    assert (me["scope"], me["only_tag"]) == ("run", "web")
    user.problem("POST", "/tokens", wanted, status=409)
    (line,) = user.get("/tokens")["items"]
    assert line["hint"] == made["token"][:10]
    assert "token" not in line
    user.ask("DELETE", f"/tokens/{made['id']}", status=204)
    robot.problem("GET", "/auth/me", status=401)
    user.problem("DELETE", f"/tokens/{made['id']}", status=404)


def test_a_narrow_token_makes_no_wider_one(quick_panel):
    for number, (scope, tag) in enumerate([(Scope.WRITE, ""), (Scope.ADMIN, "web")]):
        robot = with_token(quick_panel, scope=scope, tag=tag, name=f"robot {number}")
        wanted = {"name": "wider", "scope": "admin", "days": None}
        robot.problem("POST", "/tokens", wanted, status=403)
        robot.problem("GET", "/tokens", status=403)
        robot.problem("GET", "/sessions", status=403)


def test_only_administrators_see_and_revoke_the_tokens_of_others(quick_panel):
    viewer = with_token(quick_panel, Role.VIEWER, name="eve")
    admin = administrator(quick_panel)
    made = admin.ask("POST", "/tokens", {"name": "x", "scope": "read", "days": 1}, status=201).json
    viewer.problem("GET", "/tokens", status=403, all=True)
    viewer.problem("DELETE", f"/tokens/{made['id']}", status=404)
    assert {one["username"] for one in admin.get("/tokens", all=True)["items"]} == {USER, "eve"}
    (theirs,) = viewer.get("/tokens")["items"]
    admin.ask("DELETE", f"/tokens/{theirs['id']}", status=204)
    viewer.problem("GET", "/tokens", status=401)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[" * 40 + b"]" * 40, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"name=a", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b'{"name": "' + b"a" * 1024**2 + b'"}', "application/json", 413),
        (b'{"name": "\\ud800", "spec": "@daily", "command": "x"}', "application/json", 422),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(api, body, kind, status):
    headers = {"Authorization": f"Bearer {api.token}"}
    answer = api.client.post("/api/v1/tasks", data=body, content_type=kind, headers=headers)
    assert answer.status_code == status, answer.text
    api.require_documented("POST", "/tasks", answer)
    assert answer.json["detail"]


def test_a_surrogate_in_a_password_is_refused(api):
    wanted = {"username": "eve", "password": "\ud800 and more", "role": "viewer"}
    assert "password" in api.problem("POST", "/users", wanted)["detail"]


def test_every_field_at_fault_is_named(api):
    problem = api.problem("POST", "/tasks", {"name": "a", "spec": "no", "timeout": -1, "x~/": 1})
    assert {"/spec", "/timeout", "/command"} <= {one["pointer"] for one in problem["errors"]}


def test_unknown_parameters_of_a_query_are_refused(api):
    problem = api.problem("GET", "/tasks", limit=0, sort="colour", colour="red")
    assert {one["pointer"] for one in problem["errors"]} == {"limit", "sort", "colour"}
    assert {one["where"] for one in problem["errors"]} == {"query"}


def test_an_address_that_is_none_says_where_all_are(api):
    assert "openapi.json" in api.problem("GET", "/nowhere", status=404)["detail"]
    api.problem("GET", "/tasks/0", status=404)
    api.problem("GET", f"/tasks/{2**63}", status=404)
    api.problem("GET", "/tasks/1/", status=404)


def test_a_method_that_is_not_possible_says_which_are(api):
    answer = api.ask("PUT", "/tasks", status=405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}
