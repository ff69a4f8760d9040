"""The prediction for a row depends on that row alone; a candidate that breaks this is dropped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxpress.evaluate.row_dependence import TOLERANCE, Dependence, row_dependence
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.choice import choose
from onnxpress.quantize.dense.dynamic import dynamic
from onnxpress.quantize.options import Options
from onnxpress.quantize.terms import terms_of
from onnxpress.quantize.trials import held_out
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.conftest import digits_rows, numeric_schema

FEATURES = 6
NOTHING = Rows({}, np.zeros(0))


def regressor(*nodes: onnx.NodeProto, **constants: NDArray[Any]) -> onnx.ModelProto:
    """A model of X (rows, 6) whose last node gives ``prediction``."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, FEATURES])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def found(model: onnx.ModelProto) -> Dependence:
    rows = np.random.default_rng(0).normal(size=(100, FEATURES)).astype(np.float32)
    return row_dependence(
        partial(predict_onnx, open_session(model.SerializeToString())), {"X": rows}
    )


WEIGHTS = np.arange(1, FEATURES + 1, dtype=np.float32).reshape(-1, 1)


def test_a_matrix_product_gives_each_row_its_own_answer() -> None:
    assert (
        found(
            regressor(helper.make_node("MatMul", ["X", "w"], ["prediction"]), w=WEIGHTS)
        ).difference
        <= TOLERANCE
    )


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([("ReduceMean", ["X"], ["m"], {"axes": [0]}), ("Sub", ["X", "m"], ["c"], {})], {}),
        ([("Softmax", ["X"], ["c"], {"axis": 0})], {}),
        ([("CumSum", ["X", "zero"], ["c"], {})], {"zero": np.array(0)}),
        (
            [
                ("ReduceMax", ["X"], ["m"], {"axes": [0]}),
                ("Min", ["X", "m"], ["n"], {}),
                ("Add", ["n", "m"], ["c"], {}),
            ],
            {},
        ),
    ],
    ids=[
        "less the mean of the call",
        "softmax over rows",
        "running sum",
        "plus the largest of the call",
    ],
)
def test_what_looks_at_the_other_rows_is_found(nodes: list[Any], constants: dict[str, Any]) -> None:
    made = [
        helper.make_node(op, inputs, outputs, **attributes)
        for op, inputs, outputs, attributes in nodes
    ]
    dependence = found(
        regressor(
            *made, helper.make_node("MatMul", ["c", "w"], ["prediction"]), w=WEIGHTS, **constants
        )
    )
    assert dependence.difference > 1000 * TOLERANCE
    assert "rows get another answer" in str(dependence)


def test_the_largest_of_a_call_shows_beside_an_outlier_only() -> None:
    """Clipped at 100 over the largest value of the call, which no ordinary row reaches."""
    nodes = [
        helper.make_node("ReduceMax", ["X"], ["m"], keepdims=0),
        helper.make_node("Max", ["m", "hundred"], ["n"]),
        helper.make_node("Div", ["X", "n"], ["c"]),
        helper.make_node("MatMul", ["c", "w"], ["prediction"]),
    ]
    dependence = found(regressor(*nodes, w=WEIGHTS, hundred=np.array(100, np.float32)))
    assert dependence.difference > TOLERANCE
    assert "outlier" in dependence.others


def per_call(model: onnx.ModelProto, _rows: Rows, folder: Path) -> onnx.ModelProto:
    """onnxruntime's own dynamic quantisation: one scale for all rows of a call."""
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(model, folder / "q.onnx", op_types_to_quantize=["MatMul"])
    result = onnx.load(folder / "q.onnx")
    del result.graph.value_info[:]
    return result


def test_one_scale_for_all_rows_of_a_call_ends_in_its_verdict(
    digits_mlp_onnx: onnx.ModelProto, tmp_path: Path
) -> None:
    plain, train = to_bytes(digits_mlp_onnx), digits_rows(0, 1000)
    candidates = [Candidate("dynamic", partial(per_call, folder=tmp_path))]
    trials = held_out(plain, train, digits_rows(1000))
    options = Options("dynamic", budgets={"score": 1.0, "recall_worst_loss": None})
    terms = terms_of(options, numeric_schema(64), plain, trials)
    choice = choose(plain, candidates, trials, terms, options)
    (verdict,) = choice.verdicts
    assert verdict.outcome == "depends on other rows"
    assert "rows get another answer" in verdict.reason
    assert choice.model == plain
    assert choice.to_json()["modified"] is False


def linear(
    weights: NDArray[np.float32], write: Callable[..., tuple[onnx.NodeProto, NDArray[np.float32]]]
) -> onnx.ModelProto:
    """Two layers, the second large enough for int8; ``write`` writes the first."""
    inputs, hidden = weights.shape
    random = np.random.default_rng(1)
    large = np.asarray(random.normal(scale=1 / 16, size=(hidden, 256)), np.float32)
    bias = np.asarray(random.normal(size=hidden), np.float32)
    node, stored = write(weights)
    nodes = [
        node,
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y"]),
    ]
    constants = {"w": stored, "b": bias, "v": large}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 256])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def reference(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The answer of ONNX's reference implementation."""
    (answer,) = list(ReferenceEvaluator(model).run(None, {"X": x}))
    return np.asarray(answer)


@pytest.mark.parametrize("names", ["", "same", "own"])
@pytest.mark.parametrize(
    ("attributes", "turned"),
    [
        ({}, False),
        ({"transB": 1}, True),
        ({"alpha": 0.5, "beta": 3.0, "transB": 1}, True),
        ({"alpha": -2.0}, False),
    ],
)
def test_layers_are_int8_row_by_row_however_a_gemm_is_written(
    attributes: dict[str, Any], turned: bool, names: str
) -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=(20, 300)).astype(np.float32)

    def write(values: NDArray[np.float32]) -> tuple[onnx.NodeProto, NDArray[np.float32]]:
        node = helper.make_node("Gemm", ["X", "w", "b"], ["h"], **attributes)
        return node, np.ascontiguousarray(values.T) if turned else values

    model = linear(weights, write)
    for position, node in enumerate(model.graph.node):
        node.name = {"": "", "same": "node", "own": f"node_{position}"}[names]
    small = dynamic(model, NOTHING)
    onnx.checker.check_model(small, full_check=True)
    stored = [
        tensor
        for tensor in small.graph.initializer
        if tensor.data_type == TensorProto.INT8 and tensor.dims
    ]
    assert sorted(tensor.dims[0] for tensor in stored) == [20, 300]
    assert small.ByteSize() < model.ByteSize() / 3.5
    x = random.normal(size=(50, 20)).astype(np.float32) * random.choice(
        [1e-3, 1, 1e3], size=(50, 1)
    ).astype(np.float32)
    x[7] = 0
    wanted = reference(model, x)
    session = open_session(small.SerializeToString())
    got = session.run(None, {"X": x})[0]
    scale = np.abs(wanted).max(axis=1, keepdims=True)
    assert (np.abs(got - wanted) / scale).max() < 0.1
    np.testing.assert_allclose(reference(small, x) / scale, got / scale, atol=1e-5)
    alone = np.concatenate([session.run(None, {"X": row[None]})[0] for row in x])
    np.testing.assert_array_equal(alone, got)


def test_layers_that_share_their_weights_share_them_in_int8() -> None:
    weights = np.random.default_rng(0).normal(scale=1 / 16, size=(300, 300)).astype(np.float32)
    nodes = [helper.make_node("MatMul", [one, "w"], [other]) for one, other in ("Xh", "hi", "iy")]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 300])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 300])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    small = dynamic(model, NOTHING)
    assert small.ByteSize() < model.ByteSize() / 3.5
    x = np.random.default_rng(1).normal(size=(20, 300)).astype(np.float32)
    wanted, got = (
        reference(model, x),
        open_session(small.SerializeToString()).run(None, {"X": x})[0],
    )
    assert (np.abs(got - wanted) / np.abs(wanted).max(axis=1, keepdims=True)).max() < 0.1


def test_a_saving_of_less_than_a_twentieth_is_none(digits_mlp_onnx: onnx.ModelProto) -> None:
    def ballast(model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
        """Drops 3 % of the file: the weights of the last layer's bias and a little padding."""
        result = onnx.ModelProto()
        result.CopyFrom(model)
        del result.graph.initializer[-1]
        return result

    padded = onnx.ModelProto()
    padded.CopyFrom(digits_mlp_onnx)
    size = int(0.03 * len(to_bytes(digits_mlp_onnx)) / 4)
    padded.graph.initializer.append(numpy_helper.from_array(np.ones(size, np.float32), "padding"))
    plain = to_bytes(padded)
    trials = held_out(plain, digits_rows(0, 300), digits_rows(1000))
    terms = terms_of(Options(), numeric_schema(64), plain, trials)
    choice = choose(plain, [Candidate("it", ballast)], trials, terms, Options())
    assert [
        (verdict.outcome, verdict.reason.rpartition(", ")[2]) for verdict in choice.verdicts
    ] == [("no real saving", "less than 5% smaller")]
    assert choice.candidate == "none"
