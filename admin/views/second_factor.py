"""The second factor: asked for at login; set up, confirmed and turned off in the profile; reset for
others by administrators."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import segno
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from admin import auth, second_step
from admin.rights import Need
from admin.spoken import sentence
from admin.views.base import LARGEST_ID
from gocron.core import one_time_codes
from gocron.db import logins, user_admin
from gocron.db import second_factor as factors
from gocron.db.logins import CodeNeeded, Refused
from gocron.db.users import Account
from gocron.errors import Conflict, InvalidTask, Unsealed

log = logging.getLogger("gocron.web")

second_factor = Blueprint("second_factor", __name__)

Answer = str | Response | tuple[str, int]
P = ParamSpec("P")
LONGEST = 64
"""Of a code."""


def personal(view: Callable[P, Answer]) -> Callable[P, Answer]:
    """Only for those who have logged in."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Answer:
        return view(*args, **kwargs) if current_user.is_authenticated else auth.refuse()

    return guarded


@second_factor.app_context_processor
def _for_profile() -> dict[str, Any]:
    return {"second_factor_of": _state_of, "seal_usable": _seal_usable}


def _state_of(user_id: int) -> factors.State:
    return factors.state(auth.context().database, user_id)


def _seal_usable() -> bool:
    return auth.context().seal.usable


@second_factor.route("/login/code", methods=("GET", "POST"))
def code() -> Answer:
    """The second half of a login."""
    target = auth.local_path(request.values.get("next"), url_for("start.index"))
    if current_user.is_authenticated:
        return redirect(target)
    known = second_step.half_way()
    if known is None:
        return redirect(url_for("account.login", next=target))
    if request.method == "GET":
        return _code_page(target, "")
    node = auth.context()
    outcome = logins.go_on(
        node.database, node.seal, known.user_id, known.token_version,
        request.remote_addr or "", _typed_code(),
    )  # fmt: skip
    if isinstance(outcome, Account):
        second_step.let_in(outcome)
        return redirect(target)
    log.warning("a code from %s was refused", request.remote_addr)
    return _code_page(target, sentence(outcome.words)), 429 if outcome.wait else 403


def _code_page(target: str, problem: str) -> str:
    return render_template("panel/login_code.html", next=target, problem=problem)


@second_factor.post("/profile/second-factor/begin")
@personal
def begin() -> Answer:
    """Draw a secret, for somebody who knows the password."""
    problem = _proof()
    if not problem:
        try:
            factors.begin(auth.context().database, auth.context().seal, current_user.account.id)
        except (Unsealed, Conflict) as error:
            problem = sentence(error)
    return _back(problem, url_for("second_factor.setup"))


@second_factor.get("/profile/second-factor/")
@personal
def setup() -> Answer:
    """The picture for the app, and the code that confirms it."""
    return _setup_page("")


@second_factor.post("/profile/second-factor/confirm")
@personal
def confirm() -> Answer:
    """Put it in force; the recovery codes are shown once."""
    node, own = auth.context(), current_user
    try:
        codes = factors.confirm(
            node.database, node.seal, own.account.id, _typed_code(), own.session_id, auth.actor()
        )
    except InvalidTask as error:
        return _setup_page(sentence(error.message))
    except (Unsealed, Conflict) as error:
        return _back(sentence(error))
    return _codes_page(codes, _("Your second factor is in force. Other devices are logged out."))


@second_factor.post("/profile/second-factor/codes")
@personal
def codes() -> Answer:
    """Other recovery codes."""
    problem = _proof()
    if problem:
        return _back(problem)
    own = current_user.account.id
    try:
        new = factors.new_recovery_codes(auth.context().database, own, auth.actor())
    except Conflict as error:
        return _back(sentence(error))
    return _codes_page(new, _("These take the place of your recovery codes from before."))


@second_factor.post("/profile/second-factor/off")
@personal
def off() -> Answer:
    """Turn it off."""
    problem = _proof()
    if not problem:
        factors.disable(auth.context().database, current_user.account.id, auth.actor())
        flash(_("Your second factor is turned off."), "success")
    return _back(problem)


@second_factor.post(f"/users/<int(max={LARGEST_ID}):user_id>/second-factor/reset")
def reset(user_id: int) -> Answer:
    """For somebody who has lost it."""
    if not auth.is_allowed(Need.ADMINISTER):
        return auth.refuse()
    try:
        name = factors.reset(auth.context().database, user_id, auth.actor())
        flash(
            _("The second factor of “%(name)s” is turned off, and they are logged out.", name=name),
            "success",
        )
    except Conflict as error:
        flash(sentence(error), "warning")
    return redirect(url_for("users.show", user_id=user_id))


def _typed_code() -> str:
    return request.form.get("code", "")[: LONGEST + 1]


def _proof() -> str:
    """What is wrong with the password and, where there is a second factor, the code that were
    typed; "" if nothing is. Both are counted as at a login."""
    node, own = auth.context(), current_user.account
    password = request.form.get("password", "")[:1025]
    outcome = logins.log_in(
        node.database, node.seal, own.username, password, request.remote_addr or "", _typed_code()
    )
    if isinstance(outcome, CodeNeeded):
        return str(_("A code of your app, or one of your recovery codes, is needed too."))
    if not isinstance(outcome, Refused):
        return ""
    if outcome.words == logins.WRONG:
        return str(_("This is not your password."))
    return sentence(outcome.words)


def _back(problem: str, target: str = "") -> Response:
    """On if nothing is wrong, else to the profile, which says what is."""
    if problem:
        flash(problem, "danger")
    return redirect(target if target and not problem else url_for("profile.index"))


def _setup_page(problem: str) -> Answer:
    node, own = auth.context(), current_user.account
    try:
        secret = factors.waiting(node.database, node.seal, own.id)
    except Unsealed as error:
        return _back(sentence(error))
    if secret is None:
        return _back(_("No setup is waiting for a code (any more): begin anew."))
    uri = one_time_codes.uri(secret, own.username, node.settings.app_name)
    picture = segno.make(uri, micro=False).svg_data_uri(scale=5, light="#fff")
    grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return render_template(
        "panel/second_factor_setup.html", picture=picture, secret=grouped, problem=problem
    )


def _codes_page(codes: list[str], words: str) -> str:
    facts = user_admin.show(auth.context().database, current_user.account.id)
    return render_template("panel/recovery_codes.html", codes=codes, words=words, facts=facts)
