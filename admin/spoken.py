"""What the core and the database layer say, in the language of the page."""

from __future__ import annotations

from flask_babel import gettext, ngettext

from gocron.core.reasons import recognised
from gocron.sayings import Saying, said


def spoken(text: Exception | str) -> str:
    """A message or an error; what is no ``Saying`` stays as it is."""
    if isinstance(text, Exception):
        text = said(text)
    if not isinstance(text, Saying):
        return text
    values = {
        name: spoken(value) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    if text.plural:
        return str(ngettext(text.template, text.plural, **values))
    return str(gettext(text.template, **values))


def stored(text: str) -> str:
    """A reason as the database has it, which is English whoever reads it. In templates it is the
    filter ``spoken``."""
    return spoken(text if isinstance(text, Saying) else recognised(text))


def sentence(text: Exception | str) -> str:
    """``spoken``, beginning with a capital letter."""
    words = spoken(text)
    return words[:1].upper() + words[1:]
