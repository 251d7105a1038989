"""Flask-SQLAlchemy over the engine that the web process already has.

Flask-Admin reads lists of tasks through its session. Whoever calls a service of ``gocron.db``
closes that session first (``release``): a thread holds one connection at a time, so the pool of
the process cannot be exhausted by threads that wait for a second one.
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine

from gocron.db.models import Base


class PanelDatabase(SQLAlchemy):
    """The models of gocron, and a session a request; Flask-SQLAlchemy ends it with the request."""

    def __init__(self, app: Flask, engine: Engine) -> None:
        self._shared_engine = engine
        super().__init__(app, model_class=Base, session_options={"autoflush": False})

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        """No second pool beside that of the services."""
        return self._shared_engine

    def release(self) -> None:
        """Give the connection back; what was loaded stays readable."""
        self.session.close()
