"""The runs: a list, and one of them with its output, live while it is going."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, flash, jsonify, redirect, request, url_for
from flask_admin import BaseView, expose
from werkzeug.wrappers import Response as AnyResponse

from admin import auth, relations
from admin.presentation import STATE_WORDS
from admin.views.base import LARGEST_ID, Guarded, row_id
from gocron.core.states import RunState
from gocron.core.terminal import plain
from gocron.db import chains, run_queries, task_queries
from gocron.db.run_queries import RunFilter, Stopped
from gocron.errors import Conflict

PAGE_SIZE = 50
SHOWN_CHARS = 500_000
"""A page carries at most this much output; the rest is behind the download."""

RUN = f"/<int(max={LARGEST_ID}):run_id>"


class RunsView(Guarded, BaseView):
    """What became of slots and manual runs."""

    def __init__(self) -> None:
        super().__init__("Runs", endpoint="runs", url="/runs")

    @expose("/")
    def index(self) -> str:
        """Newest first; ``before`` is the last run of the page before."""
        database = auth.context().database
        wanted, asked = _filter_of_request()
        found = run_queries.page(database, wanted, PAGE_SIZE, row_id(request.args.get("before")))
        return self.render(  # type: ignore[no-any-return]
            "panel/runs.html",
            page=found,
            asked=asked,
            filtered=any(asked.values()),
            states=list(RunState),
            nodes=run_queries.nodes(database),
        )

    @expose(f"{RUN}/")
    def show(self, run_id: int) -> str:
        """Everything about one run."""
        database = auth.context().database
        run = run_queries.show(database, run_id)
        output = run_queries.output(database, run_id, limit_chars=SHOWN_CHARS)
        return self.render(  # type: ignore[no-any-return]
            "panel/run.html",
            run=run,
            text=plain("".join(output.pieces)),
            output=output,
            task_zone=task_queries.zone(database, run.task_id),
            chain=chains.show(database, run_id),
            attempts=relations.attempts(database, run.task_id, run.scheduled_at),
            has_children=relations.has_children(database, run.task_id),
        )

    @expose(f"{RUN}/tail")
    def tail(self, run_id: int) -> Response:
        """The output after piece ``after``, and whether there may be more. The run is looked at
        first: what it had written when it ended is then among the pieces."""
        database = auth.context().database
        run = run_queries.show(database, run_id)
        after = request.args.get("after", -1, type=int)
        output = run_queries.output(database, run_id, max(-1, min(after, 2**31 - 1)), SHOWN_CHARS)
        return jsonify(
            state=run.state,
            reason=run.reason or STATE_WORDS[run.state],
            ended=run.state.ended and output.complete,
            text=plain("".join(output.pieces)),
            last=output.last,
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
        outcome = run_queries.stop(auth.context().database, run_id, auth.actor())
        kind = "warning" if outcome is Stopped.TOO_LATE else "success"
        flash(f"Run {run_id}: {outcome.value}.", kind)
        return redirect(url_for("runs.show", run_id=run_id))

    @expose(f"{RUN}/again", methods=("POST",))
    def again(self, run_id: int) -> AnyResponse:
        """Run its slot once more, and what depends on it after it."""
        try:
            run_id = chains.rerun(auth.context().database, run_id, auth.actor())
        except Conflict as error:
            flash(f"It was not run again: {error}.", "warning")
        return redirect(url_for("runs.show", run_id=run_id))


def _filter_of_request() -> tuple[RunFilter, dict[str, str]]:
    """The filter, and what was asked for in the words of the form."""
    task = request.args.get("task", "").strip().replace("\0", "")[:128]
    state = request.args.get("state", "")
    node_id = row_id(request.args.get("node"))
    known = state in set(RunState)
    wanted = RunFilter(
        task_ids=task_queries.find_ids(auth.context().database, task) if task else None,
        states=(RunState(state),) if known else (),
        node_id=node_id,
    )
    return wanted, {
        "task": task,
        "state": state if known else "",
        "node": "" if node_id is None else str(node_id),
    }
