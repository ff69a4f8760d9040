"""What has a body and what is refused, with the node and the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

from onnxpress import compress, convert
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.steps import Dense, LeafSums, NoBody, Trees
from onnxpress.quantize.candidates import Form
from onnxpress.quantize.dense.stored import dense_candidates
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.options import Options
from tests.conftest import digits_rows

IRIS = load_iris(return_X_y=True)


def kinds(model: onnx.ModelProto) -> list[str]:
    program = read_program(model)
    return [type(step).__name__ for step in program.steps(program.result)]


def test_a_leaf_table_of_several_classes_is_read_as_trees() -> None:
    """Lossless forests of several classes number rows of a table."""
    forest = RandomForestClassifier(7, max_depth=5, random_state=0)
    x, y = load_digits(return_X_y=True)
    model = rewrite_trees(convert(forest.fit(x, y), x), ml_opset=5)
    assert {"GatherElements", "Gather"} & {node.op_type for node in model.graph.node}
    assert kinds(model) == ["Inputs", "Trees"]
    trees = read_program(model).result
    assert isinstance(trees, Trees)
    assert trees.forest.n_trees == 7


def test_the_questions_of_a_refined_forest_are_those_of_its_graph() -> None:
    forest = RandomForestClassifier(20, random_state=0).fit(*IRIS)
    model = compress(forest, *IRIS, method="forest", level="refined").model
    program = read_program(model)
    (sums,) = (step for step in program.steps(program.result) if isinstance(step, LeafSums))
    stored = {
        each.name: onnx.numpy_helper.to_array(each).ravel() for each in model.graph.initializer
    }
    (less,) = (node for node in model.graph.node if node.op_type == "Less")
    assert np.isin(sums.threshold, stored[less.input[1]]).all()
    assert sums.table.size in {values.size for values in stored.values()}


def test_weights_in_int8_stay_in_int8(digits_mlp_onnx: onnx.ModelProto) -> None:
    (int8,) = (
        each
        for each in dense_candidates(digits_mlp_onnx, Options(method="dense"))
        if each.form == Form.INT8
    )
    program = read_program(int8.apply(digits_mlp_onnx, digits_rows(0, 10)))
    layers = [step for step in program.steps(program.result) if isinstance(step, Dense)]
    assert layers[0].codes is not None
    assert layers[0].step is not None
    np.testing.assert_array_equal(layers[0].codes * layers[0].step, layers[0].weights)


def refusal(model: onnx.ModelProto) -> str:
    with pytest.raises(NoBody) as caught:
        read_program(model)
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("estimator", "operator"),
    [(SVC(), "Cast"), (KNeighborsClassifier(), "")],
    ids=["support vectors", "neighbours"],
)
def test_other_models_are_refused_with_the_node(estimator: Any, operator: str) -> None:
    line = refusal(convert(estimator.fit(*IRIS), IRIS[0]))
    assert line.startswith(f"the node {operator}")
    assert "has no form in C or SQL" in line


def test_text_is_refused_with_the_input() -> None:
    table = pd.DataFrame({"kind": ["a", "b"] * 20, "size": np.arange(40.0)})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    line = refusal(convert(model.fit(table, [0, 1] * 20), table))
    assert "the input 'kind' should be float32 (rows, columns)" in line


def ensemble(**changed: Any) -> onnx.ModelProto:
    """A TreeEnsembleRegressor of one split."""
    attributes: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_values": [1.0, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [1.0, 2.0],
        "n_targets": 1,
    }
    node = helper.make_node(
        "TreeEnsembleRegressor", ["X"], ["y"], domain="ai.onnx.ml", **attributes | changed
    )
    rows = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([node], "trees", [rows], [result])
    opsets = [helper.make_opsetid("", 12), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=7)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"nodes_modes": ["BRANCH_EQ", "LEAF", "LEAF"]}, "a split compares with ==, != or a set"),
        ({"aggregate_function": "MIN"}, "it takes the MIN of its trees"),
        ({"post_transform": "PROBIT"}, "post-transform PROBIT"),
        ({"target_weights": [1.0, float("inf")]}, "a leaf is not finite"),
        ({"nodes_values": [float("nan"), 0.0, 0.0]}, "a threshold is missing"),
        ({"nodes_featureids": [5, 0, 0]}, "a split reads a column that is not there"),
    ],
)
def test_trees_on_which_runtimes_differ_are_refused(changed: dict[str, Any], reason: str) -> None:
    assert kinds(ensemble()) == ["Inputs", "Trees"]
    assert reason in refusal(ensemble(**changed))


def test_columns_without_a_number_of_columns_are_refused() -> None:
    model = ensemble()
    model.graph.input[0].type.tensor_type.shape.dim[1].Clear()
    assert "should say how many columns it has" in refusal(model)


def test_random_numbers_are_no_constants() -> None:
    model = ensemble()
    noise = helper.make_node("RandomNormal", [], ["noise"], shape=[1, 1])
    model.graph.node.append(noise)
    model.graph.node.append(helper.make_node("Add", ["y", "noise"], ["z"]))
    model.graph.output[0].name = "z"
    assert "the node RandomNormal that makes 'noise'" in refusal(model)


@pytest.mark.parametrize("stored", ["no JSON", "7", '["one"]', '{"a": 1, "b": 2}'])
def test_names_that_others_stored_are_left_out_unless_they_fit(stored: str) -> None:
    model = ensemble()
    model.metadata_props.add(key="feature_names", value=stored)
    assert read_program(model).inputs.names == ("X0", "X1")


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            [
                helper.make_node("Less", ["X", "cut"], ["asked"]),
                helper.make_node("Cast", ["asked"], ["y"], to=TensorProto.FLOAT),
            ],
            "the output 'y' has no form in C or SQL: it reads a part of a forest",
        ),
        (
            [helper.make_node("Reshape", ["X", "three"], ["y"])],
            "the node Reshape that makes 'y' has no form in C or SQL: its shapes are not those",
        ),
    ],
    ids=["questions", "rows"],
)
def test_a_graph_that_is_valid_but_odd_is_refused(nodes: Any, reason: str) -> None:
    value = helper.make_tensor_value_info
    stored = {"cut": np.zeros(4, np.float32), "three": np.array([3, -1])}
    graph = helper.make_graph(
        nodes,
        "odd",
        [value("X", TensorProto.FLOAT, [None, 4])],
        [value("y", TensorProto.FLOAT, [None, None])],
        [onnx.numpy_helper.from_array(values, name) for name, values in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model)
    with pytest.raises(NoBody, match=reason):
        read_program(model)
