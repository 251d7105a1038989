"""Logging in, and one's own password. The form of a task is in ``task_form``."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf.i18n import translations
from wtforms import Form, PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length, Regexp

from gocron.db.users import SHORTEST_PASSWORD

NO_NUL = Regexp(r"^[^\0]*\Z")
LONGEST_PASSWORD = Length(max=1024)
AT_LEAST = _("At least %(number)s characters.", number=SHORTEST_PASSWORD)


class PanelForm(Form):
    """WTForms says what is wrong in the language of the page."""

    class Meta:
        """For WTForms."""

        def get_translations(self, form: Form) -> Any:
            """Those of the request."""
            return translations


def new_password(label: Any) -> PasswordField:
    """One that is to be somebody's from now on; the form calls it ``new``."""
    longer = Length(min=SHORTEST_PASSWORD, message=AT_LEAST)
    rules = [InputRequired(), longer, LONGEST_PASSWORD, NO_NUL]
    return PasswordField(label, rules, description=AT_LEAST)


def once_more(label: Any) -> PasswordField:
    """The same as ``new``, typed again."""
    return PasswordField(label, [EqualTo("new", _("This is not the same as above."))])


class LoginForm(PanelForm):
    """Name and password."""

    username = StringField(_("Name"), [InputRequired(), Length(max=64), NO_NUL])
    password = PasswordField(_("Password"), [InputRequired(), LONGEST_PASSWORD, NO_NUL])


class PasswordForm(PanelForm):
    """The old password, and the new one twice."""

    old = PasswordField(_("Current password"), [InputRequired(), LONGEST_PASSWORD, NO_NUL])
    new = new_password(_("New password"))
    again = once_more(_("New password, again"))
