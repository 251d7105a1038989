"""The panel as people use it, in a real browser, over a real node."""

from __future__ import annotations

from tests.browser.person import Person


def test_a_task_is_created_and_fires_and_its_output_is_read(person: Person) -> None:
    person.create_task(
        "every second", "* * * * * *", "printf 'hello from %s\\n' \"$GOCRON_TASK_NAME\""
    )
    person.see(".alert-success", "every second")
    list_row = person.row("every second")

    def has_a_result() -> bool:
        person.open("/tasks/")
        return person.sees(f'{list_row} td[data-label="Last result"] .bg-green-lt')

    person.wait(has_a_result, "the task has succeeded once")
    person.click(f'{list_row} td[data-label="Last result"] a')
    person.see("#state", "success")
    person.see("#output", "hello from every second")

    person.open("/tasks/")
    person.click(f"{list_row} .toggle")
    person.see("#said .alert-success", "1 task was disabled")
    assert person.see(f"{list_row} .toggle").get_attribute("aria-checked") == "false"


def test_a_wrong_schedule_is_said_while_typing_and_after_saving(person: Person) -> None:
    person.create_task("wrong", "", "true")
    person.see('[data-field="spec"] .invalid-feedback')
    person.type("spec", "61 * * * * *")
    person.see("#preview", "61")
    person.click("#save")
    person.see('[data-field="spec"] .invalid-feedback', "61")
    assert person.see("#name").get_attribute("value") == "wrong"
    assert person.see("#spec").get_attribute("value") == "61 * * * * *"
    person.type("spec", "0 0 12 * * *")
    person.see("#preview", "12:00:00")


def test_only_the_fields_of_the_chosen_kind_are_shown(person: Person) -> None:
    person.open("/tasks/new/")
    person.see("#environment")
    assert not person.sees("#http_method")
    person.choose("protocol", "http")
    person.see("#http_method")
    assert not person.sees("#environment")


def test_a_run_started_by_hand_is_watched_and_stopped(person: Person) -> None:
    person.create_task(
        "long", "@yearly", "n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.2; done"
    )
    person.click(f'{person.row("long")} button[title="Run now"]')
    person.see("#output", "line 1")
    person.see("#live", "live")
    person.see("#output", "line 8")  # comes without loading the page again
    person.click('button[title="Stop"]')
    person.see("#state", "cancelled")
    assert "admin" in person.see("#reason").text
    assert not person.sees('button[title="Stop"]')


def test_a_delete_asks_first(person: Person) -> None:
    for name in ("first victim", "second victim"):
        person.create_task(name, "@yearly", "true")
    person.click(f"{person.row('first victim')} details.menu summary")
    person.click(f'{person.row("first victim")} a[title="Delete …"]')
    person.see(".page-title", "Delete this task?")
    person.click(".card-footer a")
    person.see(person.row("first victim"))
    person.open("/tasks/?search=victim")
    person.click("#choose-all")
    person.click('#bulk button[value="delete"]')
    person.see(".page-title", "Delete 2 tasks?")
    person.click("#do")
    person.see(".alert-success", "2 tasks were deleted.")
    person.open("/tasks/?search=victim")
    person.see(".empty-title", "No task fits")


def test_the_choice_of_colours_is_remembered(person: Person) -> None:
    person.choose_theme("dark")
    assert person.theme() == "dark"
    for path in ("/runs/", "/nodes/"):
        person.open(path)
        assert person.theme() == "dark"
    person.click("#me summary")
    assert person.see('[data-theme-choice="dark"]').get_attribute("aria-pressed") == "true"
    person.choose_theme("light")
    assert person.theme() == "light"
    person.browser.refresh()
    assert person.theme() == "light"


def test_the_panel_fits_a_phone(person: Person) -> None:
    emulate = person.browser.execute_cdp_cmd
    emulate(
        "Emulation.setDeviceMetricsOverride",
        {"width": 375, "height": 812, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        for path in ("/", "/tasks/", "/tasks/new/", "/runs/", "/nodes/", "/password"):
            person.open(path)
            width = person.browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 375, path
        assert not person.sees("#logout")
        person.click("#menu-button")
        person.see('#menu a[href="/runs/"]')
        person.click("#me summary")
        person.click("#logout")
        person.see("#username")
    finally:
        emulate("Emulation.clearDeviceMetricsOverride", {})
