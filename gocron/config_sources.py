"""Where settings come from, and how a wrong one is explained. Only ``config`` imports this."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from configparser import Error as IniError
from configparser import RawConfigParser
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from gocron.config import KEYS, Raw
from gocron.errors import InvalidSetting

T = TypeVar("T")

UNUSED_KEYS = frozenset(
    {"api.key", "api.secret", "api.sign.enable", "app.lang", "enable_tls"}
    | {"ca_file", "cert_file", "key_file"}
)
"""Keys of gocron (Go) that a copied app.ini may hold and that have no effect here."""

FOREIGN = re.compile(
    r"GOCRON_(HOME|SECRET_KEY|TASK_ID|TASK_NAME|RUN_ID|SCHEDULED_AT|ATTEMPT|NODE|TERM"
    r"|(\w+_)?SERVICE_(HOST|PORT\w*)|(\w+_)?PORT(_\d+_\w+)?)"
)
"""Not settings: the home itself, what tasks are given, and what Kubernetes sets for a service
that is called gocron."""

SECRET_SETTINGS = ("password", "secret", "token")


def read_file(path: Path) -> Raw:
    """The settings in ``app.ini``; an absent file is an empty one.

    A raw parser, because a ``%`` in a password is just a character.
    """
    parser = RawConfigParser()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{path} cannot be read: {error}") from error
    try:
        parser.read_string(text, source=str(path))
    except IniError as error:
        raise InvalidSetting(f"{path} is not an ini file: {error}") from error
    by_key = {key: name for name, (key, _env) in KEYS.items()}
    raw: Raw = {}
    for section in parser.sections():
        if section != "default":
            raise InvalidSetting(f"{path}: unknown section [{section}]; all keys are in [default]")
        for key, value in parser.items(section):
            if key in by_key:
                raw[by_key[key]] = (value, f"{path}, {key}")
            elif key not in UNUSED_KEYS:
                raise InvalidSetting(f"{path}: unknown key {key}{_meant(key, by_key)}")
    return raw


def read_environment(env: Mapping[str, str]) -> Raw:
    """The settings in ``GOCRON_*``. An unknown name is refused, because it was meant to matter."""
    by_variable = {variable: name for name, (_key, variable) in KEYS.items()}
    raw: Raw = {}
    for variable, value in env.items():
        if not variable.startswith("GOCRON_"):
            continue
        if variable in by_variable:
            raw[by_variable[variable]] = (value, f"the environment, {variable}")
        elif not FOREIGN.fullmatch(variable):
            raise InvalidSetting(
                f"unknown environment variable {variable}{_meant(variable, by_variable)}"
            )
    return raw


def _meant(word: str, known: Mapping[str, str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else "; `gocron check` lists all settings"


def explain(make: Callable[[], T], raw: Raw) -> T:
    """Call ``make``; a validation error becomes one line a problem: key, value, source, rule."""
    try:
        return make()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"])
            rule = problem["msg"].removeprefix("Value error, ")
            if name not in raw:
                lines.append(rule)
                continue
            text, source = raw[name]
            shown = "(hidden)" if any(word in name for word in SECRET_SETTINGS) else repr(text)
            lines.append(f"{name} = {shown} (from {source}): {rule}")
        raise InvalidSetting("\n".join(lines)) from None
