"""The API keeps to its own document, whatever it is sent: schemathesis makes up the requests."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gocron.core.access import Scope
from gocron.db import api_tokens
from gocron.db.api_tokens import Wanted
from gocron.db.models import User
from tests.helpers.panel import TESTER, Panel
from tests.helpers.rows import rows

SEEDS = (1, 2, 3)

REQUESTS = 4
"""For each operation and seed."""

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_answer_is_a_mistake_of_ours_or_another_than_documented(quick_panel: Panel, seed: int):
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", quick_panel.app)
    quick_panel.create_task(name="there already", tag="tag")
    (user,) = rows(quick_panel.database, User)
    wanted = Wanted("fuzzing", Scope.ADMIN, 1)
    token = api_tokens.create(quick_panel.database, user.id, wanted, TESTER).token
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 15

    for operation in operations:

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=REQUESTS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case):
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

        ask()
