"""Settings in the panel: retention, and what a node was told."""

from __future__ import annotations

import pytest

from gocron.db import retention
from gocron.db.models import AuditLog
from gocron.db.retention import Retention
from tests.helpers.panel import USER, field_of, words_of
from tests.helpers.rows import rows


def test_nothing_is_thrown_away_by_default(panel, visitor):
    page = visitor.get("/settings/").text
    assert "Nothing has ever been thrown away." in words_of(page)
    for name in retention.LIMITS:
        assert f'name="{name}" type="number" value=""' in page


def test_rules_are_saved_shown_audited_and_taken_back(panel, visitor):
    fields = {
        "run_days": " 30 ",
        "runs_per_task": "1000",
        "audit_days": "",
        "leadership_days": "90",
    }
    assert visitor.post("/settings/", fields).location == "/settings/"
    page = visitor.get("/settings/").text
    assert "Saved." in words_of(page)
    assert 'name="run_days" type="number" value="30"' in page
    assert "The first round is about to begin." in words_of(page)
    assert retention.rules(panel.database) == Retention(30, 1000, None, 90)
    line = rows(panel.database, AuditLog)[-1]
    assert (line.actor, line.action) == (USER, "settings.save")
    visitor.post("/settings/", fields)
    assert "Nothing was changed." in visitor.text("/settings/")
    visitor.post("/settings/", {})
    assert retention.rules(panel.database) == Retention()


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("run_days", "0"),
        ("run_days", "-3"),
        ("run_days", "1e3"),
        ("run_days", "²"),
        ("runs_per_task", "9"),
        ("audit_days", "9" * 30),
        ("leadership_days", "36501"),
    ],
)
def test_what_is_wrong_is_said_next_to_the_field(quick_panel, field, typed):
    answer = quick_panel.administrator().post("/settings/", {"run_days": "7", field: typed})
    assert "Must be a whole number from" in field_of(answer.text, field)
    assert f'value="{typed}"' in answer.text
    assert retention.rules(quick_panel.database) == Retention()


def test_the_last_round_is_told(quick_panel):
    retention.record_purge(quick_panel.database, 1234, 5, 6)
    page = quick_panel.administrator().text("/settings/")
    assert "1,234 runs, 5 audit lines, 6 terms thrown away" in page


def test_what_the_node_was_told_is_shown_without_secrets(postgres_panel, quick_panel, monkeypatch):
    visitor = postgres_panel.administrator()
    page = visitor.get("/settings/").text
    password = postgres_panel.context.settings.db.password.get_secret_value()
    assert 'data-setting="db.host"' in page
    assert "****" in page
    assert not password or f">{password}<" not in page
    assert "given at the start of this node" in page
    assert 'data-setting="db.host"' not in quick_panel.administrator().get("/settings/").text


def test_where_a_setting_is_from_is_said(quick_panel, monkeypatch):
    settings = quick_panel.context.settings
    monkeypatch.setenv("GOCRON_HOME", str(settings.home))
    monkeypatch.setenv("GOCRON_NODE_NAME", settings.node_name)
    page = quick_panel.administrator().get("/settings/").text
    line = words_of(page.split('data-setting="node.name"')[1].split("</tr>")[0])
    assert line.endswith("node1 GOCRON_NODE_NAME GOCRON_NODE_NAME")
    assert "default" in words_of(page.split('data-setting="web.port"')[1].split("</tr>")[0])
    monkeypatch.setenv("GOCRON_WEB_PORT", "nonsense")
    assert quick_panel.administrator().get("/settings/").status_code == 200
