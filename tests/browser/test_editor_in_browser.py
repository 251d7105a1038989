"""The page of a task and its form: what only a browser shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.person import Person

PHONE = {"width": 375, "height": 812, "deviceScaleFactor": 1, "mobile": True}


@contextmanager
def phone(person: Person) -> Iterator[None]:
    person.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        yield
    finally:
        person.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def id_of(person: Person, name: str) -> int:
    person.open(f"/tasks/?search={name}")
    edit = person.see(f'{person.row(name)} a[href*="id="]').get_attribute("href")
    return int(str(edit).split("id=")[1].split("&")[0])


def all_of(person: Person, selector: str) -> list[str]:
    return [one.text for one in person.browser.find_elements(By.CSS_SELECTOR, selector)]


def test_an_example_fills_the_schedule_and_shows_ten_slots(person: Person) -> None:
    person.open("/tasks/new/")
    person.type("timezone", "Europe/Berlin")
    person.click('[data-example="30 2 * * *"]')
    person.see("#preview", "At 02:30 every day")
    assert person.see("#spec").get_attribute("value") == "30 2 * * *"
    slots = all_of(person, "#preview li")
    assert len(slots) == 10
    assert all("02:30:00 CET" in slot and "in " in slot for slot in slots)


def test_a_mistake_is_said_when_a_field_is_left_and_gone_when_it_is_mended(person: Person) -> None:
    person.open("/tasks/new/")
    # Not by ``type``: what that clears is looked at, as if somebody had left the field.
    person.see("#timeout").send_keys(Keys.CONTROL, "a", Keys.NULL, "soon")
    assert not person.sees(".invalid-feedback")
    person.click("#command")
    person.see('[data-field="timeout"] .invalid-feedback', "integer")
    assert not person.sees('[data-field="name"] .invalid-feedback'), "nobody has been there yet"
    assert person.sees('.editor-nav a.wrong[href="#part-what"]')
    person.type("timeout", "5")
    person.wait(lambda: not person.sees('[data-field="timeout"] .invalid-feedback'), "mended")


def test_a_draft_survives_the_end_of_a_session_and_goes_once_it_is_saved(person: Person) -> None:
    person.open("/tasks/new/")
    person.type("name", "a draft")
    person.type("spec", "@yearly")
    person.type("command", "echo typed for long")
    person.unfold("Parameters", "parameters")
    person.type("parameters", "DAY = today")
    person.wait(
        lambda: (
            "DAY" in str(person.browser.execute_script("return JSON.stringify(sessionStorage)"))
        ),
        "it is kept",
    )
    person.lose_session()
    person.click("#save")
    person.see("#trouble", "Nothing was sent")
    person.log_in("admin", "a browser's password")
    person.browser.get_log("browser")  # of an address that asked for the login
    person.open("/tasks/new/")
    person.see("#restored")
    assert person.see("#command").get_attribute("value") == "echo typed for long"
    assert person.see("#parameters").get_attribute("value") == "DAY = today"
    person.submit("#save")
    person.open("/tasks/new/")
    person.see("#name")
    assert not person.sees("#restored")
    assert person.see("#name").get_attribute("value") == ""


def test_a_conflict_is_settled_by_choosing(person: Person) -> None:
    person.create_task("contested", "@yearly", "echo before")
    task_id = id_of(person, "contested")
    person.open(f"/tasks/edit/?id={task_id}")
    person.type("command", "echo mine")
    person.type("remark", "mine too")
    saved_elsewhere = """
        const done = arguments[0];
        fetch(location.href).then((page) => page.text()).then((text) => {
          const form = new DOMParser().parseFromString(text, "text/html").querySelector("#task");
          const fields = new URLSearchParams(new FormData(form));
          fields.set("command", "echo theirs");
          return fetch(form.action, { method: "POST", body: fields });
        }).then(() => done());
    """
    person.browser.execute_async_script(saved_elsewhere)
    person.submit("#save")
    person.see("#conflict", "both changed it")
    assert all_of(person, '[data-differs="command"] td') == [
        "echo before",
        "echo theirs",
        "echo mine",
    ]
    person.click('input[name="take-command"][value="theirs"]')
    person.submit("#merge")
    person.open(f"/tasks/edit/?id={task_id}")
    assert person.see("#command").get_attribute("value") == "echo theirs"
    assert person.see("#remark").get_attribute("value") == "mine too"
    assert not person.sees("#restored")


def test_a_task_is_tried_before_it_is_enabled(person: Person) -> None:
    person.open("/tasks/new/")
    person.type("name", "on trial")
    person.type("spec", "@yearly")
    person.type("command", "echo first words; sleep 1; echo last words")
    person.submit("#try")
    person.see("#try-output", "first words")
    person.see("#try-output", "last words")
    person.see("#try-state", "success")
    person.submit("#trial button")
    person.see(".alert-success", "is enabled")
    assert person.path == "/tasks/details/"


def test_a_graph_and_a_calendar_are_drawn(person: Person) -> None:
    person.create_task("graph 0", "@yearly", "true")
    for number, parents in enumerate(("graph 0", "graph 0", "graph 1\ngraph 2: weak"), 1):
        person.open("/tasks/new/")
        person.type("name", f"graph {number}")
        person.type("command", "true")
        person.unfold("Dependencies", "depends_on")
        person.type("depends_on", parents)
        person.submit("#save")
    task_id = id_of(person, "graph 3")
    person.open(f"/tasks/details/?id={task_id}&tab=dependencies")
    boxes = [
        one.rect for one in person.browser.find_elements(By.CSS_SELECTOR, "#graph .node > rect")
    ]
    assert len(boxes) == 4
    for one in boxes:
        assert one["width"] > 100
        apart = [
            other
            for other in boxes
            if other is not one
            and abs(other["x"] - one["x"]) < one["width"]
            and abs(other["y"] - one["y"]) < one["height"]
        ]
        assert apart == []
    person.open(f"/tasks/details/?id={task_id}&tab=history")
    days = person.browser.find_elements(By.CSS_SELECTOR, "#heat .scrolls rect")
    assert len(days) == 182
    assert days[0].rect["width"] > 5
    with phone(person):
        for tab in ("overview", "history", "runs", "dependencies", "versions", "audit"):
            person.open(f"/tasks/details/?id={task_id}&tab={tab}")
            width = person.browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 375, tab
        person.open(f"/tasks/details/?id={task_id}&tab=dependencies")
        graph = person.see(".graph")
        assert person.browser.execute_script(
            "return arguments[0].scrollWidth > arguments[0].clientWidth", graph
        )
