"""``/metrics``: what the children counted, and what can be said at the moment of the scrape.

Nothing here names a command or a user. Leadership comes from the board, so a scrape tells the
truth about this node even while the database is away; what comes from the database is left out
then, and ``gocron_database_up`` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

import gocron
from gocron.board import CHILDREN, Board
from gocron.clock import boottime
from gocron.core.child_state import ChildPhase
from gocron.db import cluster, statistics
from gocron.db.engine import Database


def render(database: Database, board: Board, node_name: str) -> bytes:
    """The page, in Prometheus' text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(NodeCollector(board, node_name))
    registry.register(DatabaseCollector(database))
    return generate_latest(registry)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


class NodeCollector(Collector):
    """This node, from the board."""

    def __init__(self, board: Board, node_name: str) -> None:
        self._board = board
        self._node_name = node_name

    def collect(self) -> Iterator[Metric]:
        """Called at each scrape."""
        now, trust = boottime(), self._board.trust()
        leading = trust.holds(now)
        term, tick = self._board.acting()
        running, spooled, heartbeat = self._board.runner()
        elections, errors = self._board.counters()
        info = GaugeMetricFamily(
            "gocron_build_info", "Always 1; the labels say what runs.", labels=["version", "node"]
        )
        info.add_metric([gocron.__version__, self._node_name], 1)
        yield info
        yield _gauge("gocron_leader", "1 if this node leads, else 0.", int(leading))
        yield _gauge("gocron_term", "Term this node leads; 0 if it does not.", trust.term * leading)
        if leading and trust.renewed:
            age = now - trust.renewed
            yield _gauge(
                "gocron_lease_renewal_age_seconds", "Since this leader last renewed its lease.", age
            )
        yield CounterMetricFamily(
            "gocron_elections_won", "Times this node became leader since it started.", elections
        )
        yield CounterMetricFamily(
            "gocron_election_errors", "Errors the elector met since the node started.", errors
        )
        yield _gauge("gocron_scheduler_term", "Term the scheduler dispatches under; 0: none.", term)
        yield _gauge("gocron_runs_running", "Runs going on on this node.", running)
        yield _gauge("gocron_results_spooled", "Results waiting for the database.", spooled)
        if tick and term:
            yield _gauge(
                "gocron_scheduler_round_age_seconds",
                "Since the scheduler's last round.",
                now - tick,
            )
        if heartbeat:
            yield _gauge(
                "gocron_heartbeat_age_seconds", "Since the node's last heartbeat.", now - heartbeat
            )
        yield from self._children()

    def _children(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("gocron_child_up", "1 if the child runs.", labels=["child"])
        restarts = CounterMetricFamily(
            "gocron_child_restarts", "Times the child died unasked.", labels=["child"]
        )
        for name in CHILDREN:
            child = self._board.child(name)
            if child.phase == ChildPhase.STOPPED.value and not child.restarts:
                continue  # SQLite has no elector
            up.add_metric([name], int(child.phase == ChildPhase.RUNNING.value))
            restarts.add_metric([name], child.restarts)
        return (up, restarts)


class DatabaseCollector(Collector):
    """The cluster, from the database: the same on every node."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Called at each scrape."""
        try:
            now = cluster.look(self._database)
            counts = statistics.recent(self._database)
        except (SQLAlchemyError, OSError):
            yield _gauge("gocron_database_up", "1 if the database answers this node.", 0)
            return
        yield _gauge("gocron_database_up", "1 if the database answers this node.", 1)
        yield _gauge(
            "gocron_cluster_has_leader", "1 if the lease of some node has not run out.",
            int(now.leader is not None),
        )  # fmt: skip
        yield _gauge("gocron_cluster_term", "The newest term.", now.term)
        if now.leader is not None:
            yield _gauge(
                "gocron_cluster_lease_age_seconds", "Since the leader's last renewal.",
                now.leader.lease_age_s,
            )  # fmt: skip
        nodes = GaugeMetricFamily("gocron_cluster_nodes", "Nodes by state.", labels=["state"])
        for state in ("leader", "follower", "lost", "stopped"):
            nodes.add_metric([state], sum(member.state == state for member in now.members))
        yield nodes
        runs = GaugeMetricFamily(
            "gocron_runs", "Runs of the last hour (and all unfinished ones), by state.",
            labels=["state"],
        )  # fmt: skip
        for state, count in counts.runs.items():
            runs.add_metric([state], count)
        yield runs
        tasks = GaugeMetricFamily("gocron_tasks", "Tasks.", labels=["enabled"])
        tasks.add_metric(["true"], counts.tasks_enabled)
        tasks.add_metric(["false"], counts.tasks_disabled)
        yield tasks
