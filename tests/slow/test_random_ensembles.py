"""Lossless, for many random ensembles of every rule that the tree operators have."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.support.ensemble_checks import (
    check_meaning,
    check_reading,
    check_reference,
    check_writing,
)
from tests.support.random_ensembles import Spec, specs


@settings(
    max_examples=1000,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(spec=specs())
def test_random_ensembles_are_read_and_written_rightly(spec: Spec) -> None:
    check_reading(spec)
    check_writing(spec)
    check_meaning(spec)
    check_reference(spec)
