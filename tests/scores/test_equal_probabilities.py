"""Rows of equal probability stay equal: the shares of votes in a forest often are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import get_scorer

from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.score import find_score


@pytest.mark.parametrize("name", ["average_precision", "roc_auc_ovr", "neg_brier_score"])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_the_score_of_a_forest_is_scikit_learns(name: str, kind: type) -> None:
    x, y = make_classification(600, 8, n_informative=5, n_classes=3, flip_y=0.3, random_state=0)
    forest = RandomForestClassifier(30, random_state=0).fit(x[:300], y[:300])
    shares = forest.predict_proba(x[300:]).astype(kind).astype(np.float64)
    found = find_score(name, "classification", (0, 1, 2))(
        y[300:], Predictions(forest.predict(x[300:]), shares)
    )
    assert found == pytest.approx(get_scorer(name)(forest, x[300:], y[300:]), abs=1e-6)
