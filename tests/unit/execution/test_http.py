"""HTTP calls to a real server on 127.0.0.1."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gocron.core.states import RunState
from gocron.execution import http
from gocron.execution.base import Outcome
from gocron.execution.guard import Guard
from gocron.execution.http import BODY_LIMIT, KEPT_CONNECTIONS, HttpExecutor
from tests.unit.execution.carrying_out import Carried, carry_out, descriptors, job
from tests.unit.execution.http_server import Server, make_certificate, serving


@pytest.fixture(scope="module")
def web() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "own.pem", "127.0.0.1")


@pytest.fixture(scope="module")
def secure(own_certificate: Path) -> Iterator[Server]:
    with serving(own_certificate) as server:
        yield server


@pytest.fixture
def url(web: Server) -> str:
    web.requests.clear()
    return f"http://127.0.0.1:{web.port}"


def in_loop(work: Callable[[HttpExecutor], Awaitable[None]]) -> None:
    async def main() -> None:
        executor = HttpExecutor(Guard())
        try:
            await work(executor)
        finally:
            executor.close()

    asyncio.run(main())


def call(address: str, **changes) -> tuple[Outcome, str]:
    found: list[tuple[Outcome, str]] = []

    async def work(executor: HttpExecutor) -> None:
        found.append(await carry_out(executor, job(address, **changes)))

    in_loop(work)
    return found[0]


def seen_by_the_server(address: str, **changes) -> dict:
    outcome, text = call(address, **changes)
    assert outcome.state is RunState.SUCCESS, outcome
    seen: dict = json.loads(text)
    seen["names"] = [name.lower() for name, _ in seen["headers"]]
    seen["headers"] = {name.lower(): value for name, value in seen["headers"]}
    return seen


# judging the answer -----------------------------------------------------------------------------


def test_a_call_that_is_answered_well(url):
    outcome, text = call(f"{url}/status/200")
    assert (outcome, text) == (Outcome(RunState.SUCCESS, "", 200), "some words\n")


@pytest.mark.parametrize(
    ("status", "wanted", "good"),
    [
        (200, "200-299", True),
        (204, "200-299", True),
        (299, "200-299", True),
        (404, "200-299", False),
        (500, "200-299", False),
        (404, "200, 404", True),
        (200, "404", False),
        (304, "200-299,304", True),
        (503, "100-599", True),
    ],
)
def test_the_status_must_be_in_the_expected_set(url, status, wanted, good):
    outcome, _ = call(f"{url}/status/{status}", http_statuses=wanted)
    assert outcome.exit_code == status
    assert (outcome.state is RunState.SUCCESS) == good
    assert outcome.reason == ("" if good else f"status {status}, expected {wanted}")


@pytest.mark.parametrize(
    ("text", "pattern", "good"),
    [
        ("ok", "tout va bien", True),
        ("ok", "^état: .*bien$", True),
        ("ok", "nothing of it", False),
        ("latin", "tat: ok", True),
        ("large", "^x{10}", True),
        ("large", "END", False),
    ],
)
def test_the_answer_must_match_the_success_pattern(url, text, pattern, good):
    outcome, _ = call(f"{url}/text/{text}", success_pattern=pattern)
    assert (outcome.state is RunState.SUCCESS, outcome.exit_code) == (good, 200)
    if not good:
        assert outcome.reason == f"status 200, but the answer does not match {pattern!r}"


def test_a_bad_status_is_not_saved_by_a_pattern_that_matches(url):
    assert call(f"{url}/status/500", success_pattern="words")[0].state is RunState.FAILED


@pytest.mark.parametrize(
    "changes", [{"success_pattern": "(unclosed"}, {"http_statuses": "two hundred"}]
)
def test_a_definition_that_this_version_does_not_understand_fails_the_call(url, changes, web):
    outcome, _ = call(f"{url}/status/200", **changes)
    assert outcome.state is RunState.FAILED
    assert outcome.reason.startswith("the request could not be built: ")
    assert web.requests == []


# the request ------------------------------------------------------------------------------------


def test_what_is_sent_tells_the_run(url):
    seen = seen_by_the_server(f"{url}/echo?a=b%20c#part")
    assert (seen["method"], seen["path"], seen["body"]) == ("GET", "/echo?a=b%20c", "")
    headers = seen["headers"]
    assert headers["user-agent"] == "gocron"
    assert headers["x-gocron-run-id"] == "71"
    assert headers["x-gocron-task-id"] == "5"
    assert headers["x-gocron-scheduled-at"] == "2026-05-01T12:00:30Z"
    assert headers["x-gocron-attempt"] == "2"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", ["", "a=1&b=€"])
def test_every_method_is_sent_with_and_without_a_body(url, method, body):
    seen = seen_by_the_server(f"{url}/echo", http_method=method, http_body=body)
    assert (seen["method"], seen["body"]) == (method, body)
    if body:
        assert seen["headers"]["content-length"] == str(len(body.encode()))
    assert "expect" not in seen["headers"]


def test_head_asks_for_no_body_and_waits_for_none(url, web):
    outcome, text = call(f"{url}/status/200", http_method="HEAD", http_body="ignored")
    assert (outcome.state, text) == (RunState.SUCCESS, "")
    assert web.requests == [("HEAD", "/status/200")]


def test_a_body_larger_than_a_packet_is_sent_without_asking_first(url):
    seen = seen_by_the_server(f"{url}/echo", http_method="POST", http_body="x" * 65_000)
    assert len(seen["body"]) == 65_000
    assert "expect" not in seen["headers"]


def test_the_tasks_own_headers_win_however_their_names_are_written(url):
    own = {
        "user-agent": "mine",
        "X-GOCRON-ATTEMPT": "first",
        "Content-Type": "application/json",
        "X-Empty": "",
        "X-Umlaut": "grün",
    }
    seen = seen_by_the_server(f"{url}/echo", http_method="POST", http_body="{}", http_headers=own)
    headers = seen["headers"]
    assert len(seen["names"]) == len(set(seen["names"])), "none is sent twice"
    assert headers["user-agent"] == "mine"
    assert headers["x-gocron-attempt"] == "first"
    assert headers["content-type"] == "application/json"
    assert headers["x-empty"] == ""
    assert headers["x-umlaut"].encode("latin-1").decode() == "grün"


def test_no_proxy_of_the_daemon_is_used(url, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert call(f"{url}/status/200")[0].state is RunState.SUCCESS


def test_a_call_does_not_inherit_anything_from_the_one_before(url):
    async def work(executor: HttpExecutor) -> None:
        first = job(
            f"{url}/echo", http_method="PUT", http_body="x", http_headers={"X-Secret": "1"},
            success_pattern="x", http_statuses="200", timeout_s=5,
        )  # fmt: skip
        await carry_out(executor, first)
        outcome, text = await carry_out(executor, job(f"{url}/echo"))
        assert outcome.state is RunState.SUCCESS
        seen = json.loads(text)
        assert (seen["method"], seen["body"]) == ("GET", "")
        assert "X-Secret" not in text

    in_loop(work)


# redirects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hops", "good"), [(1, True), (4, True), (5, False)])
def test_a_few_redirects_are_followed(url, hops, good):
    outcome, text = call(f"{url}/redirect/{hops}")
    assert (outcome.state is RunState.SUCCESS) == good
    if good:
        assert text == "some words\n", "and what stood in between is no answer"


def test_a_redirect_loop_ends(url, web):
    outcome, _ = call(f"{url}/loop")
    assert outcome.state is RunState.FAILED
    assert outcome.reason.startswith("too many redirects")
    assert len(web.requests) == http.MOST_REDIRECTS + 1


@pytest.mark.parametrize(
    ("method", "status", "arrives_as"),
    [
        ("GET", 302, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("PUT", 303, "GET"),
        ("PUT", 307, "PUT"),
        ("HEAD", 302, "HEAD"),
    ],
)
def test_a_redirect_is_followed_with_the_method_that_its_status_asks_for(
    url, web, method, status, arrives_as
):
    body = "" if method in ("GET", "HEAD") else "a=1"
    outcome, text = call(f"{url}/goto/{status}", http_method=method, http_body=body)
    assert outcome.state is RunState.SUCCESS
    assert web.requests == [(method, f"/goto/{status}"), (arrives_as, "/echo")]
    if arrives_as != "HEAD":
        assert json.loads(text)["body"] == (body if arrives_as == method else "")


def test_credentials_do_not_follow_a_redirect_to_another_host(url, web):
    with serving() as other:
        # 127.0.0.1 and localhost: the same machine, another host.
        async def work(executor: HttpExecutor) -> None:
            work_to_do = job(
                f"http://localhost:{web.port}/goto/302", http_headers={"Authorization": "Bearer s"}
            )
            _, text = await carry_out(executor, work_to_do)
            assert json.loads(text)["path"] == "/echo"

        in_loop(work)
        assert other.requests == []


@pytest.mark.parametrize("where", ["file", "ftp", "odd"])
def test_a_redirect_away_from_http_is_refused(url, where):
    outcome, text = call(f"{url}/away/{where}")
    assert outcome.state is RunState.FAILED
    assert outcome.reason
    assert "root:" not in text


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "FILE:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x/",
                "/etc/passwd", "dict://127.0.0.1/"]
)  # fmt: skip
def test_only_http_and_https_are_called(address):
    outcome, text = call(address)
    assert outcome.state is RunState.FAILED
    assert "root:" not in text
    assert outcome.exit_code is None


# what may go wrong ------------------------------------------------------------------------------


def test_nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcome, _ = call(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert outcome.state is RunState.FAILED
    assert outcome.reason.startswith("the connection was refused or not possible: ")


def test_an_unknown_host():
    outcome, _ = call("http://nosuch.invalid/", timeout_s=20)
    assert outcome.state is RunState.FAILED
    assert outcome.reason.startswith("the host name could not be resolved: ")
    assert "nosuch.invalid" in outcome.reason


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing", "the server closed the connection without an answer"),
        ("short", "the connection closed before the answer was complete"),
        ("garbage", "neither http nor https is spoken there"),
        ("badstatus", "neither http nor https is spoken there"),
        ("headers", "the call failed (libcurl's error "),
    ],
)
def test_each_bad_answer_has_a_reason_of_its_own(url, path, words):
    outcome, _ = call(f"{url}/{path}")
    assert outcome.state is RunState.FAILED
    assert outcome.reason.startswith(words)
    assert outcome.exit_code is None


def test_an_endless_answer_is_cut_off(url):
    async def work(executor: HttpExecutor) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        carried = Carried(executor, job(f"{url}/endless"))
        outcome = await carried.end()
        assert outcome.state is RunState.FAILED
        assert outcome.reason == f"the answer is larger than {BODY_LIMIT} bytes"
        assert carried.size <= BODY_LIMIT
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KiB

    in_loop(work)


def test_an_answer_is_measured_unpacked(url):
    assert "larger than" in call(f"{url}/bomb")[0].reason


@pytest.mark.parametrize("path", ["drip", "silence"])
def test_an_answer_that_takes_too_long_is_a_timeout(url, path):
    began = time.monotonic()
    outcome, _ = call(f"{url}/{path}", timeout_s=1)
    assert 0.9 < time.monotonic() - began < 4.0
    assert outcome.state is RunState.TIMEOUT
    assert outcome.reason.startswith("no complete answer within 1 s: ")


def test_a_host_that_does_not_answer_at_all_is_not_waited_for_as_long_as_an_answer(monkeypatch):
    monkeypatch.setattr(http, "CONNECT_TIMEOUT_S", 1)
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # fill its queue: the kernel drops what comes next
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        outcome, _ = call(f"http://127.0.0.1:{deaf.getsockname()[1]}/")
    assert outcome.state is RunState.TIMEOUT
    assert outcome.reason.startswith("no connection within 1 s: ")


# certificates -----------------------------------------------------------------------------------


def test_a_certificate_that_nobody_vouches_for_is_refused(secure):
    secure.requests.clear()
    outcome, _ = call(f"https://127.0.0.1:{secure.port}/status/200")
    assert outcome.state is RunState.FAILED
    assert outcome.reason.startswith("the server's certificate is not to be trusted: ")
    assert secure.requests == []


def test_verification_can_be_turned_off_for_a_task_and_for_no_other(secure):
    async def work(executor: HttpExecutor) -> None:
        address = f"https://127.0.0.1:{secure.port}/status/200"
        outcome, _ = await carry_out(executor, job(address, http_verify_tls=False))
        assert outcome.state is RunState.SUCCESS
        outcome, _ = await carry_out(executor, job(address))
        assert outcome.state is RunState.FAILED, "an open connection must not be used again"

    in_loop(work)


def test_a_certificate_that_the_host_knows_is_accepted(secure, own_certificate, monkeypatch):
    monkeypatch.setattr(http, "SYSTEM_CERTIFICATES", str(own_certificate))
    outcome, _ = call(f"https://127.0.0.1:{secure.port}/status/200")
    assert outcome.state is RunState.SUCCESS


def test_a_certificate_for_another_name_is_refused(tmp_path, monkeypatch):
    other = make_certificate(tmp_path / "other.pem", "example.org")
    monkeypatch.setattr(http, "SYSTEM_CERTIFICATES", str(other))
    with serving(other) as server:
        outcome, _ = call(f"https://127.0.0.1:{server.port}/status/200")
    assert outcome.reason.startswith("the server's certificate is not to be trusted: ")


def test_tls_with_a_server_that_speaks_none(web):
    outcome, _ = call(f"https://127.0.0.1:{web.port}/status/200")
    assert outcome.reason.startswith("no TLS connection could be made: ")


def test_without_certificates_of_the_host_those_of_certifi_are_used(monkeypatch):
    monkeypatch.setattr(http, "SYSTEM_CERTIFICATES", "/no/such/file")
    assert os.path.exists(http.certificates())


# stopping ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["silence", "drip", "endless"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_call_can_be_stopped_at_any_moment(url, path, how):
    async def work(executor: HttpExecutor) -> None:
        carried = Carried(executor, job(f"{url}/{path}"))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        getattr(carried.handle, how)(RunState.CANCELLED, "stopped by anna")
        carried.handle.stop(RunState.TIMEOUT, "too late")
        outcome = await carried.end()
        assert time.monotonic() - began < 1.0
        if path != "endless" or outcome.state is not RunState.FAILED:
            assert outcome == Outcome(RunState.CANCELLED, "stopped by anna")

    in_loop(work)


def test_a_call_stopped_before_it_began_never_reaches_the_server(url, web):
    async def work(executor: HttpExecutor) -> None:
        carried = Carried(executor, job(f"{url}/status/200"))
        carried.handle.stop(RunState.CANCELLED, "stopped by anna")
        assert (await carried.end()).state is RunState.CANCELLED

    in_loop(work)
    assert web.requests == []


def test_stopping_a_call_that_has_ended_does_not_hit_the_next_one(url):
    """The next call uses the same handle of libcurl."""

    async def work(executor: HttpExecutor) -> None:
        first = Carried(executor, job(f"{url}/status/200"))
        await first.end()
        second = Carried(executor, job(f"{url}/silence"))
        first.handle.stop(RunState.CANCELLED, "too late")
        await asyncio.sleep(0.1)
        assert (len(first.ends), second.ends) == (1, [])
        second.handle.stop(RunState.CANCELLED, "stopped by anna")
        await second.end()

    in_loop(work)


def test_closing_the_executor_hangs_up(url):
    async def work() -> None:
        executor = HttpExecutor(Guard())
        Carried(executor, job(f"{url}/silence"))
        Carried(executor, job(f"{url}/drip"))
        await asyncio.sleep(0.1)
        executor.close()
        await asyncio.sleep(0.05)

    before = descriptors()
    asyncio.run(work())
    gc.collect()
    assert {line for line in descriptors() - before if "socket" not in line} == set()


# many -------------------------------------------------------------------------------------------


def test_two_hundred_calls_go_on_at_once_and_leave_nothing_open():
    with serving() as server:
        address = f"http://127.0.0.1:{server.port}"

        async def work() -> None:
            before = ours(server)
            executor = HttpExecutor(Guard())
            all_of_them = [Carried(executor, job(f"{address}/together/200")) for _ in range(200)]
            for carried in all_of_them:
                assert (await carried.end(30)).state is RunState.SUCCESS
                assert carried.text == "all here"
            assert ours(server) - before <= KEPT_CONNECTIONS
            executor.close()
            assert ours(server) == before

        asyncio.run(work())


def ours(server: Server) -> int:
    """How many connections to ``server`` this process has open on the calling side."""
    count = 0
    there = f"0100007F:{server.port:04X}"
    mine = {line.split()[1] for line in descriptors() if "socket:" in line}
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[2] == there and f"socket:[{fields[9]}]" in mine:
            count += 1
    return count


def test_connections_are_used_again(url, web):
    async def work(executor: HttpExecutor) -> None:
        before = web.connections
        for _ in range(50):
            assert (await carry_out(executor, job(f"{url}/status/200")))[0].exit_code == 200
        assert web.connections - before == 1

    in_loop(work)
