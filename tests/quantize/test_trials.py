"""The folds on which clones are scored."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

import onnxpress

X, Y = load_iris(return_X_y=True)


@pytest.mark.parametrize("rows", [3, 4, 6])
def test_fewer_rows_than_folds_are_enough_for_a_lossless_candidate(rows: int) -> None:
    some = np.linspace(0, 99, rows).astype(int)  # of the first two classes
    forest = RandomForestClassifier(30, random_state=0).fit(X[some], Y[some])
    result = onnxpress.compress(forest, X[some], Y[some], level="lossless")
    assert result.candidate == "forest/lossless"
