"""Verbs for tasks, runs and users."""

from __future__ import annotations

import click

COMMANDS: tuple[click.Command, ...] = ()
