"""The environment of a command: an allow-list, the task's own variables, and facts of the run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

from gocron.core.parameters import as_environment
from gocron.execution.base import Job

INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
)
"""Everything else of the daemon's environment (passwords above all) stays with the daemon."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build(job: Job, daemon: Mapping[str, str]) -> dict[str, str]:
    """What a command of ``job`` sees; ``daemon`` is the daemon's own environment."""
    env = {name: daemon[name] for name in INHERITED if name in daemon}
    env.setdefault("PATH", DEFAULT_PATH)
    env.update(job.environment)
    env.update(as_environment(job.parameters))
    env.update(facts(job))
    return env


def facts(job: Job) -> dict[str, str]:
    """What a run is told about itself. GOCRON_SCHEDULED_AT is the slot, ISO 8601, UTC."""
    slot = job.scheduled_at.astimezone(UTC).isoformat(timespec="microseconds")
    return {
        "GOCRON_TASK_ID": str(job.task_id),
        "GOCRON_TASK_NAME": job.task_name,
        "GOCRON_RUN_ID": str(job.run_id),
        "GOCRON_SCHEDULED_AT": slot.replace("+00:00", "Z").replace(".000000Z", "Z"),
        "GOCRON_ATTEMPT": str(job.attempt),
        "GOCRON_NODE": job.node_name,
        "GOCRON_TERM": str(job.term),
        **_parents(job),
    }


def _parents(job: Job) -> dict[str, str]:
    """Of a run that came after others; several are separated by commas, in one order."""
    if not job.parents:
        return {}
    return {
        f"GOCRON_PARENT_{name}": ",".join(str(parent.get(key, "")) for parent in job.parents)
        for name, key in (("RUN_ID", "run"), ("TASK_NAME", "task"), ("STATE", "state"))
    }
