"""Ensembles that onnxmltools converts from LightGBM and XGBoost go the same way as scikit-learn's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import onnx
import onnxmltools
import pytest
import xgboost
from numpy.typing import NDArray
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from stages.quantize.forest.forest import Mode
from stages.quantize.forest.reader import read
from stages.quantize.forest.rewrite import rewrite_trees
from tests.forest_probes import assert_same, outputs, packed_size, probes, reference_outputs

LIGHT: dict[str, Any] = {"n_estimators": 10, "verbose": -1, "n_jobs": 1, "num_leaves": 15}
EXTREME: dict[str, Any] = {"n_estimators": 10, "n_jobs": 1, "max_depth": 4}
MODELS: dict[str, tuple[Callable[[], Any], Any]] = {
    "lightgbm, two classes": (lambda: lightgbm.LGBMClassifier(**LIGHT), load_breast_cancer),
    "lightgbm, three classes": (lambda: lightgbm.LGBMClassifier(**LIGHT), load_wine),
    "lightgbm, regression": (lambda: lightgbm.LGBMRegressor(**LIGHT), load_diabetes),
    "lightgbm, random forest": (
        lambda: lightgbm.LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, **LIGHT),
        load_diabetes,
    ),
    "xgboost, two classes": (lambda: xgboost.XGBClassifier(**EXTREME), load_breast_cancer),
    "xgboost, three classes": (lambda: xgboost.XGBClassifier(**EXTREME), load_wine),
    "xgboost, regression": (lambda: xgboost.XGBRegressor(**EXTREME), load_diabetes),
}


def converted(estimator: Any, features: int) -> onnx.ModelProto:
    light = isinstance(estimator, lightgbm.LGBMModel)
    convert = onnxmltools.convert_lightgbm if light else onnxmltools.convert_xgboost
    options = {"zipmap": False} if light else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: onnx.ModelProto = convert(
            estimator, initial_types=[("X", FloatTensorType([None, features]))], target_opset=15, **options
        )
    return model


@pytest.fixture(scope="module", params=MODELS)
def booster(request: pytest.FixtureRequest) -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    build, data = MODELS[request.param]
    x, y = data(return_X_y=True)
    x = x.astype(np.float32)
    return converted(build().fit(x, y), x.shape[1]), x


@pytest.mark.parametrize("ml_opset", [3, 5])
def test_boosters_answer_every_probe_alike(booster: tuple[onnx.ModelProto, NDArray[np.float32]], ml_opset: int) -> None:
    model, x = booster
    small = rewrite_trees(model, ml_opset=ml_opset)
    onnx.checker.check_model(small, full_check=True)
    rows = probes(model, x)
    assert_same(outputs(small, rows, packed=True), outputs(model, rows))


def test_boosters_are_at_least_three_times_smaller(booster: tuple[onnx.ModelProto, NDArray[np.float32]]) -> None:
    model, _ = booster
    assert model.ByteSize() > 3 * packed_size(rewrite_trees(model, ml_opset=5))


@pytest.fixture(scope="module")
def categorical() -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    """LightGBM with a categorical feature: onnxmltools writes its splits as chains of BRANCH_EQ with a shared child."""
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 3)).astype(np.float32)
    x[:, 0] = random.integers(1, 13, len(x))
    y = np.isin(x[:, 0], [2, 5, 7, 11]) ^ (x[:, 1] > 0.5)
    estimator = lightgbm.LGBMClassifier(min_data_per_group=1, cat_smooth=0, **LIGHT)
    return converted(estimator.fit(x, y.astype(int), categorical_feature=[0]), 3), x


def test_a_chain_of_equal_comparisons_becomes_one_split_on_a_set(
    categorical: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, _ = categorical
    trees = next(node for node in rewrite_trees(model, ml_opset=5).graph.node if node.op_type == "TreeEnsemble")
    forest = read(trees)
    assert (forest.mode == Mode.MEMBER).any()
    assert max(map(len, forest.member_sets)) > 1
    assert forest.n_splits < read(model.graph.node[0]).n_splits


def test_splits_on_sets_answer_alike_also_for_categories_never_seen(
    categorical: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = categorical
    rows = probes(model, x)
    rows[:200, 0] = np.arange(200) % 40
    assert_same(outputs(rewrite_trees(model, ml_opset=5), rows), outputs(model, rows))


def test_splits_on_sets_agree_with_the_reference_implementation(
    categorical: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = categorical
    assert_same(reference_outputs(rewrite_trees(model, ml_opset=5), x[:30]), outputs(model, x[:30]))


def test_the_portable_encoding_keeps_the_chains_with_their_shared_child(
    categorical: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = categorical
    small = rewrite_trees(model, ml_opset=3)
    assert packed_size(small) < packed_size(model)
    assert read(small.graph.node[0]).n_leaves == read(model.graph.node[0]).n_leaves
    rows = probes(model, x)
    assert_same(outputs(small, rows), outputs(model, rows))
