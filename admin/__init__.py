"""The panel: Flask-Admin over gocron's services.

``install`` is the entry, and ``install_wizard`` that of a node that is not installed yet;
``gocron.processes.web`` and ``install`` are the only callers. Views read through the
database's query functions (lists of tasks through Flask-Admin's), and write only through
``gocron.db``: there cursor, revision and audit are kept right.

    auth.py           who is looking, and what they may do: the only place that knows roles
    views/            a file a page
    task_form.py      what can be typed in; what is valid says gocron.core.definition
    …_lines.py        what is typed as lines: parameters, dependencies, days
    relations.py      what belongs together and is shown together
    navigation.py     what the side bar shows
    presentation.py   times, durations, states in words and colours
    i18n.py           languages
    error_pages.py    answers to what went wrong
"""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Flask, Response, redirect, url_for
from flask_admin import Admin
from flask_admin.theme import Theme

from admin import auth, error_pages, i18n, presentation
from admin.database import PanelDatabase
from admin.views.account import account
from admin.views.audit import AuditView
from admin.views.calendars import CalendarsView
from admin.views.groups import GroupsView
from admin.views.install import install_page
from admin.views.live import live
from admin.views.nodes import NodesView
from admin.views.pauses import PausesView
from admin.views.profile import ProfileView
from admin.views.runs import RunsView
from admin.views.second_factor import second_factor
from admin.views.settings import SettingsView
from admin.views.start import StartView
from admin.views.task_import import LARGEST_FORM
from admin.views.tasks import TaskView
from admin.views.users import UsersView
from gocron.config import Settings
from gocron.context import Context
from gocron.core.installing import Wizard

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",  # the signs that Tabler's style sheet carries inside itself
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Neither scripts nor styles inside a page: what a task prints or is called can do nothing."""

STATIC_FILES_LAST = timedelta(days=365)
"""Their addresses carry a hash of their content."""


def install(app: Flask, context: Context) -> None:
    """Add the panel to the application."""
    _add_files(app)
    auth.install(app)
    i18n.install(app, context)
    presentation.install(app, context)
    error_pages.install(app)
    app.register_blueprint(account)
    app.register_blueprint(live)
    app.register_blueprint(second_factor)
    _add_views(app, PanelDatabase(app, context.database.engine))
    app.after_request(_protect)


def install_wizard(app: Flask, wizard: Wizard, settings: Settings) -> None:
    """Add the install wizard to an application that has no database, and nothing else."""
    _add_files(app)
    i18n.install_for(app, settings.app_lang)
    app.jinja_env.globals.update(app_name=settings.app_name, asset=presentation.asset_urls())
    install_page(app, wizard)
    app.after_request(_protect)


def _add_files(app: Flask) -> None:
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = STATIC_FILES_LAST
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_FORM
    app.register_blueprint(
        Blueprint(
            "panel", __name__, template_folder="templates", static_folder="static",
            static_url_path="/static",
        )
    )  # fmt: skip
    app.add_url_rule(
        "/favicon.ico", "favicon", lambda: redirect(url_for("panel.static", filename="icon.svg"))
    )


def _add_views(app: Flask, models: PanelDatabase) -> None:
    admin = Admin(
        app,
        name="gocron",
        url="/",
        endpoint="start",
        index_view=StartView(),
        theme=Theme(folder="bootstrap4", base_template="panel/page.html"),
    )
    views = (
        TaskView(models),
        RunsView(),
        CalendarsView(),
        GroupsView(),
        PausesView(),
        NodesView(),
        UsersView(),
        SettingsView(),
        AuditView(),
        ProfileView(),
    )
    for view in views:
        admin.add_view(view)


def _protect(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    if response.mimetype in ("text/html", "application/json"):
        # Pages show commands and their output: no cache keeps them after a logout.
        response.headers.setdefault("Cache-Control", "no-store")
    return response
