"""Every operation of the API × everybody who may ask: one table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jwt
import pytest
from argon2 import PasswordHasher
from sqlalchemy import update
from werkzeug.test import TestResponse

from gocron.core.access import Role, Scope
from gocron.db import (
    api_tokens,
    calendars,
    groups,
    pauses,
    sessions,
    tasks,
    user_admin,
    users,
)
from gocron.db.api_tokens import Wanted
from gocron.db.models import ApiToken
from gocron.db.models import Session as SessionRow
from gocron.db.sessions import Client, Kind
from gocron.web.api.operations import Operation, api
from tests.helpers.panel import BASIC_TASK, PASSWORD, SECRET, TESTER, USER, Panel

IDENTITIES = (
    "nobody",
    "viewer",
    "operator",
    "operator of another tag",
    "administrator",
    "disabled",
    "expired",
    "ended",
    "token: read",
    "token: run",
    "token: write",
    "token: admin",
    "token: admin, its tag",
    "token: admin, another tag",
    "token: admin, of an operator",
    "token: expired",
    "token: revoked",
)

EVERYBODY = "o oooo ooo oooo oo o oo"
KNOWN = "- oooo --- oooo oo o --"
SEEN = "- oooo --- oooo o0 o --"
SYSTEM = "- oooo --- oooo xx o --"
ADMINISTER = "- xxxo --- xxxo xx x --"
TABLE: Mapping[str, str] = {
    "show_document": EVERYBODY,
    "login": EVERYBODY,
    "refresh": EVERYBODY,
    "logout": KNOWN,
    "me": KNOWN,
    "list_tasks": KNOWN,
    "create_task": "- xoxo --- xxoo ox o --",
    "show_task": "- oooo --- oooo o0 o --",
    "replace_task": "- xoxo --- xxoo o0 o --",
    "change_task": "- xoxo --- xxoo o0 o --",
    "delete_task": "- xoxo --- xxoo o0 o --",
    "enable_task": "- xooo --- xooo o0 o --",
    "disable_task": "- xooo --- xooo o0 o --",
    "run_task": "- xooo --- xooo o0 o --",
    "list_runs": KNOWN,
    "show_run": "- oooo --- oooo o0 o --",
    "show_output": "- oooo --- oooo o0 o --",
    "stop_run": "- xooo --- xooo o0 o --",
    "rerun": "- xooo --- xooo o0 o --",
    "next_slots": SEEN,
    "list_versions": SEEN,
    "show_version": SEEN,
    "roll_back": "- xoxo --- xxoo o0 o --",
    "export_tasks": KNOWN,
    "import_tasks": "- xoxo --- xxoo ox o --",
    "backfill_task": "- xooo --- xooo o0 o --",
    "list_backfills": SEEN,
    "explain_schedule": KNOWN,
    "show_cluster": SYSTEM,
    "list_terms": SYSTEM,
    "step_leader_down": ADMINISTER,
    "show_maintenance": SYSTEM,
    "begin_maintenance": ADMINISTER,
    "end_maintenance": ADMINISTER,
    "list_pauses": SYSTEM,
    "begin_pause": ADMINISTER,
    "end_pause": ADMINISTER,
    "list_calendars": SYSTEM,
    "create_calendar": ADMINISTER,
    "show_calendar": SYSTEM,
    "replace_calendar": ADMINISTER,
    "delete_calendar": ADMINISTER,
    "list_groups": SYSTEM,
    "create_group": ADMINISTER,
    "show_group": SYSTEM,
    "replace_group": ADMINISTER,
    "delete_group": ADMINISTER,
    "list_sessions": "- oooo --- xxxo xx o --",
    "end_session": "- 0000 --- xxx0 xx 0 --",
    "list_tokens": "- oooo --- xxxo xx o --",
    "create_token": "- oooo --- xxxo xx o --",
    "revoke_token": "- 000o --- xxxo xx 0 --",
    "list_users": ADMINISTER,
    "create_user": ADMINISTER,
    "show_user": ADMINISTER,
    "change_user": ADMINISTER,
    "set_user_password": ADMINISTER,
    "unlock_user": ADMINISTER,
    "delete_user": ADMINISTER,
    "list_user_sessions": ADMINISTER,
    "end_user_session": ADMINISTER,
    "list_audit": ADMINISTER,
    "export_audit": ADMINISTER,
    "show_retention": ADMINISTER,
    "replace_retention": ADMINISTER,
}
"""``o``: answered; ``-``: 401; ``x``: 403; ``0``: 404, as if it did not exist. In the order of
``IDENTITIES``."""

STATUS = {"-": 401, "x": 403, "0": 404}
DONE = (200, 201, 202, 204, 409)
"""409: nothing forbids it, only is there no run that has ended."""

BODIES: Mapping[str, Any] = {
    "login": {"username": USER, "password": PASSWORD},
    "refresh": {"refresh_token": "x"},
    "create_task": {"name": "new", "spec": "@yearly", "command": "true", "tag": "mine"},
    "replace_task": {"name": "task", "spec": "@yearly", "command": "true", "tag": "mine"},
    "change_task": {"remark": "changed"},
    "run_task": {},
    "roll_back": {"revision": 1},
    "import_tasks": {
        "format": "jsonl",
        "content": '{"name": "new", "spec": "@yearly", "command": "true", "tag": "mine"}',
    },
    "backfill_task": {"first": "2026-01-01T00:00:00Z", "last": "2026-01-03T00:00:00Z"},
    "begin_maintenance": {"reason": "upgrade"},
    "begin_pause": {"tag": "mine", "reason": "move"},
    "create_calendar": {"name": "new", "days": []},
    "replace_calendar": {"days": []},
    "create_group": {"name": "new", "max_running": 1},
    "replace_group": {"max_running": 1},
    "create_token": {"name": "new", "scope": "read", "days": 1},
    "create_user": {"username": "new", "password": PASSWORD, "role": "viewer"},
    "change_user": {"email": "eve@example.org"},
    "set_user_password": {"password": PASSWORD},
    "replace_retention": dict.fromkeys(
        ("run_days", "runs_per_task", "audit_days", "leadership_days")
    ),
}

QUERIES: Mapping[str, str] = {"explain_schedule": "?spec=@daily", "end_pause": "?tag=mine"}


class Asker:
    """An installation with a task of the tag ``mine``, a run of it, and everybody's tokens."""

    def __init__(self, panel: Panel) -> None:
        self.panel, self.database = panel, panel.database
        self.task_id = panel.create_task(name="task", tag="mine")
        self.run_id = tasks.run_now(self.database, self.task_id, TESTER)
        self.numbers = {"task_id": self.task_id, "run_id": self.run_id, "revision": 1}

    def add_others(self) -> None:
        """One of everything else that operations are about; user, login and token are Eve's."""
        user_id, _name = self._user(Role.VIEWER)
        login = sessions.begin(self.database, user_id, Kind.API, Client("192.0.2.7"))
        token = api_tokens.create(self.database, user_id, Wanted("t", Scope.READ, 1), TESTER)
        for tag in ("", "mine"):
            pauses.pause(self.database, tag, "reason", None, TESTER)
        self.numbers |= {
            "calendar_id": calendars.save(self.database, "there", [], "", TESTER),
            "group_id": groups.save(self.database, "there", 1, "", TESTER),
            "user_id": user_id,
            "session_id": login.id,
            "token_id": token.id,
        }

    def token(self, identity: str) -> str:
        """What somebody shows; "" for nothing."""
        if identity == "nobody":
            return ""
        kind, _, words = identity.partition(": ")
        return self._api_token(words) if kind == "token" else self._login(kind)

    def _user(self, role: Role, *tags: str) -> tuple[int, str]:
        name = f"{role} {len(user_admin.listing(self.database))}"
        return users.create(self.database, name, PASSWORD, TESTER, role=role, tags=tags), name

    def _login(self, identity: str) -> str:
        role, tags = {
            "viewer": (Role.VIEWER, ()),
            "operator": (Role.OPERATOR, ("mine",)),
            "operator of another tag": (Role.OPERATOR, ("theirs",)),
        }.get(identity, (Role.ADMIN, ()))
        user_id, name = self._user(role, *tags)
        answer = self.ask("POST", "/auth/login", {"username": name, "password": PASSWORD})
        assert answer.json is not None
        if identity == "disabled":
            user_admin.disable(self.database, user_id, TESTER)
        if identity == "ended":
            sessions.end_others(self.database, user_id, 0, TESTER)
        if identity == "expired":
            self._age(SessionRow)
        return str(answer.json["access_token"])

    def _api_token(self, words: str) -> str:
        of_operator = "operator" in words
        role, tags = (Role.OPERATOR, ["mine"]) if of_operator else (Role.ADMIN, [])
        user_id, _name = self._user(role, *tags)
        first, _, rest = words.partition(", ")
        scope = Scope.ADMIN if first in ("expired", "revoked") else Scope(first)
        tag = {"its tag": "mine", "another tag": "theirs"}.get(rest, "")
        made = api_tokens.create(self.database, user_id, Wanted("t", scope, 1, tag), TESTER)
        if words == "revoked":
            api_tokens.revoke(self.database, made.id, TESTER)
        if words == "expired":
            self._age(ApiToken)
        return made.token

    def _age(self, model: type[SessionRow] | type[ApiToken]) -> None:
        with self.database.write() as connection:
            past = self.database.dialect.now(connection) - timedelta(seconds=1)
            connection.execute(update(model).values(expires_at=past))

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> TestResponse:
        """Without cookies."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = self.panel.app.test_client(use_cookies=False)
        if body is None:
            return client.open(f"/api/v1{path}", method=method, headers=headers)
        return client.open(f"/api/v1{path}", method=method, headers=headers, json=body)

    def operate(self, operation: Operation, token: str) -> TestResponse:
        """A valid request."""
        path = re.sub(r"<[^>]*?(\w+)>", lambda found: str(self.numbers[found[1]]), operation.path)
        path += QUERIES.get(operation.id, "")
        return self.ask(operation.method, path, BODIES.get(operation.id), token)


@pytest.fixture
def asker(quick_panel: Panel) -> Asker:
    return Asker(quick_panel)


def expected(operation: Operation, identity: str) -> str:
    return TABLE[operation.id].replace(" ", "")[IDENTITIES.index(identity)]


def test_every_operation_has_an_entry_for_everybody():
    assert {operation.id for operation in api} == set(TABLE)
    for row in TABLE.values():
        assert len(row.replace(" ", "")) == len(IDENTITIES)
    bodies = {operation.id for operation in api if operation.body is not None}
    assert bodies == set(BODIES)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_everybody_may_do_what_the_table_says_and_nothing_else(quick_panel, identity, monkeypatch):
    monkeypatch.setattr(users, "_hasher", PasswordHasher(time_cost=1, memory_cost=64))
    wrong = {}
    asker = None
    for operation in api:
        if asker is None:  # the last operation has changed something
            quick_panel.begin_anew()
            asker = Asker(quick_panel)
            asker.add_others()
            token = asker.token(identity)
        answer = asker.operate(operation, token)
        if answer.status_code < 400 and operation.method != "GET":
            asker = None
        wanted = expected(operation, identity)
        status = answer.status_code
        fits = status == STATUS[wanted] if wanted in STATUS else status in DONE
        if operation.id == "refresh":  # what is shown there is none that is in force
            fits = status == 401
        if not fits:
            wrong[operation.id] = (wanted, answer.status, answer.text)
    assert wrong == {}


@pytest.mark.parametrize(
    "path",
    [
        "//tasks/{task_id}",
        "/tasks//{task_id}",
        "/tasks/{task_id}/",
        "/tasks/{task_id};x=1",
        "/tasks/./{task_id}",
        "/tasks/x/../{task_id}",
        "/tasks/%2e%2e/tasks/{task_id}",
        "/tasks/{task_id}.json",
        "/tasks/{task_id}.js",
        "/tasks/{task_id}%00",
        "/tasks/0{task_id}",
        "/tasks/-{task_id}",
        "/tasks/+{task_id}",
        "/tasks/9223372036854775808",
        "/TASKS/{task_id}",
    ],
)
@pytest.mark.parametrize("identity", ["nobody", "token: admin, another tag"])
def test_tricks_with_paths_show_nothing(asker, path, identity):
    token = asker.token(identity)
    answer = asker.ask("GET", path.format(task_id=asker.task_id), token=token)
    assert answer.status_code in (301, 308, 401, 404)
    assert BASIC_TASK["command"] not in answer.text
    if answer.status_code in (301, 308):
        assert "/api/v1" in answer.location


def test_a_token_of_one_tag_sees_no_others_in_lists(asker):
    asker.panel.create_task(name="other", tag="theirs")
    asker.panel.create_task(name="without")
    mine = asker.token("token: admin, its tag")
    found = asker.ask("GET", "/tasks", token=mine).json
    assert [task["name"] for task in found["items"]] == ["task"]
    assert [run["task_name"] for run in asker.ask("GET", "/runs", token=mine).json["items"]] == [
        "task"
    ]
    theirs = asker.token("token: admin, another tag")
    assert asker.ask("GET", "/runs", token=theirs).json["items"] == []
    hidden = asker.ask("GET", f"/runs?task_id={asker.task_id}", token=theirs)
    missing = asker.ask("GET", "/runs?task_id=999999", token=theirs)
    assert (hidden.status_code, missing.status_code) == (404, 404)


def test_an_operator_moves_no_task_to_or_from_a_tag_that_is_not_theirs(asker):
    token = asker.token("operator")
    away = asker.ask("PATCH", f"/tasks/{asker.task_id}", {"tag": "theirs"}, token)
    assert away.status_code == 403
    assert "'theirs'" in away.json["detail"]
    other = asker.panel.create_task(name="other", tag="theirs")
    assert asker.ask("PATCH", f"/tasks/{other}", {"tag": "mine"}, token).status_code == 403
    nowhere = asker.ask("PATCH", f"/tasks/{asker.task_id}", {"tag": ""}, token)
    assert "without a tag" in nowhere.json["detail"]


def test_a_session_cookie_of_the_panel_opens_no_operation(quick_panel):
    visitor = quick_panel.administrator()
    assert visitor.get("/api/v1/tasks").status_code == 401


def test_a_token_in_the_address_is_none(asker):
    token = asker.token("token: admin")
    answer = asker.ask("GET", f"/tasks?access_token={token}")
    assert answer.status_code == 401
    assert token not in answer.text


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "bearer  x", "Bearer ü", "Bearer " + "x" * 9000],
)
def test_what_is_no_token_is_answered_with_401(asker, header):
    client = asker.panel.app.test_client(use_cookies=False)
    answer = client.get("/api/v1/auth/me", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.content_type == "application/problem+json"


def test_an_access_token_of_another_secret_or_algorithm_is_none(asker):
    good = asker.token("administrator")
    assert asker.ask("GET", "/auth/me", token=good).status_code == 200
    claims = jwt.decode(good, options={"verify_signature": False})
    forged = [
        jwt.encode(claims, "x" * 32, "HS256"),
        jwt.encode(claims, "", "none"),
        jwt.encode(claims, SECRET, "HS256"),
        good[:-3] + "AAA",
    ]
    for token in forged:
        assert asker.ask("GET", "/auth/me", token=token).status_code == 401, token
