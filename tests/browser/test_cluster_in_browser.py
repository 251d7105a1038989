"""The page of the cluster while nodes come and go: two nodes on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.person import Person
from tests.conftest import fresh_database
from tests.helpers.cluster import Cluster, Node, cluster_of
from tests.helpers.servers import PrivatePostgres

PASSWORD = "correct horse"  # of Node


@pytest.fixture
def cluster(postgres_server: PrivatePostgres, tmp_path: Path) -> Iterator[Cluster]:
    for environment in fresh_database(postgres_server):
        secret = {"GOCRON_AUTH_SECRET": "a secret of tests, and of nothing else at all"}
        with cluster_of(2, tmp_path, environment, **secret) as running:
            yield running


def at(node: Node, chromium: webdriver.Chrome) -> Person:
    """An administrator at the panel of this node."""
    person = Person(chromium, f"http://127.0.0.1:{node.port}")
    person.forget_everything()
    person.log_in("admin", PASSWORD)
    person.open("/nodes/")
    return person


def card(node: Node) -> str:
    return f'[data-node="{node.name}"]'


def test_the_page_shows_that_the_leader_was_killed_and_another_one_leads(
    cluster: Cluster, chromium: webdriver.Chrome
) -> None:
    leader = cluster.leader()
    (follower,) = cluster.followers()
    person = at(follower, chromium)
    person.see("#leading-node", leader.name)
    person.see(f'{card(leader)} [data-process="scheduler"][data-phase="running"]')
    person.see(f'{card(follower)} [data-process="elector"][data-phase="running"]')
    leader.kill()
    person.see("#leading-node", follower.name)
    person.see("#leading-term", "2")
    person.see(f'{card(follower)}[data-state="leader"]')
    person.see('#terms [data-term="1"]', "took over")  # without a reload
    person.wait(lambda: person.sees(f'{card(leader)}[data-state="lost"]'), "the old one is lost")
    person.submit(f"{card(leader)} a")
    person.submit("#forget")
    person.see(".alert-success", leader.name)
    assert not person.sees(card(leader))
    assert person.complaints() == []
    assert person.requests_elsewhere() == []


def test_the_leader_steps_down_by_two_clicks_at_the_panel_of_a_follower(
    cluster: Cluster, chromium: webdriver.Chrome
) -> None:
    leader = cluster.leader()
    (follower,) = cluster.followers()
    person = at(follower, chromium)
    person.submit("#step-down")
    person.see(".card.narrow", f"another node leads a moment later: {follower.name}")
    person.submit("#do-step-down")
    person.see(".alert-success", f"{leader.name} steps down within a few seconds")
    person.see("#leading-node", follower.name)
    person.see('#terms [data-term="1"]', "admin asked it to step down.")
    person.see('#terms [data-term="2"]', "leads")
    person.see(f'{card(leader)}[data-state="follower"]')
    assert person.complaints() == []
