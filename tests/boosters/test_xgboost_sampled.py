"""model.onnx against XGBoost's own predictions, for configurations by seed."""

from __future__ import annotations

import numpy as np
import pytest

from onnxpress.boosters.xgboost_json import read_xgboost
from tests.boosters.compared import BAR, compared, leaf_sum
from tests.boosters.xgboost_sampler import Sampled, sampled

SEEDS = range(48)


@pytest.mark.parametrize("seed", SEEDS)
def test_values_and_labels_are_the_library_s(seed: int) -> None:
    case = sampled(seed)
    model = read_xgboost(case.data)
    classes = range(10, 10 + model.classes) if model.classes else None
    found = compared("xgboost", case.data, case.rows, classes, opset=12 + seed % 7)
    limit = BAR * leaf_sum(model) * (max(1, case.expected.max()) if model.link == "exp" else 1)
    expected = case.expected
    if model.objective != "multi:softmax":
        second = slice(-expected.shape[1], None)
        assert np.abs(found.library[:, second] - expected).max() <= 2**-24, case.name
    assert np.abs(found.onnx - found.library).max() <= limit, case.name
    if found.labels is not None:
        assert_labels(found.labels - 10, found.library, case, limit)


def assert_labels(labels: np.ndarray, library: np.ndarray, case: Sampled, limit: float) -> None:
    """Each label is the library's, or its probability is as high within the bar."""
    expected = case.expected[:, 0] if case.expected.shape[1] == 1 else library.argmax(axis=1)
    if library.shape[1] == 2:
        expected = case.expected[:, 0] > 0.5
    other = np.flatnonzero(labels != expected)
    gap = library[other].max(axis=1) - library[other, labels[other]]
    assert (gap <= limit).all(), case.name
