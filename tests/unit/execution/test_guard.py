"""Which addresses HTTP tasks are kept from, and that there is no way around."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gocron.config import METADATA
from gocron.core.states import RunState
from gocron.execution.base import Outcome
from gocron.execution.guard import Guard
from gocron.execution.http import HttpExecutor
from tests.unit.execution.carrying_out import carry_out, job
from tests.unit.execution.http_server import Server, serving

BY_DEFAULT = Guard((), METADATA)
NOT_HERE = Guard((), ("127.0.0.0/8", "::1/128"))


@pytest.fixture
def web() -> Iterator[Server]:
    with serving(host="0.0.0.0") as server:
        yield server


def call(guard: Guard, *addresses: str) -> list[Outcome]:
    """How calls by one executor end, one after the other."""

    async def main() -> list[Outcome]:
        executor = HttpExecutor(guard)
        try:
            return [
                (await carry_out(executor, job(address, timeout_s=5)))[0] for address in addresses
            ]
        finally:
            executor.close()

    return asyncio.run(main())


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
    ],
)
def test_by_default_what_tells_a_machine_its_credentials_is_refused_in_every_form(address):
    assert "http.deny_networks" in BY_DEFAULT.refusal(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "fd00::1", "2001:db8::1"])
def test_by_default_everything_else_is_allowed_also_inside(address):
    assert BY_DEFAULT.refusal(address) == ""


def test_what_is_not_in_the_allowed_networks_is_refused():
    guard = Guard(("10.0.0.0/8", "2001:db8::/32"), ("10.9.0.0/16",))
    for allowed in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7"):
        assert guard.refusal(allowed) == ""
    for refused in ("192.0.2.1", "::ffff:192.0.2.1", "127.0.0.1", "2001:db9::7"):
        assert "GOCRON_HTTP_ALLOW_NETWORKS" in guard.refusal(refused)
    assert "10.9.0.0/16" in guard.refusal("10.9.1.1"), "to deny wins"


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "::ffff:0.0.0.0"])
def test_the_address_of_nothing_is_this_host(address):
    assert "127.0.0.0/8" in NOT_HERE.refusal(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0.0.0.0"])
def test_a_refused_address_is_not_called_however_it_is_written(web: Server, host):
    [outcome] = call(NOT_HERE, f"http://{host}:{web.port}/status/200")
    assert outcome.state is RunState.FAILED
    assert "is not called: it is in " in outcome.reason
    assert "take that network out of GOCRON_HTTP_DENY_NETWORKS" in outcome.reason
    assert web.connections == 0


@pytest.mark.parametrize(
    "where", ["http://127.0.0.1:{port}/echo", "http://localhost:{port}/echo", "/echo"]
)
def test_a_redirect_leads_nowhere_that_could_not_be_called(web: Server, where):
    """The server answers at 127.0.0.2 and 127.0.0.1, only the first may be called."""
    guard = Guard((), ("127.0.0.1/32", "::1/128"))
    target = where.format(port=web.port)
    [outcome] = call(guard, f"http://127.0.0.2:{web.port}/to?{target}")
    if target == "/echo":
        assert outcome.state is RunState.SUCCESS
    else:
        assert outcome.state is RunState.FAILED
        assert "127.0.0.1 is not called" in outcome.reason or "::1 is not" in outcome.reason
        assert [path for _method, path in web.requests] == [f"/to?{target}"]


def test_an_open_connection_is_used_again_only_where_it_leads(web: Server):
    guard = Guard(("127.0.0.2/32",))
    good = f"http://127.0.0.2:{web.port}/status/200"
    bad = f"http://127.0.0.1:{web.port}/status/200"
    states = [outcome.state for outcome in call(guard, good, bad, good, bad)]
    assert states == [RunState.SUCCESS, RunState.FAILED] * 2
    assert web.connections == 1


def test_a_proxy_of_the_environment_is_not_asked(web: Server, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.2:{web.port}")
    [outcome] = call(Guard(("127.0.0.2/32",)), "http://127.0.0.1:9/status/200")
    assert "127.0.0.1 is not called" in outcome.reason
    assert web.connections == 0


def test_a_name_that_has_an_allowed_address_too_is_called_there(web: Server):
    [outcome] = call(Guard((), ("::1/128",)), f"http://localhost:{web.port}/status/200")
    assert outcome.state is RunState.SUCCESS
