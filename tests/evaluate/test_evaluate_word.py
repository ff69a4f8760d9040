"""Evaluate says what makes a proof hollow, and fails where a lossless model does not answer as model.onnx does."""

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
from onnxpress.evaluate.lossless_check import check_lossless
from onnxpress.evaluate.lossless_differences import is_lossless, lossless_differences, trees_agree
from onnxpress.evaluate.metrics import compare_on_probes
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.evaluate.probes.raw_columns import RawColumn
from onnxpress.evaluate.warning_lines import prediction_warnings
from onnxpress.pipeline.files import read_json, write_json
from onnxpress.pipeline.outputs import METRICS, ONNX_MODEL, ORIGINAL_MODEL, QUANTIZED_MODEL
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Column, Schema
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


def asked(kind: str, feeds: Feeds, *models: bytes) -> PredictedRows:
    predictions = [predict_onnx(open_session(model), feeds) for model in models]
    return PredictedRows(kind, feeds, [predictions[0], *predictions])


def test_a_step_behind_trees_that_agree_is_counted_and_not_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    schema, feeds = numeric_schema(1, "regression"), {"X": float32([[-1], [1], [-2]])}
    models = stepped(1.0), stepped(float(np.nextafter(np.float32(1), np.float32(2))))
    assert trees_agree(*models, feeds, np.array([0, 2]))
    check_lossless("forest/lossless", models, [asked("test", feeds, *models)], schema)
    said = capsys.readouterr().out
    assert "2 of 3 test rows" in said
    assert "at most 1)" in said
    assert "step function" in said


def test_trees_that_disagree_are_no_step(capsys: pytest.CaptureFixture[str]) -> None:
    schema, feeds = numeric_schema(1, "regression"), {"X": float32([[-1], [1], [-2]])}
    models = stepped(1.0), stepped(1.001)
    with pytest.raises(
        UserError, match=r"2 of 3 test rows: test row 0 \('f0' is -1\) gets 2.0 where .* says 1.0"
    ):
        check_lossless("forest/lossless", models, [asked("test", feeds, *models)], schema)
    assert capsys.readouterr().out == ""


def lines(target: Any, values: Any, task: str = "classification") -> list[str]:
    found = np.asarray(values)
    answer = Predictions(
        found, None if task == "regression" else (found[:, None] == np.unique(target)).astype(float)
    )
    rows = PredictedRows("test", {"X": np.zeros((len(target), 1), np.float32)}, [answer] * 3)
    return list(prediction_warnings(numeric_schema(1, task), np.asarray(target), [rows]))


def test_an_original_worse_than_a_constant_is_said_so() -> None:
    (line,) = lines([0, 0, 0, 1], [1, 1, 0, 1])
    assert line.startswith("warning: the original is worse than a constant on the 4 test rows")
    assert "accuracy 0.5000, against 0.7500 for 0 every time" in line
    (line,) = lines([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], "regression")
    assert "R2 -3.0000" in line
    assert lines(["a", "b"], ["a", "a"]) == []
    assert lines([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], "regression") == []


def test_answers_that_are_no_numbers_are_counted_for_each_model() -> None:
    said = lines([1.0, 2.0, 3.0], [1.0, np.nan, np.inf], "regression")
    assert len(said) == 3
    assert (
        "outputs/model.joblib answers NaN or infinity on 2 of 3 test rows, first test row 1 ('f0' is 0)"
        in said[0]
    )


def test_labels_that_differ_on_ties_are_counted_as_such() -> None:
    original, other = proba(0.5, 0.9, 0.2), proba(0.5 + 1e-8, 0.9, 0.2)
    rows = PredictedRows("probe", {"X": np.zeros((3, 1), np.float32)}, [original, other, other])
    (line,) = prediction_warnings(numeric_schema(1), np.array([0, 1, 0]), [rows])
    assert line.startswith("outputs/model.onnx gives the other class on 1 of 3 probe rows")


def test_nan_agrees_with_nan_on_probes() -> None:
    copy = Predictions(np.array([1.0, np.nan, np.inf]), None)
    other = Predictions(np.array([1.0, 2.0, -np.inf]), None)
    shares = compare_on_probes(numeric_schema(1, "regression", 1.0), [copy, copy, other], 0.001)
    assert shares["onnx_probe_within_tolerance"] == 1
    assert shares["quantized_probe_within_tolerance"] == pytest.approx(1 / 3)


def refusing(_feeds: Feeds) -> Predictions:
    raise RuntimeError("no such\n category")


def test_a_model_that_refuses_rows_is_named_in_one_line() -> None:
    feeds = {"X": np.zeros((2, 1), np.float32)}
    asking = {ORIGINAL_MODEL: lambda _feeds: proba(0.1, 0.2), ONNX_MODEL: refusing}
    with pytest.raises(
        UserError, match="^outputs/model.onnx refuses the probe rows: no such category$"
    ):
        evaluate.ask(asking, feeds, "the probe rows")


def test_a_row_is_named_by_the_column_that_lies_at_a_threshold_or_by_its_first_values() -> None:
    columns = tuple(
        Column(f"c{i}", "category" if i == 1 else "number", missing=False) for i in range(6)
    )
    schema = Schema("classification", "y", columns)
    feeds: Feeds = {f"c{i}": np.full((2, 1), i + 0.5, np.float32) for i in range(6)}
    feeds["c1"] = np.array([["a"], ["it's"]])
    rows = PredictedRows(
        "probe", feeds, [proba(0.1, 0.2)] * 3, lambda row: RawColumn("c1", 0) if row else None
    )
    assert rows.describe(1, schema) == "probe row 1 ('c1' is \"it's\")"
    assert (
        rows.describe(0, schema)
        == "probe row 0 ('c0' is 0.5, 'c1' is 'a', 'c2' is 2.5, 'c3' is 3.5, ...)"
    )
    matrix = PredictedRows(
        "probe", {"X": float32([[1, 2]])}, [proba(0.1)] * 3, lambda _row: RawColumn("X", 1)
    )
    assert matrix.describe(0, numeric_schema(2)) == "probe row 0 ('f1' is 2)"
