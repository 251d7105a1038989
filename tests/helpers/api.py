"""A client of the API over Flask's test client, which holds every answer against the document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from gocron.core.access import Role, Scope
from gocron.db import api_tokens, users
from gocron.db.api_tokens import Wanted
from tests.helpers.panel import PASSWORD, TESTER, USER, Panel

PREFIX = "/api/v1"


class Api:
    """Somebody with a token, or without one."""

    def __init__(self, panel: Panel, token: str = "") -> None:
        self.panel = panel
        self.token = token
        self.client = panel.app.test_client()
        self.document: Any = self.client.get(f"{PREFIX}/openapi.json").json

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Any:
        """The answer (of Werkzeug), which must have this status and the shape that the document
        promises."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        given: dict[str, Any] = {} if body is None else {"json": body}
        answer = self.client.open(
            PREFIX + path,
            method=method,
            headers=sent | dict(headers or {}),
            query_string={name: str(value) for name, value in query.items()},
            **given,
        )
        assert answer.status_code == status, (method, path, answer.status, answer.text)
        self.require_documented(method, path, answer)
        return answer

    def get(self, path: str, **query: Any) -> Any:
        """What stands at an address."""
        return self.ask("GET", path, **query).json

    def problem(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """What was wrong; 422 unless another ``status`` is wanted."""
        found = self.ask(method, path, body, **({"status": 422} | options))
        assert found.mimetype == "application/problem+json"
        return found.json

    def walk(self, path: str, **query: Any) -> Iterator[Any]:
        """The items of all pages."""
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def require_documented(self, method: str, path: str, answer: TestResponse) -> None:
        """Whether the document has this status for the operation, and this shape."""
        operation = self._operation(method, path)
        if operation is None:
            assert answer.status_code in (404, 405), (method, path)
            return
        response = operation["responses"].get(str(answer.status_code))
        assert response is not None, (method, path, answer.status_code, "is not documented")
        content = response.get("content")
        if content is None:
            assert answer.data == b"", (method, path)
            return
        assert answer.mimetype in content, (method, path, answer.mimetype)
        if answer.is_json:
            schema = content[answer.mimetype]["schema"]
            whole = {**schema, "components": self.document["components"]}
            validator = Draft202012Validator(whole)
            wrong = [error.message for error in validator.iter_errors(answer.json)]
            assert wrong == [], (method, path)

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template, methods in self.document["paths"].items():
            pattern = re.sub(r"\\{\w+\\}", r"\\d+", re.escape(template))
            if re.fullmatch(pattern, path) and method.lower() in methods:
                found: dict[str, Any] = methods[method.lower()]
                return found
        return None


def administrator(panel: Panel) -> Api:
    """The user that every installation of tests has, logged in."""
    stranger = Api(panel)
    credentials = {"username": USER, "password": PASSWORD}
    stranger.token = stranger.ask("POST", "/auth/login", credentials).json["access_token"]
    return stranger


def with_token(
    panel: Panel,
    role: Role = Role.ADMIN,
    scope: Scope = Scope.ADMIN,
    *,
    tags: tuple[str, ...] = (),
    tag: str = "",
    name: str = "robot",
) -> Api:
    """Somebody new with an API token. ``tags``: whose tasks they may change; ``tag``: the token's
    own."""
    user_id = users.create(panel.database, name, PASSWORD, TESTER, role=role, tags=tags)
    wanted = Wanted("a token of tests", scope, 1, tag)
    return Api(panel, api_tokens.create(panel.database, user_id, wanted, TESTER).token)
