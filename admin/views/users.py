"""Users: who may use the panel; creating, disabling, unlocking, resetting passwords, removing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import flash, redirect, request, url_for
from flask_admin import BaseView, expose
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from admin import auth
from admin.role_words import ROLE_WORDS
from admin.spoken import sentence
from admin.views.base import LARGEST_ID, Guarded
from gocron.core.access import Role
from gocron.db import api_tokens, sessions, task_queries, user_admin, users
from gocron.db.user_admin import UserFacts
from gocron.errors import Conflict, InvalidTask

USER = f"/<int(max={LARGEST_ID}):user_id>"
LONGEST_PASSWORD = 1024


@dataclass
class UserForm:
    """What was typed, passwords aside: those are never shown again."""

    username: str = ""
    email: str = ""
    role: str = Role.VIEWER
    tags: str = ""
    errors: dict[str, str] = field(default_factory=dict)


class UsersView(Guarded, BaseView):
    """List, create, edit."""

    def __init__(self) -> None:
        super().__init__("Users", endpoint="users", url="/users")

    @expose("/")
    def index(self) -> str:
        """All of them."""
        return self._page("panel/users.html", found=user_admin.listing(auth.context().database))

    @expose("/new/", methods=("GET", "POST"))
    def create(self) -> str | Response:
        """One that does not exist yet."""
        form = UserForm()
        if request.method == "POST":
            form = UserForm(
                username=request.form.get("username", "").strip(),
                email=request.form.get("email", ""),
                role=request.form.get("role", ""),
                tags=request.form.get("tags", ""),
            )
            if _create(form):
                flash(_("User “%(name)s” was created.", name=form.username), "success")
                return redirect(url_for("users.index"))
        return self._page("panel/user_new.html", form=form)

    @expose(f"{USER}/")
    def show(self, user_id: int) -> str:
        """One of them, and what can be changed."""
        return self._user_page(_found(user_id), {})

    @expose(f"{USER}/email", methods=("POST",))
    def email(self, user_id: int) -> str | Response:
        """Another address."""
        facts, email = _found(user_id), request.form.get("email", "")
        try:
            user_admin.set_email(auth.context().database, user_id, email, auth.actor())
        except InvalidTask as error:
            return self._user_page(facts, {error.field: sentence(error.message)}, email)
        flash(_("The e-mail address of “%(name)s” was saved.", name=facts.username), "success")
        return redirect(url_for("users.show", user_id=user_id))

    @expose(f"{USER}/password", methods=("POST",))
    def password(self, user_id: int) -> str | Response:
        """A new password, for somebody who has lost it; one's own is changed in the profile."""
        facts = _found(user_id)
        if facts.id == current_user.account.id:
            return redirect(url_for("account.password"))
        errors: dict[str, str] = {}
        new = _new_password(errors)
        if not errors:
            try:
                users.set_password(auth.context().database, facts.username, new, auth.actor())
            except InvalidTask as error:
                errors[error.field] = sentence(error.message)
        if errors:
            return self._user_page(facts, errors)
        words = _("“%(name)s” has a new password and is logged out everywhere.")
        flash(words % {"name": facts.username}, "success")
        return redirect(url_for("users.show", user_id=user_id))

    @expose(f"{USER}/enable", methods=("POST",))
    def enable(self, user_id: int) -> Response:
        """Let somebody in again."""
        name = user_admin.enable(auth.context().database, user_id, auth.actor())
        flash(_("“%(name)s” may log in again.", name=name), "success")
        return redirect(url_for("users.show", user_id=user_id))

    @expose(f"{USER}/disable", methods=("POST",))
    def disable(self, user_id: int) -> Response:
        """End somebody's access at once."""
        try:
            name = user_admin.disable(auth.context().database, user_id, auth.actor())
            flash(_("“%(name)s” is disabled and logged out everywhere.", name=name), "success")
        except Conflict as error:
            flash(_("Not disabled: %(why)s.", why=error), "warning")
        return redirect(url_for("users.show", user_id=user_id))

    @expose(f"{USER}/unlock", methods=("POST",))
    def unlock(self, user_id: int) -> Response:
        """Forget the wrong passwords."""
        name = user_admin.unlock(auth.context().database, user_id, auth.actor())
        flash(_("“%(name)s” may try to log in again.", name=name), "success")
        return redirect(url_for("users.show", user_id=user_id))

    @expose(f"{USER}/delete", methods=("GET", "POST"))
    def delete(self, user_id: int) -> str | Response:
        """GET asks, POST does."""
        facts, problem = _found(user_id), ""
        if request.method == "POST":
            try:
                name = user_admin.remove(auth.context().database, user_id, auth.actor())
                flash(_("User “%(name)s” was deleted.", name=name), "success")
                return redirect(url_for("users.index"))
            except Conflict as error:
                problem = sentence(error)
        return self._page("panel/user_delete.html", facts=facts, problem=problem)

    @expose(f"{USER}/role", methods=("POST",))
    def role(self, user_id: int) -> str | Response:
        """What somebody may do from now on."""
        facts, errors = _found(user_id), dict[str, str]()
        role, tags = request.form.get("role", ""), request.form.get("tags", "")
        if (wanted := _role(role, errors)) is not None:
            try:
                user_admin.set_role(
                    auth.context().database, user_id, wanted, _tags(tags), auth.actor()
                )
            except InvalidTask as error:
                errors[error.field] = sentence(error.message)
            except Conflict as error:
                errors["role"] = sentence(error)
        if errors:
            return self._user_page(facts, errors, role=role, tags=tags)
        flash(_("What “%(name)s” may do was saved.", name=facts.username), "success")
        return redirect(url_for("users.show", user_id=user_id))

    @expose(f"{USER}/sessions/<int(max={LARGEST_ID}):session_id>/end", methods=("POST",))
    def end_session(self, user_id: int, session_id: int) -> Response:
        """Log somebody out of one browser or program."""
        if sessions.end(auth.context().database, user_id, session_id, auth.actor()):
            flash(_("The session was ended."), "success")
        else:
            flash(_("That session had ended already."), "warning")
        return redirect(url_for("users.show", user_id=user_id))

    @expose(f"{USER}/tokens/<int(max={LARGEST_ID}):token_id>/revoke", methods=("POST",))
    def revoke_token(self, user_id: int, token_id: int) -> Response:
        """End a token of somebody at once."""
        name = api_tokens.revoke(auth.context().database, token_id, auth.actor(), user_id)
        flash(_("Token “%(name)s” is revoked.", name=name), "success")
        return redirect(url_for("users.show", user_id=user_id))

    def _user_page(
        self, facts: UserFacts, errors: dict[str, str], email: str | None = None, **typed: str
    ) -> str:
        database = auth.context().database
        return self._page(
            "panel/user.html",
            facts=facts,
            errors=errors,
            email=facts.email if email is None else email,
            role=typed.get("role", facts.role),
            tags=typed.get("tags", ", ".join(facts.tags)),
            own=facts.id == current_user.account.id,
            this_session=current_user.session_id,
            sessions=sessions.listing(database, facts.id),
            tokens=api_tokens.listing(database, facts.id),
        )

    def _page(self, template: str, **values: Any) -> str:
        rendered: str = self.render(
            template,
            shortest=users.SHORTEST_PASSWORD,
            role_words=ROLE_WORDS,
            known_tags=task_queries.tags(auth.context().database),
            **values,
        )
        return rendered


def _found(user_id: int) -> UserFacts:
    return user_admin.show(auth.context().database, user_id)


def _create(form: UserForm) -> bool:
    """Whether it was created; if not, the form says what is wrong."""
    password = _new_password(form.errors)
    if not form.username.isprintable():
        form.errors["username"] = _("Must be one line without control characters.")
    role = _role(form.role, form.errors)
    if form.errors or role is None:
        return False
    try:
        users.create(
            auth.context().database,
            form.username,
            password,
            auth.actor(),
            email=form.email,
            role=role,
            tags=_tags(form.tags),
        )
    except InvalidTask as error:
        form.errors[error.field] = sentence(error.message)
    except Conflict:
        form.errors["username"] = _("There is a user of this name already.")
    return not form.errors


def _role(word: str, errors: dict[str, str]) -> Role | None:
    if word in set(Role):
        return Role(word)
    errors["role"] = _("Choose one of these.")
    return None


def _tags(typed: str) -> list[str]:
    return typed.split(",")


def _new_password(errors: dict[str, str]) -> str:
    """What was typed twice."""
    new = request.form.get("password", "")
    if len(new) > LONGEST_PASSWORD or "\0" in new:
        errors["password"] = _("At most %(number)s characters.", number=LONGEST_PASSWORD)
    elif len(new) < users.SHORTEST_PASSWORD:
        errors["password"] = _("At least %(number)s characters.", number=users.SHORTEST_PASSWORD)
    elif new != request.form.get("again", ""):
        errors["again"] = _("This is not the same as above.")
    return new
