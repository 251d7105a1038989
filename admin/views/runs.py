"""The runs: a list, and one of them with its output, live while it is going."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Response, flash, jsonify, redirect, request, url_for
from flask_admin import BaseView, expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from werkzeug.wrappers import Response as AnyResponse

from admin import auth, relations, run_filters, task_access
from admin.explanations import explain, is_late
from admin.presentation import STATE_WORDS, TRIGGER_NAMES, home_zone
from admin.rights import Need
from admin.run_line import line_of
from admin.spoken import spoken, stored
from admin.views.base import LARGEST_ID, Guarded, row_id
from gocron.core.ansi import paint
from gocron.core.states import RunState
from gocron.db import chains, run_queries, task_queries
from gocron.db.run_queries import Output, Stopped
from gocron.errors import Conflict

PAGE_SIZE = 50
SHOWN_CHARS = 500_000
"""A page carries at most this much output; the rest comes piece by piece, or by the download."""

LONGEST_CARRY = 400

RUN = f"/<int(max={LARGEST_ID}):run_id>"

STOP_WORDS = {
    Stopped.CANCELLED: lazy("it had not begun and will not begin any more"),
    Stopped.REQUESTED: lazy("its node ends it within a second"),
    Stopped.TOO_LATE: lazy("it had ended already"),
}


class RunsView(Guarded, BaseView):
    """What became of slots and manual runs."""

    needs = {
        **dict.fromkeys(("index", "show", "tail", "download"), Need.READ),
        **dict.fromkeys(("stop", "again"), Need.RUN),
    }

    def __init__(self) -> None:
        super().__init__("Runs", endpoint="runs", url="/runs")

    @expose("/")
    def index(self) -> AnyResponse | str:
        """Newest first; ``before`` and ``after`` are runs that the page lies beside."""
        database = auth.context().database
        zone = home_zone().key
        asked = run_filters.understand(request.args, zone)
        task = asked.one("task")
        task_ids = task_queries.find_ids(database, task) if task else None
        wanted = run_filters.filter_of(asked, task_ids, zone, datetime.now(UTC))
        before, after = row_id(request.args.get("before")), row_id(request.args.get("after"))
        found = run_queries.page(database, wanted, PAGE_SIZE, before, None if before else after)
        if after and not before and found.newer is None:
            whole_first_page: Any = asked.values
            return redirect(url_for("runs.index", **whole_first_page))
        nodes = run_queries.nodes(database)
        return self.render(  # type: ignore[no-any-return]
            "panel/runs.html",
            page=found,
            asked=asked,
            chips=asked.chips({str(node_id): name for node_id, name in nodes}),
            first=not before and not after,
            nodes=nodes,
            states=list(RunState),
            triggers=TRIGGER_NAMES,
            within=run_filters.WITHIN_NAMES,
            is_late=is_late,
        )

    @expose(f"{RUN}/")
    def show(self, run_id: int) -> str:
        """Everything about one run."""
        database = auth.context().database
        run = run_queries.show(database, run_id)
        output = run_queries.output(database, run_id, limit_chars=SHOWN_CHARS)
        task = task_queries.brief(database, run.task_id)
        return self.render(  # type: ignore[no-any-return]
            "panel/run.html",
            run=run,
            painted=paint("".join(output.pieces)),
            words=_words(),
            output=output,
            task_zone=task.timezone if task else None,
            task_tag=task.tag if task else "",
            explanations=explain(run, task.jitter if task else 0),
            line=line_of(run, datetime.now(UTC)),
            is_late=is_late(run),
            chain=chains.show(database, run_id),
            attempts=relations.attempts(database, run.task_id, run.scheduled_at),
            has_children=relations.has_children(database, run.task_id),
        )

    @expose(f"{RUN}/tail")
    def tail(self, run_id: int) -> Response:
        """The output after piece ``after``, and whether there may be more; ``carry`` is what the
        answer before said. The run is looked at first: what it had written when it ended is then
        among the pieces."""
        database = auth.context().database
        run = run_queries.show(database, run_id)
        after = request.args.get("after", -1, type=int)
        output = run_queries.output(database, run_id, max(-1, min(after, 2**31 - 1)), SHOWN_CHARS)
        return jsonify(
            state=run.state,
            reason=stored(run.reason) or str(STATE_WORDS[run.state]),
            ended=run.state.ended and output.complete,
            **_painted(output, request.args.get("carry", "")[:LONGEST_CARRY]),
        )

    @expose(f"{RUN}/output.txt")
    def download(self, run_id: int) -> Response:
        """All that was kept, as it was written."""
        database = auth.context().database
        run_queries.show(database, run_id)

        def pieces() -> Iterator[str]:
            last, complete = -1, False
            while not complete:
                output = run_queries.output(database, run_id, last)
                yield from output.pieces
                last, complete = output.last, output.complete

        headers = {"Content-Disposition": f'attachment; filename="run-{run_id}.txt"'}
        return Response(pieces(), content_type="text/plain; charset=utf-8", headers=headers)

    @expose(f"{RUN}/stop", methods=("POST",))
    def stop(self, run_id: int) -> AnyResponse:
        """Ask for its end."""
        database = auth.context().database
        task_access.require_run_of(run_queries.show(database, run_id).task_id)
        outcome = run_queries.stop(database, run_id, auth.actor())
        kind = "warning" if outcome is Stopped.TOO_LATE else "success"
        words = STOP_WORDS[outcome]
        flash(_("Run %(number)s: %(outcome)s.", number=run_id, outcome=words), kind)
        return redirect(url_for("runs.show", run_id=run_id))

    @expose(f"{RUN}/again", methods=("POST",))
    def again(self, run_id: int) -> AnyResponse:
        """Run its slot once more, and what depends on it after it."""
        database = auth.context().database
        task_access.require_run_of(run_queries.show(database, run_id).task_id)
        try:
            run_id = chains.rerun(database, run_id, auth.actor())
        except Conflict as error:
            flash(_("It was not run again: %(why)s.", why=spoken(error)), "warning")
        return redirect(url_for("runs.show", run_id=run_id))


def _painted(output: Output, carry: str) -> dict[str, object]:
    """Output for a script: parts of text with the classes of each, and where to go on."""
    painted = paint(carry + "".join(output.pieces))
    parts = [[part.text, part.classes] for part in painted.parts]
    return {"parts": parts, "carry": painted.carry, "last": output.last}


def _words() -> dict[str, str]:
    """What ``output.js`` and ``run.js`` say."""
    return {
        "no_answer": _("No answer. What is here stays; it goes on as soon as there is one."),
        "no_database": _(
            "The database cannot be reached. What is here stays; it goes on as soon as it can be."
        ),
        "logged_out": _("You are logged out: log in again in another tab, and this goes on."),
        "gone": _("This run is not kept any more."),
        "of": _("%(n)s of %(count)s"),
        "many": _("over %(count)s"),
        "none": _("no match"),
        "copied": _("Copied"),
    }
