"""What is shipped for running nodes agrees with what a node is: names, ports, users, patience."""

from __future__ import annotations

import json
import re
import shlex
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from gocron.config import KEYS, Settings, load
from gocron.config_keys import SECRETS
from gocron.supervisor.shutdown import longest_s

ROOT = Path(__file__).parents[2]
DEFAULTS = Settings(home=ROOT)
LONGEST_STOP_S = longest_s(DEFAULTS.drain_s)

VARIABLES = {variable: name for name, (_key, variable) in KEYS.items()}
DOCUMENTED_VARIABLES = {
    "GOCRON_DB_ENGINE",
    "GOCRON_DB_HOST",
    "GOCRON_DB_PORT",
    "GOCRON_DB_USER",
    "GOCRON_DB_PASSWORD",
    "GOCRON_DB_DATABASE",
    "GOCRON_DB_PREFIX",
    "GOCRON_AUTH_SECRET",
}


def is_secret(variable: str) -> bool:
    return VARIABLES[variable] in SECRETS


# supervisord.conf


def supervisord() -> RawConfigParser:
    parser = RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read(ROOT / "supervisord.conf")
    return parser


def test_supervisord_signals_the_parent_alone_and_waits_longer_than_a_stop_can_take():
    program = supervisord()["program:gocron"]
    assert program["stopsignal"] == "TERM"
    assert float(program["stopwaitsecs"]) > LONGEST_STOP_S
    assert not program.getboolean("stopasgroup")
    assert not program.getboolean("killasgroup")


def test_supervisord_is_reached_through_a_socket_of_its_user_only():
    parser = supervisord()
    assert "inet_http_server" not in parser
    assert parser["unix_http_server"]["chmod"] == "0700"
    assert parser["unix_http_server"]["file"] in parser["supervisorctl"]["serverurl"]


# Dockerfile


def dockerfile() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def instruction(wanted: str) -> str:
    """What the last instruction of a kind says."""
    return [rest for word, rest in dockerfile() if word == wanted][-1]


def test_the_image_runs_a_node_as_a_plain_user_that_is_told_to_stop_by_sigterm():
    assert instruction("USER") == "10001:10001"
    assert instruction("ENTRYPOINT") == '["gocron"]'
    assert instruction("CMD") == '["web"]'
    assert instruction("STOPSIGNAL") == "SIGTERM"
    assert instruction("EXPOSE") == str(DEFAULTS.web_port)
    assert instruction("VOLUME") == "/var/lib/gocron"
    assert "GOCRON_HOME=/var/lib/gocron" in instruction("ENV")
    assert "--require-hashes" in (ROOT / "Dockerfile").read_text()


def test_what_the_image_is_built_from_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    sources = [
        source
        for word, rest in dockerfile()
        if word == "COPY" and "--from" not in rest
        for source in shlex.split(rest)[:-1]
    ]
    assert {"gocron", "admin", "migrations", "conf", "requirements.lock"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(line.startswith(f"!{source}") for line in ignored), source


# compose.yaml


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    return found


def nodes(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: found for name, found in compose["services"].items() if "node" in name}


def test_compose_starts_two_nodes_a_database_and_prometheus_and_each_has_a_healthcheck(compose):
    assert set(compose["services"]) == {"node1", "node2", "postgres", "prometheus"}
    assert all("healthcheck" in service for service in compose["services"].values())
    hosts = {node["hostname"] for node in nodes(compose).values()}
    assert hosts == {"node1", "node2"}, (
        "a name of its own that stays, so that a node is known by it"
    )


def test_compose_gives_nodes_only_settings_that_exist_and_enough_time_to_stop(compose):
    for node in nodes(compose).values():
        assert DOCUMENTED_VARIABLES <= set(node["environment"]) <= set(VARIABLES)
        assert seconds(node["stop_grace_period"]) > LONGEST_STOP_S


def seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+)s", text)
    assert match, text
    return float(match[1])


def test_compose_has_no_default_secret(compose):
    environments = [service.get("environment", {}) for service in compose["services"].values()]
    secrets = [
        value
        for environment in environments
        for name, value in environment.items()
        if re.search("PASSWORD|SECRET|TOKEN", name)
    ]
    assert len(secrets) == 4 * 2 + 1
    assert all(re.fullmatch(r"\$\{GOCRON_\w+:\?[^}]+\}", value) for value in secrets), secrets


def test_compose_publishes_ports_on_the_machine_itself_only(compose):
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert sorted(ports) == [*("127.0.0.1:5920:5920", "127.0.0.1:5921:5920", "127.0.0.1:9090:9090")]


def test_compose_runs_the_prometheus_configuration_that_is_shipped(compose):
    configuration = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (scrape,) = configuration["scrape_configs"]
    targets = [target for group in scrape["static_configs"] for target in group["targets"]]
    assert targets == [f"{name}:{DEFAULTS.web_port}" for name in nodes(compose)]
    token = Path(scrape["authorization"]["credentials_file"])
    assert token.parent == Path("/run/secrets")
    assert compose["secrets"][token.name] == {"environment": "GOCRON_METRICS_TOKEN"}


# kubernetes.yaml


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    return {document["kind"]: document for document in documents}


def pod(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = manifests["Deployment"]["spec"]["template"]["spec"]
    return found


def container(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (found,) = pod(manifests)["containers"]
    assert isinstance(found, dict)
    return found


def test_kubernetes_runs_two_nodes_with_time_enough_to_stop(manifests):
    assert set(manifests) == {"Deployment", "Service", "PodDisruptionBudget"}, (
        "no Secret: no values"
    )
    assert manifests["Deployment"]["spec"]["replicas"] == 2
    assert pod(manifests)["terminationGracePeriodSeconds"] > LONGEST_STOP_S


def test_kubernetes_sets_the_documented_variables_and_takes_secrets_from_secrets(manifests):
    environment = {entry["name"]: entry for entry in container(manifests)["env"]}
    assert DOCUMENTED_VARIABLES <= set(environment) <= set(VARIABLES)
    for name, entry in environment.items():
        if is_secret(name):
            assert "secretKeyRef" in entry["valueFrom"], name


def test_every_secret_that_kubernetes_is_told_to_use_is_made_by_the_commands_on_top(manifests):
    text = (ROOT / "deploy" / "kubernetes.yaml").read_text()
    commands = text.partition("apiVersion")[0]
    for entry in container(manifests)["env"]:
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        if reference:
            assert f"secret generic {reference['name']} " in commands
            assert f"--from-literal={reference['key']}=" in commands


def test_kubernetes_probes_alive_and_ready_apart(manifests):
    probes = {
        name: container(manifests)[name]["httpGet"]["path"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert probes == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }


def test_kubernetes_runs_the_image_as_its_own_user_without_rights(manifests):
    context = pod(manifests)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == instruction("USER")
    rights = container(manifests)["securityContext"]
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["capabilities"] == {"drop": ["ALL"]}
    mounts = {mount["mountPath"] for mount in container(manifests)["volumeMounts"]}
    assert mounts == {instruction("VOLUME"), "/tmp"}
    assert set(container(manifests)["resources"]) == {"requests", "limits"}


def test_ports_and_labels_of_the_manifests_fit_each_other(manifests):
    (port,) = container(manifests)["ports"]
    assert port["containerPort"] == DEFAULTS.web_port
    (served,) = manifests["Service"]["spec"]["ports"]
    assert served["targetPort"] == port["name"]
    label = {"app": "gocron"}
    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"] == label
    assert manifests["Deployment"]["spec"]["template"]["metadata"]["labels"] == label
    assert manifests["Service"]["spec"]["selector"] == label
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == label


def test_what_kubernetes_injects_for_the_service_is_taken_neither_for_a_setting_nor_for_a_mistake(
    manifests, tmp_path
):
    assert pod(manifests)["enableServiceLinks"] is False
    name = manifests["Service"]["metadata"]["name"].upper()
    services = (name, f"{name}_DB", f"{name}_WEB")
    home = {"GOCRON_HOME": str(tmp_path)}
    for service in services:
        assert load(home | injected_for(service)) == load(home)


def injected_for(service: str) -> dict[str, str]:
    """The variables of a Service, where links are not disabled."""
    return {
        f"{service}_SERVICE_HOST": "10.0.0.1",
        f"{service}_SERVICE_PORT": "5920",
        f"{service}_SERVICE_PORT_HTTP": "5920",
        f"{service}_PORT": "tcp://10.0.0.1:5920",
        f"{service}_PORT_5920_TCP": "tcp://10.0.0.1:5920",
        f"{service}_PORT_5920_TCP_PROTO": "tcp",
        f"{service}_PORT_5920_TCP_PORT": "5920",
        f"{service}_PORT_5920_TCP_ADDR": "10.0.0.1",
    }


# Grafana


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "deploy/grafana/gocron.json").read_text())
    return found


def test_panels_of_the_dashboard_explain_themselves_and_do_not_lie_on_each_other():
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["type"] == "row" or panel["description"] for panel in panels)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _y in taken) < 24


def test_every_query_of_the_dashboard_is_about_the_chosen_cluster_and_data_source():
    assert [variable["name"] for variable in dashboard()["templating"]["list"]] == [
        "datasource",
        "job",
    ]
    targets = [t for panel in dashboard()["panels"] for t in panel.get("targets", [])]
    assert len(targets) > 20
    for target in targets:
        selectors = re.findall(r"gocron_\w+(\{[^}]*\})?", target["expr"])
        assert all('job="$job"' in selector for selector in selectors), target["expr"]
        assert target["datasource"]["uid"] == "${datasource}"
