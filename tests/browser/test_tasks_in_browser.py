"""The list of tasks, changes of many of them, and importing: what only a browser shows."""

from __future__ import annotations

from pathlib import Path

from selenium.webdriver.common.by import By

from tests.browser.person import Person

PHONE = {"width": 375, "height": 812, "deviceScaleFactor": 1, "mobile": True}


def import_file(person: Person, folder: Path, text: str) -> None:
    file = folder / "tasks.yaml"
    file.write_text(text)
    person.open("/tasks/import/")
    person.see("#file").send_keys(str(file))
    person.submit("#look")


def many(prefix: str, count: int) -> str:
    return "tasks:\n" + "".join(
        f"  - name: {prefix} {number:02}\n    tag: {prefix}\n    spec: '@yearly'\n"
        "    command: 'true'\n"
        for number in range(count)
    )


def delete_all(person: Person, tag: str) -> None:
    """Other tests find theirs on the first page of the list."""
    person.open(f"/tasks/bulk/?action=delete&all=1&tag={tag}")
    person.submit("#do")
    person.see(".alert-success", "deleted")


def test_a_switch_is_turned_without_losing_the_place(person: Person, tmp_path: Path) -> None:
    import_file(person, tmp_path, many("switch", 30))
    person.submit("#apply")
    person.open("/tasks/?tag=switch&page_size=50")
    row = person.row("switch 25")
    toggle = person.see(f"{row} .toggle")
    person.browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", toggle
    )
    place = person.browser.execute_script("window.marked = true; return scrollY")
    assert place > 100
    toggle.click()
    person.see("#said .alert-success", "1 task was disabled")
    assert toggle.get_attribute("aria-checked") == "false"
    assert person.see(f"{row} [data-next]").text == "–"
    assert person.browser.execute_script("return [window.marked, scrollY]") == [True, place]
    toggle.click()
    person.see("#said .alert-success", "1 task was enabled")
    assert "in " in person.see(f"{row} [data-next] time[data-relative]").text
    person.open("/tasks/?tag=switch&enabled=0")
    person.see(".empty-title", "No task fits")
    delete_all(person, "switch")


def test_many_tasks_are_chosen_asked_about_and_changed(person: Person, tmp_path: Path) -> None:
    import_file(person, tmp_path, many("bulk", 25))
    person.see('[data-count="new"]', "25")
    person.submit("#apply")
    person.open("/tasks/?tag=bulk")
    person.click("#all-that-fit")
    ticks = person.browser.find_elements(By.CSS_SELECTOR, 'td input[type="checkbox"]')
    assert len(ticks) == 20
    assert all(tick.is_selected() for tick in ticks)
    person.click(f"{person.row('bulk 03')} input[type='checkbox']")
    assert not person.see("#all-that-fit").is_selected()
    person.click("#all-that-fit")
    person.submit('#bulk button[value="disable"]')
    person.see(".page-title", "Disable 25 tasks?")
    person.see(".hit", "bulk 19")
    person.submit("#do")
    person.see(".alert-success", "25 tasks were disabled.")
    assert "tag=bulk" in person.browser.current_url
    person.click(".chip")
    person.see("#tasks")
    assert "tag=" not in person.browser.current_url
    delete_all(person, "bulk")


def test_a_file_is_compared_and_applied(person: Person, tmp_path: Path) -> None:
    text = many("compared", 2)
    import_file(person, tmp_path, text)
    person.submit("#apply")
    person.see(".alert-success", "2 tasks were created")
    import_file(person, tmp_path, text.replace("'true'", "'false'", 1))
    person.see('[data-count="changed"]', "1")
    person.see("#changed del", "true")
    person.see("#changed ins", "false")
    person.submit("#apply")
    person.see(".alert-success", "1 was changed")
    import_file(person, tmp_path, "tasks:\n  - name: wrong\n    spec: never\n    command: x\n")
    person.see("#mistakes", "3")
    assert not person.sees("#apply")
    delete_all(person, "compared")


def test_the_list_fits_a_phone_and_its_menus_open(person: Person, tmp_path: Path) -> None:
    long = "w" * 128
    import_file(
        person, tmp_path, f"tasks:\n  - {{name: {long}, spec: '@yearly', command: {long * 9}}}\n"
    )
    person.submit("#apply")
    emulate = person.browser.execute_cdp_cmd
    emulate("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        for path in ("/tasks/?search=www", "/tasks/import/", "/tasks/bulk/?action=tag&all=1"):
            person.open(path)
            width = person.browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 375, path
        person.open("/tasks/?search=www")
        person.click(f"{person.row(long)} details.menu summary")
        person.see(f"{person.row(long)} .menu-body", "Delete")
        assert person.browser.execute_script("return document.documentElement.scrollWidth") <= 375
    finally:
        emulate("Emulation.clearDeviceMetricsOverride", {})
    person.open("/tasks/?search=www")
    person.click(f"{person.row(long)} details.menu summary")
    person.submit(f"{person.row(long)} .menu-body a[title='Delete …']")
    person.submit("#delete")
