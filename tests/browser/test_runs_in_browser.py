"""What only a browser shows of runs: output that follows and stops following, finding in it, lists
and figures that change by themselves."""

from __future__ import annotations

import pytest

from tests.browser.person import Person

LINES = 'n=0; while [ $n -lt 100000 ]; do n=$((n + 1)); echo "line $n of many"; sleep 0.02; done'


def run_now(person: Person, name: str) -> None:
    person.open(f"/tasks/?search={name.replace(' ', '+')}")
    person.submit(f'{person.row(name)} button[title="Run now"]')


def at_end(person: Person) -> bool:
    script = (
        "const o = document.getElementById('output'), below = o.scrollHeight - o.clientHeight;"
        "return below > 0 && below - o.scrollTop < 24"
    )
    return bool(person.browser.execute_script(script))


def count(person: Person, selector: str) -> int:
    return len(person.browser.find_elements("css selector", selector))


@pytest.fixture
def lines(person: Person):
    """A run that prints and prints; stopped at the end."""
    person.create_task(
        "many lines", "@yearly", f"printf '\\033[31mred\\033[0m <b>bold</b>\\n'; {LINES}"
    )
    run_now(person, "many lines")
    person.see("#state", "running")
    yield person
    person.submit("#stop button")
    person.see("#state", "cancelled")
    person.open("/tasks/?search=many+lines")
    person.click(f"{person.row('many lines')} details.menu summary")
    person.submit(f'{person.row("many lines")} a[title="Delete …"]')
    person.submit("#delete")


def test_live_output_follows_its_end_until_somebody_scrolls_up(lines: Person) -> None:
    person = lines
    person.wait(lambda: at_end(person), "the end is followed")
    assert person.see("#output .ansi-text-1").text == "red"
    assert not person.browser.find_elements("css selector", "#output b")
    person.browser.execute_script("document.getElementById('output').scrollTop = 0")
    person.wait(lambda: person.see("#follow").get_attribute("aria-pressed") == "false", "stopped")
    length = len(person.see("#output").text)
    person.wait(lambda: len(person.see("#output").text) > length, "more has come")
    assert person.browser.execute_script("return document.getElementById('output').scrollTop") == 0
    person.click("#to-end")
    person.wait(lambda: person.see("#follow").get_attribute("aria-pressed") == "true", "again")
    person.wait(lambda: at_end(person), "the end is followed again")
    person.type("find", "line 3 OF")
    person.see("#found", "1 of 1")
    person.type("find", "<b>bold</b>")
    person.see("#found", "1 of 1")
    person.type("find", "nothing like it")
    person.see("#found", "no match")
    person.click("#wrap")
    assert "unwrapped" in str(person.see("#output").get_attribute("class"))


def test_a_node_that_does_not_answer_is_told_and_the_output_goes_on_afterwards(
    lines: Person,
) -> None:
    person = lines
    person.see("#output", "line 5 of many")
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    person.browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    person.see("#away", "No answer")
    assert not person.sees("#live")
    kept = person.see("#output").text
    assert "line 5 of many" in kept
    back = offline | {"offline": False}
    person.browser.execute_cdp_cmd("Network.emulateNetworkConditions", back)
    person.see("#live", "live")
    assert not person.sees("#away")
    person.wait(lambda: len(person.see("#output").text) > len(kept), "more has come")
    numbers = [line.split()[1] for line in person.see("#output").text.splitlines()[1:-1]]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    person.browser.get_log("browser")  # that there was no network is all that it complains of


def test_the_list_and_the_first_page_change_by_themselves(person: Person) -> None:
    person.create_task("fails", "@yearly", "exit 3")
    run_now(person, "fails")
    person.see("#state", "failed")
    window = person.browser.current_window_handle
    person.open("/runs/?state=failures&task=fails")
    row = person.see(".run-table tbody tr")
    link = person.see(".run-table tbody a")
    person.browser.execute_script("arguments[0].focus()", link)
    person.browser.switch_to.new_window("tab")
    other = person.browser.current_window_handle
    person.open("/")
    person.see("#failures", "fails")
    failures = count(person, "#failures li")
    person.browser.execute_script("window.kept = document.getElementById('failures')")
    person.browser.switch_to.new_window("tab")
    run_now(person, "fails")
    person.see("#state", "failed")
    person.browser.close()
    person.browser.switch_to.window(other)
    person.wait(lambda: count(person, "#failures li") == failures + 1, "the new failure is shown")
    assert person.browser.execute_script(
        "return window.kept === document.getElementById('failures')"
    )
    person.browser.close()
    person.browser.switch_to.window(window)
    person.wait(lambda: count(person, ".run-table tbody tr") == 2, "the new run is listed")
    assert row.is_displayed()  # the same row as before, with the focus in it
    assert person.browser.execute_script("return arguments[0] === document.activeElement", link)
    person.click("label:has(#refresh)")
    assert not person.browser.execute_script("return document.getElementById('refresh').checked")
    person.open("/runs/")
    assert not person.browser.execute_script("return document.getElementById('refresh').checked")


def test_charts_are_drawn_anew_in_the_other_colours(person: Person) -> None:
    person.create_task("for a chart", "@yearly", "true")
    person.open("/")
    drawn = (
        "return [...document.querySelectorAll('canvas')]"
        ".map((canvas) => Chart.getChart(canvas).options.scales.y.grid.color)"
    )
    person.choose_theme("light")
    light = person.browser.execute_script(drawn)
    person.choose_theme("dark")
    dark = person.browser.execute_script(drawn)
    assert len(light) == len(dark) == 2
    assert light != dark
    person.choose_theme("auto")


@pytest.mark.parametrize("path", ["/", "/runs/"])
def test_pages_fit_a_phone(person: Person, path: str) -> None:
    size = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    person.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        person.open(path)
        assert person.browser.execute_script("return document.documentElement.scrollWidth") <= 375
    finally:
        person.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
