"""The panel of a follower, while things happen to the leader and to the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.person import Person
from tests.conftest import fresh_database
from tests.helpers.cluster import Cluster, cluster_of
from tests.helpers.servers import PrivatePostgres

PASSWORD = "of two nodes"


@pytest.fixture
def cluster(postgres_server: PrivatePostgres, tmp_path: Path) -> Iterator[Cluster]:
    for database in fresh_database(postgres_server):
        with cluster_of(2, tmp_path, database, GOCRON_ADMIN_PASSWORD=PASSWORD) as running:
            yield running


@pytest.fixture
def at_follower(cluster: Cluster, chromium: webdriver.Chrome) -> Person:
    """Somebody in front of the panel of the node that does not lead."""
    someone = Person(chromium, f"http://127.0.0.1:{cluster.followers()[0].port}")
    someone.forget_everything()
    someone.log_in("admin", PASSWORD)
    return someone


def test_a_task_made_at_a_follower_fires_and_the_death_of_the_leader_is_told(
    cluster: Cluster, at_follower: Person
) -> None:
    person, leader, other = at_follower, cluster.leader(), cluster.followers()[0]
    person.create_task("made here", "* * * * * *", "echo it runs")
    row = person.row("made here")

    def has_a_result() -> bool:
        person.open("/tasks/")
        return person.sees(f'{row} td[data-label="Last result"] .bg-green-lt')

    person.wait(has_a_result, "it has succeeded once")
    person.create_task("long", "@yearly", "echo begun; sleep 100")
    person.click(f'{person.row("long")} button[title="Run now"]')
    person.see("#output", "begun")
    person.see("#leader", f"{leader.name} leads")
    leader.kill()
    person.see("#leader", f"{other.name} leads")
    person.see("#state", "lost")  # a node is given up after 15 s of silence
    person.see("main", f"{leader.name} ran it and went away")


def test_a_database_that_is_away_is_told_and_what_was_typed_stays(
    cluster: Cluster, at_follower: Person, postgres_server: PrivatePostgres
) -> None:
    person = at_follower
    person.open("/tasks/new/")
    person.type("name", "typed for long")
    person.type("spec", "@yearly")
    person.type("command", "echo kept")
    postgres_server.stop()
    try:
        person.see("#trouble", "The database cannot be reached")
        person.click("#save")
        person.see("#trouble", "what you typed is still here")
        assert person.see("#name").get_attribute("value") == "typed for long"
        person.open("/runs/")
        person.see(".empty-title", "The database cannot be reached")
    finally:
        postgres_server.start()
    person.see("#leader", "leads")
    assert person.path == "/runs/"


def test_a_form_survives_the_end_of_the_session(cluster: Cluster, at_follower: Person) -> None:
    person, browser = at_follower, at_follower.browser
    person.open("/tasks/new/")
    person.type("name", "typed for long")
    person.type("spec", "@yearly")
    person.type("command", "true")
    person.lose_session()
    person.click("#save")
    person.see("#trouble", "You are logged out")
    form = browser.current_window_handle
    person.click("#trouble a")
    browser.switch_to.window(next(h for h in browser.window_handles if h != form))
    person.type("username", "admin")
    person.type("password", PASSWORD)
    person.click("form .btn-primary")
    person.see("#leader")
    browser.close()
    browser.switch_to.window(form)
    person.submit("#save")
    person.see(".alert-success", "typed for long")
