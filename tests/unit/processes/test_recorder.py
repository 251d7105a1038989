"""What became of runs reaches the database, whatever the database does."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DataError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gocron.db import run_output, runs
from gocron.db.runs import End
from gocron.execution.output import OutputKeeper
from gocron.processes import recorder as module
from gocron.processes.recorder import PATIENCE, Recorder
from gocron.processes.spool import Spool

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

AWAY = OperationalError("UPDATE", {}, Exception("connection refused"))
FULL = OperationalError("INSERT", {}, Exception("disk full"))
CONTENT = [
    DataError("INSERT", {}, Exception("invalid byte sequence")),
    ProgrammingError("INSERT", {}, Exception("can't adapt type")),
]

Trouble = Callable[[Any], Exception | None]


class FakeDatabase:
    """``runs.finish`` and ``run_output.write_output`` of a database that can be told to fail."""

    def __init__(self) -> None:
        self.ends: dict[int, End] = {}
        self.output: dict[tuple[int, int], str] = {}
        self.log: list[str] = []
        self.trouble: Trouble = lambda _what: None
        self.output_trouble: Trouble = lambda _what: None
        self.after: Trouble = lambda _what: None
        """Trouble that comes when everything is done: the answer is lost."""

    def finish(self, _database, _node_id, ends) -> None:
        self.log.append(f"ends {len(ends)}")
        if error := self.trouble(ends):
            raise error
        for end in ends:
            self.ends.setdefault(end.id, end)  # only what is running can end
        if error := self.after(ends):
            raise error

    def write_output(self, _database, add, drop) -> None:
        self.log.append(f"output {len(add)}")
        if error := self.trouble(add) or self.output_trouble(add):
            raise error
        for run_id, seq, text in add:
            self.output.setdefault((run_id, seq), text)
        for key in drop:
            self.output.pop(tuple(key), None)
        if error := self.after(add):
            raise error

    def text(self, run_id: int) -> str:
        return "".join(text for (run, _), text in sorted(self.output.items()) if run == run_id)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> FakeDatabase:
    fake = FakeDatabase()
    monkeypatch.setattr(runs, "finish", fake.finish)
    monkeypatch.setattr(run_output, "write_output", fake.write_output)
    for name in ("FLUSH_S", "OUTPUT_FLUSH_S", "RETRY_S"):
        monkeypatch.setattr(module, name, 0.002)
    return fake


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


@pytest.fixture
def recorder(database: FakeDatabase, spool: Spool) -> Iterator[Recorder]:
    yield from fresh(database, spool)


def fresh(database: FakeDatabase, spool: Spool) -> Iterator[Recorder]:
    made = Recorder(database, 7, spool)  # type: ignore[arg-type]
    yield made
    made._thread.shutdown()


def end(run_id: int, reason: str = "") -> End:
    return End(run_id, "success", reason, 0, NOON, 5)


def ended(recorder: Recorder, run_id: int, output: bytes = b"") -> End:
    """A run that wrote ``output`` and ended."""
    keeper = OutputKeeper(1024**2)
    recorder.watch(run_id, keeper)
    keeper.feed(output)
    recorder.ended(end(run_id))
    return end(run_id)


def in_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await work()

    asyncio.run(main())


def flush(recorder: Recorder) -> bool:
    return asyncio.run(recorder.flush())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


# a database that works --------------------------------------------------------------------------


def test_output_is_there_before_the_end_is(recorder, database):
    ended(recorder, 1, b"hello")
    assert flush(recorder)
    assert database.log == ["output 1", "ends 1"]
    assert (database.ends, database.text(1)) == ({1: end(1)}, "hello")
    assert recorder.waiting == 0


def test_nothing_to_write_asks_the_database_nothing(recorder, database):
    assert flush(recorder)
    assert database.log == []


def test_many_ends_are_written_in_batches(recorder, database):
    for run_id in range(2500):
        recorder.ended(end(run_id))
    assert flush(recorder)
    assert database.log == ["ends 1000", "ends 1000", "ends 500"]
    assert len(database.ends) == 2500


def test_output_is_written_while_the_command_runs(recorder, database):
    def shows(number: int) -> bool:
        return bool(database.text(1).endswith(f"line {number}\n"))

    async def work() -> None:
        task = asyncio.create_task(recorder.flush_forever())
        keeper = OutputKeeper(1024)
        recorder.watch(1, keeper)
        for number in range(5):
            keeper.feed(b"line %d\n" % number)
            await until(partial(shows, number))
        recorder.ended(end(1))
        await until(lambda: 1 in database.ends)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    in_loop(work)
    assert database.text(1) == "".join(f"line {n}\n" for n in range(5))


def test_a_reason_that_no_database_could_store_is_made_storable(recorder, database):
    recorder.ended(end(1, "odd \udc80 and \0 and €"))
    assert flush(recorder)
    assert database.ends[1].reason == "odd ? and \u2400 and €"
    database.ends[1].reason.encode()


# a database that is away ------------------------------------------------------------------------


def test_while_the_database_is_away_ends_are_on_disk_and_afterwards_everywhere(
    recorder, database, spool
):
    database.trouble = lambda _what: AWAY
    ended(recorder, 1, b"hello")
    assert not flush(recorder)
    assert recorder.failing
    assert recorder.waiting == 1
    assert spool.load()[0] == [end(1)]
    ended(recorder, 2, b"world")
    assert not flush(recorder)
    assert spool.load()[0] == [end(1), end(2)], "each is kept once"
    database.trouble = lambda _what: None
    assert flush(recorder)
    assert database.ends == {1: end(1), 2: end(2)}
    assert (database.text(1), database.text(2)) == ("hello", "world")
    assert not recorder.failing
    assert not spool.exists


@pytest.mark.parametrize("error", [AWAY, PoolTimeout(), OSError("broken pipe")])
def test_every_kind_of_absence_is_survived(recorder, database, error):
    database.trouble = lambda _what: error
    ended(recorder, 1, b"x")
    assert not flush(recorder)
    database.trouble = lambda _what: None
    assert flush(recorder)
    assert 1 in database.ends


def test_while_it_is_away_output_stays_where_it_is_bounded(recorder, database):
    async def work() -> None:
        task = asyncio.create_task(recorder.flush_forever())
        database.trouble = lambda _what: AWAY
        recorder.ended(end(1))
        await until(lambda: recorder.failing)
        keeper = OutputKeeper(1024)
        recorder.watch(2, keeper)
        keeper.feed(b"x" * 5000)
        attempts = len(database.log)
        await until(lambda: len(database.log) > attempts + 3)
        assert keeper.pending
        assert not recorder._output
        database.trouble = lambda _what: None
        await until(lambda: database.text(2))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    in_loop(work)


def test_nothing_is_lost_and_nothing_changed_by_a_database_that_fails_at_random(database, tmp_path):
    """Before it does what it was told, or after; and the runner may be killed at any moment."""
    for seed in range(40):
        chance = random.Random(seed)
        spool = Spool(tmp_path / str(seed))
        database.ends.clear()
        database.output.clear()

        def some(_what, chance=chance) -> Exception | None:
            return AWAY if chance.random() < 0.4 else None

        database.trouble = database.after = some
        expected: dict[int, End] = {}
        for life in range(3):
            for recorder in fresh(database, spool):
                recorder.restore()
                in_memory = []
                for number in range(20):
                    run_id = life * 100 + number
                    in_memory.append(ended(recorder, run_id, b"%d" % run_id))
                    if chance.random() < 0.5:
                        flush(recorder)  # afterwards it is in the database, or on disk
                        expected |= {each.id: each for each in in_memory}
                        in_memory.clear()
                if life == 2:
                    database.trouble = database.after = lambda _what: None
                    assert flush(recorder)
                    expected |= {each.id: each for each in in_memory}
        assert expected.items() <= database.ends.items(), seed
        assert not spool.exists
        assert all(database.text(run_id) in ("", str(run_id)) for run_id in database.ends)
        assert database.text(219) == "219"


def test_results_of_an_earlier_runner_are_taken_up_once(recorder, database, spool):
    spool.keep([end(1), end(2)], [(1, 0, "hello")])
    database.trouble = lambda _what: AWAY
    for _attempt in range(5):
        recorder.restore()
        assert not flush(recorder)
    assert recorder.waiting == 2
    assert len(spool.load()[0]) == 2
    database.trouble = lambda _what: None
    assert flush(recorder)
    assert (set(database.ends), database.text(1)) == ({1, 2}, "hello")
    assert not spool.exists


def test_a_spool_with_nothing_but_output_or_rubbish_is_cleared_too(recorder, database, tmp_path):
    spool = Spool(tmp_path)
    spool.keep([], [(1, 0, "hello")])
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write("torn")
    recorder.restore()
    assert flush(recorder)
    assert database.text(1) == "hello"
    assert not spool.exists


def test_a_disk_that_is_full_meanwhile_is_tried_again(recorder, database, spool, monkeypatch):
    database.trouble = lambda _what: AWAY
    recorder.ended(end(1))
    with monkeypatch.context() as patch:
        patch.setattr(spool, "keep", lambda *_arguments: False)
        assert not flush(recorder)
    assert not flush(recorder)
    assert spool.load()[0] == [end(1)]


# output that is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("error", CONTENT, ids=lambda error: type(error).__name__)
def test_output_refused_for_its_content_is_dropped_and_nothing_else_is(
    recorder, database, error, caplog
):
    database.output_trouble = lambda add: (
        error if any("poison" in text for _, _, text in add) else None
    )
    for run_id, text in ((1, b"good"), (2, b"poison"), (3, b"better")):
        ended(recorder, run_id, text)
    assert flush(recorder)
    assert set(database.ends) == {1, 2, 3}
    assert (database.text(1), database.text(2), database.text(3)) == ("good", "", "better")
    assert "output of run 2 was refused" in caplog.text
    assert not recorder.failing


def test_output_that_cannot_be_stored_now_does_not_keep_ends_waiting(recorder, database):
    database.output_trouble = lambda _add: FULL
    ended(recorder, 1, b"hello")
    assert not flush(recorder)
    assert set(database.ends) == {1}
    assert not recorder.failing, "the node is well: its heartbeat must go on"
    database.output_trouble = lambda _add: None
    assert flush(recorder)
    assert database.text(1) == "hello"


def test_output_that_is_refused_again_and_again_is_given_up_in_the_end(recorder, database, caplog):
    database.output_trouble = lambda add: FULL if any(run == 1 for run, _, _ in add) else None
    ended(recorder, 1, b"never")
    ended(recorder, 2, b"fine")
    outcomes = [flush(recorder) for _ in range(PATIENCE)]
    assert outcomes == [False] * (PATIENCE - 1) + [True]
    assert (database.text(1), database.text(2)) == ("", "fine")
    assert "output of run 1 was refused" in caplog.text


def test_without_ends_it_is_still_told_apart_whether_output_is_refused_or_the_database_away(
    recorder, database
):
    recorder.watch(1, keeper := OutputKeeper(1024))
    keeper.feed(b"x")
    recorder._output.put(1, keeper.flush())
    database.output_trouble = lambda _add: FULL
    assert not flush(recorder)
    assert not recorder.failing
    database.trouble = lambda _what: AWAY
    assert not flush(recorder)
    assert recorder.failing


# the end of the runner --------------------------------------------------------------------------


def test_closing_writes_what_is_left(recorder, database, spool):
    ended(recorder, 1, b"x")
    assert asyncio.run(recorder.close(5.0))
    assert 1 in database.ends
    assert not spool.exists


def test_closing_without_a_database_leaves_everything_on_disk(recorder, database, spool):
    database.trouble = lambda _what: AWAY
    ended(recorder, 1, b"hello")
    assert not flush(recorder)
    ended(recorder, 2, b"world")
    assert not asyncio.run(recorder.close(5.0))
    ends, pieces = spool.load()
    assert [each.id for each in ends] == [1, 2]
    assert {(run_id, text) for run_id, _, text in pieces} == {(1, "hello"), (2, "world")}


def test_a_database_that_does_not_answer_at_all_takes_nothing_with_it(recorder, database, spool):
    """What is under way when time is up goes to the disk as well: nobody knows whether it will
    arrive."""
    asked, answer = threading.Event(), threading.Event()

    def silent(_what) -> None:
        asked.set()
        answer.wait(20)

    async def work() -> None:
        task = asyncio.create_task(recorder.flush_forever())
        database.trouble = silent
        ended(recorder, 1, b"hello")
        await until(asked.is_set)
        recorder.ended(end(2))
        began = time.monotonic()
        assert not await recorder.close(0.2)
        assert time.monotonic() - began < 3.0
        task.cancel()
        answer.set()
        await asyncio.gather(task, return_exceptions=True)

    in_loop(work)
    ends, pieces = spool.load()
    assert {each.id for each in ends} == {1, 2}
    assert pieces == [(1, 0, "hello")]


def test_writing_a_result_twice_does_no_harm(database, tmp_path):
    spool = Spool(tmp_path)
    for recorder in fresh(database, spool):
        ended(recorder, 1, b"hello")
        assert flush(recorder)
    spool.keep([end(1, "written again")], [(1, 0, "hello")])
    for recorder in fresh(database, spool):
        recorder.restore()
        assert flush(recorder)
    assert database.ends == {1: end(1)}
    assert database.text(1) == "hello"
