"""The panel in several languages: which one a request is answered in, and the words for scripts.

The words themselves stand in the code in English, marked with ``_``; ``translations/`` has them in
the other languages (``scripts/translations.sh`` collects and compiles). Somebody's choice is kept
with the account and, so that pages without a database know it too, in the session.
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask, request, session
from flask_babel import Babel, get_locale
from flask_babel import gettext as _

from gocron.context import Context

LANGUAGES = {"en": "English", "zh-CN": "简体中文"}
"""As in ``app.lang``, each in its own words."""

LOCALES = {"en": "en", "zh-CN": "zh_Hans_CN"}
"""What Babel calls them."""

CHOICE = "language"


def install(app: Flask, context: Context) -> None:
    """Choose the language of every answer."""
    install_for(app, context.settings.app_lang)


def install_for(app: Flask, usual: str) -> None:
    """The same where there is no database; ``usual``: the setting ``app.lang``."""

    def chosen() -> str:
        return LOCALES[language_of_request(usual)]

    Babel(
        app,
        default_translation_directories=str(Path(__file__).parent / "translations"),
        locale_selector=chosen,
    )
    app.jinja_env.globals.update(
        languages=LANGUAGES, language=language, words_for_scripts=words_for_scripts
    )


def language_of_request(usual: str) -> str:
    """What somebody has chosen; else what the installation says; else what the browser prefers."""
    asked = session.get(CHOICE, "") or usual
    if asked in LANGUAGES:
        return str(asked)
    for wanted in request.accept_languages.values():
        if wanted.lower().startswith("zh"):
            return "zh-CN"
        if wanted.lower().startswith("en"):
            return "en"
    return "en"


def language() -> str:
    """Of this answer, for ``<html lang>``."""
    locale = get_locale()
    return "zh-CN" if locale is not None and locale.language == "zh" else "en"


def choose(language: str) -> None:
    """From the next page on; an unknown one means the browser's."""
    session[CHOICE] = language if language in LANGUAGES else ""


def words_for_scripts() -> dict[str, str]:
    """What scripts say, in the language of the page."""
    return {
        "leads": _("%(node)s leads"),
        "no_leader": _("no leader"),
        "term": _("term %(term)s"),
        "lease": _("lease renewed %(age)s s ago"),
        "no_answer": _("This node does not answer. Trying again …"),
        "no_database": _("The database cannot be reached. Trying again …"),
        "logged_out": _("You are logged out. Log in again in another tab, then go on here."),
        "log_in": _("Log in"),
        "back": _("Everything answers again."),
        "not_sent": _("Nothing was sent: what you typed is still here."),
        "paused": _("Everything is paused: %(reason)s"),
        "live": _("live"),
        "trying": _("no answer, trying again"),
    }
