"""A second factor as people set it up and use it, in a real browser."""

from __future__ import annotations

import time

import pyotp

from tests.browser.person import Person
from tests.browser.test_accessibility import findings

PASSWORD = "a phone's password"


def test_a_second_factor_is_set_up_and_asked_for_at_the_next_login(person: Person) -> None:
    person.open("/users/new/")
    for field, text in (("username", "phone"), ("password", PASSWORD), ("again", PASSWORD)):
        person.type(field, text)
    person.submit("#save")
    person.forget_everything()
    person.log_in("phone", PASSWORD)

    person.open("/profile/")
    person.type("second-password", PASSWORD)
    person.submit("#second-begin")
    assert findings(person, []) == []
    width = "return document.querySelector('.qr').naturalWidth"
    assert person.browser.execute_script(width) > 100, "the picture is shown"
    app = pyotp.TOTP(person.see("#secret").text.replace(" ", ""))
    moment = time.time()
    person.type("code", app.at(int(moment)))
    person.submit("#confirm")
    assert len(person.see("#codes").text.split()) == 10
    assert findings(person, []) == []
    person.submit("#kept")
    person.see("#second-state", "in force")
    assert findings(person, []) == []

    person.forget_everything()
    person.open("/login?next=/runs/")
    person.type("username", "phone")
    person.type("password", PASSWORD)
    person.submit("form .btn-primary")
    assert person.path == "/login/code"
    assert findings(person, []) == []
    person.type("code", app.at(int(moment) + 30))  # the code of now is spent
    person.submit("form .btn-primary")
    person.see("#leader")
    assert person.path == "/runs/"
