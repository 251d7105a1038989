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
from gocron.config import Settings
from gocron.core.child_state import ChildPhase
from gocron.db import cluster, statistics
from gocron.db.cluster import Cluster
from gocron.db.engine import Database
from gocron.db.statistics import Counts
from gocron.web.lookout import Lookout, NoAnswer

CLUSTER_WITHIN_S = 1.0
COUNTS_WITHIN_S = 0.7
"""Together well below two seconds: a scrape must not wait for a database that is away."""


class MetricsPage:
    """The page of one node, in Prometheus' text format."""

    def __init__(
        self, settings: Settings, database: Database, board: Board, node_name: str
    ) -> None:
        self._collectors = (
            NodeCollector(settings, board, node_name),
            DatabaseCollector(settings, database),
        )

    def render(self) -> bytes:
        """As it is now."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        for collector in self._collectors:
            registry.register(collector)
        return generate_latest(registry)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


class _Silent(Collector):
    """A collector that is not asked for its metrics when it is registered: each registration
    would look at the database once more than needed."""

    def describe(self) -> Iterable[Metric]:
        """Nothing; names are not checked against those of others."""
        return ()


class NodeCollector(_Silent):
    """This node, from the board."""

    def __init__(self, settings: Settings, board: Board, node_name: str) -> None:
        self._settings = settings
        self._board = board
        self._node_name = node_name

    def collect(self) -> Iterator[Metric]:
        """Called at each scrape."""
        info = GaugeMetricFamily(
            "gocron_build_info", "Always 1; the labels say what runs.", labels=["version", "node"]
        )
        info.add_metric([gocron.__version__, self._node_name], 1)
        yield info
        yield from self._leadership()
        yield from self._work()
        yield from self._children()

    def _leadership(self) -> Iterator[Metric]:
        now, trust = boottime(), self._board.trust()
        leading = trust.holds(now)
        yield _gauge("gocron_leader", "1 if this node leads, else 0.", int(leading))
        yield _gauge("gocron_term", "Term this node leads; 0 if it does not.", trust.term * leading)
        if not self._settings.single_node:
            yield _gauge(
                "gocron_lease_duration_seconds", "The lease as configured.", self._settings.lease_s
            )
        if leading and trust.renewed:
            yield _gauge(
                "gocron_lease_renewal_age_seconds",
                "Since this leader last renewed its lease.",
                now - trust.renewed,
            )
        elections, errors = self._board.counters()
        yield CounterMetricFamily(
            "gocron_elections_won", "Times this node became leader since it started.", elections
        )
        yield CounterMetricFamily(
            "gocron_election_errors", "Errors the elector met since the node started.", errors
        )

    def _work(self) -> Iterator[Metric]:
        now = boottime()
        term, tick = self._board.acting()
        running, spooled, heartbeat = self._board.runner()
        yield _gauge("gocron_scheduler_term", "Term the scheduler dispatches under; 0: none.", term)
        if tick and term:
            yield _gauge(
                "gocron_scheduler_round_age_seconds",
                "Since the last round of a scheduler that leads.",
                now - tick,
            )
        yield _gauge("gocron_runs_running", "Runs going on on this node.", running)
        yield _gauge("gocron_results_spooled", "Results waiting for the database.", spooled)
        if heartbeat:
            yield _gauge(
                "gocron_heartbeat_age_seconds",
                "Since the node's last heartbeat that the database took.",
                now - heartbeat,
            )

    def _children(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("gocron_child_up", "1 if the child runs.", labels=["child"])
        restarts = CounterMetricFamily(
            "gocron_child_restarts", "Times the child died unasked.", labels=["child"]
        )
        for name in CHILDREN:
            if name == "elector" and self._settings.single_node:
                continue
            child = self._board.child(name)
            up.add_metric([name], int(child.phase == ChildPhase.RUNNING.value))
            restarts.add_metric([name], child.restarts)
        return (up, restarts)


class DatabaseCollector(_Silent):
    """The cluster, from the database: the same on every node."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._elects = not settings.single_node
        self._cluster = Lookout("cluster", lambda: cluster.look(database), CLUSTER_WITHIN_S)
        self._counts = Lookout("counts", lambda: statistics.recent(database), COUNTS_WITHIN_S)
        self._last_counts: Counts | None = None

    def collect(self) -> Iterator[Metric]:
        """Called at each scrape."""
        try:
            now = self._cluster.answer()
        except (SQLAlchemyError, OSError, NoAnswer):
            yield _gauge("gocron_database_up", "1 if the database answers this node.", 0)
            return
        yield _gauge("gocron_database_up", "1 if the database answers this node.", 1)
        yield from self._cluster_metrics(now)
        counts = self._recent_counts()
        if counts is not None:
            yield from self._count_metrics(counts)

    def _recent_counts(self) -> Counts | None:
        """Counting may take longer than a scrape may wait: then what was counted before."""
        try:
            self._last_counts = self._counts.answer()
        except NoAnswer:
            return self._last_counts
        except (SQLAlchemyError, OSError):
            return None
        return self._last_counts

    def _cluster_metrics(self, now: Cluster) -> Iterator[Metric]:
        yield _gauge(
            "gocron_cluster_has_leader",
            "1 if the lease of some node has not run out.",
            int(now.leader is not None),
        )
        yield _gauge("gocron_cluster_term", "The newest term.", now.term)
        if self._elects and now.lease_age_s is not None:
            yield _gauge(
                "gocron_cluster_lease_age_seconds",
                "Since some leader last renewed its lease, by the database's clock.",
                now.lease_age_s,
            )
        nodes = GaugeMetricFamily("gocron_cluster_nodes", "Nodes by state.", labels=["state"])
        for state in ("leader", "follower", "lost", "stopped"):
            nodes.add_metric([state], sum(member.state == state for member in now.members))
        yield nodes

    @staticmethod
    def _count_metrics(counts: Counts) -> Iterator[Metric]:
        runs = GaugeMetricFamily(
            "gocron_runs",
            "Runs by state: unfinished ones, and those that were due (lost and missed: recorded) "
            "within the last hour.",
            labels=["state"],
        )
        for state, count in counts.runs.items():
            runs.add_metric([state], count)
        yield runs
        tasks = GaugeMetricFamily("gocron_tasks", "Tasks.", labels=["enabled"])
        tasks.add_metric(["true"], counts.tasks_enabled)
        tasks.add_metric(["false"], counts.tasks_disabled)
        yield tasks
