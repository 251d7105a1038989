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
env | sed -n "s/^\\([A-Za-z_0-9]*\\)=.*/variable \\1/p"
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


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("plain")
    started = PlainNode(folder, {"GOCRON_DB_ENGINE": "sqlite"}, "only", **SECRETS)
    try:
        yield started.start()
    finally:
        started.end()


def first_run(node: Node, name: str, **fields: str) -> tuple[str, str]:
    """The reason and the output of the first run of a new task."""
    task = add_task(node.environment, name, spec="@reboot", **fields)
    node.run("task", "run", name)

    def ended() -> tuple[str, str] | None:
        with database_of(node.environment) as database, database.read() as connection:
            query = text(
                "SELECT id, reason FROM run WHERE task_id = :task "
                "AND state IN ('success', 'failed') ORDER BY id"
            )
            run = connection.execute(query, {"task": task}).first()
            if run is None:
                return None
            query = text("SELECT content FROM run_output WHERE run_id = :run ORDER BY seq")
            return run.reason, "".join(connection.execute(query, {"run": run.id}).scalars())

    return wait_for(ended, f"{name} has ended")


def test_a_command_gets_no_secret_of_the_node_and_cannot_take_one(node: Node) -> None:
    children = node.children()
    assert {"runner", "scheduler", "web"} <= children.keys()
    pids = " ".join(str(pid) for pid in (node.pid, *children.values()))
    _reason, output = first_run(node, "look", command=LOOK.replace("PIDS", pids))
    lines = output.splitlines()
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


def test_a_node_does_not_let_a_task_ask_for_the_credentials_of_its_machine(node: Node) -> None:
    url = "http://169.254.169.254/latest/meta-data/"
    reason, _output = first_run(node, "ask", protocol="http", command=url)
    assert reason.startswith("169.254.169.254 is not called: it is in 169.254.0.0/16")
    assert "GOCRON_HTTP_DENY_NETWORKS" in reason
