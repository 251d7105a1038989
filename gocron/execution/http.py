"""HTTP calls, many at a time, on libcurl's multi interface inside the runner's event loop.

libcurl is given the loop's readiness events and timers (its "socket action" interface), so ten
thousand calls in flight cost no threads. One call is one easy handle, used again afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import deque
from functools import partial
from typing import Any, Protocol

import certifi
import pycurl
import regex

from gocron.core.definition import parse_statuses
from gocron.core.states import RunState
from gocron.execution.base import Done, Handle, Job, Outcome, OutputSink
from gocron.execution.environment import facts
from gocron.execution.guard import Guard
from gocron.sayings import inside, said, say

DEFAULT_TIMEOUT_S = 300
CONNECT_TIMEOUT_S = 10
MOST_REDIRECTS = 5
BODY_LIMIT = 16 * 1024**2
"""More than this is no answer but an accident: the call is ended. What is *stored* of an answer
is bounded separately, as for every output."""

PATTERN_WINDOW = 1024**2
"""The success pattern is looked for in this many bytes from the beginning."""

HTTP_ONLY = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS

PATTERN_LIMIT_S = 0.25
"""How long a search for the success pattern may take."""

KEPT_HANDLES = 512
KEPT_CONNECTIONS = 64
OBEY_STATUS = 2
"""libcurl's CURLFOLLOW_OBEYCODE: a 303 after a PUT is followed by a GET. Before 8.16 it means 1."""

SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class SocketAddress(Protocol):
    """What libcurl wants to connect to (pycurl's ``CurlSockAddr``)."""

    family: int
    socktype: int
    protocol: int
    addr: tuple[Any, ...]


class Lent(socket.socket):
    """A socket of which libcurl makes a duplicate for itself at once: ours just closes."""

    def __del__(self) -> None:
        self.close()


def certificates() -> str:
    """The host's certificates if it has any (it may know a company's own), else certifi's."""
    return SYSTEM_CERTIFICATES if os.path.exists(SYSTEM_CERTIFICATES) else certifi.where()


class HttpExecutor:
    """Makes calls on the running event loop."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._loop = asyncio.get_running_loop()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, 2000)
        self._multi.setopt(pycurl.M_MAXCONNECTS, KEPT_CONNECTIONS)
        self._timer: asyncio.TimerHandle | None = None
        self._watched: dict[int, int] = {}
        self._calls: dict[pycurl.Curl, Call] = {}
        self._spare: deque[pycurl.Curl] = deque()
        self._certificates = certificates()

    def start(self, job: Job, output: OutputSink, done: Done) -> Handle:
        """Begin the call."""
        curl = self._spare.pop() if self._spare else pycurl.Curl()
        call = Call(self, curl, job, output, done)
        try:
            call.configure(self._certificates)
        except (pycurl.error, ValueError, regex.error) as error:
            reason = say("the request could not be built: %(why)s", why=said(error))
            self._loop.call_soon(done, Outcome(RunState.FAILED, reason))
            return call
        self._calls[curl] = call
        self._multi.add_handle(curl)
        return call

    def end(self, call: Call, outcome: Outcome) -> None:
        """Take a call off the wire and report it; a second time does nothing."""
        if self._calls.get(call.curl) is not call:  # its handle may serve another call by now
            return
        del self._calls[call.curl]
        self._multi.remove_handle(call.curl)
        if len(self._spare) < KEPT_HANDLES:
            call.curl.reset()
            self._spare.append(call.curl)
        else:
            call.curl.close()
        call.done(outcome)

    def close(self) -> None:
        """Drop all connections."""
        for curl in self._calls:
            self._multi.remove_handle(curl)
        for curl in [*self._calls, *self._spare]:
            curl.close()
        self._calls.clear()
        self._spare.clear()
        for descriptor in list(self._watched):
            self._unwatch(descriptor)
        if self._timer is not None:
            self._timer.cancel()
        self._multi.close()

    # libcurl's callbacks: never call libcurl from inside them ------------------------------------

    def _watch(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        self._unwatch(descriptor)
        if what == pycurl.POLL_REMOVE:
            return
        self._watched[descriptor] = what
        if what & pycurl.POLL_IN:
            self._loop.add_reader(descriptor, self._act, descriptor, pycurl.CSELECT_IN)
        if what & pycurl.POLL_OUT:
            self._loop.add_writer(descriptor, self._act, descriptor, pycurl.CSELECT_OUT)

    def _unwatch(self, descriptor: int) -> None:
        what = self._watched.pop(descriptor, 0)
        if what & pycurl.POLL_IN:
            self._loop.remove_reader(descriptor)
        if what & pycurl.POLL_OUT:
            self._loop.remove_writer(descriptor)

    def _set_timer(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds >= 0:
            self._timer = self._loop.call_later(
                milliseconds / 1000, self._act, pycurl.SOCKET_TIMEOUT, 0
            )

    def _act(self, descriptor: int, events: int) -> None:
        self._multi.socket_action(descriptor, events)
        while True:
            queued, good, bad = self._multi.info_read()
            for curl in good:
                self._ended(curl, None)
            for curl, code, message in bad:
                self._ended(curl, (code, message))
            if not queued:
                return

    def _ended(self, curl: pycurl.Curl, error: tuple[int, str] | None) -> None:
        call = self._calls.get(curl)
        if call is not None:
            self.end(call, call.outcome(error))


class Call:
    """One request and its answer."""

    def __init__(
        self, executor: HttpExecutor, curl: pycurl.Curl, job: Job, output: OutputSink, done: Done
    ) -> None:
        self.curl = curl
        self.done = done
        self._executor = executor
        self._job = job
        self._output = output
        self._refusal = ""
        self._size = 0
        self._window = bytearray()
        self._statuses: tuple[tuple[int, int], ...] = ()
        self._pattern: regex.Pattern[str] | None = None

    def configure(self, certificate_file: str) -> None:
        """Set the easy handle up; raises ``pycurl.error`` for what libcurl refuses, ``ValueError``
        or ``regex.error`` for what this version of gocron or its library does not understand."""
        job, curl = self._job, self.curl
        self._statuses = parse_statuses(job.http_statuses)
        self._pattern = regex.compile(job.success_pattern) if job.success_pattern else None
        timeout = job.timeout_s or DEFAULT_TIMEOUT_S
        curl.setopt(pycurl.URL, job.command.encode("utf-8"))
        curl.setopt(pycurl.PROTOCOLS, HTTP_ONLY)
        curl.setopt(pycurl.REDIR_PROTOCOLS, HTTP_ONLY)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TIMEOUT, timeout)
        curl.setopt(pycurl.CONNECTTIMEOUT, min(CONNECT_TIMEOUT_S, timeout))
        curl.setopt(pycurl.FOLLOWLOCATION, OBEY_STATUS)
        curl.setopt(pycurl.MAXREDIRS, MOST_REDIRECTS)
        curl.setopt(pycurl.CAINFO, certificate_file)
        curl.setopt(pycurl.SSL_VERIFYPEER, int(job.http_verify_tls))
        curl.setopt(pycurl.SSL_VERIFYHOST, 2 if job.http_verify_tls else 0)
        curl.setopt(pycurl.PROXY, "")  # one from the environment would not be asked by the guard
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.ACCEPT_ENCODING, "")
        curl.setopt(pycurl.WRITEFUNCTION, self._write)
        self._set_method()
        curl.setopt(pycurl.HTTPHEADER, [line.encode() for line in self._header_lines()])

    def _set_method(self) -> None:
        method, body = self._job.http_method, self._body()
        if method == "HEAD":
            self.curl.setopt(pycurl.NOBODY, 1)
            return
        by_itself = "GET"
        if body or method == "POST":
            self.curl.setopt(pycurl.POSTFIELDS, body)
            by_itself = "POST"
        if method != by_itself:
            # Only then: a request of our own naming keeps its name through every redirect.
            self.curl.setopt(pycurl.CUSTOMREQUEST, method)

    def _body(self) -> bytes:
        """A task with parameters has no body of its own: they are it."""
        if self._job.parameters:
            return json.dumps(dict(self._job.parameters), ensure_ascii=False).encode()
        return self._job.http_body.encode()

    def _header_lines(self) -> list[str]:
        """The task's own headers win, however their names are written. In libcurl's words "Name:"
        means not to send what it would send by itself, "Name;" to send it empty."""
        own = {name.lower() for name in self._job.http_headers}
        ours = {"User-Agent": "gocron"} | self._fact_headers()
        if self._job.parameters:
            ours["Content-Type"] = "application/json"
        lines = [f"{name}: {text}" for name, text in ours.items() if name.lower() not in own]
        lines += [] if "expect" in own else ["Expect:"]
        for name, text in self._job.http_headers.items():
            lines.append(f"{name}: {text}" if text.strip() else f"{name};")
        return lines

    def _fact_headers(self) -> dict[str, str]:
        """The receiver can tell a slot apart from its repetition by these."""
        known = facts(self._job)
        return {
            "X-Gocron-Run-Id": known["GOCRON_RUN_ID"],
            "X-Gocron-Task-Id": known["GOCRON_TASK_ID"],
            "X-Gocron-Scheduled-At": known["GOCRON_SCHEDULED_AT"],
            "X-Gocron-Attempt": known["GOCRON_ATTEMPT"],
        }

    def _open_socket(self, _purpose: int, where: SocketAddress) -> socket.socket | int:
        """Called for every address that a name resolves to and after every redirect. A connection
        that is used again passed here when it was made, under the same settings."""
        if refusal := self._executor.guard.refusal(where.addr[0]):
            self._refusal = refusal
            return int(pycurl.SOCKET_BAD)
        try:
            return Lent(where.family, where.socktype, where.protocol)
        except OSError:  # no descriptor is left, or no such family here
            return int(pycurl.SOCKET_BAD)

    def _write(self, piece: bytes) -> int:
        self._size += len(piece)
        if self._size > BODY_LIMIT:
            return 0  # tells libcurl to end the transfer
        if self._pattern is not None and len(self._window) < PATTERN_WINDOW:
            self._window += piece
        self._output(piece)
        return len(piece)

    def stop(self, state: RunState, reason: str) -> None:
        """A call is ended by closing its connection; there is no gentler way."""
        # Not from inside this callback chain: libcurl may be the one who is calling.
        asyncio.get_running_loop().call_soon(
            partial(self._executor.end, self, Outcome(state, reason))
        )

    def kill(self, state: RunState, reason: str) -> None:
        """The same."""
        self.stop(state, reason)

    def outcome(self, error: tuple[int, str] | None) -> Outcome:
        """What became of the call; ``error`` is libcurl's code and words."""
        if error is not None:
            return self._failure(*error)
        status = int(self.curl.getinfo(pycurl.RESPONSE_CODE))
        if not any(low <= status <= high for low, high in self._statuses):
            reason = say(
                "status %(status)s, expected %(http_statuses)s",
                status=status,
                http_statuses=self._job.http_statuses,
            )
            return Outcome(RunState.FAILED, reason, status)
        if self._pattern is not None and (fault := self._pattern_fault(self._pattern, status)):
            return Outcome(RunState.FAILED, fault, status)
        return Outcome(RunState.SUCCESS, "", status)

    def _pattern_fault(self, pattern: regex.Pattern[str], status: int) -> str:
        """What is wrong with the answer, or nothing. A pattern that would search for minutes must
        not hold up everything else that runs here."""
        answer = self._window.decode("utf-8", "replace")
        shown = repr(pattern.pattern)
        try:
            if pattern.search(answer, timeout=PATTERN_LIMIT_S):
                return ""
        except TimeoutError:
            return say(
                "status %(status)s, but searching it for %(pattern)s took too long",
                status=status,
                pattern=shown,
            )
        return say(
            "status %(status)s, but the answer does not match %(pattern)s",
            status=status,
            pattern=shown,
        )

    def _failure(self, code: int, message: str) -> Outcome:
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return Outcome(RunState.TIMEOUT, inside([self._what_took_too_long()], message))
        if code == pycurl.E_WRITE_ERROR and self._size > BODY_LIMIT:
            return Outcome(
                RunState.FAILED,
                say("the answer is larger than %(body_limit)s bytes", body_limit=BODY_LIMIT),
            )
        if code == pycurl.E_COULDNT_CONNECT and self._refusal:
            return Outcome(RunState.FAILED, self._refusal)
        words = FAILURES.get(code, say("the call failed (libcurl's error %(code)s)", code=code))
        return Outcome(RunState.FAILED, inside([words], message) if message else words)

    def _what_took_too_long(self) -> str:
        seconds = self._job.timeout_s or DEFAULT_TIMEOUT_S
        if self.curl.getinfo(pycurl.TOTAL_TIME) < min(CONNECT_TIMEOUT_S + 0.5, seconds):
            return say("no connection within %(seconds)s s", seconds=CONNECT_TIMEOUT_S)
        return say("no complete answer within %(seconds)s s", seconds=seconds)


FAILURES = {
    pycurl.E_UNSUPPORTED_PROTOCOL: say("neither http nor https is spoken there"),
    pycurl.E_URL_MALFORMAT: say("the URL is not valid"),
    pycurl.E_COULDNT_RESOLVE_HOST: say("the host name could not be resolved"),
    pycurl.E_COULDNT_CONNECT: say("the connection was refused or not possible"),
    pycurl.E_TOO_MANY_REDIRECTS: say("too many redirects"),
    pycurl.E_PEER_FAILED_VERIFICATION: say("the server's certificate is not to be trusted"),
    pycurl.E_SSL_CONNECT_ERROR: say("no TLS connection could be made"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: say("the answer is not HTTP"),
    pycurl.E_GOT_NOTHING: say("the server closed the connection without an answer"),
    pycurl.E_RECV_ERROR: say("the connection broke while the answer was received"),
    pycurl.E_SEND_ERROR: say("the connection broke while the request was sent"),
    pycurl.E_PARTIAL_FILE: say("the connection closed before the answer was complete"),
}
