from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from bench.plain import plainly_converted
from onnxpress.conversion.converting import to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.graph.neighbor_names import ROWS
from onnxpress.graph.svm_nodes import is_svm, rewrite_svm_nodes
from onnxpress.graph.writer import GraphWriter
from onnxpress.quantize.candidates import Candidate, NotApplicable, in_sequence
from onnxpress.quantize.choice import Choice, choose
from onnxpress.quantize.methods import PARTIAL, list_candidates
from onnxpress.quantize.options import MethodName, Options
from onnxpress.quantize.storage import half, rows_int8, weights_int8
from onnxpress.quantize.terms import terms_of
from onnxpress.quantize.trials import held_out
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.conftest import digits_rows, numeric_schema

TRAIN, CALIBRATION = digits_rows(0, 1000), digits_rows(1000)
FEATURES = 64


@pytest.fixture(scope="module")
def models() -> dict[str, onnx.ModelProto]:
    """A machine and a neighbours model of the first 1,000 digits, by their methods."""
    fitted = {
        "kernel": SVC(),
        "neighbors": KNeighborsClassifier(),
        "forest": RandomForestClassifier(3, random_state=0),
    }
    for estimator in fitted.values():
        estimator.fit(TRAIN.feeds["X"], TRAIN.target)
    return {
        name: to_onnx(estimator, numeric_schema(FEATURES), 12) for name, estimator in fitted.items()
    }


def candidate(model: onnx.ModelProto, name: str) -> Candidate:
    return next(item for item in list_candidates(model, Options()) if item.name == name)


def chosen(model: onnx.ModelProto, options: Options) -> Choice:
    plain = to_bytes(model)
    candidates = list_candidates(model, options)
    trials = held_out(plain, TRAIN, CALIBRATION)
    terms = terms_of(options, numeric_schema(FEATURES), plain, trials)
    return choose(plain, candidates, trials, terms, options)


def labels(model: onnx.ModelProto, rows: Rows) -> Any:
    return predict_onnx(open_session(to_bytes(model)), rows.feeds).values


def stored(forms: Any, matrix: Any) -> Any:
    """A matrix as a runtime reads it back from a form."""
    graph = onnx.GraphProto(name="g")
    writer = GraphWriter(graph, 12, set())
    graph.output.add(name=forms(np.asarray(matrix, np.float32), "m", writer))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 12)])
    (values,) = ReferenceEvaluator(model).run(None, {})
    return values, {tensor.name: tensor for tensor in graph.initializer}["m"]


# --- storage


@pytest.mark.parametrize(
    ("low", "high", "kind"), [(0, 16, TensorProto.UINT8), (-3, 100, TensorProto.INT8)]
)
def test_whole_numbers_of_one_byte_are_stored_exactly(low: int, high: int, kind: int) -> None:
    matrix = np.random.default_rng(0).integers(low, high, (30, 4))
    matrix[0] = [low, high, low, high]
    found, tensor = stored(rows_int8, matrix)
    assert tensor.data_type == kind
    assert (found == matrix).all()


def test_rows_are_stored_within_half_a_step_of_their_column() -> None:
    matrix = np.random.default_rng(0).lognormal(size=(200, 5)) * [
        1,
        10,
        100,
        1e4,
        0,
    ]  # the last column is constant
    found, tensor = stored(rows_int8, matrix)
    assert tensor.data_type == TensorProto.UINT8
    assert (np.abs(found - matrix) <= np.ptp(matrix, axis=0) / 255 / 2 * 1.001 + 1e-6).all()


def test_weights_are_stored_within_half_a_step_of_their_row_and_zeros_exactly() -> None:
    matrix = np.random.default_rng(0).normal(size=(4, 300)) * [[1], [1e-6], [1e6], [0]]
    matrix[:, 7] = 0
    found, tensor = stored(weights_int8, matrix)
    assert tensor.data_type == TensorProto.INT8
    assert (found[:, 7] == 0).all()
    assert (
        np.abs(found - matrix) <= np.abs(matrix).max(axis=1, keepdims=True) / 127 / 2 * 1.001
    ).all()


def test_values_beyond_float16_are_refused() -> None:
    with pytest.raises(NotApplicable, match="float16 cannot hold"):
        stored(half, [[70_000.0]])


# --- the two methods


@pytest.mark.parametrize("method", ["kernel", "neighbors"])
def test_int8_is_chosen_and_three_and_a_half_times_smaller_at_the_same_score(
    method: MethodName, models: dict[str, onnx.ModelProto]
) -> None:
    choice = chosen(models[method], Options(method))
    assert (choice.candidate, choice.to_json()["method"]) == (f"{method}/int8", method)
    assert len(choice.model) * 3.5 < len(to_bytes(models[method]))


def test_stored_pixels_are_exact(models: dict[str, onnx.ModelProto]) -> None:
    model = models["neighbors"]
    small = candidate(model, "neighbors/int8").apply(model, TRAIN)
    for rows in (TRAIN, CALIBRATION):
        before, after = (
            predict_onnx(open_session(to_bytes(either)), rows.feeds).scores
            for either in (model, small)
        )
        assert before is not None
        assert (before == after).all()


@pytest.mark.parametrize("method", ["kernel", "neighbors"])
def test_no_candidate_leaves_work_to_every_call(
    method: MethodName, models: dict[str, onnx.ModelProto]
) -> None:
    model = models[method]
    for item in list_candidates(model, Options(method)):
        small = item.apply(model, TRAIN)
        fixed = {tensor.name for tensor in small.graph.initializer}
        for node in small.graph.node:
            fixed |= set(node.output) if set(node.input) <= fixed else set()
        added = [node for node in small.graph.node if node not in model.graph.node]
        computed = [node for node in added if node.output[0] not in fixed]
        assert {node.op_type for node in computed} <= {
            "Gemm",
            "Gather",
        }  # the same ones, reading from other constants
        assert "DequantizeLinear" not in {
            node.op_type for node in small.graph.node
        }  # which onnxruntime does not fold


@pytest.mark.parametrize("method", ["kernel", "neighbors"])
def test_candidates_keep_their_input_and_are_deterministic(
    method: MethodName, models: dict[str, onnx.ModelProto]
) -> None:
    model, before = models[method], to_bytes(models[method])
    for item in list_candidates(model, Options(method)):
        assert to_bytes(item.apply(model, TRAIN)) == to_bytes(item.apply(model, TRAIN))
    assert to_bytes(model) == before


@pytest.mark.parametrize("method", list(PARTIAL))
def test_a_method_without_its_part_says_so(method: MethodName) -> None:
    model = to_onnx(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), numeric_schema(1), 12)
    (only,) = list_candidates(model, Options(method))
    with pytest.raises(NotApplicable, match="the graph has no"):
        only.apply(model, TRAIN)
    assert method not in {item.method for item in list_candidates(model, Options())}


def test_a_machine_converted_elsewhere_becomes_products_in_each_precision() -> None:
    estimator = SVC().fit(TRAIN.feeds["X"], TRAIN.target)
    foreign = plainly_converted(estimator, FEATURES)
    assert any(is_svm(node) for node in foreign.graph.node)
    for item in list_candidates(foreign, Options("kernel")):
        model = item.apply(foreign, TRAIN)
        assert not any(is_svm(node) for node in model.graph.node)
        found = open_session(to_bytes(model)).run(None, CALIBRATION.feeds)[0]
        assert (found == estimator.predict(CALIBRATION.feeds["X"])).mean() > 0.995


def test_probabilities_of_more_pairs_than_vectors_are_left_to_the_operator() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)).astype(np.float32), np.repeat(np.arange(12), 5)
    with pytest.warns(FutureWarning, match="probability"):
        estimator = SVC(probability=True, random_state=0).fit(x, y)
    model, reasons = rewrite_svm_nodes(plainly_converted(estimator, 2))
    (reason,) = reasons
    assert reason == (
        "SVMClassifier is left as it is: "
        "its probabilities have too many pairs of classes for its support vectors"
    )
    assert any(is_svm(node) for node in model.graph.node)


# --- together


def test_auto_treats_every_part_of_a_mixed_graph_at_once() -> None:
    x, y = load_wine(return_X_y=True)
    rows = Rows({"X": x.astype(np.float32)}, y)
    parts = [
        ("f", RandomForestClassifier(10, random_state=0)),
        ("m", SVC()),
        ("n", KNeighborsClassifier()),
    ]
    model = to_onnx(
        StackingClassifier(parts).fit(rows.feeds["X"], y), numeric_schema(x.shape[1]), 12
    )
    found = list_candidates(model, Options(level="lossless"))
    together = [item for item in found if "+" in item.method]
    assert {item.method for item in together} == {"forest+kernel+neighbors"}
    (whole,) = [item for item in together if item.form == "lossless+int8+int8"]
    assert whole.name == "forest+kernel+neighbors/lossless+int8+int8"
    small = whole.apply(model, rows)
    onnx.checker.check_model(small, full_check=True)
    alone = [
        candidate(model, name).apply(model, rows)
        for name in ("forest/lossless", "kernel/int8", "neighbors/int8")
    ]
    assert len(to_bytes(small, packed=True)) < min(
        len(to_bytes(item, packed=True)) for item in alone
    )
    assert (labels(small, rows) == labels(model, rows)).mean() > 0.99
    kept = {tensor.name: tensor.data_type for tensor in small.graph.initializer}
    assert TensorProto.FLOAT not in {kind for name, kind in kept.items() if name.startswith(ROWS)}


def test_a_part_that_does_not_apply_makes_the_whole_not_apply(
    models: dict[str, onnx.ModelProto],
) -> None:
    steps = (
        candidate(models["kernel"], "kernel/int8"),
        candidate(models["neighbors"], "neighbors/int8"),
    )
    whole = in_sequence(steps)
    assert whole.name == "kernel+neighbors/int8+int8"
    with pytest.raises(NotApplicable, match="no float32 matrix"):
        whole.apply(models["kernel"], TRAIN)
