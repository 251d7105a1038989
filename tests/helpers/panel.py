"""The panel over a real database, asked through Flask's test client: a browser without pictures."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import admin
from gocron.board import Board
from gocron.config import load
from gocron.context import Context
from gocron.core.definition import define
from gocron.core.identity import Identity
from gocron.db import migrate, nodes, tasks, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.web.app import create_app
from tests.helpers.rows import empty

USER = "ada"
PASSWORD = "difference engine"  # of nobody
SECRET = "a secret of tests, and of nothing else"
TESTER = Actor("tester")

BASIC_TASK: dict[str, Any] = {
    "name": "backup",
    "spec": "0 30 2 * * *",
    "timezone": "Europe/Berlin",
    "command": "tar cf - /etc",
}

FORM_DEFAULTS: dict[str, Any] = {
    "protocol": "shell",
    "overlap": "skip",
    "misfire": "run_once",
    "misfire_grace": "",
    "catch_up_limit": "100",
    "max_parallel": "0",
    "jitter": "0",
    "priority": "0",
    "retry_times": "0",
    "retry_interval": "0",
    "retry_backoff": "fixed",
    "retry_jitter": "0",
    "retry_on": ["failed", "timeout"],
    "on_lost": "fail",
    "timeout": "0",
    "http_method": "GET",
    "http_statuses": "200-299",
    "http_verify_tls": "y",
    "enabled": "y",
}
"""What a browser sends for the fields that nobody touched."""


class Panel:
    """An installation with one administrator."""

    def __init__(self, app: Flask, context: Context) -> None:
        self.app = app
        self.context = context
        self.database = context.database

    def begin_anew(self) -> None:
        """As it was installed: one node, one user, nothing else."""
        empty(self.database)
        _fill(self.database)
        self.look_anew()

    def look_anew(self) -> None:
        """Forget what the first page has counted so far."""
        self.app.extensions["admin"][0].index_view.lookout.forget()

    def visitor(self) -> Visitor:
        """Somebody with a browser that has no cookies yet."""
        return Visitor(self.app.test_client())

    def administrator(self) -> Visitor:
        """The same, logged in."""
        visitor = self.visitor()
        assert visitor.login().status_code == 302
        return visitor

    def create_task(self, **fields: Any) -> int:
        """A task that is there already."""
        return tasks.create(self.database, define(BASIC_TASK | fields), TESTER)


class Visitor:
    """Follows links, fills in forms; sends the CSRF token that it was given last."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def text(self, path: str, status: int = 200) -> str:
        """A page as people read it: without tags, entities replaced."""
        response = self.get(path)
        assert response.status_code == status, response.status
        return words_of(response.text)

    def token(self) -> str:
        """A CSRF token of this session."""
        with self.client.session_transaction() as session:
            known = "_user_id" in session
        page = self.get("/password" if known else "/login").text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found, page
        return found[1]

    def post(self, path: str, fields: Mapping[str, Any] | None = None) -> TestResponse:
        """Send a form, with a token."""
        return self.client.post(path, data={"csrf_token": self.token(), **(fields or {})})

    def login(self, username: str = USER, password: str = PASSWORD, **fields: str) -> TestResponse:
        return self.post("/login", {"username": username, "password": password, **fields})

    def save_task(self, path: str = "/tasks/new/", **fields: Any) -> TestResponse:
        """Send the form of a task."""
        return self.post(path, FORM_DEFAULTS | BASIC_TASK | fields)


class _Form(HTMLParser):
    """What a browser would send of the form with an id, if nobody touched it."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self._id = form_id
        self._inside = False
        self._area = self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("id") == self._id
        name, kind = given.get("name", ""), given.get("type", "text")
        if not self._inside:
            return
        if tag == "textarea":
            self._area = name
            self.values[name] = [""]
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self.values.setdefault(self._select, []).append(given["value"])
        elif tag == "input" and name and (kind not in ("checkbox", "radio") or "checked" in given):
            self.values.setdefault(name, []).append(given.get("value", "on"))

    def handle_endtag(self, tag: str) -> None:
        self._area = "" if tag == "textarea" else self._area
        self._select = "" if tag == "select" else self._select

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area][0] += data


def form_values(page: str, form_id: str = "task") -> dict[str, Any]:
    """What a browser would send if nobody touched the form; the token aside."""
    form = _Form(form_id)
    # Of what stands in a text area the first line end is not a part of it.
    form.feed(re.sub(r"(<textarea[^>]*>)\n", r"\1", page.replace("\r\n", "\n")))
    assert form.values, f"no form {form_id!r}"
    del form.values["csrf_token"]
    return {
        name: values if len(values) > 1 else values[0].replace("\n", "\r\n")
        for name, values in form.values.items()
    }


def field_of(page: str, name: str) -> str:
    """The part of a form that is about one field, as text."""
    found = re.search(rf'data-field="{name}">(.*?)(?=data-field=|</section>|</form>)', page, re.S)
    assert found, name
    return words_of(found[1])


def words_of(page: str) -> str:
    """Text of a page, blanks as a browser shows them."""
    page = re.sub(r"<(script|style|datalist)\b.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip()


def _fill(database: Database, *, with_user: bool = True) -> Identity:
    if with_user:
        users.create(database, USER, PASSWORD, TESTER)
    return nodes.register(database, nodes.Newcomer("node1", "host1", 1, 5920, "0"))


@contextmanager
def installed(
    environment: Mapping[str, str], home: Path, *, with_user: bool = True, **more: str
) -> Iterator[Panel]:
    """The panel over an empty database that is migrated here."""
    settings = load({"GOCRON_HOME": str(home), "GOCRON_NODE_NAME": "node1", **environment, **more})
    # A request that needed a second connection while it has one would wait in vain, here; in
    # production it would when all threads do so at once.
    database = Database(settings, size=1)
    try:
        migrate.upgrade(database)
        identity = _fill(database, with_user=with_user)
        context = Context(settings, identity, database, Board())
        app = create_app(context, SECRET)
        admin.install(app, context)
        yield Panel(app, context)
    finally:
        database.close()
