"""One's own account: address, language, password, sessions."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask_admin import BaseView, expose
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from admin import auth
from admin.forms import PasswordForm
from admin.spoken import sentence
from admin.views.base import Guarded
from gocron.db import sessions, user_admin
from gocron.errors import InvalidTask


class ProfileView(Guarded, BaseView):
    """What everybody can do for himself."""

    def __init__(self) -> None:
        super().__init__("Profile", endpoint="profile", url="/profile")

    @expose("/")
    def index(self) -> str:
        """Everything about oneself."""
        return self._page({}, None)

    @expose("/email", methods=("POST",))
    def email(self) -> str | Response:
        """Another address for oneself."""
        email, own = request.form.get("email", ""), current_user.account
        try:
            user_admin.set_email(auth.context().database, own.id, email, auth.actor())
        except InvalidTask as error:
            return self._page({error.field: sentence(error.message)}, email)
        flash(_("Your e-mail address was saved."), "success")
        return redirect(url_for("profile.index"))

    @expose("/elsewhere", methods=("POST",))
    def elsewhere(self) -> Response:
        """End all sessions but this one."""
        database, own = auth.context().database, current_user
        sessions.end_others(database, own.account.id, own.session_id, auth.actor())
        flash(_("You are logged out on every other device."), "success")
        return redirect(url_for("profile.index"))

    def _page(self, errors: dict[str, str], email: str | None) -> str:
        facts = user_admin.show(auth.context().database, current_user.account.id)
        return self.render(  # type: ignore[no-any-return]
            "panel/profile.html",
            facts=facts,
            errors=errors,
            email=facts.email if email is None else email,
            form=PasswordForm(),
        )
