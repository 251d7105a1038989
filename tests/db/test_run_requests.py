"""A request to run a task that arrives twice starts one run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.db import run_requests, tasks
from gocron.db.audit import Actor
from gocron.db.models import Run, RunRequestRow
from gocron.db.run_requests import KEPT, RunRequest
from tests.helpers.databases import at_once
from tests.helpers.rows import insert_task, now_of, rows

ADMIN = Actor("cli")


def test_the_second_is_answered_with_the_run_of_the_first(database):
    task = insert_task(database)
    request = RunRequest(1, "deploy 7")
    first = tasks.run_now(database, task.id, ADMIN, request=request)
    assert tasks.run_now(database, task.id, ADMIN, request=request) == first
    assert len(rows(database, Run)) == 1


@pytest.mark.parametrize("other", [RunRequest(1, "another"), RunRequest(2, "deploy 7")])
def test_another_key_or_another_user_starts_another_run(database, other):
    task = insert_task(database)
    first = tasks.run_now(database, task.id, ADMIN, request=RunRequest(1, "deploy 7"))
    assert tasks.run_now(database, task.id, ADMIN, request=other) != first


def test_another_task_is_another_run(database):
    one, two = insert_task(database, "one"), insert_task(database, "two")
    request = RunRequest(1, "deploy 7")
    first = tasks.run_now(database, one.id, ADMIN, request=request)
    assert tasks.run_now(database, two.id, ADMIN, request=request) != first


def test_of_many_at_once_one_run_comes(database):
    task = insert_task(database)
    request = RunRequest(1, "deploy 7")
    answers = at_once(*[(lambda: tasks.run_now(database, task.id, ADMIN, request=request))] * 4)
    assert len(set(answers)) == 1
    assert len(rows(database, Run)) == 1


def test_after_a_day_it_is_forgotten(database):
    task = insert_task(database)
    request = RunRequest(1, "deploy 7")
    first = tasks.run_now(database, task.id, ADMIN, request=request)
    assert run_requests.purge(database) == 0
    with database.write() as connection:
        old = now_of(database) - KEPT - timedelta(seconds=1)
        connection.execute(update(RunRequestRow).values(created_at=old))
    assert run_requests.purge(database) == 1
    assert tasks.run_now(database, task.id, ADMIN, request=request) != first
