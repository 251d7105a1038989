"""Where settings come from, and how a wrong one is explained. Only ``config`` imports this."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from configparser import Error as IniError
from configparser import RawConfigParser
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from gocron.allowed import allowed, found, meant
from gocron.config_keys import DEFAULT, ENVIRONMENT, KEYS, SECRETS, Given, Raw
from gocron.errors import InvalidSetting

SECTION = "default"

UNUSED_KEYS = frozenset(
    {"api.key", "api.secret", "api.sign.enable", "enable_tls"}
    | {"ca_file", "cert_file", "key_file"}
)
"""Keys of gocron (Go) that a copied app.ini may hold and that have no effect here."""

NO_SETTINGS = frozenset(
    {"HOME", "USER_PASSWORD"}
    | {"TASK_ID", "TASK_NAME", "RUN_ID", "SCHEDULED_AT", "ATTEMPT", "NODE", "TERM"}
    | {"PARENT_RUN_ID", "PARENT_TASK_NAME", "PARENT_STATE"}
)
"""GOCRON_* that are none: the home itself, what a command line is given, what tasks are given."""

KUBERNETES = (
    (re.compile(r"\w*PORT(_\d+_(TCP|UDP|SCTP))?"), re.compile(r"(tcp|udp|sctp)://.*")),
    (re.compile(r"\w*SERVICE_HOST|\w*PORT_\d+_(TCP|UDP|SCTP)_ADDR"), re.compile(r"[\w.:-]+")),
    (re.compile(r"\w*SERVICE_PORT(_\w+)?|\w*PORT_\d+_(TCP|UDP|SCTP)_PORT"), re.compile(r"\d+")),
    (re.compile(r"\w*PORT_\d+_(TCP|UDP|SCTP)_PROTO"), re.compile(r"tcp|udp|sctp")),
)
"""Names behind GOCRON_ and values that Kubernetes sets for services that are called gocron or
gocron-something: ``GOCRON_WEB_PORT=tcp://10.0.0.7:80`` is its, ``GOCRON_WEB_PORT=80`` is ours."""


class Contradiction(ValueError):
    """Two settings that are right on their own and wrong together."""

    def __init__(self, first: str, words: str, second: str, advice: str) -> None:
        super().__init__(f"{first} {words} {second}; {advice}")
        self.first, self.words, self.second, self.advice = first, words, second, advice


class Mistakes:
    """What is wrong with the settings; all of it is told at once."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        """One more."""
        self._lines.append(line)

    def refuse(self) -> None:
        """Raise ``InvalidSetting`` if there are any."""
        if len(self._lines) == 1:
            raise InvalidSetting(self._lines[0])
        if self._lines:
            many = f"{len(self._lines)} settings are wrong:"
            raise InvalidSetting("\n  ".join([many, *self._lines]))


def read_file(path: Path, mistakes: Mistakes) -> Raw:
    """The settings in ``app.ini``; an absent file is an empty one.

    A raw parser, because a ``%`` in a password is just a character.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError as error:
        raise InvalidSetting(
            f"{path} is not UTF-8: byte {error.start + 1} cannot be read; save it as UTF-8"
        ) from error
    except OSError as error:
        raise InvalidSetting(
            f"{path} cannot be read: {error.strerror}; it belongs to the user that runs gocron"
        ) from error
    parser = RawConfigParser(default_section="", strict=True)
    try:
        parser.read_string(text, source=str(path))
    except IniError as error:
        words = re.sub(r"\s+", " ", str(error))
        raise InvalidSetting(
            f"{path} is not an ini file ({words}); it has one section, [{SECTION}], and lines "
            "like: db.engine = postgres"
        ) from error
    by_key = {key: name for name, (key, _variable) in KEYS.items()}
    raw: Raw = {}
    for section in parser.sections():
        if section != SECTION:
            mistakes.add(f"{path}: unknown section [{section}]; all keys stand in [{SECTION}]")
            continue
        for key, value in parser.items(section):
            place = f"{path}, line {_line_of(key, text)}"
            if key in by_key:
                raw[by_key[key]] = Given(key, value, place)
            elif key not in UNUSED_KEYS:
                mistakes.add(f"{place}: unknown key {key}{_hint(key, by_key)}")
    return raw


def _line_of(key: str, text: str) -> int:
    for number, line in enumerate(text.splitlines(), start=1):
        if re.split(r"[=:]", line, maxsplit=1)[0].strip().lower() == key:
            return number
    return 0


def read_environment(env: Mapping[str, str], mistakes: Mistakes) -> Raw:
    """The settings in ``GOCRON_*``. An unknown name is refused, because it was meant to matter."""
    by_variable = {variable: name for name, (_key, variable) in KEYS.items()}
    raw: Raw = {}
    for variable, value in env.items():
        if not variable.startswith("GOCRON_") or _is_foreign(variable, value):
            continue
        if variable in by_variable:
            raw[by_variable[variable]] = Given(variable, value, ENVIRONMENT)
        else:
            hint = _hint(variable, by_variable)
            mistakes.add(f"{variable} ({ENVIRONMENT}): there is no such setting{hint}")
    return raw


def _is_foreign(variable: str, value: str) -> bool:
    """Whether it is no setting of ours, whatever it is called."""
    name = variable.removeprefix("GOCRON_")
    return name in NO_SETTINGS or any(
        names.fullmatch(name) and values.fullmatch(value) for names, values in KUBERNETES
    )


def _hint(word: str, known: Iterable[str]) -> str:
    """The name that was probably meant; what all names begin with does not make them alike."""
    prefix = "GOCRON_" if word.startswith("GOCRON_") else ""
    close = meant(word.removeprefix(prefix), [name.removeprefix(prefix) for name in known])
    if prefix:
        close = re.sub(r"\b([A-Z][A-Z_]+)\b", rf"{prefix}\1", close)
    return close or "; `gocron check` shows all settings"


def without_empty(raw: Raw) -> Raw:
    """Empty means not set, which is how containers are told nothing; but not for secrets."""
    return {
        name: given if name in SECRETS else Given(given.label, given.text.strip(), given.place)
        for name, given in raw.items()
        if name in SECRETS or given.text.strip()
    }


def open_to_others(path: Path, raw: Raw) -> str | None:
    """A warning if the file at ``path`` holds a secret that everybody on this host may read."""
    secret = next((raw[name].label for name in sorted(SECRETS & raw.keys()) if raw[name].text), "")
    if secret and path.stat().st_mode & 0o004:
        return f"{path} holds {secret} and can be read by every user of this host: chmod 600 {path}"
    return None


def explain(
    error: ValidationError, fields: Mapping[str, FieldInfo], raw: Raw, mistakes: Mistakes
) -> None:
    """One line a problem: what it is called, its value, where it stands, what is allowed."""
    for problem in error.errors():
        reason = (problem.get("ctx") or {}).get("error")
        if isinstance(reason, Contradiction):
            mistakes.add(
                f"{_shown(reason.first, fields, raw)} {reason.words} "
                f"{_shown(reason.second, fields, raw)}; {reason.advice}"
            )
            continue
        name = ".".join(str(part) for part in problem["loc"])
        name = next((known for known in KEYS if f"{name}.".startswith(f"{known}.")), name)
        rule = str(reason) if reason else f"must be {allowed(fields[name])}"
        mistakes.add(f"{_shown(name, fields, raw)}: {rule}{_close_choice(name, fields, raw)}")


def _shown(name: str, fields: Mapping[str, FieldInfo], raw: Raw) -> str:
    """``GOCRON_DB_PORT = 'abc' (environment)``."""
    if name not in raw:
        default = fields[name].default
        shown = f"{default:g}" if isinstance(default, float) else found(default)
        return f"{KEYS[name][1]} = {shown} ({DEFAULT})"
    given = raw[name]
    hidden = "(hidden)" if given.text else "(empty)"
    return f"{given.label} = {hidden if name in SECRETS else found(given.text)} ({given.place})"


def _close_choice(name: str, fields: Mapping[str, FieldInfo], raw: Raw) -> str:
    choices: list[Any] = [word for word in get_args(fields[name].annotation) if word is not None]
    if name not in raw or not all(isinstance(word, str) for word in choices):
        return ""
    return meant(raw[name].text, choices, most=1)
