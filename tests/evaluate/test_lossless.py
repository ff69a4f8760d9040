"""Evaluate fails if a lossless model does not predict what model.onnx predicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.errors import UserError
from onnxpress.evaluate.lossless_check import NotLossless, check_lossless, is_lossless
from onnxpress.evaluate.lossless_differences import lossless_differences, trees_agree
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.pipeline.files import read_json, write_json
from onnxpress.pipeline.outputs import METRICS, ONNX_MODEL, QUANTIZED_MODEL
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds
from stages import convert, evaluate, prepare, quantize, train
from tests.conftest import default_params, numeric_schema, write_params


def float32(values: Any) -> NDArray[np.float32]:
    return np.array(values, np.float32)


Change = Callable[[onnx.ModelProto], None]


@pytest.fixture
def lossless(workspace: Path) -> Path:
    """A finished chain up to a lossless model, on wine: no test row lies at a threshold."""
    write_params(
        workspace,
        default_params(
            data__source="wine", quantize__level="lossless", train__params={"n_estimators": 10}
        ),
    )
    for stage in (prepare, train, convert, quantize):
        stage.main()
    assert read_json(Path("outputs/quantization.json"))["candidate"] == "forest/lossless"
    return workspace


def exchange(change: Change) -> None:
    """Put model.onnx itself, changed, in the place of the quantised model."""
    model = onnx.load(str(ONNX_MODEL))
    change(model)
    onnx.save(model, str(QUANTIZED_MODEL))


def floats(model: onnx.ModelProto, name: str) -> Any:
    return next(item for item in model.graph.node[0].attribute if item.name == name).floats


def every_threshold_up(model: onnx.ModelProto) -> None:
    values = floats(model, "nodes_values")
    values[:] = np.nextafter(np.array(values, np.float32), np.float32(np.inf)).tolist()


def one_leaf_heavier(model: onnx.ModelProto) -> None:
    """By less than the distance of any label from another, for 10 trees that vote with tenths."""
    floats(model, "class_weights")[0] += 2e-4


def test_a_lossless_model_that_agrees_passes_and_says_how_many_thresholds_were_hit(
    lossless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main()
    metrics = read_json(METRICS)
    hit, thresholds = metrics["probe_thresholds_hit"], metrics["probe_thresholds"]
    assert hit == thresholds > 30
    said = capsys.readouterr().out
    assert f"probes: {hit} of {thresholds} split thresholds of outputs/model.onnx are hit" in said
    assert "warning" not in said
    assert lossless


def test_a_lossless_model_with_other_labels_at_thresholds_fails_and_names_a_row(
    lossless: Path,
) -> None:
    exchange(every_threshold_up)
    with pytest.raises(
        UserError, match="other labels on [0-9]+ of 2000 probe rows: probe row [0-9]+ "
    ) as failure:
        evaluate.main()
    assert "test rows" not in str(failure.value)
    assert str(QUANTIZED_MODEL) in str(failure.value)
    assert "quantize.method" in str(failure.value)
    assert read_json(METRICS)["quantized_probe_agreement"] < 1
    assert lossless


def test_a_lossless_model_with_equal_labels_and_other_scores_fails(lossless: Path) -> None:
    exchange(one_leaf_heavier)
    with pytest.raises(UserError, match="scores that differ by more than 1e-06 on [0-9]+ of"):
        evaluate.main()
    assert lossless


def test_a_model_that_promises_nothing_may_differ(lossless: Path) -> None:
    exchange(every_threshold_up)
    write_json(
        Path("outputs/quantization.json"), {"modified": True, "candidate": "forest/refined-8x3"}
    )
    evaluate.main()
    assert lossless


@pytest.mark.parametrize(
    ("candidate", "promise"),
    [
        ("none", True),
        ("forest/lossless", True),
        ("forest/refined-8x3", False),
        ("forest+kernel/lossless+int8", False),
        ("dynamic", False),
        ("dense/int8", False),
    ],
)
def test_which_candidates_are_held_to_lossless(candidate: str, promise: bool) -> None:
    assert is_lossless(candidate) is promise


def proba(*second: float) -> Predictions:
    scores = np.array([[1 - value, value] for value in second])
    return Predictions((scores[:, 1] > 0.5).astype(int), scores)


def test_a_tie_may_fall_to_either_class_and_rounding_is_no_difference() -> None:
    found = lossless_differences(
        proba(0.5, 0.7, 0.2, 0.4), proba(0.5 + 1e-8, 0.7 + 1e-7, 0.6, 0.4 + 2e-6)
    )
    assert [list(rows) for rows in (found.ties, found.labels, found.scores)] == [[0], [2], [3]]


def test_predictions_are_held_against_the_largest_of_them_and_nan_equals_nan() -> None:
    plain, other = (
        Predictions(np.array(values), None) for values in ([3e6, 1.0, np.nan], [3e6, 3.0, np.nan])
    )
    assert list(lossless_differences(plain, other).scores) == []
    beyond = Predictions(np.array([3e6, 5.0, np.nan]), None)
    assert list(lossless_differences(plain, beyond).scores) == [1]


def stepped(leaf: float, step: bool = True) -> bytes:
    """A tree that gives ``leaf`` below 0, and a step function of that: 1 above 1, else 0."""
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["X"],
        ["sum"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_values=[0.0, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[leaf, 5.0],
    )
    after = [helper.make_node("Ceil" if step else "Identity", ["sum"], ["prediction"])]
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 1])]
    output = helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([tree, *after], "g", inputs, [output])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def predicted(kind: str, feeds: Feeds, *models: bytes) -> PredictedRows:
    predictions = [predict_onnx(open_session(model), feeds) for model in models]
    return PredictedRows(kind, feeds, [predictions[0], *predictions])


def test_a_step_behind_trees_that_agree_is_counted_and_not_failed() -> None:
    schema, feeds = numeric_schema(1, "regression"), {"X": float32([[-1], [1], [-2]])}
    models = stepped(1.0), stepped(float(np.nextafter(np.float32(1), np.float32(2))))
    assert trees_agree(*models, feeds, np.array([0, 2]))
    rows = predicted("test", feeds, *models)
    (line,) = check_lossless("forest/lossless", models, [rows], schema)
    assert "2 of 3 test rows" in line
    assert "at most 1)" in line
    assert "step function" in line


def test_trees_that_disagree_are_no_step() -> None:
    schema, feeds = numeric_schema(1, "regression"), {"X": float32([[-1], [1], [-2]])}
    models = stepped(1.0), stepped(1.001)
    rows = predicted("test", feeds, *models)
    what = r"2 of 3 test rows: test row 0 \('f0' is -1\) gets 2.0 where .* says 1.0"
    with pytest.raises(NotLossless, match=what):
        check_lossless("forest/lossless", models, [rows], schema)
