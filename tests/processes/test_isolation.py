"""What a command gets from the node that runs it, and what it cannot get.

The node runs without capabilities: then even root is to the kernel just a user who owns processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import text

from gocron.execution.environment import INHERITED
from tests.helpers.cluster import ROOT, Node, Running, wait_for
from tests.helpers.product import add_task, database_of

PLAIN = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()

SECRETS = {
    "GOCRON_AUTH_SECRET": "s3cret-of-the-node-that-nobody-may-read",
    "GOCRON_METRICS_TOKEN": "s3cret-of-the-scraper",
    "PGPASSWORD": "s3cret-of-the-database",
    "LD_LIBRARY_PATH": "/s3cret",
}

LOOK = """
for variable in $(env | sed -n 's/^\\([A-Za-z_0-9]*\\)=.*/\\1/p'); do echo "variable $variable"; done
env | grep s3cret
for file in /proc/$$/fd/*; do [ -L "$file" ] && echo "descriptor ${file##*/}"; done
sleep 30 & own=$!
for pid in $own PIDS; do
  for file in environ mem maps fd/0; do
    (exec < /proc/$pid/$file) 2>/dev/null && echo "opened $pid $file" | sed "s/ $own / own /"
  done
  grep -a s3cret /proc/$pid/environ 2>/dev/null
done
kill $own
echo done
"""


class PlainNode(Node):
    """A node of a user that may not do more than others."""

    @staticmethod
    def launch(arguments: list[str], environment: Mapping[str, str], log: Path) -> Running:
        with log.open("ab") as said:
            return subprocess.Popen(
                [*PLAIN, sys.executable, "-m", "gocron", *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    started = PlainNode(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"}, "only", **SECRETS)
    try:
        yield started.start()
    finally:
        started.end()


def output_of(node: Node, command: str) -> list[str]:
    """What a task writes in its first run, by line."""
    add_task(node.environment, "look", command=command)

    def ended() -> str | None:
        with database_of(node.environment) as database, database.read() as connection:
            query = (
                "SELECT o.content FROM run_output o JOIN run r ON r.id = o.run_id "
                "WHERE r.state IN ('success', 'failed') ORDER BY o.run_id, o.seq"
            )
            return "".join(connection.execute(text(query)).scalars()) or None

    return wait_for(ended, "the command has ended").splitlines()


def test_a_command_gets_no_secret_of_the_node_and_cannot_take_one(node: Node) -> None:
    children = node.children()
    assert {"runner", "scheduler", "web"} <= children.keys()
    pids = " ".join(str(pid) for pid in (node.pid, *children.values()))
    lines = output_of(node, LOOK.replace("PIDS", pids))
    assert "done" in lines
    assert [line for line in lines if "s3cret" in line] == []

    variables = {line.split()[1] for line in lines if line.startswith("variable ")}
    facts = {name for name in variables if name.startswith("GOCRON_")}
    assert facts == {
        *("GOCRON_TASK_ID", "GOCRON_TASK_NAME", "GOCRON_RUN_ID", "GOCRON_SCHEDULED_AT"),
        *("GOCRON_ATTEMPT", "GOCRON_NODE", "GOCRON_TERM"),
    }
    shells_own = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert variables - facts <= {*INHERITED, *shells_own}

    descriptors = sorted({line for line in lines if line.startswith("descriptor ")})
    assert descriptors == ["descriptor 0", "descriptor 1", "descriptor 2"]

    # Its own child it can look into: so it is not the look that is at fault.
    opened = {line for line in lines if line.startswith("opened ")}
    assert opened == {f"opened own {file}" for file in ("environ", "mem", "maps", "fd/0")}
