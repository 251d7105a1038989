"""The panel: Flask-Admin over gocron's services.

``install`` is the only entry; ``gocron.processes.web`` is the only caller.
"""

from __future__ import annotations

from flask import Flask

from gocron.web.app import Context


def install(app: Flask, context: Context) -> None:
    """Add the panel to the application."""
