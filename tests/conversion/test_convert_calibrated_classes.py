"""Boosting whose classes are no whole numbers, inside a calibration of its decisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

from onnxpress import convert
from onnxpress.runtime.sessions import open_session

MEMBERS = {
    "gradients": GradientBoostingClassifier(n_estimators=10),
    "histograms": HistGradientBoostingClassifier(max_iter=10),
}


@pytest.mark.parametrize("dtype", [bool, np.float64, np.int64])
@pytest.mark.parametrize("member", MEMBERS)
def test_decisions_stay_decisions(member: str, dtype: Any) -> None:
    matrix, target = load_breast_cancer(return_X_y=True)
    matrix = matrix.astype(np.float32)
    estimator = CalibratedClassifierCV(MEMBERS[member], cv=2).fit(matrix, target.astype(dtype))
    session = open_session(convert(estimator, matrix).SerializeToString())
    label, probabilities = session.run(None, {"X": matrix})
    assert np.abs(probabilities - estimator.predict_proba(matrix)).max() < 1e-6
    assert np.array_equal(label.astype(dtype), estimator.predict(matrix))
