"""What is shipped for Prometheus and Grafana, tried on a real Prometheus and real nodes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.helpers.cluster import ROOT, Node, cluster_of, free_port, wait_for
from tests.helpers.private_server import PrivateServer, find_binary
from tests.helpers.product import add_task

DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
TOKEN = "a token that a test has made up"
SCRAPE_INTERVAL_S = 1

# Words of PromQL and names of labels; whatever else stands in an expression is a metric.
WORDS = frozenset(
    {
        *("absent", "and", "by", "histogram_quantile", "increase", "max", "max_over_time", "min"),
        *("min_over_time", "on", "or", "rate", "sum"),
        *("child", "instance", "job", "le", "process", "protocol", "state"),
    }
)

OUTSIDE = frozenset({"up"})
"""Metrics that Prometheus makes itself."""


def promtool(*arguments: str) -> str:
    program = find_binary("promtool", package="prometheus")
    done = subprocess.run(
        [program, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_finds_no_fault_with_the_configuration(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(yaml.safe_dump(configured([5920], token)))
    assert "SUCCESS" in promtool("check", "config", str(configuration))
    assert "SUCCESS" in promtool("check", "rules", "alerts.yml")


def test_alerts_fire_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_every_alert_is_tried_in_the_unit_tests_of_the_rules_and_explained_to_operators() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    tried = {
        case["alertname"]
        for test in tests
        for case in test.get("alert_rule_test", [])
        if case["exp_alerts"]
    }
    alerts = {rule["alert"] for rule in rules()}
    assert tried == alerts
    guide = (ROOT / "docs" / "monitoring.md").read_text()
    assert {alert for alert in alerts if f"`{alert}`" not in guide} == set()


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    panels = json.loads((DEPLOY / "grafana" / "gocron.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression of PromQL names."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", expression)
    words = set(re.findall(r"(?<![\w.])[a-zA-Z_]\w*", bare))
    return words - WORDS


def test_a_metric_is_recognised_in_an_expression() -> None:
    expression = 'max by (job) (rate(some_total{state="a_b"}[5m])) > on (job) 0.6 * other'
    assert metrics_in(expression) == {"some_total", "other"}


def test_dashboard_and_alerts_name_no_metric_that_a_running_node_does_not_expose(
    tmp_path: Path, postgres_server: PrivateServer
) -> None:
    used = set[str]()
    for expression in (*dashboard_expressions(), *(rule["expr"] for rule in rules())):
        used |= metrics_in(expression)
    assert len(used) > 20
    with two_nodes(tmp_path, postgres_server) as nodes:
        leader = next(node for node in nodes if node.metric("gocron_leader") == 1)
        heartbeat = "gocron_heartbeat_age_seconds"
        wait_for(lambda: leader.metric(heartbeat) is not None, "the leader has a pulse")
        page = leader.get("/metrics")[1]
    exposed = {re.split(r"[{ ]", line)[0] for line in page.splitlines() if line[:1] != "#"}
    assert used - exposed == OUTSIDE
    documented = (ROOT / "docs" / "monitoring.md").read_text()
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exposed if name}
    assert {family for family in families if f"`{family}`" not in documented} == set()


def test_prometheus_sees_one_leader_and_after_kill_9_of_it_another_one(
    tmp_path: Path, postgres_server: PrivateServer
) -> None:
    with (
        two_nodes(tmp_path, postgres_server, GOCRON_METRICS_TOKEN=TOKEN) as nodes,
        prometheus(tmp_path, nodes) as ask,
    ):
        one_leader = "sum(gocron_leader) == 1"
        wait_for(lambda: ask('sum(up{job="gocron"}) == 2'), "both nodes are scraped")
        wait_for(lambda: ask(one_leader), "one of them leads")
        (before,) = leaders(ask)
        assert ask('ALERTS{alertstate="firing"}') == []
        killed = next(node for node in nodes if before.endswith(f":{node.port}"))
        other = next(node for node in nodes if node is not killed)

        killed.send(signal.SIGKILL)
        killed.wait()

        wait_for(lambda: ask('sum(up{job="gocron"}) == 1'), "one node is gone")
        wait_for(
            lambda: ask(one_leader) and leaders(ask) == [f"127.0.0.1:{other.port}"],
            "the other one leads",
        )
        assert ask("max(gocron_cluster_term) == 2")


@contextmanager
def two_nodes(folder: Path, server: PrivateServer, **settings: str) -> Iterator[list[Node]]:
    """Two nodes on a database of their own, one of which has run something."""
    server.start()
    database = server.environment(server.create_database())
    try:
        with cluster_of(2, folder, database, **settings) as cluster:
            add_task(database, "often")
            claimed = "gocron_slots_claimed_total"
            wait_for(lambda: any(node.metric(claimed) for node in cluster.nodes), "work is done")
            yield cluster.nodes
    finally:
        server.drop_database(database["GOCRON_DB_DATABASE"])


def configured(ports: list[int], token: Path) -> dict[str, Any]:
    """The shipped configuration with targets and token of the test; scrapes more often."""
    found: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    interval = f"{SCRAPE_INTERVAL_S}s"
    found["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
    found["rule_files"] = [str(PROMETHEUS / name) for name in found["rule_files"]]
    (scrape,) = found["scrape_configs"]
    scrape["authorization"]["credentials_file"] = str(token)
    (group,) = scrape["static_configs"]
    assert len(group["targets"]) == 2
    group["targets"] = [f"127.0.0.1:{port}" for port in ports]
    return found


Ask = Callable[[str], list[dict[str, Any]]]


@contextmanager
def prometheus(folder: Path, nodes: list[Node]) -> Iterator[Ask]:
    """A Prometheus that scrapes ``nodes``; gives a function that answers queries."""
    token = folder / "token"
    token.write_text(TOKEN)
    configuration = folder / "prometheus.yml"
    configuration.write_text(yaml.safe_dump(configured([node.port for node in nodes], token)))
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                find_binary("prometheus", package="prometheus"),
                *("--config.file", str(configuration), "--storage.tsdb.path", str(folder / "tsdb")),
                *("--web.listen-address", f"127.0.0.1:{port}"),
            ],
            stdout=log,
            stderr=log,
        )

    def ask(query: str) -> list[dict[str, Any]]:
        parameters = urllib.parse.urlencode({"query": query})
        url = f"http://127.0.0.1:{port}/api/v1/query?{parameters}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found
        except OSError:
            assert process.poll() is None, (folder / "prometheus.log").read_text()[-3000:]
            return []

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(30)


def leaders(ask: Ask) -> list[str]:
    return [found["metric"]["instance"] for found in ask("gocron_leader == 1")]
