"""Logging in, and one's own password. The form of a task is in ``task_form``."""

from __future__ import annotations

from wtforms import Form, PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length, Regexp

from gocron.db.users import SHORTEST_PASSWORD

NO_NUL = Regexp(r"^[^\0]*\Z")
LONGEST_PASSWORD = Length(max=1024)


class LoginForm(Form):
    """Name and password."""

    username = StringField("Name", [InputRequired(), Length(max=64), NO_NUL])
    password = PasswordField("Password", [InputRequired(), LONGEST_PASSWORD, NO_NUL])


class PasswordForm(Form):
    """The old password, and the new one twice."""

    old = PasswordField("Current password", [InputRequired(), LONGEST_PASSWORD, NO_NUL])
    new = PasswordField(
        "New password",
        [
            InputRequired(),
            Length(min=SHORTEST_PASSWORD, message=f"At least {SHORTEST_PASSWORD} characters."),
            LONGEST_PASSWORD,
            NO_NUL,
        ],
        description=f"At least {SHORTEST_PASSWORD} characters.",
    )
    again = PasswordField("New password, again", [EqualTo("new", "This is not the same as above.")])
