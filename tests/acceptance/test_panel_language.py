"""The panel in another language: chosen by the browser, by the installation, or by somebody."""

from __future__ import annotations

from pathlib import Path

import pytest

from gocron.db.models import User
from tests.helpers.panel import PASSWORD, USER, Panel, installed
from tests.helpers.rows import rows

CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}


def test_a_browser_gets_the_language_it_asks_for(quick_panel):
    visitor = quick_panel.visitor()
    assert '<html lang="zh-CN">' in visitor.get("/login", headers=CHINESE).text
    for asked in ({}, {"Accept-Language": "en-GB"}, {"Accept-Language": "fr, zh-TW;q=0.1"}):
        wanted = "zh-CN" if "zh" in str(asked) else "en"
        assert f'<html lang="{wanted}">' in visitor.get("/login", headers=asked).text


def test_what_somebody_has_chosen_is_remembered_with_the_account(quick_panel):
    visitor = quick_panel.administrator()
    answer = visitor.client.post(
        "/language",
        data={"csrf_token": visitor.token(), "language": "zh-CN"},
        headers={"Referer": "http://localhost/tasks/?search=x"},
    )
    assert answer.location == "/tasks/?search=x"
    assert '<html lang="zh-CN">' in visitor.get("/runs/").text
    assert rows(quick_panel.database, User)[0].language == "zh-CN"
    elsewhere = quick_panel.administrator()
    assert '<html lang="zh-CN">' in elsewhere.get("/").text
    visitor.post("/logout")
    assert '<html lang="zh-CN">' in visitor.get("/login").text


@pytest.mark.parametrize("language", ["", "xx", "../../etc"])
def test_an_unknown_language_means_that_of_the_browser(quick_panel, language):
    visitor = quick_panel.administrator()
    assert visitor.post("/language", {"language": language}).location == "/"
    assert '<html lang="en">' in visitor.get("/").text


def test_a_page_of_another_site_is_never_gone_back_to(quick_panel):
    visitor = quick_panel.administrator()
    answer = visitor.client.post(
        "/language",
        data={"csrf_token": visitor.token(), "language": "en"},
        headers={"Referer": "http://evil.example/tasks/"},
    )
    assert answer.location == "/"


def test_the_installation_has_a_language_for_those_who_have_not_chosen(tmp_path: Path):
    environment = {"GOCRON_DB_ENGINE": "sqlite"}
    with installed(environment, tmp_path, GOCRON_APP_LANG="zh-CN") as panel:
        assert isinstance(panel, Panel)
        visitor = panel.visitor()
        assert '<html lang="zh-CN">' in visitor.get("/login").text
        assert visitor.login(USER, PASSWORD).status_code == 302
