"""Results kept on local disk."""

from __future__ import annotations

import logging
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gocron.db.runs import End
from gocron.processes.spool import Spool

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def end(run_id: int, reason: str = "") -> End:
    return End(run_id, "failed", reason, 3, NOON + timedelta(microseconds=run_id), 12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "node-a_5920"


@pytest.fixture
def spool(folder: Path) -> Spool:
    return Spool(folder)


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "results.jsonl"


def test_what_is_kept_is_found_by_the_next_process(spool, folder):
    odd = end(1, 'a "reason"\nin two lines, €, \u2028 and \udc80')
    assert spool.keep([odd, End(2, "success", "", None, NOON, 0)])
    assert spool.keep([end(3)], [(3, 0, "output\n"), (3, 1, "\u2400€😀")])
    ends, chunks = Spool(folder).load()
    assert ends == [odd, End(2, "success", "", None, NOON, 0), end(3)]
    assert chunks == [(3, 0, "output\n"), (3, 1, "\u2400€😀")]


def test_without_results_there_is_no_file(spool, folder):
    assert spool.keep([])
    assert not spool.exists
    assert not folder.exists()
    assert spool.load() == ([], [])


def test_nobody_else_may_read_it(spool, folder):
    spool.keep([end(1)])
    assert folder.stat().st_mode & 0o077 == 0


def test_what_was_written_to_the_database_is_cleared(spool):
    spool.keep([end(1)])
    assert spool.exists
    spool.clear()
    assert not spool.exists
    assert spool.load() == ([], [])
    spool.clear()


def test_a_line_torn_anywhere_costs_that_result_only(spool, file, caplog):
    spool.keep([end(1), end(2)])
    whole = file.read_bytes()
    second = whole.index(b"\n") + 1
    for length in range(second, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert spool.load()[0] == [end(1)], length
    assert "torn line" in caplog.text


def test_a_result_written_after_a_torn_line_is_not_lost_with_it(spool, file):
    spool.keep([end(1), end(2)])
    file.write_bytes(file.read_bytes()[:-20])
    spool.keep([end(3)])
    spool.keep([end(4)])
    assert spool.load()[0] == [end(1), end(3), end(4)]


def test_whatever_a_power_cut_left_in_the_file_the_rest_is_read(spool, file):
    spool.keep([end(1)])
    good = file.read_bytes()
    rubbish = [
        b"\0" * 4096, b"null", b"7", b'"end"', b"[]", b"{}", b'{"end": 3}', b'{"end": {}}',
        b'{"end": {"id": 1, "finished_at": "noon"}}', b'{"output": [1]}', b'{"output": null}',
        b"\xff\xfe\x80", random.Random(1).randbytes(300).replace(b"\n", b""), b"",
    ]  # fmt: skip
    file.write_bytes(b"\n".join([*rubbish, good.rstrip(), *rubbish]))
    assert spool.load() == ([end(1)], [])


def test_a_disk_that_takes_nothing_is_reported_once_and_survived(spool, folder, caplog):
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be")
    caplog.set_level(logging.INFO)
    assert not spool.keep([end(1)])
    assert not spool.keep([end(1)])
    assert caplog.text.count("results cannot be kept") == 1
    folder.unlink()
    assert spool.keep([end(1)])
    assert spool.load()[0] == [end(1)]


def test_a_spool_that_cannot_be_removed_ends_nothing(spool, monkeypatch, caplog):
    spool.keep([end(1)])

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    spool.clear()
    assert "cannot be removed" in caplog.text
