"""The form of a task with its folded sections and its preview, and what only a browser shows."""

from __future__ import annotations

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.person import Person

PHONE = {"width": 375, "height": 812, "deviceScaleFactor": 1, "mobile": True}


def make_calendar(person: Person, name: str) -> None:
    person.open("/calendars/new/")
    person.type("name", name)
    person.type("days", "2030-12-24..2030-12-26")
    person.submit("#save")
    person.see(".alert-success", name)


def test_a_section_is_opened_by_keyboard_and_opens_itself_for_a_mistake(person: Person) -> None:
    person.open("/tasks/new/")
    person.see("#spec")
    assert not person.sees("#retry_times")
    section = 'section[aria-label="After a failure"]'
    person.see(f"{section} summary").send_keys(Keys.ENTER)
    person.see("#retry_times")
    person.type("retry_times", "11")
    person.see(f"{section} summary").send_keys(Keys.ENTER)
    person.wait(lambda: not person.sees("#retry_times"), "the section is folded")
    person.type("name", "too often")
    person.type("spec", "@daily")
    person.type("command", "true")
    person.click("#save")
    person.see('[data-field="retry_times"] .invalid-feedback', "10")
    assert person.browser.switch_to.active_element.get_attribute("id") == "retry_times"
    assert not person.sees("#parameters")


def test_the_preview_follows_what_is_typed(person: Person) -> None:
    make_calendar(person, "preview days")
    person.open("/tasks/new/")
    person.type("timezone", "Europe/Berlin")
    person.type("spec", "0 30 2 * * *")
    person.see("#preview", "02:30")
    assert len(person.browser.find_elements(By.CSS_SELECTOR, "#preview li")) == 10
    person.click('section[aria-label="Window, calendars, spread"] summary')
    person.type("starts_at", "2030-03-31T00:00")
    person.see("#preview", "clocks go forward")
    person.click('input[name="require_calendars"][value="preview days"]')
    person.see("#preview", "2030-12-24 02:30:00 CET")
    person.type("ends_at", "2030-04-01T00:00")
    person.see("#preview", "never fires again")
    person.type("ends_at", "soon")
    person.see("#preview.text-danger", "not after")
    person.type("spec", " ")
    person.click('section[aria-label="Dependencies"] summary')
    person.type("depends_on", "load")
    person.see("#preview", "Runs when the tasks that it depends on have ended.")


def test_a_run_with_parameters_is_begun_once_however_often_somebody_clicks(
    person: Person,
) -> None:
    person.open("/tasks/new/")
    person.type("name", "with parameters")
    person.type("spec", "@yearly")
    person.type("command", 'echo "day $DAY"')
    person.click('section[aria-label="Parameters"] summary')
    person.type("parameters", "DAY = 2026-01-01  # which day")
    person.submit("#save")
    person.click(f'{person.row("with parameters")} a[title="Run now …"]')
    person.type("p-DAY", "of days")
    person.browser.execute_script(
        "const b = document.querySelector('#start'); b.click(); b.click();"
    )
    person.see("#output", "day of days")
    person.open("/runs/?task=with parameters")
    assert len(person.browser.find_elements(By.CSS_SELECTOR, "main tbody tr")) == 1


def test_a_pause_is_seen_everywhere_and_resumed_where_it_is_seen(person: Person) -> None:
    person.open("/pauses/")
    person.type("reason", "new disks")
    person.submit("#begin")
    person.open("/tasks/")
    person.see("#paused", "new disks")
    person.click("#paused button")
    person.see(".alert-success", "Everything goes on.")
    assert person.path == "/tasks/"
    assert not person.sees("#paused")


def test_the_new_pages_fit_a_phone(person: Person) -> None:
    make_calendar(person, "a name that is rather long for such a narrow screen")
    emulate = person.browser.execute_cdp_cmd
    emulate("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        for path in ("/calendars/", "/calendars/new/", "/groups/", "/groups/new/", "/pauses/"):
            person.open(path)
            width = person.browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 375, path
        person.open("/tasks/new/")
        for summary in person.browser.find_elements(By.TAG_NAME, "summary"):
            summary.send_keys(Keys.ENTER)
        person.see("#on_lost")
        width = person.browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= 375
    finally:
        emulate("Emulation.clearDeviceMetricsOverride", {})
