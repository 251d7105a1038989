"""One's own account: address, language, password, sessions, API tokens."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request, url_for
from flask_admin import BaseView, expose
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from admin import auth, token_form
from admin.forms import PasswordForm
from admin.rights import Need
from admin.spoken import sentence
from admin.token_form import TokenForm
from admin.views.base import LARGEST_ID, Guarded
from gocron.db import api_tokens, sessions, user_admin
from gocron.errors import InvalidTask


class ProfileView(Guarded, BaseView):
    """What everybody can do for himself."""

    needs = dict.fromkeys(
        ("index", "email", "end_session", "elsewhere", "create_token", "revoke_token"), Need.SELF
    )

    def __init__(self) -> None:
        super().__init__("Profile", endpoint="profile", url="/profile")

    @expose("/")
    def index(self) -> str:
        """Everything about oneself."""
        return self._page()

    @expose("/email", methods=("POST",))
    def email(self) -> str | Response:
        """Another address for oneself."""
        email, own = request.form.get("email", ""), current_user.account
        try:
            user_admin.set_email(auth.context().database, own.id, email, auth.actor())
        except InvalidTask as error:
            return self._page(errors={error.field: sentence(error.message)}, email=email)
        flash(_("Your e-mail address was saved."), "success")
        return redirect(url_for("profile.index"))

    @expose("/elsewhere", methods=("POST",))
    def elsewhere(self) -> Response:
        """End all sessions but this one."""
        database, own = auth.context().database, current_user
        sessions.end_others(database, own.account.id, own.session_id, auth.actor())
        flash(_("You are logged out on every other device."), "success")
        return redirect(url_for("profile.index"))

    @expose(f"/sessions/<int(max={LARGEST_ID}):session_id>/end", methods=("POST",))
    def end_session(self, session_id: int) -> Response:
        """End one of one's own sessions; this one by logging out."""
        own = current_user
        if session_id == own.session_id:
            auth.end_session()
            return redirect(url_for("account.login"))
        if sessions.end(auth.context().database, own.account.id, session_id, auth.actor()):
            flash(_("The session was ended."), "success")
        else:
            flash(_("That session had ended already."), "warning")
        return redirect(url_for("profile.index"))

    @expose("/tokens/new", methods=("POST",))
    def create_token(self) -> str:
        """Make an API token. It is shown in this answer and never again."""
        form = token_form.typed()
        made = token_form.create(form, current_user.account.id)
        return self._page(token=form if made is None else TokenForm(), made=made)

    @expose(f"/tokens/<int(max={LARGEST_ID}):token_id>/revoke", methods=("POST",))
    def revoke_token(self, token_id: int) -> Response:
        """End one of one's own tokens at once."""
        own = current_user.account.id
        name = api_tokens.revoke(auth.context().database, token_id, auth.actor(), own)
        flash(_("Token “%(name)s” is revoked.", name=name), "success")
        return redirect(url_for("profile.index"))

    def _page(self, **more: Any) -> str:
        database, own = auth.context().database, current_user.account
        facts = user_admin.show(database, own.id)
        values = {"errors": {}, "email": facts.email, "token": TokenForm(), "made": None} | more
        return self.render(  # type: ignore[no-any-return]
            "panel/profile.html",
            facts=facts,
            form=PasswordForm(),
            sessions=sessions.listing(database, own.id),
            tokens=api_tokens.listing(database, own.id),
            this_session=current_user.session_id,
            scopes=token_form.scopes_for(own.role),
            **values,
        )
