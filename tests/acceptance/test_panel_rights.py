"""Every address of the panel, and what each of the people who may ask for it is answered."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import delete, update

from gocron.core.access import Role, Scope
from gocron.db import api_tokens, calendars, groups, run_queries, tasks, users
from gocron.db.api_tokens import Wanted
from gocron.db.models import ApiToken, AuditLog, Session, Task, User
from tests.helpers.panel import BASIC_TASK, FORM_DEFAULTS, PASSWORD, TESTER, Visitor, words_of
from tests.helpers.rows import rows

PEOPLE = ("viewer", "operator", "other", "admin")
"""``operator`` has the tag of the task, ``other`` another one."""

OPEN = {
    "account.language",
    "account.login",
    "account.logout",
    "favicon",
    "healthz",
    "metrics",
    "panel.static",
    "prometheus",
    "readyz",
    "second_factor.code",  # what comes after the password
}
"""For everybody, also without a login."""

SELF = {
    "account.password",
    *(f"profile.{name}" for name in ("index", "email", "elsewhere", "end_session")),
    *(f"profile.{name}" for name in ("create_token", "revoke_token")),
    *(f"second_factor.{name}" for name in ("setup", "begin", "confirm", "codes", "off")),
}
READ = {
    *("start.index", "start.overview", "live.now", "calendars.index", "groups.index"),
    *("pauses.index", "nodes.index", "nodes.now", "nodes.past"),
    *("runs.index", "runs.show", "runs.tail", "runs.download"),
    *("tasks.index_view", "tasks.details_view", "tasks.tags_view", "tasks.export_view"),
}
RUN = {
    *("runs.stop", "runs.again", "tasks.run_view", "tasks.start_view", "tasks.backfill_view"),
    *("tasks.enable_view", "tasks.action_view", "tasks.try_view", "tasks.try_tail_view"),
    "tasks.bulk_view",
}
EDIT_ANY = {"tasks.create_view", "tasks.import_view", "tasks.check_view", "tasks.preview_view"}
EDIT_THIS = {"tasks.edit_view", "tasks.delete_view", "tasks.rollback_view", "pauses.resume"}
ADMINISTER = {
    *(f"calendars.{name}" for name in ("create", "edit", "delete")),
    *(f"groups.{name}" for name in ("create", "edit", "delete")),
    *(f"users.{name}" for name in ("index", "create", "show", "email", "password", "enable")),
    *(f"users.{name}" for name in ("disable", "unlock", "delete", "role", "end_session")),
    *(
        "users.revoke_token",
        "second_factor.reset",
        "nodes.step_down",
        "nodes.forget",
        "settings.index",
    ),
    *("audit.index", "audit.download"),
    # Flask-Admin's own, which gocron's pages do not use.
    *("tasks.ajax_lookup", "tasks.ajax_update", "tasks.export"),
}

ALLOWED = {
    **dict.fromkeys(SELF | READ, frozenset(PEOPLE)),
    **dict.fromkeys(RUN | EDIT_ANY, frozenset({"operator", "other", "admin"})),
    **dict.fromkeys(EDIT_THIS, frozenset({"operator", "admin"})),
    **dict.fromkeys(ADMINISTER, frozenset({"admin"})),
}
STRICTER: dict[tuple[str, str], set[str]] = {
    ("POST", "pauses.index"): {"admin"},  # what is sent here pauses everything
}


@dataclass(frozen=True)
class Address:
    endpoint: str
    method: str
    path: str

    def allows(self, person: str) -> bool:
        return person in STRICTER.get((self.method, self.endpoint), ALLOWED[self.endpoint])


@pytest.fixture
def house(quick_panel):
    """One task of the tag "web" with a run, and people; passwords are not asked for anew, which
    would take most of the time."""
    task_id = quick_panel.create_task(tag="web", enabled=False)
    quick_panel.create_task(name="nightly", tag="data", enabled=False)
    run_id = tasks.run_now(quick_panel.database, task_id, TESTER)
    calendars.save(quick_panel.database, "c", [], "", TESTER)
    groups.save(quick_panel.database, "g", 1, "", TESTER)
    for name, role, tags in (
        ("viewer", Role.VIEWER, []),
        ("operator", Role.OPERATOR, ["web"]),
        ("other", Role.OPERATOR, ["data"]),
        ("admin", Role.ADMIN, []),
    ):
        users.create(quick_panel.database, name, PASSWORD, TESTER, role=role, tags=tags)
    return House(quick_panel, task_id, run_id)


class House:
    def __init__(self, panel: Any, task_id: int, run_id: int) -> None:
        self.panel = panel
        self.database = panel.database
        self.task_id = task_id
        self.run_id = run_id

    def person(self, name: str) -> Visitor:
        visitor: Visitor = self.panel.visitor()
        assert visitor.login(name).status_code == 302
        return visitor

    def addresses(self) -> list[Address]:
        """All that are not for everybody; of the API there is a table of its own."""
        return [
            Address(rule.endpoint, method, self._path(rule.rule))
            for rule in self.panel.app.url_map.iter_rules()
            if rule.endpoint not in OPEN and not rule.endpoint.startswith("api.")
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
        ]

    def _path(self, rule: str) -> str:
        path = re.sub(r"<[^>]*run_id>", str(self.run_id), rule)
        path = re.sub(r"<[^>]*>", "999999", path)
        name = "g" if path.startswith("/groups/") else "c"
        return f"{path}?id={self.task_id}&rowid={self.task_id}&run={self.run_id}&name={name}"

    def tags(self) -> dict[str, str]:
        return {task.name: task.tag for task in rows(self.database, Task)}


HARMLESS = {"url": "/", "action": "enable", "what": "all", "tag": "web", "revision": "1"}
"""What is sent: nothing is saved by it; enabling is undone by nobody's need for it."""


def test_every_address_has_an_entry(house):
    known = {address.endpoint for address in house.addresses()}
    assert known == set(ALLOWED), known ^ set(ALLOWED)


@pytest.mark.parametrize("name", PEOPLE)
def test_each_address_answers_those_it_is_for_and_nobody_else(house, name):
    visitor = house.person(name)
    token = visitor.token()
    wrong = []
    for address in house.addresses():
        if address.method == "GET":
            answer = visitor.get(address.path)
        elif address.endpoint in DESTRUCTIVE and address.allows(name):
            continue  # tested by what it does, elsewhere
        else:
            answer = visitor.client.post(address.path, data={"csrf_token": token, **HARMLESS})
        if (answer.status_code == 403) == address.allows(name) or answer.status_code >= 500:
            wrong.append((address, answer.status))
        answer.close()
    assert wrong == []
    assert house.tags() == {"backup": "web", "nightly": "data"}


DESTRUCTIVE = {
    *("tasks.delete_view", "calendars.delete", "groups.delete", "profile.elsewhere"),
    *("tasks.edit_view", "tasks.rollback_view"),
}


def test_nobody_the_disabled_and_those_whose_session_was_ended_get_nothing(house):
    disabled, ended = house.person("operator"), house.person("viewer")
    stranger = house.panel.visitor()
    tokens = {one: one.token() for one in (disabled, ended, stranger)}
    (viewer,) = (user.id for user in rows(house.database, User, User.username == "viewer"))
    with house.database.write() as connection:
        connection.execute(update(User).where(User.username == "operator").values(enabled=False))
        connection.execute(delete(Session).where(Session.user_id == viewer))
    for address in house.addresses():
        for visitor, token in tokens.items():
            if address.method == "GET":
                answer = visitor.get(address.path)
            else:
                answer = visitor.client.post(address.path, data={"csrf_token": token, **HARMLESS})
            assert answer.status_code == 302, address
            assert answer.location.startswith("/login"), address
    assert house.tags() == {"backup": "web", "nightly": "data"}
    assert len(run_queries.page(house.database, run_queries.RunFilter(), 5).runs) == 1


TRICKS = ("/{0}", "//{0}", "/static/..{0}", "{0};a=b", "{0}.js", "{0}/.", "/.{0}", "{0}/", "{0}\0")
"""As they are after a server has decoded them."""


def test_tricks_with_paths_open_nothing(house):
    stranger, viewer = house.panel.visitor(), house.person("viewer")
    paths = {
        address.path.partition("?")[0]: address
        for address in house.addresses()
        if address.method == "GET" and address.endpoint in EDIT_ANY | EDIT_THIS | ADMINISTER
    }
    for path, address in paths.items():
        query = address.path.partition("?")[2]
        for trick in TRICKS:
            tricked = {"PATH_INFO": trick.format(path)}
            for visitor in (stranger, viewer):
                answer = visitor.get("/", query_string=query, environ_overrides=tricked)
                assert answer.status_code in (302, 308, 403, 404), tricked
                answer.close()


def test_a_viewer_is_offered_nothing_that_changes_something(house):
    viewer = house.person("viewer")
    pages = ("/", "/tasks/", f"/tasks/details/?id={house.task_id}", f"/runs/{house.run_id}/")
    for path in (*pages, "/runs/", "/calendars/", "/groups/", "/pauses/", "/nodes/"):
        page = viewer.get(path).text
        forms = set(re.findall(r'<form[^>]*method="post"[^>]*action="([^"?]*)', page))
        assert forms <= {"/language", "/logout"}, path
        for address in re.findall(r'(?:href|data-url)="(/[^"#?]*)', page):
            if not address.startswith("/static/"):
                assert viewer.get(address).status_code != 403, (path, address)


@pytest.mark.parametrize("name", ["operator", "other"])
def test_an_operator_is_offered_only_what_is_allowed(house, name):
    operator = house.person(name)
    for path in ("/", "/tasks/", f"/tasks/details/?id={house.task_id}", f"/runs/{house.run_id}/"):
        page = operator.get(path).text
        for address in re.findall(r'(?:href|data-url)="(/[^"#]*)', page):
            if not address.startswith("/static/"):
                answer = operator.get(address.replace("&amp;", "&"))
                assert answer.status_code != 403, (path, address)
                answer.close()


def test_an_operator_keeps_to_their_tags_before_and_after(house):
    operator = house.person("operator")
    form = FORM_DEFAULTS | BASIC_TASK | {"tag": "data", "revision": "1"}
    page = operator.post(f"/tasks/edit/?id={house.task_id}", form)
    assert "one of these tags: web" in words_of(page.text)
    page = operator.post("/tasks/new/", form | {"name": "mine"})
    assert "one of these tags: web" in words_of(page.text)
    page = operator.post("/tasks/new/", form | {"name": "mine", "tag": ""})
    assert "one of these tags: web" in words_of(page.text)
    assert house.tags() == {"backup": "web", "nightly": "data"}
    assert operator.post("/tasks/new/", form | {"name": "mine", "tag": "web"}).status_code == 302
    saved = operator.post(
        f"/tasks/edit/?id={house.task_id}", form | {"tag": "web", "command": "true"}
    )
    assert saved.status_code == 302
    assert house.tags() == {"backup": "web", "nightly": "data", "mine": "web"}


def test_many_tasks_are_changed_only_if_all_are_theirs(house):
    operator = house.person("operator")
    both = [str(task.id) for task in rows(house.database, Task)]
    for action in ("delete", "tag"):
        answer = operator.post("/tasks/bulk/", {"action": action, "rowid": both, "new_tag": "web"})
        assert answer.status_code == 403
        assert "These tasks are not yours: “nightly”." in words_of(answer.text)
    answer = operator.post(
        "/tasks/bulk/", {"action": "tag", "rowid": [str(house.task_id)], "new_tag": "data"}
    )
    assert answer.status_code == 403
    assert operator.post("/tasks/delete/", {"id": both}).status_code == 403
    assert house.tags() == {"backup": "web", "nightly": "data"}
    enabled = operator.post("/tasks/bulk/", {"action": "enable", "rowid": both})
    assert enabled.status_code == 302
    assert all(task.enabled for task in rows(house.database, Task))


@pytest.mark.parametrize(
    ("name", "tag", "status"),
    [("fresh", "web", 200), ("fresh", "data", 403), ("fresh", "", 403), ("nightly", "web", 403)],
)
def test_a_file_is_imported_only_if_all_of_it_is_theirs(house, name, tag, status):
    operator = house.person("operator")
    line = f"- {{name: {name}, spec: '@daily', command: 'true', tag: '{tag}'}}\n"
    ours = "- {name: ours, spec: '@daily', command: 'true', tag: web}\n"
    file = (io.BytesIO(f"tasks:\n{ours}{line}".encode()), "tasks.yaml")
    answer = operator.post("/tasks/import/", {"file": file})
    assert answer.status_code == status, words_of(answer.text)
    if status == 403:
        assert f"“{name}”" in words_of(answer.text)


def test_an_operator_pauses_tags_of_theirs_and_never_everything(house):
    operator = house.person("operator")
    everything = operator.post("/pauses/", {"what": "all", "reason": "x"})
    assert everything.status_code == 403
    other = operator.post("/pauses/", {"what": "tag", "tag": "data", "reason": "x"})
    assert other.status_code == 403
    own = operator.post("/pauses/", {"what": "tag", "tag": "web", "reason": "x"})
    assert own.status_code == 302
    assert operator.post("/pauses/resume/", {"tag": ""}).status_code == 403
    assert operator.post("/pauses/resume/", {"tag": "web"}).status_code == 302


def test_a_token_is_shown_once_and_ends_when_it_is_revoked(house):
    viewer = house.person("viewer")
    wanted = {"token_name": "ci", "scope": "read", "tag": "", "days": "90"}
    page = viewer.post("/profile/tokens/new", wanted).text
    token = re.search(r"gct_[\w-]{40,}", page)
    assert token is not None
    shown = api_tokens.look(house.database, token[0], "192.0.2.1")
    assert shown is not None
    assert shown.account.username == "viewer"
    assert token[0] not in viewer.get("/profile/").text
    assert token[0][:10] in viewer.get("/profile/").text
    again = words_of(viewer.post("/profile/tokens/new", wanted).text)
    assert "There is already a token 'ci'" in again
    assert house.person("operator").post(f"/profile/tokens/{shown.id}/revoke").status_code == 404
    assert viewer.post(f"/profile/tokens/{shown.id}/revoke").status_code == 302
    assert rows(house.database, ApiToken) == []
    said = " ".join(str(line.detail) for line in rows(house.database, AuditLog))
    assert token[0] not in said


def test_sessions_are_listed_and_ended_one_by_one(house):
    here, elsewhere = house.person("viewer"), house.person("viewer")
    page = here.get("/profile/").text
    assert "this one" in words_of(page)
    ids = re.findall(r"/profile/sessions/(\d+)/end", page)
    assert len(ids) == 1
    house.person("operator").post(f"/profile/sessions/{ids[0]}/end")
    assert elsewhere.get("/").status_code == 200
    assert here.post(f"/profile/sessions/{ids[0]}/end").status_code == 302
    assert elsewhere.get("/").status_code == 302
    assert here.get("/").status_code == 200


def test_an_administrator_gives_roles_and_ends_sessions_and_tokens(house):
    admin, viewer = house.person("admin"), house.person("viewer")
    by_name = {user.username: user.id for user in rows(house.database, User)}
    user = f"/users/{by_name['viewer']}"
    made = api_tokens.create(house.database, by_name["viewer"], Wanted("ci", Scope.READ, 1), TESTER)
    saved = admin.post(f"{user}/role", {"role": "operator", "tags": "web, data"})
    assert saved.status_code == 302
    assert "operator" in words_of(admin.get("/users/").text)
    assert viewer.get("/tasks/new/").status_code == 200, "it holds for the session there is"
    assert "Choose one of these." in words_of(admin.post(f"{user}/role", {"role": "king"}).text)
    own = words_of(admin.post(f"/users/{by_name['admin']}/role", {"role": "viewer"}).text)
    assert "This is your own account" in own
    assert admin.post(f"{user}/tokens/{made.id}/revoke").status_code == 302
    assert api_tokens.look(house.database, made.token, "") is None
    (session_id,) = re.findall(rf"{user}/sessions/(\d+)/end", admin.get(f"{user}/").text)
    assert admin.post(f"{user}/sessions/{session_id}/end").status_code == 302
    assert viewer.get("/").status_code == 302
