"""The public functions on models of several targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

import onnxpress
from onnxpress.errors import UserError
from tests.support.forest_probes import outputs
from tests.support.several_targets import TARGETS, rows

X, Y = rows()
ASKED, TRUTH = rows(500, seed=1)
FOREST = RandomForestRegressor(20, random_state=0).fit(X, Y)
PLAIN = onnxpress.convert(FOREST, X)


def test_a_lossless_forest_keeps_every_number() -> None:
    result = onnxpress.compress(FOREST, X, Y, level="lossless")
    assert result.candidate == "forest/lossless"
    assert result.times_smaller > 3
    np.testing.assert_allclose(outputs(result.model, ASKED)[0], outputs(PLAIN, ASKED)[0], rtol=2e-7)
    np.testing.assert_allclose(outputs(PLAIN, ASKED)[0], FOREST.predict(ASKED), rtol=1e-6)


def test_a_refined_forest_keeps_the_score_of_each_target() -> None:
    forest = ExtraTreesRegressor(30, random_state=0).fit(X, Y)
    budgets = {"score": 0.02}
    result = onnxpress.compress(
        forest, X, Y, calibration=(ASKED, TRUTH), level="refined", budgets=budgets
    )
    assert "refined" in result.candidate
    assert result.times_smaller > 20
    fresh, truth = rows(2000, seed=2)
    before, after = (
        r2_score(truth, found, multioutput="raw_values")
        for found in (forest.predict(fresh), outputs(result.model, fresh)[0])
    )
    assert (before - after < 0.05).all()
    chosen = next(each for each in result.to_json()["candidates"] if each["outcome"] == "chosen")
    assert chosen["drops"]["target_worst_loss"]["limit"] == 0.02


def test_a_comparison_has_scikit_learns_mean_of_both_scores() -> None:
    found = onnxpress.compare(FOREST, PLAIN, ASKED, TRUTH)
    assert found.agreement == 1
    assert found.scores == pytest.approx([r2_score(TRUTH, FOREST.predict(ASKED))] * 2, abs=1e-6)
    assert found.thresholds[0] > 0


def test_a_comparison_counts_a_row_if_one_of_its_numbers_differs() -> None:
    other = RandomForestRegressor(20, random_state=0).fit(X, Y)
    for tree in other.estimators_:
        tree.tree_.value[:, 1, 0] += 10.0
    found = onnxpress.compare(FOREST, other, ASKED, TRUTH, probe_rows=0)
    assert found.agreement == 0
    assert found.losses["target_worst_loss"].about == "target 2 of 2"
    assert "score: quantisation costs a single target at most" in str(found)


def test_a_frame_of_targets_is_taken() -> None:
    table, targets = pd.DataFrame(X), pd.DataFrame(Y, columns=list(TARGETS))
    forest = RandomForestRegressor(5, random_state=0).fit(X, targets)
    result = onnxpress.compress(forest, table, targets, level="lossless")
    assert outputs(result.model, ASKED)[0].shape == (len(ASKED), 2)


def test_an_onnx_model_of_several_targets_is_compressed() -> None:
    result = onnxpress.compress(PLAIN, X, Y, level="lossless")
    assert result.candidate == "forest/lossless"
    assert outputs(result.model, ASKED)[0].shape == (len(ASKED), 2)


LINEAR = LinearRegression().fit(X, Y[:, 0])
BAD: list[tuple[Any, str]] = [
    (lambda: onnxpress.compress(FOREST, X, Y[:, 0]), r"should predict one value per row.*got 2"),
    (lambda: onnxpress.compress(LINEAR, X, Y), r"should predict 2 values per row.*got 1"),
    (lambda: onnxpress.compare(FOREST, LINEAR, X), r"original predicts 2 values per row, model 1"),
    (lambda: onnxpress.compare(FOREST, PLAIN, X, Y[:, 0]), r"y has 1 values per row, and original"),
    (
        lambda: onnxpress.compress(FOREST, X, np.where(Y > 1100, np.nan, Y)),
        r"y: row \d+ has no value; leave such rows out",
    ),
    (
        lambda: onnxpress.compress(FOREST, X, Y, score="neg_max_error"),
        r"score 'neg_max_error' is for one target, and there are several",
    ),
]


@pytest.mark.parametrize(("call", "line"), BAD)
def test_what_does_not_fit_is_refused(call: Any, line: str) -> None:
    with pytest.raises(UserError, match=line):
        call()
