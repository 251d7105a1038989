"""How often an address may be wrong about the token."""

from __future__ import annotations

from gocron.core.tries import MOST, MOST_ADDRESSES, WITHIN_S, Tries


def _wrong(tries: Tries, address: str, times: int, now: float) -> None:
    for _time in range(times):
        assert tries.may_try(address, now)
        tries.was_wrong(address, now)


def test_after_a_few_wrong_ones_an_address_waits_for_a_minute():
    tries = Tries()
    _wrong(tries, "10.0.0.1", MOST, 100.0)
    assert not tries.may_try("10.0.0.1", 100.0)
    assert not tries.may_try("10.0.0.1", 100.0 + WITHIN_S - 0.1)
    assert tries.may_try("10.0.0.1", 100.0 + WITHIN_S)


def test_nobody_else_has_to_wait():
    tries = Tries()
    _wrong(tries, "10.0.0.1", MOST, 100.0)
    assert tries.may_try("10.0.0.2", 100.0)


def test_a_few_a_minute_may_go_on_for_ever():
    tries = Tries()
    for minute in range(100):
        _wrong(tries, "10.0.0.1", MOST - 1, minute * (WITHIN_S + 1))


def test_only_so_many_addresses_are_remembered():
    tries = Tries()
    for number in range(MOST_ADDRESSES + 1):
        _wrong(tries, f"address {number}", MOST, 1.0)
    assert tries.may_try("address 0", 1.0)
    assert not tries.may_try("address 1", 1.0)
