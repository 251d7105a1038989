"""Logging in and out, and changing one's own password."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from admin import auth, i18n, second_step
from admin.forms import LoginForm, PasswordForm
from admin.spoken import sentence, spoken
from gocron.db import logins, users
from gocron.db.logins import CodeNeeded, Refused
from gocron.db.users import Account
from gocron.errors import InvalidTask

log = logging.getLogger("gocron.web")

account = Blueprint("account", __name__)


@account.route("/login", methods=("GET", "POST"))
def login() -> str | Response | tuple[str, int]:
    """Name and password; then back to where somebody wanted to go."""
    target = auth.local_path(request.values.get("next"), url_for("start.index"))
    if current_user.is_authenticated:
        return redirect(target)
    form = LoginForm(request.form)
    if request.method == "POST":
        outcome = _check(form)
        if isinstance(outcome, CodeNeeded):
            second_step.remember(outcome.account)
            return redirect(url_for("second_factor.code", next=target))
        if isinstance(outcome, Account):
            second_step.let_in(outcome)
            return redirect(target)
        log.warning("a login from %s was refused", request.remote_addr)
        return _login_page(form, target, sentence(outcome.words)), 429 if outcome.wait else 403
    return _login_page(form, target, "")


def _login_page(form: LoginForm, target: str, problem: str) -> str:
    nobody_yet = users.count(auth.context().database) == 0
    return render_template(
        "panel/login.html", form=form, next=target, problem=problem, nobody_yet=nobody_yet
    )


def _check(form: LoginForm) -> Account | CodeNeeded | Refused:
    if not form.validate():
        return Refused(logins.WRONG)
    name, typed = form.username.data, form.password.data
    node = auth.context()
    return logins.log_in(node.database, node.seal, name, typed, request.remote_addr or "")


@account.post("/logout")
def logout() -> Response:
    """End this session."""
    if current_user.is_authenticated:
        auth.end_session()
    return redirect(url_for("account.login"))


@account.post("/language")
def language() -> Response:
    """Read the panel in another language from now on."""
    wanted = request.form.get("language", "")
    i18n.choose(wanted)
    if current_user.is_authenticated:
        chosen = wanted if wanted in i18n.LANGUAGES else ""
        users.set_language(auth.context().database, current_user.account.id, chosen)
    return redirect(_page_before())


def _page_before() -> str:
    """Where somebody was when they sent the form."""
    before, start = urlsplit(request.referrer or ""), url_for("start.index")
    if before.netloc != request.host:
        return start
    query = f"?{before.query}" if before.query else ""
    return auth.local_path(before.path + query, start)


@account.route("/password", methods=("GET", "POST"))
def password() -> str | Response:
    """A new password for oneself; the old one is asked for."""
    if not current_user.is_authenticated:
        return auth.refuse()
    form = PasswordForm(request.form)
    if request.method == "POST" and form.validate() and _change(form):
        flash(_("Your password was changed. Other devices are logged out."), "success")
        return redirect(url_for("start.index"))
    return render_template("panel/password.html", form=form)


def _change(form: PasswordForm) -> bool:
    database, own = auth.context().database, current_user.account
    if users.authenticate(database, own.username, form.old.data) is None:
        form.old.errors = [_("This is not your password.")]
        return False
    try:
        users.set_password(database, own.username, form.new.data, auth.actor())
    except InvalidTask as error:
        form.new.errors = [spoken(error.message)]
        return False
    renewed = users.find(database, own.id)
    if renewed is not None:
        auth.begin_session(renewed)
    return True
