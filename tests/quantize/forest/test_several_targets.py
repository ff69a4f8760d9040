"""Small forests of several targets: each in steps of its own unit, each with a floor of its own."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from onnxpress.conversion.converting import to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Rung
from onnxpress.quantize.forest.faithful.rounding import rounded
from onnxpress.quantize.forest.refined.ladder import refined
from onnxpress.quantize.scoring import Compared
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.support.several_targets import rows, schema


def test_leaves_are_rounded_in_the_unit_of_their_target() -> None:
    values = np.array([[1.27, 1000.0], [0.014, -500.0]])
    np.testing.assert_allclose(rounded(values, units=True)[:, 0], [1.27, 0.01], rtol=1e-6)
    np.testing.assert_array_equal(rounded(values)[:, 0], [0, 0])


def test_a_refined_forest_keeps_the_sign_of_the_target_that_is_never_negative() -> None:
    x, y = rows(400)
    counts = np.maximum(0, np.round(y[:, 0] - 12))
    both = np.column_stack([counts, y[:, 1] - 1000])
    forest = RandomForestRegressor(10, random_state=0).fit(x, both)
    model = to_onnx(forest, schema(both), 13)
    small = to_bytes(refined(model, Rows({"X": x}, both), rung=Rung(8, 3), seed=0))
    asked, _ = rows(1000, seed=1)
    before, after = (
        predict_onnx(open_session(each), {"X": asked}) for each in (to_bytes(model), small)
    )
    assert before.values[:, 0].min() == 0
    assert after.values[:, 0].min() > 0
    assert after.values[:, 1].min() < 0
    assert Compared(both, before, after).lost_sign() == ""


def test_a_sign_lost_by_one_target_is_told() -> None:
    before = Predictions(np.array([[1.0, -1.0], [2.0, 3.0]]), None)
    after = Predictions(np.array([[1.0, -2.0], [-0.5, -3.0]]), None)
    lost = Compared(before.values, before, after).lost_sign()
    assert lost == "it predicts zero or less on 1 of 2 rows, such as -0.5 instead of 2"
