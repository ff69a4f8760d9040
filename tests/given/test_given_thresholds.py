"""A classifier with a threshold of its own, given as an ONNX file, keeps the sign of its scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.svm import SVC

import onnxpress
from onnxpress.estimators.onnx_estimator import OnnxClassifier
from onnxpress.given.onnx_models import load_onnx
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_the_greater_score_stays_that_of_the_second_class(tmp_path: Path, share: float) -> None:
    x, y = make_classification(400, 6, n_informative=4, weights=[0.8], random_state=0)
    rows = Rows({"X": x.astype(np.float32)}, y)
    threshold = float(np.quantile(SVC().fit(rows.feeds["X"], y).decision_function(x), share))
    fixed = FixedThresholdClassifier(SVC(), threshold=threshold).fit(rows.feeds["X"], y)
    path = tmp_path / "given.onnx"
    path.write_bytes(onnxpress.convert(fixed, rows.feeds["X"]).SerializeToString())
    given = load_onnx(path, rows, numeric_schema(6))
    assert isinstance(given, OnnxClassifier)
    assert given.predict(rows.feeds["X"]).tolist() == fixed.predict(rows.feeds["X"]).tolist()
    expected = roc_auc_score(y, fixed.decision_function(rows.feeds["X"]))
    assert roc_auc_score(y, given.scores(rows.feeds["X"])[:, -1]) == pytest.approx(expected)
