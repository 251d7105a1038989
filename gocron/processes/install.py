"""The process of a node that is not installed yet: the wizard, on the socket that the parent bound.

It has no database connection: ``setting_up`` is a process of its own. When the files are written it
ends, and the parent goes on with the node.
"""

from __future__ import annotations

import hmac
import logging
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from socket import socket

from gocron import installation
from gocron.clock import boottime
from gocron.config import Loaded
from gocron.config_keys import COMMAND_LINE, ENVIRONMENT
from gocron.core.installing import Administrator, Admission, Found, Reason, Refused, SetUp
from gocron.core.tries import Tries
from gocron.errors import Conflict, InvalidSetting
from gocron.installation import Files
from gocron.processes import setting_up
from gocron.processes.base import Channel, Links, ParentGone, configure_logs
from gocron.processes.web import import_panel, serve
from gocron.web.install import create_install_app

log = logging.getLogger("gocron.install")

ANSWERS_TAKE_S = 0.5
"""After the answer has been handed over to be sent."""

LEAVE_ANYWAY_S = 10.0


@dataclass(frozen=True)
class Open:
    """What the process is given by the parent."""

    loaded: Loaded
    token: str
    secret: str
    """Signs the session, which holds nothing but the language."""
    sockets: tuple[socket, ...]


def run(links: Links, given: Open) -> int:
    """The process; its exit code says nothing: whether the node is installed say the files."""
    settings = given.loaded.settings
    configure_logs(settings)
    try:
        channel = Channel(links, "install", death_signal=signal.SIGKILL)
        app = create_install_app(settings, given.secret)
        import_panel().install_wizard(app, NodeWizard(given.loaded, given.token), settings)
        serve(channel, app, given.sockets, settings.web_threads)
    except ParentGone:
        return 0
    return 0


class NodeWizard:
    """What the page of the wizard does; see ``core.installing.Wizard``."""

    def __init__(self, loaded: Loaded, token: str) -> None:
        self.installed = False
        self._loaded = loaded
        self._token = token
        self._tries = Tries()
        self._counting = threading.Lock()
        self._installing = threading.Lock()

    def initial(self, name: str) -> str:
        """What a setting is before anybody types, if anything was given for it."""
        given = self._loaded.given.get(name)
        return given.text if given else ""

    def fixed_by(self, name: str) -> str:
        """The variable that decides about a setting, whatever is typed; empty if there is none."""
        given = self._loaded.given.get(name)
        return given.label if given and given.place in (ENVIRONMENT, COMMAND_LINE) else ""

    def admit(self, token: str, address: str) -> Admission:
        """Whether whoever sent this may go on."""
        with self._counting:
            if not self._tries.may_try(address, boottime()):
                return Admission.TOO_OFTEN
            if hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
                return Admission.ADMITTED
            self._tries.was_wrong(address, boottime())
        log.warning("a wrong installation token from %s", address)
        return Admission.WRONG

    def look(self, typed: Mapping[str, str]) -> Found | Refused:
        """Try the database; changes nothing."""
        return setting_up.look(self._loaded.settings.home, self._with_given(typed))

    def install(self, typed: Mapping[str, str], first: Administrator | None) -> SetUp | Refused:
        """Set the database up and write the files. Of several at once one wins."""
        if not self._installing.acquire(blocking=False):
            return Refused(Reason.BUSY)
        try:
            if self.installed:
                return Refused(Reason.INSTALLED)
            return self._install(typed, first)
        finally:
            self._installing.release()

    def _install(self, typed: Mapping[str, str], first: Administrator | None) -> SetUp | Refused:
        home = self._loaded.settings.home
        file = Files(home).settings
        written = {name: text for name, text in typed.items() if not self.fixed_by(name)}
        try:
            before = file.read_text(encoding="utf-8-sig") if file.exists() else ""
            text = installation.merged(before, written)
        except (InvalidSetting, OSError) as error:
            return Refused(Reason.SETTING, str(error))
        answer = setting_up.set_up(home, self._with_given(typed), first)
        if isinstance(answer, Refused):
            log.warning("the installation was refused: %s %s", answer.reason, answer.detail)
            return answer
        try:
            installation.write(home, text)
        except Conflict as error:
            return Refused(Reason.INSTALLED, str(error))
        except OSError as error:
            return Refused(Reason.FOLDER, f"{error.filename or home}: {error.strerror}")
        self.installed = True
        log.info("installed: %s and %s are written", file, Files(home).lock)
        _end_after(LEAVE_ANYWAY_S)
        return answer

    def leave(self) -> None:
        """Make room for the node, once what is being answered has been sent."""
        _end_after(ANSWERS_TAKE_S)

    def _with_given(self, typed: Mapping[str, str]) -> dict[str, str]:
        """With what file, environment and command line say; the latter two win."""
        given = {name: given.text for name, given in self._loaded.given.items()}
        return given | {name: text for name, text in typed.items() if not self.fixed_by(name)}


def _end_after(delay_s: float) -> None:
    timer = threading.Timer(delay_s, os._exit, (0,))
    timer.daemon = True
    timer.start()
