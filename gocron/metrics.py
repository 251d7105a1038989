"""Metrics that the children count while they work; written to files that the web process reads.

``PROMETHEUS_MULTIPROC_DIR`` has to be set before this is imported: it is imported only after the
fork, and never by the parent. What can be computed when somebody asks (leadership, children,
runs by state in the database) is in ``gocron.web.metrics``.
"""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from gocron.core.states import Protocol, RunState

LATENESS = Histogram(
    "gocron_run_lateness_seconds",
    "From the slot (or the manual trigger) to the moment the run was started.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
DURATION = Histogram(
    "gocron_run_duration_seconds",
    "From start to end of a run.",
    ["protocol"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400),
)
ENDED = Counter("gocron_runs_ended_total", "Runs that ended on this node, by state.", ["state"])
CLAIMED = Counter("gocron_slots_claimed_total", "Slots this node claimed while it led.")
ROUND = Histogram(
    "gocron_scheduler_round_seconds",
    "Time a leading scheduler took for one look at what is due.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
DATABASE_ERRORS = Counter(
    "gocron_database_errors_total", "Database errors that were survived, by process.", ["process"]
)

# From the first scrape on, so that a first event is seen as an increase, not as a new series.
for _state in (
    RunState.SUCCESS,
    RunState.FAILED,
    RunState.TIMEOUT,
    RunState.CANCELLED,
    RunState.LOST,
):
    ENDED.labels(str(_state))
for _protocol in Protocol:
    DURATION.labels(str(_protocol))
for _process in ("scheduler", "runner"):
    DATABASE_ERRORS.labels(_process)
