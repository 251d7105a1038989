"""Codes of apps and codes on paper."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gocron.core import one_time_codes as codes

RFC_6238 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")]
)
def test_the_codes_are_those_of_the_standard(at, code):
    moment = datetime.fromtimestamp(at, UTC)
    assert codes.matching_step(RFC_6238, code, moment) == at // 30


@pytest.mark.parametrize(("late_s", "taken"), [(-60, False), (-30, True), (30, True), (60, False)])
def test_a_clock_may_be_one_step_off(late_s, taken):
    moment = datetime.fromtimestamp(1111111110, UTC) + timedelta(seconds=late_s)
    assert (codes.matching_step(RFC_6238, "050471", moment) is not None) == taken


def test_a_code_is_read_however_it_is_typed():
    assert codes.plain(" 123 456\n") == "123456"
    assert codes.is_of_app("123456")
    assert not codes.is_of_app("١٢٣٤٥٦")
    (first, *rest) = codes.new_recovery_codes()
    assert len({first, *rest}) == 10
    assert codes.is_recovery(codes.plain(first.upper()))
    assert codes.recovery_hash(1, first) == codes.recovery_hash(1, first.replace("-", ""))
    assert codes.recovery_hash(1, first) != codes.recovery_hash(2, first)
