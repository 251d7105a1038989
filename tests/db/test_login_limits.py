"""How often an address may guess, counted on all nodes together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.db import login_limits
from gocron.db.login_limits import TRIES, WINDOW, source_of
from gocron.db.models import LoginAttempts
from tests.helpers.rows import now_of, rows

ADDRESS = "192.0.2.1"


def use_up(database, address=ADDRESS):
    for _try in range(TRIES):
        assert login_limits.admit(database, address) is None


def test_after_so_many_tries_an_address_waits_and_others_do_not(database):
    use_up(database)
    wait = login_limits.admit(database, ADDRESS)
    assert wait is not None
    assert timedelta() < wait <= WINDOW
    assert login_limits.admit(database, "192.0.2.2") is None


def test_the_window_passes_and_old_addresses_are_forgotten(database):
    use_up(database)
    with database.write() as connection:
        began = now_of(database) - WINDOW
        connection.execute(update(LoginAttempts).values(began_at=began))
    assert login_limits.admit(database, ADDRESS) is None
    assert login_limits.purge(database) == 0
    with database.write() as connection:
        connection.execute(update(LoginAttempts).values(began_at=began - timedelta(seconds=1)))
    assert login_limits.purge(database) == 1
    assert rows(database, LoginAttempts) == []


def test_a_right_password_takes_its_try_back(database):
    use_up(database)
    login_limits.forgive(database, ADDRESS)
    assert login_limits.admit(database, ADDRESS) is None
    assert login_limits.admit(database, ADDRESS) is not None


def test_an_ipv6_network_counts_as_one(database):
    for number in range(TRIES):
        assert login_limits.admit(database, f"2001:db8::{number:x}") is None
    assert login_limits.admit(database, "2001:db8::ffff:1") is not None
    assert login_limits.admit(database, "2001:db8:0:1::1") is None


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("no address" * 20, ("no address" * 20)[:64]),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address, source):
    assert source_of(address) == source
