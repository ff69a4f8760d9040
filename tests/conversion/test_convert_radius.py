"""Neighbours within a radius: a row that has none is NaN, and stops no other row."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from sklearn.neighbors import RadiusNeighborsRegressor

import onnxpress

X = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)


@pytest.mark.parametrize("opset", [11, 12, 18, 22])
@pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")
def test_rows_without_neighbours_are_nan_as_in_scikit_learn(opset: int) -> None:
    estimator = RadiusNeighborsRegressor(radius=0.5).fit(X[:200], X[:200, 0] + 100)
    model = onnxpress.convert(estimator, X, opset=opset)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    predicted = session.run(None, {"X": X})[0][:, 0]
    expected = estimator.predict(X)
    assert 0 < np.isnan(expected).sum() < 100
    np.testing.assert_allclose(predicted, expected, rtol=1e-6)


def test_other_weights_are_refused() -> None:
    estimator = RadiusNeighborsRegressor(weights="distance").fit(X, X[:, 0])
    with pytest.raises(onnxpress.UserError, match="uniform weights"):
        onnxpress.convert(estimator, X)
