"""Somebody in front of Chromium: waits for what should be seen, never for a fixed time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

PATIENCE_S = 20


class Person:
    """What tests do with a page."""

    def __init__(self, browser: webdriver.Chrome, base: str) -> None:
        self.browser = browser
        self.base = base

    def forget_everything(self) -> None:
        """No cookies, no storage, no messages of an earlier test."""
        self.browser.get(f"{self.base}/static/icon.svg")
        self.browser.delete_all_cookies()
        self.browser.execute_script("localStorage.clear(); sessionStorage.clear()")
        for kind in ("browser", "performance"):
            self.browser.get_log(kind)

    def lose_session(self) -> None:
        """The cookies are gone, also those that the answer to a request on its way brings back."""

        def lost() -> bool:
            self.browser.delete_all_cookies()
            time.sleep(0.5)
            return not self.browser.get_cookies()

        self.wait(lost, "the session is lost")

    def log_in(self, name: str, password: str) -> None:
        """Whoever was logged in here before is forgotten: an answer that was still on its way may
        have brought the session's cookie back."""

        def asked() -> bool:
            self.open("/login")
            if self.path != "/login":
                self.browser.delete_all_cookies()
            return self.path == "/login"

        self.wait(asked, "somebody is asked who they are")
        self.type("username", name)
        self.type("password", password)
        self.click("form .btn-primary")
        self.see("#leader")

    def open(self, path: str) -> None:
        self.browser.get(self.base + path)

    @property
    def path(self) -> str:
        """Where the browser is."""
        return urlsplit(self.browser.current_url).path

    def wait(self, what: Callable[[], Any], words: str) -> Any:
        """Until ``what`` is true. Elements that are being replaced meanwhile are no reason to give
        up, nor is what the driver says in the middle of a change of pages (it has several ways)."""
        patience = WebDriverWait(
            self.browser,
            PATIENCE_S,
            poll_frequency=0.05,
            ignored_exceptions=(WebDriverException,),
        )
        return patience.until(lambda _browser: what(), words)

    def see(self, selector: str, text: str = "") -> WebElement:
        """An element that is shown and has ``text`` in it."""

        def shown() -> WebElement | None:
            found = self.browser.find_element(By.CSS_SELECTOR, selector)
            return found if found.is_displayed() and text in found.text else None

        seen: WebElement = self.wait(shown, f"{selector} with {text!r} is shown at {self.path}")
        return seen

    def sees(self, selector: str) -> bool:
        """Whether such an element is shown just now."""
        found = self.browser.find_elements(By.CSS_SELECTOR, selector)
        return any(element.is_displayed() for element in found)

    def click(self, selector: str) -> None:
        element = self.see(selector)
        # To the middle: a bar at the bottom of a form may cover what is at the edge.
        middle = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
        self.browser.execute_script(middle, element)
        element.click()

    def unfold(self, section: str, field: str) -> None:
        """Open a part of a form. A message that appears just then may move it away from a click."""

        def unfolded() -> bool:
            if not self.sees(f"#{field}"):
                self.click(f'section[aria-label="{section}"] summary')
            return self.sees(f"#{field}")

        self.wait(unfolded, f"{section} is open")

    def submit(self, selector: str) -> None:
        """Click, and wait for the page that answers: whoever opens another address before that
        races with it."""
        self.browser.execute_script("window.wasHereBefore = true")
        self.click(selector)
        answered = "return !window.wasHereBefore && document.readyState !== 'loading'"
        self.wait(
            lambda: self.browser.execute_script(answered),
            f"{selector} at {self.path} is answered",
        )

    def type(self, field: str, text: str) -> None:
        element = self.see(f"#{field}")
        element.clear()
        element.send_keys(text)

    def choose(self, field: str, value: str) -> None:
        Select(self.see(f"#{field}")).select_by_value(value)

    def create_task(self, name: str, spec: str, command: str) -> None:
        self.open("/tasks/new/")
        self.type("name", name)
        self.type("spec", spec)
        self.type("command", command)
        self.submit("#save")

    def row(self, name: str) -> str:
        """The selector of a task's row in the list."""
        return f'tr[data-task="{name}"]'

    def choose_theme(self, choice: str) -> None:
        """In one's own menu."""
        if not self.sees("#me .menu-body"):
            self.click("#me summary")
        self.click(f'[data-theme-choice="{choice}"]')

    def theme(self) -> str:
        """The colours of the page."""
        return str(self.browser.execute_script("return document.documentElement.dataset.bsTheme"))

    def complaints(self) -> list[str]:
        """Errors of scripts, and what the content security policy refused."""
        return [
            entry["message"]
            for entry in self.browser.get_log("browser")
            if entry["level"] == "SEVERE"
        ]

    def requests_elsewhere(self) -> list[str]:
        """Addresses outside the node that the browser asked for."""
        here = urlsplit(self.base).netloc
        events = (json.loads(entry["message"])["message"] for entry in self.log_of_network())
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [
            url
            for url in asked
            if urlsplit(url).scheme in ("http", "https", "ws", "wss")
            and urlsplit(url).netloc != here
        ]

    def log_of_network(self) -> list[dict[str, Any]]:
        return list(self.browser.get_log("performance"))
