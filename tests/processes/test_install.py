"""A node that is not installed yet: its wizard over HTTP, up to a task that fires; and everything
that may come in between."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from tests.conftest import fresh_database
from tests.helpers.cluster import Node, process_exists, wait_for
from tests.helpers.databases import at_once
from tests.helpers.product import add_task, database_of
from tests.helpers.remote_panel import RemotePanel
from tests.helpers.servers import PrivatePostgres
from tests.helpers.wizard import ADMINISTRATOR, BlankNode, mistakes_in, typed

INSTALLED = 'id="installed"'
SQLITE = {"engine": "sqlite", **ADMINISTRATOR}


@pytest.fixture
def blank(tmp_path: Path) -> Iterator[BlankNode]:
    node = BlankNode(tmp_path, "node1")
    try:
        node.start(ready=False)
        yield node
    finally:
        node.end()


@pytest.fixture
def postgres_env(postgres_server: PrivatePostgres) -> Iterator[dict[str, str]]:
    yield from fresh_database(postgres_server)


def files_of(node: Node) -> set[str]:
    """Names in ``conf``."""
    return {path.name for path in (node.home / "conf").iterdir()}


def count(node: Node, what: str) -> int:
    with database_of(node.environment) as database, database.read() as connection:
        return int(connection.execute(text(f"SELECT COUNT(*) FROM {what}")).scalar_one())


@contextmanager
def knocking(port: int) -> Iterator[list[str]]:
    """Somebody who connects again and again; what went wrong with that."""
    over, refused = threading.Event(), []

    def knock() -> None:
        while not over.wait(0.01):
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
            except OSError as error:
                refused.append(str(error))

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        yield refused
    finally:
        over.set()
        thread.join()


@contextmanager
def migrations_locked(database_env: Mapping[str, str]) -> Iterator[None]:
    """As if another node were migrating meanwhile."""
    with database_of(database_env) as database, database.engine.connect() as connection:
        assert database.dialect.try_lock_migrations(connection, "schema")
        try:
            yield
        finally:
            database.dialect.unlock_migrations(connection, "schema")
            connection.rollback()


def workers(node: Node) -> list[int]:
    """Processes that speak to the database for the wizard."""
    found = []
    for pid in node.all_pids():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"gocron.processes.setting_up" in line:
            found.append(pid)
    return found


def test_from_an_empty_home_to_a_task_that_fires(
    blank: BlankNode, database_env: dict[str, str]
) -> None:
    token, parent = blank.token(), blank.pid
    assert blank.token_file.stat().st_mode & 0o777 == 0o600
    assert f"/install#{token}" in blank.log()
    assert blank.status("/healthz") == 200
    assert blank.get("/readyz")[0] == 503
    assert "not installed yet" in blank.get("/readyz")[1]
    assert blank.status("/metrics") == 503
    assert "One-time token" in blank.get("/tasks/")[1]  # everything leads to the wizard
    assert token not in blank.get("/install")[1]

    fields = typed(database_env)
    answer = blank.try_database(fields)
    assert answer["ok"], answer
    assert "a new installation" in answer["words"]

    with knocking(blank.port) as refused:
        page = blank.install({**fields, **ADMINISTRATOR, "language": "en"})
        assert INSTALLED in page
        blank.wait_ready()
    assert refused == []
    assert blank.pid == parent
    assert blank.process is not None
    assert blank.process.poll() is None

    assert files_of(blank) == {"app.ini", "install.lock", ".version"}
    for path in (blank.home / "conf").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert (blank.home / "conf").stat().st_mode & 0o777 == 0o700
    assert blank.get("/install")[0] == 404
    assert blank.post("/install", fields, token)[0] in (400, 404, 405)
    assert fields.get("password", "no password") not in blank.log()
    assert ADMINISTRATOR["new"] not in blank.log()

    RemotePanel(_told(blank)).save_task(name="first", spec="* * * * * *", command="echo it fires")
    wait_for(lambda: count(blank, "run WHERE state = 'success'"), "it fires")


def _told(node: BlankNode) -> Node:
    """Whoever logs in knows the password that was typed into the wizard."""
    node.environment, node.told = node.told, node.environment
    return node


def test_the_wizard_stays_closed(blank: BlankNode) -> None:
    blank.install(SQLITE)
    blank.wait_ready()
    assert blank.stop() == 0
    (blank.home / "conf" / "install.lock").unlink()
    (blank.home / "gocron.db").rename(blank.home / "moved.db")
    Node.start(blank)
    assert blank.status("/install") == 404
    assert not blank.token_file.exists()


def test_a_wrong_token_changes_nothing_and_may_not_be_tried_for_long(blank: BlankNode) -> None:
    before = files_of(blank)
    answers = [blank.post("/install", SQLITE, token="guessed")[0] for _try in range(7)]
    assert answers == [403] * 5 + [429] * 2
    status, page = blank.post("/install/test", SQLITE)
    assert status == 429
    assert "Wait a minute" in page
    assert files_of(blank) == before
    assert not (blank.home / "gocron.db").exists()
    assert blank.log().count("a wrong installation token from 127.0.0.1") == 5
    assert "guessed" not in blank.log()


def test_of_two_that_install_at_once_one_wins(blank: BlankNode) -> None:
    people = [{**SQLITE, "username": name} for name in ("ada", "eve")]
    answers = at_once(*(lambda one=one: blank.post("/install", one) for one in people))
    assert sorted(status for status, _page in answers) == [200, 409]
    blank.wait_ready()
    winner = people[[status for status, _page in answers].index(200)]["username"]
    with database_of(blank.environment) as database, database.read() as connection:
        names = connection.execute(text('SELECT username FROM "user"')).scalars().all()
    assert list(names) == [winner]


def test_a_wizard_that_is_killed_while_it_installs_can_be_tried_again(
    blank: BlankNode, server_env: dict[str, str]
) -> None:
    fields, token, before = {**typed(server_env), **ADMINISTRATOR}, blank.token(), files_of(blank)
    wizard = blank.child("install")
    with migrations_locked(server_env):
        answers: list[tuple[int, str]] = []
        asking = threading.Thread(target=lambda: answers.append(blank.post("/install", fields)))
        asking.start()
        (worker,) = wait_for(lambda: workers(blank), "the database is being set up")
        os.kill(wizard, signal.SIGKILL)
        asking.join()
        assert answers[0][0] == 0  # no answer
        wait_for(lambda: not process_exists(worker), "nobody goes on with it")
    again = wait_for(
        lambda: found if (found := blank.children().get("install")) != wizard else None,
        "the wizard is back",
    )
    assert again
    wait_for(lambda: blank.status("/install") == 200, "and open")
    assert (files_of(blank), blank.token()) == (before, token)
    assert INSTALLED in blank.install(fields)
    blank.wait_ready()


def test_a_wizard_that_is_killed_when_everything_is_written_is_not_needed_any_more(
    blank: BlankNode,
) -> None:
    blank.install(SQLITE)
    os.kill(blank.child("install"), signal.SIGKILL)
    blank.wait_ready()
    assert not blank.token_file.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_that_waits_to_be_installed_stops_at_once(
    blank: BlankNode, number: signal.Signals
) -> None:
    pids = blank.all_pids()
    began = time.monotonic()
    blank.send(number)
    assert blank.wait() == 0
    assert time.monotonic() - began < 5
    assert not [pid for pid in pids if process_exists(pid)]
    assert files_of(blank) == set()


def test_it_stops_at_once_while_it_is_being_installed(
    blank: BlankNode, postgres_env: dict[str, str]
) -> None:
    fields = {**typed(postgres_env), **ADMINISTRATOR}
    with migrations_locked(postgres_env):
        asking = threading.Thread(target=blank.post, args=("/install", fields))
        asking.start()
        wait_for(lambda: workers(blank), "the database is being set up")
        pids = blank.all_pids()
        blank.send(signal.SIGTERM)
        assert blank.wait(5) == 0
        asking.join()
        wait_for(lambda: not [pid for pid in pids if process_exists(pid)], "nobody is left")
    assert files_of(blank) == set()
    blank.start(ready=False)
    blank.install(fields)
    blank.wait_ready()


def test_a_parent_that_is_killed_leaves_nobody_behind(blank: BlankNode) -> None:
    pids = blank.all_pids()
    blank.kill()
    wait_for(lambda: not [pid for pid in pids if process_exists(pid)], "the wizard ends too")
    blank.start(ready=False)
    blank.install(SQLITE)
    blank.wait_ready()


@pytest.mark.timeout(180)
def test_a_second_node_joins_by_its_own_wizard(
    blank: BlankNode, one_server_env: dict[str, str], tmp_path: Path
) -> None:
    fields = typed(one_server_env)
    blank.install({**fields, **ADMINISTRATOR})
    blank.wait_ready()
    add_task(blank.environment, "there already", spec="@yearly")
    second = BlankNode(tmp_path, "node2")
    try:
        second.start(ready=False)
        answer = second.try_database(fields)
        assert (answer["ok"], answer["users"]) == (True, 1)
        assert "joins an existing cluster with 1 node and 1 task" in answer["words"]
        page = second.install(fields)  # nobody is asked for
        assert "had users already" in page
        second.wait_ready()
        members = {member["name"] for member in second.cluster()["members"]}
        assert members == {"node1", "node2"}
        wait_for(
            lambda: {node.metric("gocron_leader") for node in (blank, second)} == {0, 1},
            "one of them leads",
        )
        assert count(second, '"user"') == 1
    finally:
        second.end()


@pytest.mark.timeout(180)
def test_two_wizards_on_one_empty_database_make_one_cluster(
    blank: BlankNode, server_env: dict[str, str], tmp_path: Path
) -> None:
    fields = {**typed(server_env), **ADMINISTRATOR}
    second = BlankNode(tmp_path, "node2")
    try:
        second.start(ready=False)
        with ThreadPoolExecutor(2) as people:
            pages = list(people.map(lambda node: node.install(fields), (blank, second)))
        assert sorted("had users already" in page for page in pages) == [False, True]
        for node in (blank, second):
            node.wait_ready()
        user = '"user"' if server_env["GOCRON_DB_ENGINE"] == "postgres" else "`user`"
        assert count(blank, user) == 1
        assert len(blank.cluster()["members"]) == 2
    finally:
        second.end()


def test_a_table_prefix_that_is_typed_in_holds(
    blank: BlankNode, postgres_env: dict[str, str]
) -> None:
    blank.install({**typed(postgres_env), **ADMINISTRATOR, "prefix": "cron_"})
    blank.wait_ready()
    assert count(blank, "cron_node") == 1
    assert "db.prefix = cron_" in (blank.home / "conf" / "app.ini").read_text()


def test_a_database_that_refuses_is_said_and_nothing_is_written(
    blank: BlankNode, postgres_env: dict[str, str]
) -> None:
    fields, before = typed(postgres_env), files_of(blank)
    wrong = {**fields, **ADMINISTRATOR, "password": "swordfish"}
    answer = blank.try_database(wrong)
    assert (answer["ok"], answer["field"]) == (False, "password")
    status, page = blank.post("/install", wrong)
    assert status == 422
    assert mistakes_in(page) == ["The server refuses this user and password."]
    assert "swordfish" not in page
    assert f'value="{fields["database"]}"' in page
    assert files_of(blank) == before
    assert "swordfish" not in blank.log()


def test_a_server_that_is_silent_is_not_waited_for_longer_than_a_few_seconds(
    blank: BlankNode,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        for engine in ("postgres", "mysql"):
            fields = {"engine": engine, "host": "127.0.0.1", "port": port, "user": "a"}
            began = time.monotonic()
            answer = blank.try_database({**fields, "database": "b", "password": "c"})
            assert time.monotonic() - began < 20  # 5 s, and the start of a process
            assert (answer["ok"], answer["field"]) == (False, "host")


def test_with_a_database_in_the_environment_there_is_no_wizard(tmp_path: Path) -> None:
    node = Node(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"}, "node1")
    try:
        node.start()
        assert node.status("/install") == 404
        assert files_of(node) == set()
    finally:
        node.end()


def test_the_sqlite_home_of_an_earlier_version_starts_without_a_wizard(tmp_path: Path) -> None:
    node = Node(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"}, "node1")
    try:
        node.start()
        node.stop()
        del node.environment["GOCRON_DB_ENGINE"]
        node.start()
        assert node.status("/install") == 404
    finally:
        node.end()


def test_a_home_waits_for_one_installation_only(blank: BlankNode, tmp_path: Path) -> None:
    second = BlankNode(tmp_path, "node2")
    second.home = blank.home
    second.environment["GOCRON_HOME"] = str(blank.home)
    try:
        Node.start(second, ready=False)
        assert second.wait() == 1
        assert "waiting to be installed" in second.log()
        assert blank.status("/install") == 200
    finally:
        second.end()


def test_the_address_on_the_console_is_the_one_that_listens(blank: BlankNode) -> None:
    found = re.search(r"http://\S+/install#\S+", blank.log())
    assert found
    assert urlsplit(found[0]).port == blank.port
    assert urlsplit(found[0]).fragment == blank.token()
