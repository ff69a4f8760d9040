"""Regressors of several targets as ONNX: a column for each, with scikit-learn's own numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, linear_model, multioutput, neighbors, tree
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from onnxpress.conversion.converting import NEWEST_OPSET, NotConvertible, to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from tests.support.several_targets import rows, schema

FEW = {"n_estimators": 5, "random_state": 0}
TREE = tree.DecisionTreeRegressor(max_depth=4, random_state=0)
NETWORK = MLPRegressor(hidden_layer_sizes=(8,), max_iter=30, random_state=0)
KINDS: dict[str, Any] = {
    "a tree": TREE,
    "an extra tree": tree.ExtraTreeRegressor(random_state=0),
    "a random forest": ensemble.RandomForestRegressor(**FEW),
    "extra trees": ensemble.ExtraTreesRegressor(**FEW),
    "bagged trees": ensemble.BaggingRegressor(TREE, **FEW),
    "least squares": linear_model.LinearRegression(),
    "ridge": linear_model.RidgeCV(),
    "a lasso": linear_model.MultiTaskLasso(0.1),
    "an elastic net": linear_model.ElasticNet(0.1),
    "partial least squares": PLSRegression(2),
    "a process": GaussianProcessRegressor(alpha=0.1),
    "a network": make_pipeline(StandardScaler(), NETWORK),
    "neighbours": neighbors.KNeighborsRegressor(3),
    "weighted neighbours": neighbors.KNeighborsRegressor(3, weights="distance"),
    "manhattan neighbours": neighbors.KNeighborsRegressor(3, p=1),
    "a radius": neighbors.RadiusNeighborsRegressor(20.0),
    "one boosting each": multioutput.MultiOutputRegressor(
        ensemble.GradientBoostingRegressor(**FEW)
    ),
    "scaled targets": TransformedTargetRegressor(
        ensemble.RandomForestRegressor(**FEW), transformer=StandardScaler()
    ),
    "targets from 0 to 1": TransformedTargetRegressor(
        linear_model.Ridge(), transformer=MinMaxScaler()
    ),
    "logarithms": TransformedTargetRegressor(
        linear_model.Ridge(), transformer=FunctionTransformer(np.square, np.sqrt)
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", list(KINDS))
def test_each_kind_of_regressor_converts(name: str) -> None:
    x, y = rows(120)
    estimator = KINDS[name].fit(x, y)
    model = to_onnx(estimator, schema(), 13)
    (output,) = model.graph.output
    assert [size.dim_value for size in output.type.tensor_type.shape.dim] == [0, 2]
    asked, _ = rows(50, seed=1)
    found = predict_onnx(open_session(to_bytes(model)), {"X": asked})
    np.testing.assert_allclose(found.values, estimator.predict(asked), rtol=2e-5, atol=2e-5)


def test_a_chain_of_regressors_is_refused_by_name() -> None:
    chained = multioutput.RegressorChain(linear_model.Ridge()).fit(*rows(50))
    with pytest.raises(NotConvertible, match="skl2onnx cannot convert RegressorChain"):
        to_onnx(chained, schema(), NEWEST_OPSET)
