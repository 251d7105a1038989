"""A node that is not installed yet, and somebody who goes through its wizard over HTTP."""

from __future__ import annotations

import html
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.helpers.cluster import Node, wait_for
from tests.helpers.private_server import children_of

PASSWORD = "typed into the wizard"

FIELDS = {
    "GOCRON_DB_ENGINE": "engine",
    "GOCRON_DB_HOST": "host",
    "GOCRON_DB_PORT": "port",
    "GOCRON_DB_USER": "user",
    "GOCRON_DB_PASSWORD": "password",
}


def typed(database: Mapping[str, str]) -> dict[str, str]:
    """What is typed in for a database that is given as GOCRON_DB_*."""
    fields = {FIELDS[name]: text for name, text in database.items() if name in FIELDS}
    place = "file" if database["GOCRON_DB_ENGINE"] == "sqlite" else "database"
    return {**fields, place: database["GOCRON_DB_DATABASE"]}


ADMINISTRATOR = {"username": "admin", "new": PASSWORD, "again": PASSWORD, "email": ""}


class BlankNode(Node):
    """Nothing tells it a database, and nobody an administrator."""

    def __init__(self, folder: Path, name: str, **settings: str) -> None:
        super().__init__(folder, {}, name, **settings)
        # For whoever logs in later; the node itself is not told.
        self.told = {**self.environment, "GOCRON_ADMIN_PASSWORD": PASSWORD}
        del self.environment["GOCRON_ADMIN_PASSWORD"]

    def start(self, *, ready: bool = True) -> Node:
        """Until the wizard answers, or (ready) the node works."""
        super().start(ready=ready)
        if not ready:
            wait_for(lambda: self.status("/install") == 200, "the wizard is open", more=self.log)
        return self

    def all_pids(self) -> list[int]:
        """Also what threads of the wizard have started."""
        found = [self.pid]
        for pid in found:  # grows while it is walked
            found += children_of(pid)
        return found

    @property
    def token_file(self) -> Path:
        return self.home / "conf" / "install.token"

    def token(self) -> str:
        return self.token_file.read_text().strip()

    def post(
        self, path: str, fields: Mapping[str, str], token: str | None = None
    ) -> tuple[int, str]:
        """Status and body; 0 and the reason if there is no answer."""
        given = {"token": self.token() if token is None else token, "timezone": "UTC"}
        data = urlencode({**given, **fields}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        try:
            with urllib.request.urlopen(request, timeout=100) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def try_database(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """*Test connection*."""
        status, body = self.post("/install/test", fields)
        assert status == 200, body
        answer: dict[str, Any] = json.loads(body)
        return answer

    def install(self, fields: Mapping[str, str]) -> str:
        """*Install*, and it does; the page that follows."""
        status, body = self.post("/install", fields)
        assert status == 200, mistakes_in(body)
        return body


def mistakes_in(page: str) -> list[str]:
    """What the page of the wizard says is wrong."""
    found = re.findall(r"(?:invalid-feedback|alert-danger)[^>]*>(.*?)</div>", page, re.S)
    words = [html.unescape(re.sub(r"<[^>]*>", "", text)).strip() for text in found]
    return [text for text in words if text]
