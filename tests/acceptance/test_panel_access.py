"""Who gets in, who does not, and what either of them learns."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import delete, update

from admin import auth
from gocron.db import calendars, groups, pauses, users
from gocron.db.models import AuditLog, Run, Task, User
from tests.helpers.panel import BASIC_TASK, PASSWORD, TESTER, USER, Visitor, installed, words_of
from tests.helpers.rows import rows
from tests.helpers.servers import PrivatePostgres

OPEN_TO_ALL = {
    "account.language",
    "account.login",
    "account.logout",  # ends the session of whoever has one
    "favicon",
    "healthz",
    "metrics",
    "panel.static",
    "prometheus",
    "readyz",
    "second_factor.code",  # the second half of a login
}


def closed_addresses(panel):
    """Every address of the application that is not for everybody, with every method it has."""
    for rule in panel.app.url_map.iter_rules():
        if rule.endpoint in OPEN_TO_ALL or rule.endpoint.startswith("api."):
            continue
        path = re.sub(r"<[^>]*>", "1", rule.rule)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, path


def test_there_are_addresses_to_protect(quick_panel):
    paths = {path for _method, path in closed_addresses(quick_panel)}
    assert {"/", "/tasks/", "/tasks/edit/", "/runs/1/stop", "/nodes/", "/password"} <= paths
    assert {"/tasks/start/", "/tasks/backfill/", "/runs/1/again", "/pauses/resume/"} <= paths
    assert {"/calendars/delete/", "/groups/edit/"} <= paths
    assert {"/users/1/disable", "/settings/", "/audit/audit.csv", "/nodes/step-down/"} <= paths


def test_a_stranger_gets_no_page_and_changes_nothing(quick_panel):
    quick_panel.create_task()
    stranger = quick_panel.visitor()
    for method, path in closed_addresses(quick_panel):
        if method == "GET":
            answer = stranger.get(path)
        else:
            answer = stranger.post(path, {"id": "1", "rowid": "1", "action": "delete"})
        assert answer.status_code == 302, (method, path, answer.status)
        assert answer.location.startswith("/login"), (method, path)
    assert len(rows(quick_panel.database, Task)) == 1
    assert rows(quick_panel.database, Run) == []


def test_a_program_without_a_login_gets_401(quick_panel):
    answer = quick_panel.visitor().get("/runs/1/tail", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.json == {"error": "not logged in"}


def test_nothing_is_changed_without_a_csrf_token(quick_panel):
    task_id = quick_panel.create_task()
    visitor = quick_panel.administrator()
    for method, path in [*closed_addresses(quick_panel), ("POST", "/logout"), ("POST", "/login")]:
        if method == "POST":
            answer = visitor.client.post(path, data={"id": task_id, "rowid": task_id})
            assert answer.status_code == 400, path
            assert "load the page again" in answer.text
    assert len(rows(quick_panel.database, Task)) == 1
    assert visitor.get("/").status_code == 200


def refusal(visitor: Visitor, username: str, password: str) -> tuple[int, str]:
    answer = visitor.login(username, password)
    return answer.status_code, re.sub(r'value="[^"]*"', "", answer.text)


def test_unknown_wrong_disabled_and_locked_get_the_same_answer(quick_panel):
    users.create(quick_panel.database, "disabled", PASSWORD, TESTER)
    users.create(quick_panel.database, "locked", PASSWORD, TESTER)
    with quick_panel.database.write() as connection:
        connection.execute(update(User).where(User.username == "disabled").values(enabled=False))
    visitor = quick_panel.visitor()
    for _attempt in range(users.TRIES):
        visitor.login("locked", "not this one")
    answers = {
        refusal(visitor, "nobody", "x"),
        refusal(visitor, USER, "wrong password"),
        refusal(visitor, "disabled", PASSWORD),
        refusal(visitor, "locked", PASSWORD),
        refusal(visitor, "nul\0byte", PASSWORD),
        refusal(visitor, USER, ""),
        refusal(visitor, "n" * 1000, PASSWORD),
    }
    assert len(answers) == 1
    assert next(iter(answers))[0] == 403


def test_an_empty_installation_says_how_the_first_user_is_made(tmp_path):
    with installed({"GOCRON_DB_ENGINE": "sqlite"}, tmp_path, with_user=False) as empty:
        assert "gocron user create NAME" in empty.visitor().text("/login")
        users.create(empty.database, USER, PASSWORD, TESTER)
        assert "gocron user create" not in empty.visitor().text("/login")


def test_a_login_begins_a_session_of_its_own(quick_panel):
    visitor = quick_panel.visitor()
    visitor.token()
    with visitor.client.session_transaction() as session:
        before = dict(session)
        session["planted"] = "by somebody else"
    assert visitor.login().location == "/"
    with visitor.client.session_transaction() as session:
        assert "planted" not in session
        assert session.get("csrf_token") != before["csrf_token"]
        assert len(session["_user_id"]) > 40
    assert [row.action for row in rows(quick_panel.database, AuditLog)][-1] == "user.login"


def test_a_login_goes_on_to_where_somebody_wanted_to_go(quick_panel):
    visitor = quick_panel.visitor()
    to_login = visitor.get("/runs/?state=failed")
    assert to_login.location == "/login?next=/runs/?state%3Dfailed"
    assert 'name="next" value="/runs/?state=failed"' in visitor.get(to_login.location).text
    assert visitor.login(next="/runs/?state=failed").location == "/runs/?state=failed"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "evil.example",
        "",
    ],
)
def test_a_login_never_leads_to_another_site(target):
    assert auth.local_path(target, "/home") == "/home"


@pytest.mark.parametrize("target", ["/", "/tasks/?search=a%20b&page=2", "/runs/7/"])
def test_a_login_leads_to_any_page_of_this_site(target):
    assert auth.local_path(target, "/home") == target


def test_a_session_ends_with_its_user(quick_panel):
    changes = [
        update(User).values(enabled=False),
        update(User).values(enabled=True, token_version=User.token_version + 1),
        delete(User),
    ]
    for change in changes:
        with quick_panel.database.write() as connection:
            connection.execute(update(User).values(enabled=True))
        visitor = quick_panel.administrator()
        assert visitor.get("/").status_code == 200
        with quick_panel.database.write() as connection:
            connection.execute(change)
        assert visitor.get("/").status_code == 302


def test_a_logout_also_ends_copies_of_the_cookie(quick_panel):
    visitor = quick_panel.administrator()
    thief = quick_panel.visitor()
    cookie = visitor.client.get_cookie("gocron_5920")
    assert cookie is not None
    thief.client.set_cookie("gocron_5920", cookie.value)
    assert thief.get("/").status_code == 200
    assert visitor.post("/logout").location == "/login"
    assert visitor.get("/").status_code == 302
    assert thief.get("/").status_code == 302


def test_a_forged_session_is_none(quick_panel):
    visitor = quick_panel.administrator()
    (user,) = rows(quick_panel.database, User)
    for remembered in (f"{user.id}", f"{user.id}:1", ":1", "", "x" * 43, "²", "\0", "x" * 9999):
        with visitor.client.session_transaction() as session:
            session["_user_id"] = remembered
        assert visitor.get("/").status_code == 302, remembered


def test_changing_the_password_asks_the_old_one_and_ends_other_sessions(quick_panel):
    visitor, elsewhere = quick_panel.administrator(), quick_panel.administrator()
    new = {"new": "analytical engine", "again": "analytical engine"}
    page = words_of(visitor.post("/password", {"old": "guessed", **new}).text)
    assert "This is not your password." in page
    page = words_of(visitor.post("/password", {"old": PASSWORD, "new": "a", "again": "b"}).text)
    assert "At least 8 characters." in page
    assert "This is not the same as above." in page
    assert elsewhere.get("/").status_code == 200
    assert visitor.post("/password", {"old": PASSWORD, **new}).status_code == 302
    assert visitor.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
    assert quick_panel.visitor().login().status_code == 403
    assert quick_panel.visitor().login(password="analytical engine").status_code == 302


def test_no_page_has_scripts_or_styles_inside(quick_panel):
    task_id = quick_panel.create_task()
    visitor = quick_panel.administrator()
    run = visitor.post("/tasks/run/", {"id": task_id}).location
    pages = ["/", "/tasks/", "/tasks/new/", f"/tasks/edit/?id={task_id}", "/runs/", run, "/nodes/"]
    pages += [f"/tasks/delete/?id={task_id}", "/password", "/nowhere"]
    calendars.save(quick_panel.database, "c", [], "", TESTER)
    groups.save(quick_panel.database, "g", 1, "", TESTER)
    pauses.pause(quick_panel.database, "", "a pause", None, TESTER)
    pages += [f"/tasks/start/?id={task_id}", f"/tasks/backfill/?id={task_id}", "/pauses/"]
    for kind, name in (("calendars", "c"), ("groups", "g")):
        pages += [f"/{kind}/", f"/{kind}/new/"]
        pages += [f"/{kind}/edit/?name={name}", f"/{kind}/delete/?name={name}"]
    user = users.create(quick_panel.database, "grace", PASSWORD, TESTER)
    pages += ["/users/", "/users/new/", f"/users/{user}/", f"/users/{user}/delete", "/profile/"]
    pages += ["/settings/", "/audit/", "/nodes/?days=7", "/nodes/now", "/nodes/past"]
    pages += ["/nodes/step-down/", "/nodes/forget/?name=node1"]
    for path in pages:
        answer = visitor.get(path)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?![^>]*\bsrc=\"/)|<style|\s(style|on\w+)=", answer.text), (
            path
        )
        foreign = re.findall(r'(?:src|href|action)="(?!/|#|\?)([^"]*)"', answer.text)
        assert foreign == [], path


def test_static_files_may_be_kept_and_are_open(quick_panel):
    with quick_panel.visitor().get("/static/tabler.css") as answer:
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["Cache-Control"]
    assert quick_panel.visitor().get("/static/../__init__.py").status_code == 404


def test_errors_are_pages_with_a_way_out(quick_panel):
    visitor = quick_panel.administrator()
    assert "deleted" in visitor.text("/nowhere", 404)
    assert "there is no run 12" in visitor.text("/runs/12/", 404)
    wrong_method = visitor.get("/tasks/run/")
    assert wrong_method.status_code == 405
    assert "POST" in wrong_method.headers["Allow"]
    answer = visitor.client.post("/tasks/new/", data={"command": "x" * 17_000_000})
    assert answer.status_code == 413


def test_the_cookie_is_secure_behind_tls_only(tmp_path):
    environment = {"GOCRON_DB_ENGINE": "sqlite", "GOCRON_TRUSTED_PROXIES": "1"}
    with installed(environment, tmp_path) as behind_a_proxy:
        client = behind_a_proxy.app.test_client()
        plain = client.get("/login").headers["Set-Cookie"]
        secure = client.get(
            "/login", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
        )
        assert "Secure" not in plain
        assert "HttpOnly" in plain
        assert "SameSite=Lax" in plain
        # The token is in the session already, so nothing new is set unless a login changes it.
        assert "Secure" in secure.headers.get("Set-Cookie", "Secure")


def test_a_database_that_is_away_logs_nobody_out(
    postgres_server: PrivatePostgres, tmp_path, caplog
):
    environment = postgres_server.environment(postgres_server.create_database())
    with installed(environment, tmp_path) as panel:
        visitor = panel.administrator()
        panel.create_task()
        postgres_server.stop()
        try:
            for path in ("/", "/tasks/", "/runs/1/tail", "/login", "/nowhere"):
                answer = visitor.get(path)
                if path == "/nowhere":
                    assert answer.status_code == 404
                    continue
                assert answer.status_code == 503, path
                assert "The database cannot be reached" in answer.text
                assert "Set-Cookie" not in answer.headers or "_user_id" not in answer.text
        finally:
            postgres_server.start()
        assert visitor.get("/tasks/").status_code == 200
        assert BASIC_TASK["name"] in visitor.text("/tasks/")
