"""Log lines: one line an event, and nobody can forge one."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TextIO

import pytest

from gocron import logs

NASTY = "".join(map(chr, (*range(0xA1), 0x2028, 0x2029, 0xFEFF, 0x1F600))) + "\udc80 end"
FORGED = "2026-11-23 20:00:00.123Z INFO parent[1]: all is well"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ \w+\[\d+\]: ")


@dataclass
class Stderr:
    """A pipe in place of stderr."""

    read_end: int
    stream: TextIO

    def text(self) -> str:
        """What was written since the last call."""
        try:
            return os.read(self.read_end, 1_000_000).decode()
        except BlockingIOError:
            return ""


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stderr]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    with os.fdopen(write, "w") as stream:
        # Not sys.stderr itself: pytest puts its own there for each phase of a test.
        monkeypatch.setattr(logs, "sys", SimpleNamespace(stderr=stream))
        yield Stderr(read, stream)
    root.handlers[:], root.level = before
    os.close(read)


def log(*arguments, name: str = "gocron.elector", **options) -> None:
    logging.getLogger(name).info(*arguments, **options)


def test_a_line_says_when_how_bad_who_and_what(stderr):
    logs.configure("text", "info")
    log("term %d", 7)
    line = stderr.text()
    assert LINE.match(line)
    assert f" INFO elector[{os.getpid()}]: term 7\n" in line


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_no_text_can_forge_a_line(stderr, log_format, end):
    logs.configure(log_format, "info")
    log("task %s%s%s", "x", end, FORGED)
    lines = stderr.text().splitlines()
    assert len(lines) == 1
    assert "all is well" in lines[0]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_that_a_terminal_would_obey_is_written(stderr, log_format):
    logs.configure(log_format, "info")
    log("%s", NASTY)
    line = stderr.text()
    assert line.endswith("\n")
    controls = [c for c in line[:-1] if (ord(c) < 32 and c != "\t") or 127 <= ord(c) < 160]
    assert controls == []
    assert "😀" in line, "what is harmless stays readable"


def test_a_traceback_is_told_from_log_lines(stderr):
    logs.configure("text", "info")
    try:
        raise ValueError(f"broken\n{FORGED}\r{FORGED}\x1b[31m")
    except ValueError:
        logging.getLogger("gocron.web").exception("request failed")
    first, *more = stderr.text().splitlines()
    assert LINE.match(first)
    assert any("ValueError: broken" in line for line in more)
    assert all(line.startswith("    ") for line in more)
    assert not any("\x1b" in line for line in more)


def test_json_is_one_object_a_line(stderr):
    logs.configure("json", "info")
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        log("quoted %r and %s", "a\nb", NASTY, exc_info=True)
    lines = stderr.text().splitlines()
    assert len(lines) == 1
    entry = json.loads(lines[0])
    # The half of a surrogate pair cannot be written at all.
    assert entry["message"] == "quoted 'a\\nb' and " + NASTY.replace("\udc80", "?")
    assert entry["level"] == "info"
    assert entry["process"] == "elector"
    assert entry["pid"] == os.getpid()
    assert entry["time"].endswith("+00:00")
    assert entry["traceback"].endswith("ValueError: broken\nin two")


def test_a_wrong_log_call_is_reported_and_ends_nothing(stderr):
    logs.configure("text", "info")
    log("%d runs", "many")
    log("%s and %s", "one")
    lines = stderr.text().splitlines()
    assert len(lines) == 2
    assert "a log call is wrong" in lines[0]
    assert "%d runs" in lines[0]
    assert "test_logs.py" in lines[1]


def test_a_line_is_one_system_call_so_that_processes_do_not_mix(stderr, monkeypatch):
    logs.configure("text", "info")
    calls: list[bytes] = []

    def write(_descriptor: int, data: bytes) -> int:
        calls.append(data)
        return len(data)

    monkeypatch.setattr(os, "write", write)
    log("x" * 100_000)
    monkeypatch.undo()
    assert len(calls) == 1
    assert calls[0].endswith(b"x\n")


@pytest.mark.parametrize("gone", ["closed", "none"])
def test_a_lost_stderr_ends_nothing(stderr, monkeypatch, gone):
    logs.configure("text", "info")
    if gone == "none":
        monkeypatch.setattr(logs, "sys", SimpleNamespace(stderr=None))
    else:
        stderr.stream.close()
    log("nobody hears this")


def test_a_full_pipe_costs_lines_and_not_the_process(stderr):
    logs.configure("text", "info")
    os.set_blocking(stderr.stream.fileno(), False)
    for _ in range(2000):
        log("x" * 100)
    assert len(stderr.text()) <= 65_536


@pytest.mark.parametrize(
    ("level", "seen"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)]
)
def test_the_level_is_the_least_that_is_written(stderr, level, seen):
    logs.configure("text", level)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger("gocron.runner").log(number, "x")
    assert len(stderr.text().splitlines()) == seen


def test_libraries_that_talk_much_are_heard_only_when_something_is_wrong(stderr):
    logs.configure("text", "debug")
    for name in ("alembic", "sqlalchemy", "waitress.queue"):
        logging.getLogger(f"{name}.part").info("chatter")
        logging.getLogger(f"{name}.part").warning("trouble")
    assert len(stderr.text().splitlines()) == 3


def test_configuring_again_does_not_double_the_lines(stderr):
    for _ in range(3):
        logs.configure("text", "info")
    log("once")
    assert len(stderr.text().splitlines()) == 1
