"""Whether a node is installed, and the files that say so. Everybody above ``config`` may import it.

A node is installed as soon as it has been told its database: by ``GOCRON_DB_*``, by ``db.*`` in
``conf/app.ini``, or because the SQLite file of an earlier start is there. Otherwise ``gocron web``
opens the install wizard, which writes

    conf/app.ini        the settings; what else stood in it stays
    conf/.version       the version that installed
    conf/install.lock   when; while it is there no wizard opens, whatever happens to app.ini

``app.ini`` is what counts, and is put in place first: whatever happens after it, the node is
installed, and whatever happens before it, the node is not.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import gocron
from gocron.config import KEYS, Loaded
from gocron.config_sources import SECTION
from gocron.errors import Conflict, HomeNotWritable, IdentityTaken, InvalidSetting

TOKEN_BYTES = 18


@dataclass(frozen=True)
class Files:
    """Where they are."""

    home: Path

    @property
    def folder(self) -> Path:
        """What can be copied to another node."""
        return self.home / "conf"

    @property
    def settings(self) -> Path:
        """``app.ini``."""
        return self.folder / "app.ini"

    @property
    def lock(self) -> Path:
        """Marks the installation as complete."""
        return self.folder / "install.lock"

    @property
    def version(self) -> Path:
        """Which version installed."""
        return self.folder / ".version"

    @property
    def token(self) -> Path:
        """Only while the wizard is open."""
        return self.folder / "install.token"


def is_installed(loaded: Loaded) -> bool:
    """Whether there is nothing to ask. Raises ``InvalidSetting`` if it was installed once and what
    it was told is lost: a wizard that opens again by itself would be an open door."""
    settings, files = loaded.settings, Files(loaded.settings.home)
    if any(name.startswith("db.") for name in loaded.given) or settings.sqlite_path.exists():
        return True
    if files.lock.exists():
        raise InvalidSetting(
            f"{files.lock} says that this node is installed, but {files.settings} names no "
            f"database. Bring {files.settings.name} back from a backup or from another node, or "
            f"remove {files.lock} to install anew"
        )
    return False


class Token:
    """The one-time token, for as long as the wizard is open. The file is locked, so that of two
    nodes that are started in one home only one can be installed."""

    def __init__(self, home: Path) -> None:
        """Raises ``IdentityTaken`` if somebody else holds it."""
        self._path = Files(home).token
        self.text = secrets.token_urlsafe(TOKEN_BYTES)
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeNotWritable(f"{self._path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise IdentityTaken(
                f"another gocron in {home} is waiting to be installed: go on with that one, or "
                "give this one a home of its own: GOCRON_HOME"
            ) from None
        os.fchmod(self._file, 0o600)
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{self.text}\n".encode())

    def spend(self) -> None:
        """It is worth nothing any more."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def forget_token(home: Path) -> None:
    """Of a wizard that was killed."""
    Files(home).token.unlink(missing_ok=True)


def merged(text: str, values: Mapping[str, str]) -> str:
    """An ``app.ini`` with ``values`` (by name of the setting) in it; other lines stay as they are.

    Raises ``InvalidSetting`` for a value that a line cannot hold.
    """
    keys = {KEYS[name][0]: value for name, value in values.items()}
    for key, value in keys.items():
        if not value.isprintable():
            raise InvalidSetting(f"{key}: a line of app.ini cannot hold this")
    kept, dropping = [], False
    for line in text.lstrip("\ufeff").splitlines():
        continued = line[:1].isspace() and bool(line.strip())
        dropping = dropping if continued else _key_of(line) in keys
        if not dropping and line.strip() != f"[{SECTION}]":
            kept.append(line)
    written = [f"{key} = {value}".rstrip() for key, value in keys.items()]
    return "\n".join([f"[{SECTION}]", *written, *kept]).rstrip() + "\n"


def _key_of(line: str) -> str:
    return re.split(r"[=:]", line, maxsplit=1)[0].strip().lower()


def write(home: Path, text: str) -> None:
    """Put the three files in place: all that can fail comes before the first of them is.

    Raises ``Conflict`` if the node has been installed meanwhile, ``OSError`` if the disk refuses;
    then everything is as before.
    """
    files = Files(home)
    if files.lock.exists():
        raise Conflict(f"this node is installed already: {files.lock}")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    contents = {
        files.settings: text,
        files.version: f"{gocron.__version__}\n",
        files.lock: f"installed {now} by gocron {gocron.__version__}\n",
    }
    with suppress(PermissionError):  # somebody else's folder: what is in it is 0600 all the same
        files.folder.chmod(0o700)
    try:
        for path, content in contents.items():
            _write_draft(_draft(path), content)
        for path in contents:
            os.replace(_draft(path), path)
            _flush_folder(files.folder)
    finally:
        discard_drafts(home)


def discard_drafts(home: Path) -> None:
    """What a process that was killed while it wrote has left behind."""
    files = Files(home)
    for path in (files.settings, files.version, files.lock):
        _draft(path).unlink(missing_ok=True)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _write_draft(path: Path, text: str) -> None:
    """Readable for nobody else from the first moment on, and on the disk afterwards."""
    path.unlink(missing_ok=True)  # a link would lead elsewhere
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
