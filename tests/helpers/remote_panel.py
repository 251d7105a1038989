"""The panel of a running node, asked over HTTP as a browser does: with cookies and forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from tests.helpers.cluster import Node
from tests.helpers.panel import FORM_DEFAULTS


class RemotePanel:
    """A session of the administrator whom a node creates at its first start."""

    def __init__(self, node: Node) -> None:
        self._base = f"http://127.0.0.1:{node.port}"
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
        password = node.environment["GOCRON_ADMIN_PASSWORD"]
        landed = self.post("/login", {"username": "admin", "password": password}, form="/login")
        assert "/login" not in landed, landed

    def get(self, path: str) -> str:
        """A page."""
        with self._opener.open(self._base + path, timeout=20) as answer:
            return str(answer.read().decode())

    def post(self, path: str, fields: Mapping[str, Any], form: str) -> str:
        """Send what a person fills into the page ``form``; the address where that leads."""
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.get(form))
        assert token, form
        data = urlencode({"csrf_token": token[1], **fields}, doseq=True).encode()
        headers = {"Referer": self._base + form}
        with self._opener.open(Request(self._base + path, data, headers), timeout=20) as answer:
            page = answer.read().decode()
            said = re.findall(r"invalid-feedback[^>]*>([^<]*)", page)
            assert not said, said
            return str(answer.url)

    def save_task(self, path: str = "/tasks/new/", **fields: Any) -> None:
        """The form of a task."""
        landed = self.post(path, FORM_DEFAULTS | fields, form=path)
        assert not re.search("/(new|edit)/", landed), landed

    def disable_task(self, task_id: int) -> None:
        """The list's action for chosen tasks."""
        self.post("/tasks/action/", {"action": "disable", "rowid": task_id}, form="/tasks/")
