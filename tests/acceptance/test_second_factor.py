"""A second factor in panel, API and command line: asked for after the password, and only then."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from urllib.parse import unquote

import pytest

from admin import second_step
from gocron.config import load
from gocron.core.sealing import Seal
from gocron.db import second_factor, users
from gocron.db.audit import Actor
from gocron.db.models import AuditLog, User
from tests.helpers.authenticator import KEY, Authenticator, stop_clock
from tests.helpers.command import Gocron, assert_refused
from tests.helpers.panel import PASSWORD, TESTER, USER, Panel, Visitor, installed, words_of
from tests.helpers.product import database_of
from tests.helpers.rows import row, rows

SEAL = Seal(KEY)
CODES = re.compile(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){3}")


@pytest.fixture(scope="module")
def sealed_panel(tmp_path_factory: pytest.TempPathFactory):
    """With a secret key; on SQLite: what the database has a say in is shown in tests/db."""
    home = tmp_path_factory.mktemp("home")
    with installed({"GOCRON_DB_ENGINE": "sqlite"}, home, GOCRON_SECRET_KEY=KEY) as found:
        yield found


@pytest.fixture
def own_panel(sealed_panel: Panel) -> Panel:
    sealed_panel.begin_anew()
    return sealed_panel


@pytest.fixture(autouse=True)
def now(monkeypatch, sealed_panel: Panel) -> datetime:
    return stop_clock(monkeypatch, sealed_panel.database)


def own_id(panel: Panel) -> int:
    (found,) = rows(panel.database, User, User.username == USER)
    return int(found.id)


@pytest.fixture
def app(own_panel: Panel, now: datetime) -> Authenticator:
    """The administrator has one; it was confirmed with the code of the step before this one."""
    found = Authenticator(second_factor.begin(own_panel.database, SEAL, own_id(own_panel)), now)
    user_id, actor = own_id(own_panel), Actor(USER)
    second_factor.confirm(own_panel.database, SEAL, user_id, found.code(-1), 0, actor)
    return found


def half_way(panel: Panel) -> Visitor:
    """Somebody who has typed the password."""
    visitor: Visitor = panel.visitor()
    assert visitor.login(next="/runs/").location == "/login/code?next=/runs/"
    return visitor


def show(visitor: Visitor, code: str, **fields: str):
    return visitor.post("/login/code", {"code": code, **fields})


def log_in(panel: Panel, code: str) -> Visitor:
    visitor = half_way(panel)
    assert show(visitor, code).location == "/"
    return visitor


# setting up -------------------------------------------------------------------------------------


def test_it_is_set_up_with_a_picture_and_confirmed_with_a_code(own_panel, now):
    visitor, elsewhere = own_panel.administrator(), own_panel.administrator()
    assert "Not set up." in visitor.text("/profile/")
    answer = visitor.post("/profile/second-factor/begin", {"password": "guessed"})
    assert answer.location == "/profile/"
    assert "This is not your password." in visitor.text("/profile/")
    assert "No setup is waiting" in visitor.client.get(
        "/profile/second-factor/", follow_redirects=True
    ).text.replace("&#39;", "'")
    answer = visitor.post("/profile/second-factor/begin", {"password": PASSWORD})
    page = visitor.get(answer.location).text
    assert 'src="data:image/svg+xml' in page
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', page)
    assert secret
    app = Authenticator(secret[1].replace(" ", ""), now)
    wrong = visitor.post("/profile/second-factor/confirm", {"code": "000000"})
    assert "This is not the code that the app shows now" in words_of(wrong.text)
    assert elsewhere.get("/").status_code == 200
    page = visitor.post("/profile/second-factor/confirm", {"code": app.code()}).text
    codes = CODES.findall(words_of(page))
    assert len(codes) == 10
    download = re.search(r'id="download"[^>]*href="data:text/plain;charset=utf-8,([^"]*)"', page)
    assert download
    assert CODES.findall(unquote(download[1])) == codes
    assert elsewhere.get("/").status_code == 302, "other sessions are ended"
    assert "in force" in visitor.text("/profile/")
    assert codes[0] not in visitor.get("/profile/").text
    assert "second factor" in visitor.text("/users/")
    log_in(own_panel, codes[0])


def test_without_a_key_the_profile_says_how_to_make_one(quick_panel):
    page = quick_panel.administrator().text("/profile/")
    assert "Set GOCRON_SECRET_KEY" in page
    assert 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"' in page
    answer = quick_panel.administrator().post(
        "/profile/second-factor/begin", {"password": PASSWORD}
    )
    assert answer.location == "/profile/"


# logging in -------------------------------------------------------------------------------------


def test_the_panel_asks_for_the_code_after_the_password(own_panel, app):
    visitor = half_way(own_panel)
    assert visitor.get("/").location.startswith("/login"), "half a login opens nothing"
    assert visitor.get("/profile/second-factor/").location.startswith("/login")
    assert 'value="/runs/"' in visitor.get("/login/code?next=/runs/").text
    wrong = show(visitor, "000000")
    assert wrong.status_code == 403
    assert "This code is wrong or was used before" in words_of(wrong.text)
    assert show(visitor, app.code(), next="/runs/").location == "/runs/"
    assert visitor.get("/runs/").status_code == 200
    with visitor.client.session_transaction() as session:
        assert second_step.KEY not in session
    assert [line.action for line in rows(own_panel.database, AuditLog)][-1] == "user.login"
    assert show(half_way(own_panel), app.code()).status_code == 403, "a code works once"


def test_the_code_leads_to_no_other_site(own_panel, app):
    assert show(half_way(own_panel), app.code(), next="//evil.example/").location == "/"


def test_nobody_gets_to_the_code_without_the_password(own_panel, app):
    visitor = own_panel.visitor()
    assert visitor.get("/login/code").location.startswith("/login?")
    assert show(visitor, app.code()).location.startswith("/login?")
    assert visitor.login(password="wrong").status_code == 403
    assert show(visitor, app.code()).location.startswith("/login?")


def test_after_five_minutes_the_password_is_asked_for_again(own_panel, app):
    for changed in ([own_id(own_panel), 1, int(time.time()) - 301], [1, 1], "x", None, ["1", 1, 1]):
        visitor = half_way(own_panel)
        with visitor.client.session_transaction() as session:
            session[second_step.KEY] = changed
        assert show(visitor, app.code()).location.startswith("/login?"), changed


def test_wrong_codes_lock_the_account(own_panel, app):
    visitor = half_way(own_panel)
    for _time in range(users.TRIES):
        assert show(visitor, "000000").status_code == 403
    assert show(visitor, app.code()).status_code == 403
    assert own_panel.visitor().login().status_code == 403


def test_a_login_of_the_api_takes_the_code_along(own_panel, app):
    def login(**fields: str):
        credentials = {"username": USER, "password": PASSWORD, **fields}
        return own_panel.app.test_client().post("/api/v1/auth/login", json=credentials)

    assert "code" not in login(password="wrong").json["detail"]
    assert login(password="wrong").json == login(username="nobody").json
    missing, wrong = login(), login(code="000000")
    for answer in (missing, wrong):
        assert answer.status_code == 401
        assert answer.content_type == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "code" in answer.json["detail"]
    assert "is needed" in missing.json["detail"]
    code = app.code()
    assert login(code=code).status_code == 200
    assert login(code=code).status_code == 401
    assert login(code="x" * 65).status_code == 422


# afterwards -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["codes", "off"])
def test_a_change_asks_for_password_and_code(own_panel, app, path):
    visitor = log_in(own_panel, app.code())
    address = f"/profile/second-factor/{path}"
    for proof, said in (
        ({"password": "wrong", "code": app.code(1)}, "This is not your password."),
        ({"password": PASSWORD, "code": "000000"}, "This code is wrong"),
        ({"password": PASSWORD}, "is needed too"),
    ):
        assert visitor.post(address, proof).location == "/profile/"
        assert said in visitor.text("/profile/")
    assert row(own_panel.database, User, own_id(own_panel)).totp_since is not None
    answer = visitor.post(address, {"password": PASSWORD, "code": app.code(1)})
    if path == "codes":
        log_in(own_panel, CODES.findall(words_of(answer.text))[0])
    else:
        assert "Your second factor is turned off." in visitor.text("/profile/")
        assert own_panel.visitor().login().location == "/"


def test_an_administrator_resets_that_of_somebody_else_and_not_his_own(own_panel, app):
    users.create(own_panel.database, "bob", PASSWORD, TESTER)
    bob: Visitor = own_panel.visitor()
    assert bob.login("bob").status_code == 302
    address = f"/users/{own_id(own_panel)}/"
    assert "in force" in bob.text(address)
    own = log_in(own_panel, app.code())
    assert 'id="second-reset"' not in own.get(address).text
    own.post(f"{address}second-factor/reset")
    assert "This is your own second factor" in own.text(address)
    assert bob.post(f"{address}second-factor/reset").location == address
    assert f"The second factor of “{USER}” is turned off" in bob.text(address)
    assert own.get("/").status_code == 302
    assert own_panel.visitor().login().location == "/"


def test_the_command_line_resets_one_that_was_lost(tmp_path):
    gocron = Gocron(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"})
    gocron.must("migrate")
    gocron.must("user", "create", "ada", GOCRON_USER_PASSWORD=PASSWORD)
    with database_of(gocron.environment) as database:
        (user,) = rows(database, User)
        secret = second_factor.begin(database, SEAL, user.id)
        with database.read() as connection:
            code = Authenticator(secret, database.dialect.now(connection)).code()
        second_factor.confirm(database, SEAL, user.id, code, 0, TESTER)
        assert "ada" in gocron.must("user", "totp-reset", "ada")
        assert rows(database, User)[0].totp_since is None
        assert rows(database, AuditLog)[-1].actor.startswith("cli:")
    assert_refused(gocron("user", "totp-reset", "eve"), "no user 'eve'")


def test_the_key_is_shown_nowhere(tmp_path):
    settings = load({"GOCRON_HOME": str(tmp_path), "GOCRON_SECRET_KEY": KEY})
    assert KEY not in repr(settings) + json.dumps(settings.model_dump(), default=str)
    gocron = Gocron(tmp_path, {"GOCRON_DB_ENGINE": "sqlite", "GOCRON_SECRET_KEY": KEY})
    said = gocron.must("check")
    assert "GOCRON_SECRET_KEY" in said
    assert KEY not in said
