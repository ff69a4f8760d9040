"""A small sample of `make soak`: publishes killed at random moments are completed later."""

from __future__ import annotations

from pathlib import Path

from bench.soak.publish import POINTS, soak_of
from tests.support.publish_fixtures import LIBRARY_WARNINGS, make_repository, numeric_rows

pytestmark = LIBRARY_WARNINGS
KILLS = 4


def test_killed_publishes_are_completed_by_the_next_and_leave_nothing(tmp_path: Path) -> None:
    kills = soak_of(make_repository(tmp_path, numeric_rows()), KILLS, seed=3)
    assert [kill.finding for kill in kills] == [""] * KILLS
    assert {kill.point for kill in kills} <= set(POINTS)
