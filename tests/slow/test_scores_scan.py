"""A seeded sample of the scan.

Among the models that are accepted, none gives other scores than the original.
"""

from __future__ import annotations

import os

import pytest

from bench.scores.__main__ import sample
from bench.scores.case import Case
from bench.scores.compare import Outcome, scan
from bench.scores.tables import TABLES

SEED = int(os.environ.get("SCAN_SEED", "0"))
CASES = [case for cases in TABLES.values() for case in cases()]
ACCEPTED = {Outcome.EQUAL, Outcome.STEPS, Outcome.ROUNDED}


@pytest.mark.parametrize("case", sample(CASES, 150, SEED), ids=lambda case: case.name)
def test_an_accepted_model_gives_the_originals_scores(case: Case) -> None:
    found = scan(case)
    assert found.outcome != Outcome.DIFFERENT, found
    assert found.outcome in ACCEPTED or found.reason


def test_the_scan_has_400_combinations_with_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 400
