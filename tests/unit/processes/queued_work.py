"""Runs that are queued for a node."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gocron.db.runs import QueuedWork


def work(run_id: int, **more: Any) -> QueuedWork:
    """A run whose slot was a moment ago, unless ``more`` says otherwise."""
    now = datetime.now(UTC) - timedelta(milliseconds=50)
    fields: dict[str, Any] = {
        "id": run_id, "task_id": run_id, "task_name": "t", "scheduled_at": now, "start_at": now,
        "attempt": 0, "scheduled": True, "term": 3, "revision": 1, "protocol": "shell",
        "command": "true", "working_dir": "", "environment": {}, "http_method": "GET",
        "http_headers": {}, "http_body": "", "http_statuses": "200", "http_verify_tls": True,
        "success_pattern": "", "timeout": 0, "overlap": "skip", "max_parallel": 0,
    } | more  # fmt: skip
    return QueuedWork(**fields)
