"""Given ONNX files of any IR version, opset and origin: what is kept, cleared and warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxpress.certify.evidence import min_onnxruntime
from onnxpress.conversion.adopted import adopted
from onnxpress.errors import UserError
from onnxpress.given.onnx_models import load_onnx
from onnxpress.graph.canonical import canonical, to_bytes
from onnxpress.graph.imports import loadable
from onnxpress.progress import Say, say_nothing
from onnxpress.quantize.dense.dynamic import dynamic
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema

X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
ROWS = Rows({"X": X}, X[:, 0] * 2)
SCHEMA = numeric_schema(2, "regression")
TREE: dict[str, Any] = {
    "n_targets": 1,
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_values": [0.25, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "target_treeids": [0, 0],
    "target_nodeids": [1, 2],
    "target_ids": [0, 0],
    "target_weights": [-1.5, 1.75],
}
RIGHT = np.where(X[:, 0] <= 0.25, -1.5, 1.75)


def tree(imports: dict[str, int], ir_version: int, shape: list[int | None]) -> onnx.ModelProto:
    """A tree of one split, whose right predictions are ``RIGHT``."""
    node = helper.make_node("TreeEnsembleRegressor", ["X"], ["p"], domain="ai.onnx.ml", **TREE)
    value = helper.make_tensor_value_info
    inputs, outputs = (
        [value("X", TensorProto.FLOAT, [None, 2])],
        [value("p", TensorProto.FLOAT, shape)],
    )
    opsets = [helper.make_opsetid(*item) for item in imports.items()]
    model = helper.make_model(helper.make_graph([node], "g", inputs, outputs), opset_imports=opsets)
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    model.ir_version = ir_version
    return model


def taken(model: onnx.ModelProto, folder: Path, say: Say = say_nothing) -> onnx.ModelProto:
    """What train and convert make of the file."""
    path = folder / "given.onnx"
    path.write_bytes(model.SerializeToString())
    return adopted(load_onnx(path, ROWS, SCHEMA, say), SCHEMA)


@pytest.mark.parametrize("shape", [[None], [None, 1]])
@pytest.mark.parametrize("ir_version", range(3, 15))
def test_any_ir_version_is_taken_and_follows_the_opset(
    ir_version: int, shape: list[int | None], tmp_path: Path
) -> None:
    model = taken(tree({"ai.onnx.ml": 2}, ir_version, shape), tmp_path)
    assert model.ir_version == 7  # of opset 12, which a model without ai.onnx gets
    predictions = predict_onnx(open_session(to_bytes(model)), {"X": X})
    np.testing.assert_array_equal(predictions.values, RIGHT)
    assert min_onnxruntime(model) == "1.3"


@pytest.mark.parametrize(
    ("opset", "release"),
    [
        (8, "1.3"),
        (9, "1.3"),
        (11, "1.3"),
        (13, "1.6"),
        (18, "1.14"),
        (21, "1.18"),
        (23, "1.23"),
        (24, "1.24"),
        (26, "1.25"),
    ],
)
def test_the_oldest_runtime_is_that_of_the_opset_whatever_the_file_was_stamped_with(
    opset: int, release: str, tmp_path: Path
) -> None:
    model = onnx.load_from_string(
        to_bytes(taken(tree({"": opset, "ai.onnx.ml": 1}, 13, [None, 1]), tmp_path))
    )
    assert min_onnxruntime(model) == release
    assert model.ir_version == max(7, helper.find_min_ir_version_for(list(model.opset_import)))
    np.testing.assert_array_equal(
        predict_onnx(open_session(to_bytes(model)), {"X": X}).values, RIGHT
    )


def test_a_missing_import_becomes_the_oldest_that_has_the_operators(tmp_path: Path) -> None:
    model = taken(tree({"": 12}, 7, [None, 1]), tmp_path)
    assert {entry.domain: entry.version for entry in model.opset_import} == {
        "": 12,
        "ai.onnx.ml": 1,
    }
    modern = rewrite_trees(model, ml_opset=5)
    kept = [entry for entry in modern.opset_import if not entry.domain]
    del modern.opset_import[:]
    modern.opset_import.extend(kept)
    assert loadable(modern)
    assert {entry.domain: entry.version for entry in modern.opset_import}["ai.onnx.ml"] == 5


def test_a_file_that_fits_keeps_its_bytes() -> None:
    assert not loadable(tree({"": 12, "ai.onnx.ml": 1}, 7, [None, 1]))
    assert not loadable(tree({"": 9, "ai.onnx.ml": 1}, 4, [None, 1]))


def test_initializers_that_ir_3_lists_as_inputs_are_none(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    weights = numpy_helper.from_array(np.array([[2.0], [-1.0]], np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["X", "w"], ["p"])],
        "g",
        [value("X", TensorProto.FLOAT, [None, 2]), value("w", TensorProto.FLOAT, [2, 1])],
        [value("p", TensorProto.FLOAT, [None, 1])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 8)], ir_version=3)
    result = taken(model, tmp_path)
    assert [item.name for item in result.graph.input] == ["X"]
    (reference,) = list(ReferenceEvaluator(model).run(None, {"X": X}))
    predictions = predict_onnx(open_session(to_bytes(result)), {"X": X})
    np.testing.assert_allclose(predictions.values, np.asarray(reference)[:, 0], rtol=1e-6)


def test_an_opset_that_is_too_new_is_one_line_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"given.onnx is no ONNX model .* export it with opset \d+ or older$"
    ):
        taken(tree({"": 28, "ai.onnx.ml": 1}, 7, [None, 1]), tmp_path)


def test_predictions_that_depend_on_other_rows_are_warned_of(tmp_path: Path) -> None:
    lines: list[str] = []
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("ReduceMean", ["X"], ["m"], axes=[0]),
        helper.make_node("Sub", ["X", "m"], ["c"]),
        helper.make_node("ReduceSum", ["c", "one"], ["p"], keepdims=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [value("X", TensorProto.FLOAT, [None, 2])],
        [value("p", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(np.array([1]), "one")],
    )
    opset = helper.make_opsetid("", 13)
    mixing = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    taken(mixing, tmp_path, lines.append)
    assert "rows get another answer" in lines.pop()
    taken(tree({"ai.onnx.ml": 2}, 7, [None, 1]), tmp_path, lines.append)
    assert lines == []


def test_weights_in_constants_are_weights(tmp_path: Path) -> None:
    random, value = np.random.default_rng(0), helper.make_tensor_value_info
    shapes = {"w": (2, 300), "v": (300, 300), "u": (300, 1)}
    weights = {
        name: random.normal(size=shape).astype(np.float32) / 17 for name, shape in shapes.items()
    }
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(w))
        for name, w in weights.items()
    ]
    nodes += [
        helper.make_node("MatMul", [one, w], [other]) for one, w, other in ("Xwh", "hvi", "iup")
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [value("X", TensorProto.FLOAT, [None, 2])],
        [value("p", TensorProto.FLOAT, [None, 1])],
    )
    given = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    model = taken(given, tmp_path)
    assert dynamic(model, ROWS).ByteSize() < given.ByteSize() / 3.5
    (wanted,) = list(ReferenceEvaluator(given).run(None, {"X": X}))
    predictions = predict_onnx(open_session(to_bytes(model)), {"X": X})
    np.testing.assert_allclose(predictions.values, np.asarray(wanted)[:, 0], rtol=1e-4, atol=1e-5)


def marked(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a path of somebody's machine everywhere that ONNX has room for one."""
    path = "/home/somebody/project/train.py"

    def mark(message: Any) -> None:
        message.doc_string = path
        message.metadata_props.add(key="pkg.torch.onnx.stack_trace", value=path)

    mark(model)
    inner = helper.make_graph([helper.make_node("Identity", ["X"], ["z"])], "inner", [], [])
    inner.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [None, 2]))
    inner.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "unused"))
    for graph in (model.graph, inner):
        mark(graph)
        graph.value_info.append(helper.make_tensor_value_info("seen", TensorProto.FLOAT, [1]))
        for message in (
            *graph.node,
            *graph.initializer,
            *graph.input,
            *graph.output,
            *graph.value_info,
        ):
            mark(message)
    model.graph.node.add(op_type="If", input=["X"], output=["z"]).attribute.append(
        helper.make_attribute("then_branch", inner)
    )
    model.graph.node[0].attribute[0].doc_string = path
    model.producer_name = model.domain = path
    return model


def test_nothing_of_its_exporter_stays_in_an_artefact() -> None:
    model = tree({"": 13, "ai.onnx.ml": 1}, 8, [None, 1])
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(2, np.float32), "c"))
    helper.set_model_props(model, {"feature_names": "[]"})
    written = to_bytes(marked(model))
    assert b"somebody" not in written
    assert b"stack_trace" not in written
    assert b"seen" not in written
    kept = onnx.load_from_string(written)
    assert [(entry.key, entry.value) for entry in kept.metadata_props] == [("feature_names", "[]")]
    assert kept == canonical(kept)
