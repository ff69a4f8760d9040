"""Ensembles that onnxmltools converts from LightGBM and XGBoost are treated like scikit-learn's."""

from __future__ import annotations

import itertools
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
from onnx import TensorProto, helper
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from onnxpress.graph.trees.forest import Forest, Mode
from onnxpress.graph.trees.reader import read
from onnxpress.quantize.forest.lossless.lowering import lower
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.forest.lossless.site import Site, SiteWriter
from tests.support.forest_probes import assert_same, outputs, packed_size, probes, reference_outputs

LIGHT: dict[str, Any] = {"n_estimators": 10, "verbose": -1, "n_jobs": 1, "num_leaves": 15}
EXTREME: dict[str, Any] = {"n_estimators": 10, "n_jobs": 1, "max_depth": 4}
MODELS: dict[str, tuple[Callable[[], Any], Any]] = {
    "lightgbm, two classes": (lambda: lightgbm.LGBMClassifier(**LIGHT), load_breast_cancer),
    "lightgbm, three classes": (lambda: lightgbm.LGBMClassifier(**LIGHT), load_wine),
    "lightgbm, regression": (lambda: lightgbm.LGBMRegressor(**LIGHT), load_diabetes),
    "lightgbm, random forest": (
        lambda: lightgbm.LGBMRegressor(
            boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, **LIGHT
        ),
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
            estimator,
            initial_types=[("X", FloatTensorType([None, features]))],
            target_opset=15,
            **options,
        )
    return model


@pytest.fixture(scope="module", params=MODELS)
def booster(request: pytest.FixtureRequest) -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    build, data = MODELS[request.param]
    x, y = data(return_X_y=True)
    x = x.astype(np.float32)
    return converted(build().fit(x, y), x.shape[1]), x


@pytest.mark.parametrize("ml_opset", [3, 5])
def test_boosters_predict_every_probe_alike(
    booster: tuple[onnx.ModelProto, NDArray[np.float32]], ml_opset: int
) -> None:
    model, x = booster
    small = rewrite_trees(model, ml_opset=ml_opset)
    onnx.checker.check_model(small, full_check=True)
    rows = probes(model, x)
    assert_same(outputs(small, rows, packed=True), outputs(model, rows))


def test_boosters_are_at_least_three_times_smaller(
    booster: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, _ = booster
    assert model.ByteSize() > 3 * packed_size(rewrite_trees(model, ml_opset=5))


@pytest.fixture(scope="module")
def categorical() -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    """LightGBM with a categorical feature.

    onnxmltools writes its splits as chains of BRANCH_EQ with a shared child.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 3)).astype(np.float32)
    x[:, 0] = random.integers(1, 13, len(x))
    y = np.isin(x[:, 0], [2, 5, 7, 11]) ^ (x[:, 1] > 0.5)
    estimator = lightgbm.LGBMClassifier(min_data_per_group=1, cat_smooth=0, **LIGHT)
    return converted(estimator.fit(x, y.astype(int), categorical_feature=[0]), 3), x


def at_opset_12(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model as the convert stage adopts it: its only operator is one of ai.onnx.ml."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for entry in result.opset_import:
        entry.version = 12 if not entry.domain else entry.version
    return result


@pytest.mark.parametrize("ml_opset", [3, 5])
def test_a_chain_of_equal_comparisons_becomes_one_split_on_a_column(
    categorical: tuple[onnx.ModelProto, NDArray[np.float32]], ml_opset: int
) -> None:
    model = at_opset_12(categorical[0])
    small = rewrite_trees(model, ml_opset=ml_opset)
    onnx.checker.check_model(small, full_check=True)
    forest = read(
        next(node for node in small.graph.node if node.op_type.startswith("TreeEnsemble"))
    )
    assert set(forest.mode.tolist()) == {Mode.LEQ}
    assert forest.n_splits < read(model.graph.node[0]).n_splits / 2
    assert packed_size(small) < packed_size(model)


@pytest.mark.parametrize("ml_opset", [3, 5])
def test_sets_hold_their_codes_and_no_other_float(
    categorical: tuple[onnx.ModelProto, NDArray[np.float32]], ml_opset: int
) -> None:
    model, x = at_opset_12(categorical[0]), categorical[1]
    small = rewrite_trees(model, ml_opset=ml_opset)
    rows = np.repeat(x[:20], 200, axis=0)
    codes = np.arange(-5, 45, dtype=np.float32)
    around = [
        codes,
        codes + np.float32(0.5),
        np.nextafter(codes, np.float32(99)),
        np.nextafter(codes, np.float32(-99)),
    ]
    rows[:, 0] = np.resize(np.concatenate(around), len(rows))
    rows[-9:, 0] = [np.nan, np.inf, -np.inf, 1e10, -1e10, 2**32 + 5, -0.0, 1e-45, 3e38]
    wanted = list(reference_outputs(model, rows[-60:]))
    assert_same(outputs(small, rows[-60:]), wanted)
    assert_same(outputs(small, rows), outputs(model, rows))
    assert_same(reference_outputs(small, rows[-60:]), wanted)


@pytest.mark.parametrize(
    "shared", [True, False], ids=["the true child is shared", "each has its own"]
)
@pytest.mark.parametrize("codes", [[1, 3, 5, 40, 41], [0, -3, 2.5], [7], [100, 101, 3e9]])
def test_a_written_chain_predicts_as_the_specification_says(
    codes: list[float], shared: bool
) -> None:
    """Leaves 1 where x is one of ``codes``, 0.25 where not, by IEEE equality."""
    size = len(codes)
    true_leaves = [0] * size if shared else list(range(size))
    forest = Forest(
        feature=np.zeros(size, np.int32),
        threshold=np.array(codes, np.float32),
        mode=np.full(size, Mode.EQ, np.uint8),
        missing_true=np.zeros(size, np.bool_),
        true_child=~np.array(true_leaves, np.int32),
        false_child=np.array([*range(1, size), ~size], np.int32),
        roots=np.zeros(1, np.int32),
        leaf_offset=np.arange(size + 2, dtype=np.int32),
        leaf_target=np.zeros(size + 1, np.int32),
        leaf_weight=np.array([1.0] * size + [0.25], np.float32),
        n_targets=1,
    )
    graph = onnx.GraphProto(name="g")
    graph.input.append(helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 1]))
    graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1]))
    writer = SiteWriter(graph, 12, map("v{}".format, itertools.count()))
    site = Site("X", "", "y", TensorProto.FLOAT, writer)
    lower(forest, site)
    opsets = [helper.make_opsetid("", 12), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    x = np.concatenate(
        [np.array(codes), np.array(codes) + 0.5, np.arange(-50, 50, 0.25), [np.nan, np.inf, 1e30]]
    )
    x = x.astype(np.float32)
    wanted = np.where(np.isin(x, np.array(codes, np.float32)), 1, 0.25)
    np.testing.assert_array_equal(np.asarray(next(iter(outputs(model, x[:, None]))))[:, 0], wanted)


def test_the_portable_encoding_keeps_the_chains_with_their_shared_child(
    categorical: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = categorical
    small = rewrite_trees(model, ml_opset=3)
    assert packed_size(small) < packed_size(model)
    assert read(small.graph.node[0]).n_leaves == read(model.graph.node[0]).n_leaves
    rows = probes(model, x)
    assert_same(outputs(small, rows), outputs(model, rows))
