"""Every estimator that converts, in every kind of file.

What test_stored_round_trip tries a sample of.
"""

from __future__ import annotations

from typing import Any

import pytest

from bench.coverage.cases import Case as CoverageCase
from bench.coverage.cases import data_of as coverage_data
from bench.coverage.cases import every_case, unfitted
from bench.scores.case import Case as ScoresCase
from bench.scores.rows import data_of as scores_data
from bench.scores.tables import TABLES
from onnxpress.errors import UserError
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.layout import original_input
from onnxpress.tables.names import NUMERIC_INPUT
from tests.support.stored_cases import all_cases, fitted
from tests.support.stored_forms import faults

pytestmark = pytest.mark.filterwarnings(
    "ignore"
)  # of what scikit-learn will change, and of fits this small

SCORES: dict[str, ScoresCase] = {case.model: case for cases in TABLES.values() for case in cases()}
"""Each combination of the scan of scores, on one of its data sets."""

COVERAGE: dict[str, CoverageCase] = {
    f"{case.estimator}, {case.place}": case for case in every_case()
}


@pytest.mark.parametrize("name", all_cases())
def test_cases_of_the_grammar(name: str) -> None:
    ((_, estimator, rows),) = fitted(name)
    assert faults(estimator, rows) == []


@pytest.mark.parametrize("name", SCORES)
def test_combinations_of_the_scan_of_scores(name: str) -> None:
    data = scores_data(SCORES[name].data)
    estimator = SCORES[name].unfitted()
    try:
        estimator.fit(data.train.feeds[NUMERIC_INPUT], data.train.target)
    except (ValueError, RuntimeError) as error:
        pytest.skip(f"cannot be fitted: {error}")
    assert faults(estimator, data.fresh) == []


@pytest.mark.parametrize("name", COVERAGE)
def test_estimators_of_the_coverage_table(name: str) -> None:
    data = coverage_data(COVERAGE[name].data)
    try:
        estimator: Any = unfitted(COVERAGE[name], data.schema)
        fit(estimator, data.train)
    except UserError as error:
        pytest.skip(f"does not fit the data: {error}")
    assert faults(estimator, original_input(estimator, data.test.feeds, data.schema)) == []
