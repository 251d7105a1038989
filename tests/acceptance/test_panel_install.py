"""The page of the install wizard: what it asks, what it refuses, what it keeps. The wizard behind
it is a stand-in; tests/processes has the real one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

import admin
from gocron.config import load
from gocron.core.installing import Administrator, Admission, Found, Reason, Refused, SetUp
from gocron.web.install import create_install_app
from tests.helpers.panel import field_of, words_of

GOOD = {
    "token": "right",
    "engine": "postgres",
    "host": "db.example.org",
    "port": "5433",
    "user": "gocron",
    "password": "p%ss w#rd",
    "database": "cron",
    "prefix": "",
    "node_name": "",
    "timezone": "Europe/Berlin",
    "username": "ada",
    "new": "difference engine",
    "again": "difference engine",
    "email": "ada@example.org",
}


class StandIn:
    """Remembers what it was asked to do."""

    def __init__(self) -> None:
        self.installed = False
        self.given: dict[str, str] = {}
        self.fixed: dict[str, str] = {}
        self.found: Found | Refused = Found("PostgreSQL 15.3", tables=False)
        self.answer: SetUp | Refused = SetUp(created=True)
        self.calls: list[tuple[Mapping[str, str], Administrator | None]] = []
        self.left = False

    def initial(self, name: str) -> str:
        return self.given.get(name, "")

    def fixed_by(self, name: str) -> str:
        return self.fixed.get(name, "")

    def admit(self, token: str, address: str) -> Admission:
        return Admission.ADMITTED if token == "right" else Admission.WRONG

    def look(self, typed: Mapping[str, str]) -> Found | Refused:
        self.calls.append((typed, None))
        return self.found

    def install(self, typed: Mapping[str, str], first: Administrator | None) -> SetUp | Refused:
        self.calls.append((typed, first))
        return self.answer

    def leave(self) -> None:
        self.left = True


class Page:
    """The application with its stand-in, and a browser."""

    def __init__(self, home: Path) -> None:
        settings = load({"GOCRON_HOME": str(home)})
        app = create_install_app(settings, "a secret of tests, and of nothing else")
        self.wizard = StandIn()
        admin.install_wizard(app, self.wizard, settings)
        self.client = app.test_client()

    def install(self, **fields: str) -> TestResponse:
        return self.client.post("/install", data=GOOD | fields)

    def test(self, **fields: str) -> Any:
        return self.client.post("/install/test", data=GOOD | fields).json


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


def test_everything_leads_to_the_wizard_and_probes_say_what_is_missing(page):
    for path in ("/", "/tasks/", "/login", "/nowhere"):
        response = page.client.get(path)
        assert (response.status_code, response.location) == (303, "/install")
    assert page.client.get("/healthz").json == {"status": "alive"}
    assert page.client.get("/readyz").status_code == 503
    assert page.client.get("/readyz").json["problems"] == ["not installed yet"]
    assert page.client.get("/metrics").status_code == 503


def test_the_page_is_guarded_like_every_other(page):
    response = page.client.get("/install")
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "style=" not in response.text
    assert "right" not in words_of(response.text)


def test_what_was_typed_becomes_settings_and_an_administrator(page):
    response = page.install()
    assert response.status_code == 200
    assert "This node is installed" in words_of(response.text)
    assert "Log in as ada." in words_of(response.text)
    ((typed, first),) = page.wizard.calls
    assert typed == {
        "db.engine": "postgres",
        "db.host": "db.example.org",
        "db.port": "5433",
        "db.user": "gocron",
        "db.password": "p%ss w#rd",
        "db.database": "cron",
        "timezone": "Europe/Berlin",
        "app_lang": "en",
    }
    assert first == Administrator("ada", "difference engine", "ada@example.org")
    response.close()
    assert page.wizard.left


def test_for_sqlite_nothing_of_a_server_is_kept(page):
    page.install(engine="sqlite", host="", port="what", file="some/file.db", prefix="x_")
    ((typed, _first),) = page.wizard.calls
    assert typed == {
        "db.engine": "sqlite",
        "db.database": "some/file.db",
        "db.prefix": "x_",
        "timezone": "Europe/Berlin",
        "app_lang": "en",
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("host", "", "needed"),
        ("host", "a b", "name or an address"),
        ("port", "", "needed"),
        ("port", "0", "1 to 65535"),
        ("port", "٣", "1 to 65535"),
        ("user", "", "needed"),
        ("password", " swordfish", "GOCRON_DB_PASSWORD"),
        ("password", "sword\x1bfish", "One line"),
        ("database", "", "needed"),
        ("prefix", "9x", "beginning with a letter"),
        ("node_name", "a b", "letters, digits"),
        ("timezone", "Europe/Berlim", "not known"),
        ("timezone", "", "required"),
        ("username", "", "required"),
        ("new", "short", "At least 8"),
        ("again", "something else", "not the same"),
        ("email", "nobody", "no e-mail address"),
    ],
)
def test_a_mistake_is_said_beside_its_field_and_nothing_is_lost(page, name, text, words):
    response = page.install(**{name: text})
    assert response.status_code == 422
    assert words in field_of(response.text, name)
    for kept in ("host", "user", "database", "timezone", "username", "email"):
        if kept != name:
            assert f'value="{GOOD[kept]}"' in response.text
    for secret in ("swordfish", "difference engine", "p%ss w#rd"):
        assert secret not in response.text
    assert page.wizard.calls == []


def test_all_mistakes_are_said_at_once(page):
    text = page.install(host="", prefix="X", timezone="x", new="short", again="short").text
    for name in ("host", "prefix", "timezone", "new"):
        assert field_of(text, name).count(".") >= 1, name
    assert text.count("is-invalid") == 4


def test_without_the_token_nothing_is_done(page):
    for token in ("", "wrong"):
        response = page.install(token=token)
        assert response.status_code == 403
        assert "conf/install.token" in field_of(response.text, "token")
        assert page.client.post("/install/test", data=GOOD | {"token": token}).status_code == 403
    assert page.wizard.calls == []


def test_a_cluster_that_has_users_asks_for_nobody(page):
    page.wizard.answer = SetUp(created=False)
    response = page.install(username="", new="", again="", email="")
    assert response.status_code == 200
    assert "had users already" in words_of(response.text)
    assert page.wizard.calls[0][1] is None


def test_an_empty_database_asks_for_somebody(page):
    page.wizard.answer = Refused(Reason.NO_ADMINISTRATOR)
    response = page.install(username="", new="", again="", email="")
    assert response.status_code == 422
    assert "required" in field_of(response.text, "username")
    assert "required" in field_of(response.text, "new")


@pytest.mark.parametrize("reason", [one for one in Reason if one is not Reason.NO_ADMINISTRATOR])
def test_every_refusal_has_words(page, reason):
    page.wizard.answer = page.wizard.found = Refused(reason, "said <the> driver")
    response = page.install()
    assert response.status_code in (409, 422)
    answer = page.test()
    assert not answer["ok"]
    assert answer["detail"] == "said <the> driver"
    assert "<the>" not in response.text
    if answer["field"]:
        assert answer["words"] in field_of(response.text, answer["field"])
    elif reason is not Reason.INSTALLED:
        assert answer["words"] in words_of(response.text)
        assert "said <the> driver" in words_of(response.text)


def test_the_test_says_what_is_there(page):
    assert page.test()["words"].startswith("PostgreSQL 15.3. It will do, and is empty")
    page.wizard.found = Found("MariaDB 11", True, True, nodes=2, tasks=1, users=3)
    answer = page.test()
    assert "joins an existing cluster with 2 nodes and 1 task" in answer["words"]
    assert "brought up to date" in answer["words"]
    assert answer["users"] == 3


def test_the_test_needs_no_administrator(page):
    assert page.test(username="", new="", again="")["ok"]
    answer = page.test(host="", port="x")
    assert set(answer["mistakes"]) == {"host", "port"}


def test_somebody_who_comes_too_late_is_told_so(page):
    page.wizard.answer = Refused(Reason.BUSY)
    response = page.install()
    assert response.status_code == 409
    assert "Somebody else is installing" in words_of(response.text)
    page.wizard.installed = True
    for response in (page.install(), page.client.get("/install")):
        assert "This node is installed" in words_of(response.text)


def test_the_language_is_chosen_on_the_page_and_written(page):
    assert '<html lang="en">' in page.client.get("/install").text
    chosen = page.client.get("/install?language=zh-CN", follow_redirects=True)
    assert '<html lang="zh-CN">' in chosen.text
    page.install()
    assert page.wizard.calls[0][0]["app_lang"] == "zh-CN"


def test_what_the_environment_decides_is_shown_and_not_asked(page):
    page.wizard.given = {"timezone": "Asia/Tokyo", "node_name": "node7"}
    page.wizard.fixed = {"timezone": "GOCRON_TIMEZONE", "node_name": "GOCRON_NODE_NAME"}
    text = page.client.get("/install").text
    assert 'value="Asia/Tokyo"' in text
    assert "Set by GOCRON_TIMEZONE." in field_of(text, "timezone")
    fields = {name: value for name, value in GOOD.items() if name != "timezone"}
    assert page.client.post("/install", data=fields).status_code == 200


def test_what_is_typed_is_escaped(page):
    text = page.install(host='"><script>alert(1)</script>', username="<b>", new="").text
    assert "<script>alert" not in text
    assert "<b>" not in text


def test_an_engine_that_there_is_not_is_refused(page):
    assert page.install(engine="oracle").status_code == 422
    assert page.wizard.calls == []
