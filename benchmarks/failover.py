"""How long nothing is started when the leader goes: from the signal to the first command that the
new leader starts, end to end, on real nodes and real servers.

    python -m benchmarks.failover [--engine postgres|mysql] [--rounds 30] [--kind kill|term|stop]

Three nodes, twenty tasks due every second, each start written to a ledger outside the database. The
next slot itself may be a second away, so even a takeover that costs nothing shows up to a second;
"late" is what is left when the first start is compared with its slot. At the end ledger, rows and
the computed schedule are compared: every slot once, none missing. Figures are of the machine they
were taken on; the limits are in the product's documentation.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.database import rows_of_runs
from tests.helpers import ledger
from tests.helpers.cluster import Cluster, Node, cluster_of, wait_for
from tests.helpers.product import add_task
from tests.helpers.servers import PrivateMariaDB, PrivatePostgres

TASKS = 20
SERVERS = {"postgres": PrivatePostgres, "mysql": PrivateMariaDB}


def main() -> None:
    """Run what was asked for, print a table and one JSON line per engine and kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=sorted(SERVERS), action="append")
    parser.add_argument("--kind", choices=["kill", "term", "stop"], action="append")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="write the results here as well")
    arguments = parser.parse_args()
    results = [
        measure(engine, kind, arguments.rounds)
        for engine in arguments.engine or sorted(SERVERS)
        for kind in arguments.kind or ["kill", "term", "stop"]
    ]
    print(table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    sys.exit(0 if all(result["right"] for result in results) else 1)


def measure(engine: str, kind: str, rounds: int) -> dict[str, Any]:
    """One cluster, ``rounds`` failovers of one kind."""
    with (
        tempfile.TemporaryDirectory(prefix="gocron-failover-") as folder,
        SERVERS[engine](durable=True) as server,
    ):
        database = server.environment(server.create_database())
        book = Path(folder) / "ledger"
        names = [f"every-second-{number:02d}" for number in range(TASKS)]
        with cluster_of(3, Path(folder), database) as cluster:
            begun = add_tasks(cluster.nodes[0], names, book)
            wait_for(lambda: ledger.read(book), "the first task fires")
            firsts = [one_round(cluster, kind, book) for _round in range(rounds)]
            account = settle(names, begun, book, database)
    gaps = [first.at - sent for sent, first in firsts]
    late = [first.at - max(sent, first.slot.timestamp()) for sent, first in firsts]
    return {
        "engine": engine,
        "kind": kind,
        "rounds": rounds,
        "p50_s": round(statistics.median(gaps), 3),
        "p99_s": round(p99(gaps), 3),
        "max_s": round(max(gaps), 3),
        "late_p99_s": round(p99(late), 3),
        **account,
    }


def p99(values: list[float]) -> float:
    """The 99th percentile; of fewer than a hundred values that is the largest."""
    return sorted(values)[min(len(values) - 1, round(0.99 * len(values)))]


def add_tasks(node: Node, names: list[str], book: Path) -> datetime:
    """Twenty tasks due every second; from which slot on all of them must be accounted for."""
    for name in names:
        # Not skipped while the last command of a silent node may still be going on.
        add_task(node.environment, name, command=ledger.command(book), overlap="parallel")
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)


def one_round(cluster: Cluster, kind: str, book: Path) -> tuple[float, ledger.Entry]:
    """Take the leader away: when that was (POSIX time), and another node's first start. Then make
    it whole again."""
    leader = cluster.leader()
    time.sleep(random.uniform(1.0, 3.0))  # any moment between two seconds, and two renewals
    sent = time.time()
    if kind == "stop":
        leader.signal_all(signal.SIGSTOP)
    else:
        leader.send(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
    first = wait_for(
        lambda: min(
            (e for e in tail(book) if e.at > sent and e.node != leader.name),
            key=lambda entry: entry.at,
            default=None,
        ),
        "another node starts a task",
        patience_s=60,
    )
    if kind == "stop":
        leader.signal_all(signal.SIGCONT)
        wait_for(lambda: leader.metric("gocron_leader") == 0, "it notices that it leads no more")
    else:
        leader.wait()
        leader.start()
    return sent, first


def tail(book: Path) -> list[ledger.Entry]:
    """The newest entries; the last line may be half written."""
    with book.open("rb") as file:
        file.seek(max(0, book.stat().st_size - 40_000))
        lines = file.read().decode().splitlines()[1:-1]
    fields = [line.split() for line in lines]
    return [
        ledger.Entry(task, ledger.moment(slot), node, int(term), float(at))
        for task, slot, node, term, at in fields
    ]


def settle(
    names: list[str], begun: datetime, book: Path, database: dict[str, str]
) -> dict[str, Any]:
    """Let everything come to an end, then compare."""
    last = datetime.now(UTC).replace(microsecond=0)
    time.sleep(20)  # a lost run is known after 15 s
    account = ledger.account(names, begun, last, ledger.read(book), rows_of_runs(database))
    assert account.states is not None
    return {
        "slots": account.slots,
        "doubles": account.doubles,
        "missing": account.missing,
        "unledgered": account.unledgered,
        "unrecorded": account.unrecorded,
        "states": dict(account.states),
        "right": account.right,
    }


def table(results: list[dict[str, Any]]) -> str:
    """For people."""
    lines = [
        "engine    kind  rounds   p50 s   p99 s   max s  late p99    slots  "
        "doubles  missing  states"
    ]
    lines += [
        f"{r['engine']:9} {r['kind']:5} {r['rounds']:6} {r['p50_s']:7.3f} {r['p99_s']:7.3f} "
        f"{r['max_s']:7.3f}  {r['late_p99_s']:8.3f} {r['slots']:8} {r['doubles']:8} "
        f"{r['missing']:8}  {r['states']}"
        for r in results
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
