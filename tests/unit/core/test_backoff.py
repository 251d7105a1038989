"""Delays that grow."""

from __future__ import annotations

import pytest

from gocron.core.backoff import delay


def test_each_failure_doubles_the_delay_up_to_the_cap():
    waits = [delay(failures, first_s=0.2, cap_s=5.0) for failures in range(7)]
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_a_year_of_failures_does_not_overflow():
    assert delay(10**9, first_s=0.2, cap_s=5.0) == 5.0
