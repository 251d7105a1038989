"""The install wizard: one page, before there is a database.

Every request that does something brings the one-time token; the page itself tells nothing. What
was typed comes back when something is wrong, passwords aside.
"""

from __future__ import annotations

import zoneinfo

from flask import Flask, Response, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from admin import i18n
from admin.install_form import ENGINES, FIELDS, InstallForm, fill_in, usual_port
from admin.install_words import refused
from gocron import zones
from gocron.core.installing import Admission, Found, Reason, Refused, SetUp, Wizard

Page = str | tuple[str, int] | AnyResponse

STATUS = {Admission.WRONG: 403, Admission.TOO_OFTEN: 429}


def install_page(app: Flask, wizard: Wizard) -> None:
    """Add the page to ``app``; every other address leads to it."""
    page = InstallPage(wizard)
    app.add_url_rule("/install", "install", page.show)
    app.add_url_rule("/install", "install_now", page.install, methods=("POST",))
    app.add_url_rule("/install/test", "install_test", page.test, methods=("POST",))
    app.register_error_handler(NotFound, _to_the_page)


def _to_the_page(_error: NotFound) -> AnyResponse:
    return redirect(url_for("install"), 303)


class InstallPage:
    """Shows, tries, installs."""

    def __init__(self, wizard: Wizard) -> None:
        self._wizard = wizard

    def show(self) -> Page:
        """The empty form; in another language if that is asked for."""
        if request.args.get("language") in i18n.LANGUAGES:
            i18n.choose(request.args["language"])
            return redirect(url_for("install"))
        if self._wizard.installed:
            return render_template("panel/install_done.html", created=None)
        form = InstallForm()
        fill_in(form, self._wizard)
        return self._form(form)

    def test(self) -> Response | tuple[Response, int]:
        """Try the database that is typed in; for the page's script."""
        form = InstallForm(request.form)
        admission = self._wizard.admit(form.token.data, request.remote_addr or "")
        if admission is not Admission.ADMITTED:
            return _json(ok=False, field="token", words=_token_words(admission)), STATUS[admission]
        if not self._check(form, form.check_database()):
            mistakes = {name: list(field.errors) for name, field in form._fields.items()}
            return _json(ok=False, mistakes={k: v for k, v in mistakes.items() if v}, words="")
        answer = self._wizard.look(form.settings(i18n.language()))
        if isinstance(answer, Refused):
            words, field = refused(answer)
            return _json(ok=False, words=words, field=field, detail=answer.detail)
        return _json(ok=True, words=found(answer), users=answer.users, server=answer.server)

    def install(self) -> Page:
        """Check everything, set up, write the files."""
        form = InstallForm(request.form)
        if self._wizard.installed:
            return render_template("panel/install_done.html", created=None), 409
        admission = self._wizard.admit(form.token.data, request.remote_addr or "")
        if admission is not Admission.ADMITTED:
            form.token.errors = [_token_words(admission)]
            return self._form(form), STATUS[admission]
        right = self._check(form, form.check_all_but_administrator())
        named = any(form[name].data for name in ("new", "again"))
        if named and not form.check_administrator():
            right = False
        if not right:
            return self._form(form), 422
        return self._finish(form)

    def _finish(self, form: InstallForm) -> Page:
        answer = self._wizard.install(form.settings(i18n.language()), form.first())
        if isinstance(answer, SetUp):
            response = Response(
                render_template(
                    "panel/install_done.html", created=answer.created, name=form.username.data
                )
            )
            response.call_on_close(self._wizard.leave)
            return response
        if answer.reason is Reason.INSTALLED:
            return render_template("panel/install_done.html", created=None), 409
        if answer.reason is Reason.NO_ADMINISTRATOR:
            form.check_administrator()
            return self._form(form), 422
        words, field = refused(answer)
        if field in form:
            form[field].errors = [words]
        status = 409 if answer.reason is Reason.BUSY else 422
        return self._form(form, "" if field in form else words, answer.detail), status

    def _check(self, form: InstallForm, right: bool) -> bool:
        """A field that the environment decides about is not asked."""
        fixed = [name for name, setting in FIELDS.items() if self._wizard.fixed_by(setting)]
        for name in fixed:
            if name in form:
                form[name].errors = []
        return right or not any(field.errors for field in form)

    def _form(self, form: InstallForm, problem: str = "", detail: str = "") -> str:
        fixed = {name: self._wizard.fixed_by(setting) for name, setting in FIELDS.items()}
        for name, variable in fixed.items():
            if variable and name in form:
                form[name].data = self._wizard.initial(FIELDS[name])
        return render_template(
            "panel/install.html",
            form=form,
            engines=ENGINES,
            problem=problem,
            detail=detail,
            fixed={name: variable for name, variable in fixed.items() if variable},
            zones=sorted(filter(_is_usual, zoneinfo.available_timezones())),
            ports={engine: usual_port(engine) for engine in ("mysql", "postgres")},
        )


def _is_usual(zone: str) -> bool:
    """Known everywhere, and not one of the many old names."""
    return zones.problem(zone) is None and ("/" in zone or zone == "UTC") and zone[:4] != "Etc/"


def found(answer: Found) -> str:
    """What a database is told to be good for."""
    if not answer.tables:
        words = _("%(server)s. It will do, and is empty: a new installation.", server=answer.server)
        return str(words)
    nodes = ngettext("%(num)s node", "%(num)s nodes", answer.nodes)
    tasks = ngettext("%(num)s task", "%(num)s tasks", answer.tasks)
    words = _(
        "%(server)s. It will do: this node joins an existing cluster with %(nodes)s and %(tasks)s.",
        server=answer.server,
        nodes=nodes,
        tasks=tasks,
    )
    if answer.outdated:
        words += " " + _("Its tables are of an older version and will be brought up to date.")
    return str(words)


def _json(**fields: object) -> Response:
    return jsonify(fields)


def _token_words(admission: Admission) -> str:
    if admission is Admission.TOO_OFTEN:
        return str(_("That was wrong too often. Wait a minute, then try again."))
    return str(
        _(
            "This is not the token. It stands on the console of the node, and in the file "
            "conf/install.token in its home folder."
        )
    )
