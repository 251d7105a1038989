"""The web process: Flask under waitress, on the socket that the parent bound.

It reads and writes the database and the board, and never talks to the scheduler: what it changes
holds because the scheduler reads it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from socket import socket
from types import ModuleType

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from waitress import create_server

import gocron
from gocron.context import Context
from gocron.core.protocol import Ready
from gocron.db.engine import Database, describe
from gocron.db.settings import shared_secret
from gocron.processes.base import Channel, Links, ParentGone, Shared, configure_logs
from gocron.web.app import create_app
from gocron.web.lanes import Lanes

log = logging.getLogger("gocron.web")

CONNECTIONS = 1000
"""Browsers keep theirs open; whoever comes after this many, a probe included, has to wait."""


def run(links: Links, shared: Shared) -> int:
    """The web process; its exit code."""
    configure_logs(shared.settings)
    try:
        channel = Channel(links, "web", death_signal=signal.SIGKILL)
        serve(channel, build(shared), shared.sockets, shared.settings.web_threads)
    except ParentGone:
        return 0
    return 0


def serve(channel: Channel, app: Flask, sockets: Iterable[socket], threads: int) -> None:
    """Answer requests until the end of the process."""
    server = create_server(
        app,
        sockets=list(sockets),
        _dispatcher=Lanes(threads),
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,  # select() ends at descriptor 1023
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    watcher = threading.Thread(target=_watch, args=(channel,), daemon=True)
    watcher.start()
    channel.tell(Ready())
    server.run()


def build(shared: Shared) -> Flask:
    """The application with the panel in it."""
    panel = import_panel()
    settings = shared.settings
    database = Database(settings, size=settings.web_threads + 2, silence_s=10.0)
    secret = settings.auth_secret
    context = Context(settings, shared.identity, database, shared.board)
    app = create_app(context, secret.get_secret_value() if secret else _wait_for_secret(database))
    panel.install(app, context)
    return app


def _wait_for_secret(database: Database) -> str:
    """The shared secret is in the database; a web process that starts during an outage waits."""
    while True:
        try:
            return shared_secret(database)
        except (SQLAlchemyError, OSError) as error:
            log.error("waiting for the database: %s", describe(error))
            time.sleep(1.0)


def import_panel() -> ModuleType:
    """``admin`` is a common name: make sure that it is ours."""
    import admin

    ours = Path(gocron.__file__).parent.parent
    found = Path(admin.__file__ or "").parent.parent
    if not hasattr(admin, "install"):
        raise ImportError(
            f"the package 'admin' in {found} is not gocron's (expected in {ours}): "
            "install gocron into a virtual environment of its own"
        )
    return admin


def _watch(channel: Channel) -> None:
    """Signals and lifeline, beside waitress' own loop."""
    while True:
        try:
            signals = channel.wait(60.0)
        except ParentGone:
            os._exit(0)
        if signals & {signal.SIGTERM, signal.SIGQUIT}:
            # Requests that are being answered get a moment; new ones find another node.
            time.sleep(0.2)
            os._exit(0)
