"""Which tasks whoever sent this request may run and change: asked with the tags that the tasks
have, and those that they are to get. All or nothing: one that is not theirs, and none is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask_babel import gettext as _

from admin import auth
from admin.error_pages import NotYours
from gocron.db import task_queries
from gocron.db.task_import import Comparison

NAMED = 10


def require_edit(tag: str) -> None:
    """Answer with 403 unless they may change tasks with this tag."""
    auth.require(auth.access().may_edit(tag))


def require_run(tag: str) -> None:
    """Answer with 403 unless they may run, stop, enable and disable tasks with this tag."""
    auth.require(auth.access().may_run(tag))


def require_run_of(task_id: int) -> None:
    """The same for the task with this id; one that is gone has no tag."""
    found = task_queries.tags_of(auth.context().database, [task_id])
    require_run(found[0][1] if found else "")


def require_edit_of(task_ids: Iterable[int]) -> None:
    """Raises ``NotYours`` if there is one among them that they may not change."""
    _refuse_unless(auth.access().may_edit, task_queries.tags_of(auth.context().database, task_ids))


def require_run_of_all(task_ids: Iterable[int]) -> None:
    """Raises ``NotYours`` if there is one among them that they may not run."""
    _refuse_unless(auth.access().may_run, task_queries.tags_of(auth.context().database, task_ids))


def require_import(difference: Comparison) -> None:
    """Raises ``NotYours`` if a file makes or changes a task that is not theirs, before or after."""
    wanted = [(task.definition.name, task.definition.tag) for task in difference.new]
    for task in difference.changed:
        name = task.definition.name
        wanted.append((name, task.definition.tag))
        wanted += [(name, change.old) for change in task.fields if change.field == "tag"]
    _refuse_unless(auth.access().may_edit, wanted)


def wrong_tag(tag: str) -> str:
    """Why a task that somebody saves may not have this tag; "" if it may."""
    access = auth.access()
    if access.may_edit(tag.strip()):
        return ""
    tags = ", ".join(sorted(access.tags))
    return str(_("You may change only tasks with one of these tags: %(tags)s.", tags=tags))


def _refuse_unless(may: Callable[[str], bool], tasks: Iterable[tuple[str, str]]) -> None:
    names = list(dict.fromkeys(name for name, tag in tasks if not may(tag)))
    if not names:
        return
    shown = ", ".join(f"“{name}”" for name in names[:NAMED])
    if len(names) > NAMED:
        words = _("Nothing was changed. These tasks are not yours: %(names)s and %(count)s more.")
        raise NotYours(words % {"names": shown, "count": len(names) - NAMED})
    raise NotYours(_("Nothing was changed. These tasks are not yours: %(names)s.", names=shown))
