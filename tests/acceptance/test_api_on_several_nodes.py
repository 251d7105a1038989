"""What is ended on one node is ended on all; what is guessed on several is counted together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

import admin
from gocron.board import Board
from gocron.context import Context
from gocron.core.access import Role, Scope
from gocron.db import api_tokens, login_limits, user_admin, users
from gocron.db.api_tokens import Wanted
from gocron.db.engine import Database
from gocron.db.models import User
from gocron.web.app import create_app
from tests.helpers.panel import PASSWORD, SECRET, TESTER, USER, Panel
from tests.helpers.rows import rows


@pytest.fixture
def nodes(panel: Panel) -> Iterator[list[Flask]]:
    """Three web processes over one database; none knows what the others have in memory."""
    databases = [Database(panel.context.settings, size=1) for _ in range(3)]
    made = []
    for database in databases:
        context = Context(panel.context.settings, panel.context.identity, database, Board())
        app = create_app(context, SECRET)
        admin.install(app, context)
        made.append(app)
    yield made
    for database in databases:
        database.close()


def ask(node: Flask, method: str, path: str, token: str = "", body: Any = None) -> TestResponse:
    client = node.test_client(use_cookies=False)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.open(f"/api/v1{path}", method=method, headers=headers, json=body)


def logged_in(node: Flask, name: str = USER, password: str = PASSWORD) -> dict[str, Any]:
    answer = ask(node, "POST", "/auth/login", body={"username": name, "password": password})
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    return dict(answer.json)


def test_a_login_is_good_on_all_nodes_and_a_logout_ends_it_on_all(nodes):
    token = logged_in(nodes[0])["access_token"]
    assert [ask(node, "GET", "/auth/me", token).status_code for node in nodes] == [200] * 3
    assert ask(nodes[1], "POST", "/auth/logout", token).status_code == 204
    assert [ask(node, "GET", "/auth/me", token).status_code for node in nodes] == [401] * 3


@pytest.mark.parametrize("change", ["password", "disable", "delete"])
def test_the_end_of_an_account_ends_its_logins_and_tokens_on_all_nodes(panel, nodes, change):
    bob = users.create(panel.database, "bob", PASSWORD, TESTER)
    token = logged_in(nodes[0], "bob")["access_token"]
    made = api_tokens.create(panel.database, bob, Wanted("t", Scope.READ, None), TESTER)
    assert ask(nodes[2], "GET", "/auth/me", token).status_code == 200
    if change == "password":
        users.set_password(panel.database, "bob", "another one", TESTER)
    else:
        getattr(user_admin, {"delete": "remove"}.get(change, change))(panel.database, bob, TESTER)
    assert [ask(node, "GET", "/auth/me", token).status_code for node in nodes] == [401] * 3
    by_token = {ask(node, "GET", "/auth/me", made.token).status_code for node in nodes}
    assert by_token == ({200} if change == "password" else {401})


def test_a_changed_role_holds_with_the_next_request(panel, nodes):
    bob = users.create(panel.database, "bob", PASSWORD, TESTER)
    token = logged_in(nodes[0], "bob")["access_token"]
    task = {"name": "new", "spec": "@yearly", "command": "true"}
    assert ask(nodes[1], "POST", "/tasks", token, task).status_code == 201
    user_admin.set_role(panel.database, bob, Role.VIEWER, [], TESTER)
    assert ask(nodes[1], "POST", "/tasks", token, task | {"name": "more"}).status_code == 403


def test_a_revoked_token_is_none_on_all_nodes(panel, nodes):
    (user,) = rows(panel.database, User)
    made = api_tokens.create(panel.database, user.id, Wanted("t", Scope.READ, 1), TESTER)
    assert [ask(node, "GET", "/auth/me", made.token).status_code for node in nodes] == [200] * 3
    api_tokens.revoke(panel.database, made.id, TESTER)
    assert [ask(node, "GET", "/auth/me", made.token).status_code for node in nodes] == [401] * 3


def test_a_refresh_token_that_is_shown_twice_ends_its_login(nodes):
    first = logged_in(nodes[0])
    again = {"refresh_token": first["refresh_token"]}
    second: Any = ask(nodes[1], "POST", "/auth/refresh", body=again).json
    assert ask(nodes[0], "GET", "/auth/me", second["access_token"]).status_code == 200
    assert ask(nodes[2], "POST", "/auth/refresh", body=again).status_code == 401
    assert ask(nodes[0], "GET", "/auth/me", second["access_token"]).status_code == 401
    last = {"refresh_token": second["refresh_token"]}
    assert ask(nodes[0], "POST", "/auth/refresh", body=last).status_code == 401


def test_wrong_logins_spread_over_nodes_are_counted_together(nodes):
    """With other names each time: it is the address that is counted."""
    for number in range(login_limits.TRIES):
        guess = {"username": f"name {number}", "password": "guessed"}
        node = nodes[number % 3]
        assert ask(node, "POST", "/auth/login", body=guess).status_code == 401, number
    for node in nodes:
        right = {"username": USER, "password": PASSWORD}
        refused = ask(node, "POST", "/auth/login", body=right)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 600


def test_wrong_passwords_of_an_account_are_counted_together(nodes):
    for number in range(users.TRIES):
        guess = {"username": USER, "password": "guessed"}
        assert ask(nodes[number % 3], "POST", "/auth/login", body=guess).status_code == 401
    right = {"username": USER, "password": PASSWORD}
    assert [ask(node, "POST", "/auth/login", body=right).status_code for node in nodes] == [401] * 3
