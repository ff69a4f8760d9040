"""A classifier behind a threshold gives scikit-learn's labels as ONNX, on the threshold too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsClassifier

from onnxpress.conversion.converting import to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from tests.conftest import numeric_schema

LABELS = np.array(["no", "yes"])


def noisy(rows: int = 3000) -> tuple[NDArray[np.float32], NDArray[Any]]:
    x, y = make_classification(rows, 8, n_informative=5, flip_y=0.3, random_state=1)
    return x.astype(np.float32), LABELS[y]


VOTERS: dict[str, tuple[Any, int]] = {
    "60 trees": (RandomForestClassifier(60, random_state=0), 60),
    "500 trees": (RandomForestClassifier(500, random_state=0), 500),
    "7 extra trees": (ExtraTreesClassifier(7, bootstrap=True, random_state=0), 7),
    "5 neighbours": (KNeighborsClassifier(5), 5),
}


@pytest.mark.parametrize("positive", ["no", "yes"])
@pytest.mark.parametrize("voter", list(VOTERS))
def test_a_share_of_votes_that_is_the_threshold_makes_a_row_positive(
    voter: str, positive: str
) -> None:
    x, y = noisy()
    inside, votes = VOTERS[voter]
    inside.fit(x[:600], y[:600])
    shares = inside.predict_proba(x[600:])[:, list(LABELS).index(positive)]
    at_threshold = 0
    for share in np.linspace(0.1, 0.9, 9):
        threshold = round(share * votes) / votes
        estimator = FixedThresholdClassifier(
            FrozenEstimator(inside), threshold=threshold, pos_label=positive
        ).fit(x[:600], y[:600])
        model = open_session(to_bytes(to_onnx(estimator, numeric_schema(8), 12)))
        found = predict_onnx(model, {"X": x[600:]}).values
        assert found.tolist() == estimator.predict(x[600:]).tolist()
        at_threshold += int((shares == threshold).sum())
    assert at_threshold > 20


@pytest.mark.parametrize("threshold", [0.0, 1e-9, 1.0])
def test_thresholds_at_the_ends_are_kept(threshold: float) -> None:
    x, y = noisy(600)
    estimator = FixedThresholdClassifier(
        RandomForestClassifier(20, random_state=0), threshold=threshold, pos_label="yes"
    ).fit(x[:300], y[:300])
    model = open_session(to_bytes(to_onnx(estimator, numeric_schema(8), 12)))
    found = predict_onnx(model, {"X": x}).values
    assert found.tolist() == estimator.predict(x).tolist()
