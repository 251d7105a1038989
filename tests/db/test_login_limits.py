"""How often an address may guess."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.db import login_limits
from gocron.db.engine import Database
from gocron.db.login_limits import TRIES, WINDOW, admit, forgive, source_of
from gocron.db.models import LoginAttempts
from tests.helpers.databases import at_once
from tests.helpers.rows import now_of, rows


def age(database: Database, distance: timedelta) -> None:
    with database.write() as connection:
        connection.execute(update(LoginAttempts).values(began_at=now_of(database) - distance))


def test_after_so_many_tries_an_address_waits_until_the_window_is_over(database):
    assert [admit(database, "192.0.2.7") for _ in range(TRIES)] == [None] * TRIES
    wait = admit(database, "192.0.2.7")
    assert wait is not None
    assert timedelta() < wait <= WINDOW
    assert admit(database, "192.0.2.8") is None
    age(database, WINDOW)
    assert admit(database, "192.0.2.7") is None


def test_a_right_password_takes_its_try_back(database):
    for _ in range(TRIES + 5):
        assert admit(database, "192.0.2.7") is None
        forgive(database, "192.0.2.7")


def test_tries_at_once_are_all_counted(database):
    answers = at_once(*[(lambda: [admit(database, "192.0.2.7") for _ in range(TRIES // 2)])] * 4)
    admitted = [answer for some in answers for answer in some if answer is None]
    assert len(admitted) == TRIES


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("unix:" + "x" * 100, "unix:" + "x" * 59),
    ],
)
def test_what_counts_as_one_address(address, source):
    assert source_of(address) == source


def test_addresses_that_have_not_tried_for_long_are_forgotten(database):
    admit(database, "192.0.2.7")
    assert login_limits.purge(database) == 0
    age(database, WINDOW + timedelta(seconds=1))
    assert login_limits.purge(database) == 1
    assert rows(database, LoginAttempts) == []
