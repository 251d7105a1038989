"""HTTP calls, many at a time, on libcurl's multi interface inside the runner's event loop.

libcurl is given the loop's readiness events and timers (its "socket action" interface), so ten
thousand calls in flight cost no threads. One call is one easy handle, used again afterwards.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import deque
from functools import partial

import certifi
import pycurl

from gocron.core.definition import parse_statuses
from gocron.core.states import RunState
from gocron.execution.base import Done, Handle, Job, Outcome, OutputSink
from gocron.execution.environment import facts

DEFAULT_TIMEOUT_S = 300
CONNECT_TIMEOUT_S = 10
MOST_REDIRECTS = 5
BODY_LIMIT = 16 * 1024**2
"""More than this is no answer but an accident: the call is ended. What is *stored* of an answer
is bounded separately, as for every output."""

PATTERN_WINDOW = 1024**2
"""The success pattern is looked for in this many bytes from the beginning."""

KEPT_HANDLES = 512

SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def certificates() -> str:
    """The host's certificates if it has any (it may know a company's own), else certifi's."""
    return SYSTEM_CERTIFICATES if os.path.exists(SYSTEM_CERTIFICATES) else certifi.where()


class HttpExecutor:
    """Makes calls on the running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, 2000)
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
        except (pycurl.error, ValueError, UnicodeError) as error:
            reason = f"the request could not be built: {error}"
            self._loop.call_soon(done, Outcome(RunState.FAILED, reason))
            return call
        self._calls[curl] = call
        self._multi.add_handle(curl)
        return call

    def end(self, call: Call, outcome: Outcome) -> None:
        """Take a call off the wire and report it; a second time does nothing."""
        if self._calls.pop(call.curl, None) is None:
            return
        self._multi.remove_handle(call.curl)
        if len(self._spare) < KEPT_HANDLES:
            call.curl.reset()
            self._spare.append(call.curl)
        call.done(outcome)

    def close(self) -> None:
        """Drop all connections."""
        for call in list(self._calls.values()):
            self._multi.remove_handle(call.curl)
        self._calls.clear()
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
        self._size = 0
        self._window = bytearray()

    def configure(self, certificate_file: str) -> None:
        """Set the easy handle up; raises ``pycurl.error`` for what libcurl refuses."""
        job, curl = self._job, self.curl
        timeout = job.timeout_s or DEFAULT_TIMEOUT_S
        curl.setopt(pycurl.URL, job.command.encode("utf-8"))
        curl.setopt(pycurl.PROTOCOLS_STR, "http,https")
        curl.setopt(pycurl.REDIR_PROTOCOLS_STR, "http,https")
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TIMEOUT, timeout)
        curl.setopt(pycurl.CONNECTTIMEOUT, min(CONNECT_TIMEOUT_S, timeout))
        curl.setopt(pycurl.FOLLOWLOCATION, 1)
        curl.setopt(pycurl.MAXREDIRS, MOST_REDIRECTS)
        curl.setopt(pycurl.CAINFO, certificate_file)
        curl.setopt(pycurl.SSL_VERIFYPEER, int(job.http_verify_tls))
        curl.setopt(pycurl.SSL_VERIFYHOST, 2 if job.http_verify_tls else 0)
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.ACCEPT_ENCODING, "")
        curl.setopt(pycurl.WRITEFUNCTION, self._write)
        self._set_method()
        headers = {"User-Agent": "gocron", "Expect": ""} | self._fact_headers() | job.http_headers
        curl.setopt(
            pycurl.HTTPHEADER,
            [f"{name}: {text}".encode() if text else f"{name}:".encode()
             for name, text in headers.items()],
        )  # fmt: skip

    def _set_method(self) -> None:
        method, body = self._job.http_method, self._job.http_body.encode()
        if method == "HEAD":
            self.curl.setopt(pycurl.NOBODY, 1)
            return
        if body or method == "POST":
            self.curl.setopt(pycurl.POSTFIELDS, body)
        self.curl.setopt(pycurl.CUSTOMREQUEST, method)

    def _fact_headers(self) -> dict[str, str]:
        """The receiver can tell a slot apart from its repetition by these."""
        known = facts(self._job)
        return {
            "X-Gocron-Run-Id": known["GOCRON_RUN_ID"],
            "X-Gocron-Task-Id": known["GOCRON_TASK_ID"],
            "X-Gocron-Scheduled-At": known["GOCRON_SCHEDULED_AT"],
            "X-Gocron-Attempt": known["GOCRON_ATTEMPT"],
        }

    def _write(self, piece: bytes) -> int:
        self._size += len(piece)
        if self._size > BODY_LIMIT:
            return 0  # tells libcurl to end the transfer
        if self._job.success_pattern and len(self._window) < PATTERN_WINDOW:
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
        wanted = self._job.http_statuses
        if not any(low <= status <= high for low, high in parse_statuses(wanted)):
            return Outcome(RunState.FAILED, f"status {status}, expected {wanted}", status)
        pattern = self._job.success_pattern
        if pattern and not re.search(pattern, self._window.decode("utf-8", "replace")):
            reason = f"status {status}, but the answer does not match {pattern!r}"
            return Outcome(RunState.FAILED, reason, status)
        return Outcome(RunState.SUCCESS, "", status)

    def _failure(self, code: int, message: str) -> Outcome:
        if code == pycurl.E_OPERATION_TIMEDOUT:
            seconds = self._job.timeout_s or DEFAULT_TIMEOUT_S
            return Outcome(RunState.TIMEOUT, f"no complete answer within {seconds} s: {message}")
        if code == pycurl.E_WRITE_ERROR and self._size > BODY_LIMIT:
            return Outcome(RunState.FAILED, f"the answer is larger than {BODY_LIMIT} bytes")
        words = FAILURES.get(code, "the call failed")
        return Outcome(RunState.FAILED, f"{words}: {message}" if message else words)


FAILURES = {
    pycurl.E_COULDNT_RESOLVE_HOST: "the host name could not be resolved",
    pycurl.E_COULDNT_CONNECT: "the connection was refused or not possible",
    pycurl.E_TOO_MANY_REDIRECTS: "too many redirects",
    pycurl.E_PEER_FAILED_VERIFICATION: "the server's certificate is not to be trusted",
    pycurl.E_SSL_CONNECT_ERROR: "no TLS connection could be made",
    pycurl.E_GOT_NOTHING: "the server closed the connection without an answer",
    pycurl.E_RECV_ERROR: "the connection broke while the answer was received",
    pycurl.E_SEND_ERROR: "the connection broke while the request was sent",
    pycurl.E_PARTIAL_FILE: "the connection closed before the answer was complete",
}
