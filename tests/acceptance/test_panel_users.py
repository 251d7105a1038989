"""Users and one's own profile in the panel."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from gocron.db import users
from gocron.db.models import AuditLog, User
from tests.helpers.panel import PASSWORD, TESTER, USER, Visitor, field_of, words_of
from tests.helpers.rows import row, rows

NEW = {
    "username": "bob",
    "email": "bob@example.org",
    "role": "admin",
    "password": PASSWORD,
    "again": PASSWORD,
}
OTHER = "analytical engine"
HOSTILE = '<script>alert("1")</script>'


@pytest.fixture
def bob(panel) -> int:
    return users.create(panel.database, "bob", PASSWORD, TESTER)


def logged_in(panel, name: str = "bob", password: str = PASSWORD) -> Visitor:
    visitor: Visitor = panel.visitor()
    assert visitor.login(name, password).status_code == 302
    return visitor


def own_id(panel) -> int:
    (found,) = rows(panel.database, User, User.username == USER)
    return int(found.id)


def test_a_user_is_created_listed_and_may_log_in(panel, visitor):
    assert visitor.post("/users/new/", NEW).location == "/users/"
    page = visitor.text("/users/")
    assert "User “bob” was created." in page
    assert "bob bob@example.org administrator enabled never – " in page
    assert logged_in(panel).get("/").status_code == 200
    assert rows(panel.database, AuditLog, AuditLog.action == "user.create")[-1].actor == USER


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("username", "", "1 to 64"),
        ("username", "n" * 65, "1 to 64"),
        ("username", "a\nb", "one line"),
        ("username", USER, "already"),
        ("email", "nobody", "ada@example.org"),
        ("password", "short", "At least 8"),
        ("password", "x" * 1025, "At most 1024"),
        ("again", "another one", "not the same"),
    ],
)
def test_what_is_wrong_is_said_next_to_the_field_and_no_password_is_shown(
    quick_panel, field, typed, said
):
    answer = quick_panel.administrator().post("/users/new/", NEW | {field: typed})
    assert said in field_of(answer.text, field)
    assert PASSWORD not in answer.text
    assert field in ("username", "email") or "bob@example.org" in answer.text
    assert len(rows(quick_panel.database, User)) == 1


def test_who_is_disabled_loses_access_at_once_and_gets_it_back(panel, visitor, bob):
    person = logged_in(panel)
    assert visitor.post(f"/users/{bob}/disable").location == f"/users/{bob}/"
    assert "“bob” is disabled" in visitor.text(f"/users/{bob}/")
    assert person.get("/").status_code == 302
    assert panel.visitor().login("bob").status_code == 403
    visitor.post(f"/users/{bob}/enable")
    assert person.get("/").status_code == 302, "the old session stays ended"
    assert logged_in(panel).get("/").status_code == 200


def test_nobody_disables_or_deletes_himself(panel, visitor, bob):
    own = own_id(panel)
    page = visitor.get(f"/users/{own}/").text
    assert 'id="disable"' not in page
    assert "This is your own account." in page
    visitor.post(f"/users/{own}/disable")
    assert "Not disabled: this is your own account" in visitor.text(f"/users/{own}/")
    assert "This is your own account" in words_of(visitor.post(f"/users/{own}/delete").text)
    assert visitor.post(f"/users/{own}/password").location == "/password"
    assert visitor.get("/").status_code == 200


def test_the_last_administrator_stays(panel, visitor, bob):
    """Two who disable each other at the same moment: the second one is told."""
    person = logged_in(panel)
    with panel.database.write() as connection:
        connection.execute(update(User).where(User.id == bob).values(role="viewer"))
        connection.execute(update(User).where(User.username == USER).values(username="renamed"))
    own = rows(panel.database, User, User.username == "renamed")[0].id
    assert person.get("/users/").status_code == 403
    with panel.database.write() as connection:
        connection.execute(update(User).where(User.id == bob).values(role="admin"))
        connection.execute(update(User).where(User.id == bob).values(enabled=False))
    visitor.post(f"/users/{own}/disable")
    assert row(panel.database, User, own).enabled


def test_a_password_is_reset_and_ends_sessions(panel, visitor, bob):
    person = logged_in(panel)
    fields = {"password": OTHER, "again": OTHER}
    page = visitor.post(f"/users/{bob}/password", fields | {"again": "x"}).text
    assert "not the same" in field_of(page, "again")
    assert person.get("/").status_code == 200
    assert visitor.post(f"/users/{bob}/password", fields).status_code == 302
    assert "logged out everywhere" in visitor.text(f"/users/{bob}/")
    assert person.get("/").status_code == 302
    assert panel.visitor().login("bob").status_code == 403
    assert logged_in(panel, password=OTHER).get("/").status_code == 200


def test_a_locked_user_is_unlocked(panel, visitor, bob):
    for _time in range(users.TRIES):
        panel.visitor().login("bob", "wrong")
    assert "locked" in visitor.text("/users/")
    page = visitor.text(f"/users/{bob}/")
    assert "after too many wrong passwords" in page
    visitor.post(f"/users/{bob}/unlock")
    assert "“bob” may try to log in again." in visitor.text(f"/users/{bob}/")
    assert logged_in(panel).get("/").status_code == 200


def test_a_user_is_deleted_after_it_was_asked_about(panel, visitor, bob):
    person = logged_in(panel)
    assert "stays in the audit log" in visitor.text(f"/users/{bob}/delete")
    assert len(rows(panel.database, User)) == 2
    assert visitor.post(f"/users/{bob}/delete").location == "/users/"
    assert person.get("/").status_code == 302
    for path in ("", "delete"):
        assert visitor.get(f"/users/{bob}/{path}").status_code == 404
    assert visitor.post(f"/users/{bob}/enable").status_code == 404


def test_names_may_hold_anything(panel, visitor):
    user_id = users.create(panel.database, HOSTILE, PASSWORD, TESTER)
    for path in ("/users/", f"/users/{user_id}/", f"/users/{user_id}/delete", "/audit/"):
        assert HOSTILE not in visitor.get(path).text


# one's own profile ------------------------------------------------------------------------------


def test_the_own_address_is_changed(panel, visitor):
    assert "is-invalid" in visitor.post("/profile/email", {"email": "nonsense"}).text
    assert visitor.post("/profile/email", {"email": "ada@example.org"}).status_code == 302
    page = visitor.get("/profile/").text
    assert "Your e-mail address was saved." in page
    assert 'value="ada@example.org"' in page


def test_the_language_is_chosen_in_the_profile(panel, visitor):
    answer = visitor.client.post(
        "/language",
        data={"csrf_token": visitor.token(), "language": "zh-CN"},
        headers={"Referer": "http://localhost/profile/"},
    )
    assert answer.location == "/profile/"
    page = visitor.get("/profile/").text
    assert 'lang="zh-CN" selected' in page
    assert '<html lang="zh-CN">' in page


def test_the_password_form_of_the_profile_is_that_of_the_password_page(panel, visitor):
    page = visitor.get("/profile/").text
    assert 'action="/password"' in page
    fields = {"old": PASSWORD, "new": OTHER, "again": OTHER}
    assert visitor.post("/password", fields).status_code == 302
    assert visitor.get("/profile/").status_code == 200


def test_other_devices_are_logged_out_and_this_one_is_not(panel, visitor):
    elsewhere = panel.administrator()
    assert visitor.post("/profile/elsewhere").location == "/profile/"
    assert visitor.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
