"""Kinds of tree ensembles through the public functions, from estimator or file to lossless form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestRegressor,
)

import onnxpress
from onnxpress.errors import UserError
from tests.support.forest_probes import assert_same, converted, outputs, probes

Rows = tuple[NDArray[np.float32], NDArray[Any]]


def wine() -> Rows:
    x, y = load_wine(return_X_y=True)
    return x.astype(np.float32), y


def diabetes() -> Rows:
    x, y = load_diabetes(return_X_y=True)
    return x.astype(np.float32), y


def codes() -> Rows:
    random = np.random.default_rng(0)
    x = np.column_stack([random.integers(0, 30, 900), random.normal(size=(900, 2))])
    return x.astype(np.float32), (np.isin(x[:, 0], [1, 5, 7, 9]) + x[:, 1] > 0.5).astype(int)


def around(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of ``x`` mixed by column, with neighbours, halves between codes, NaN and infinities."""
    random = np.random.default_rng(1)
    rows = random.permuted(np.repeat(x, 4, axis=0), axis=0)
    ends = np.where(random.random(rows.shape) < 0.5, np.float32(np.inf), np.float32(-np.inf))
    chance = random.random(rows.shape)
    rows = np.where(chance < 0.3, np.nextafter(rows, ends), rows)
    rows = np.where((chance > 0.3) & (chance < 0.4), rows + np.float32(0.5), rows)
    rows = np.where(chance > 0.97, ends, np.where(chance > 0.94, np.float32(np.nan), rows))
    return rows.astype(np.float32)


FEW: dict[str, Any] = {"n_estimators": 15, "random_state": 0}
KINDS: dict[str, tuple[Any, Rows]] = {
    "boosted stumps": (AdaBoostClassifier(**FEW), wine()),
    "boosted regressors": (AdaBoostRegressor(**FEW), diabetes()),
    "native categories": (
        HistGradientBoostingClassifier(categorical_features=[0], max_iter=10, random_state=0),
        codes(),
    ),
}


@pytest.mark.parametrize("name", list(KINDS))
def test_an_estimator_becomes_smaller_without_loss(name: str) -> None:
    estimator, (x, y) = KINDS[name]
    estimator.fit(x, y)
    model = onnxpress.convert(estimator, x)
    result = onnxpress.compress(estimator, x, y, level="lossless")
    assert "forest/lossless chosen" in result.summary
    assert result.model.ByteSize() < 0.7 * model.ByteSize()
    rows = around(x)
    assert_same(outputs(result.model, rows), outputs(model, rows))


def test_an_isolation_forest_of_a_file_becomes_smaller_without_loss() -> None:
    x = diabetes()[0]
    forest = IsolationForest(n_estimators=5, random_state=0).fit(x)
    model = converted(forest, x)
    labels = forest.predict(x)
    result = onnxpress.compress(model, x, labels, level="lossless")
    assert "forest/lossless chosen" in result.summary
    rows = probes(model, x)
    label, scores = outputs(result.model, rows)  # the scores of both labels, -s and s
    wanted_label, score = outputs(model, rows)
    np.testing.assert_array_equal(label, wanted_label.ravel())
    np.testing.assert_array_equal(scores, np.hstack([-score, score]))
    np.testing.assert_array_equal(outputs(result.model, x)[0].ravel(), labels)


def test_what_has_no_target_or_another_number_is_rejected_by_name() -> None:
    x, y = diabetes()
    with pytest.raises(UserError, match="IsolationForest"):
        onnxpress.convert(IsolationForest(n_estimators=2).fit(x), x)
    several = RandomForestRegressor(2).fit(x, np.c_[y, -y])
    with pytest.raises(UserError, match="expected one per row"):
        onnxpress.compress(converted(several, x), x, y, level="lossless")
