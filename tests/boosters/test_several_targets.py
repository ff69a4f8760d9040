"""XGBoost and CatBoost on several targets, against the libraries' own predictions."""

from __future__ import annotations

from typing import Any

import catboost
import numpy as np
import pytest
import xgboost

from onnxpress.conversion.converting import to_onnx
from onnxpress.errors import UserError
from onnxpress.estimators.building import build
from onnxpress.estimators.fitting import fit
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.support.several_targets import rows, schema

X, Y = rows(200)
ASKED, _ = rows(100, seed=1)
FEW = {"n_estimators": 8}
MULTI = {**FEW, "loss_function": "MultiRMSE"}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "a tree each": ("xgboost.XGBRegressor", FEW),
    "vector leaves": ("xgboost.XGBRegressor", {**FEW, "multi_strategy": "multi_output_tree"}),
    "absolute errors": ("xgboost.XGBRegressor", {**FEW, "objective": "reg:absoluteerror"}),
    "CatBoost": ("catboost.CatBoostRegressor", MULTI),
}


def native(name: str, parameters: dict[str, Any]) -> Any:
    if name.startswith("xgboost"):
        return xgboost.XGBRegressor(**parameters, n_jobs=1, random_state=0).fit(X, Y)
    quiet = {"verbose": False, "allow_writing_files": False, "thread_count": 1, "random_state": 0}
    return catboost.CatBoostRegressor(**parameters, **quiet).fit(X, Y)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_booster_predicts_each_target_as_its_library_does(kind: str) -> None:
    name, parameters = KINDS[kind]
    estimator = build(name, parameters, schema(Y), 0)
    fit(estimator, Rows({"X": X}, Y))
    expected = native(name, parameters).predict(ASKED)
    assert expected.shape == (100, 2)
    np.testing.assert_array_equal(estimator.predict(ASKED), expected)
    model = to_bytes(to_onnx(estimator, schema(Y), 13))
    found = predict_onnx(open_session(model), {"X": ASKED}).values
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


def test_lightgbm_refuses_several_targets_in_its_own_words() -> None:
    estimator = build("lightgbm.LGBMRegressor", FEW, schema(Y), 0)
    with pytest.raises(UserError, match="should be a 1d array"):
        fit(estimator, Rows({"X": X}, Y))
