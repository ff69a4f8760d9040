"""Every rule of the tree operators, on nodes made by hand.

Modes, missing values, aggregates, transforms and signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from onnxpress.engine.said import log_once
from onnxpress.graph.trees.forest import leaf_index
from onnxpress.graph.trees.reader import Untreatable, read
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.lossless.passes import preorder
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from tests.support.forest_probes import assert_same, outputs, reference_outputs

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
FEATURES = 4
DTYPES: dict[int, Any] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.INT64: np.int64,
}


@dataclass(frozen=True)
class Spec:
    """Complete trees of random splits and leaves; ``target`` None is every target in each leaf."""

    labels: tuple[Any, ...] = ()
    n_targets: int = 1
    modes: tuple[str, ...] = ("BRANCH_LEQ",)
    post: str = "NONE"
    aggregate: str = "SUM"
    base: tuple[float, ...] = ()
    target: int | None = None
    positive: bool = False
    x_type: int = TensorProto.FLOAT
    as_tensor: bool = False
    trees: int = 12
    depth: int = 4
    single: bool = False  # one of the trees is a single leaf


def made(spec: Spec) -> onnx.ModelProto:
    """A model of one TreeEnsembleClassifier (with labels) or TreeEnsembleRegressor."""
    random, node, entry = np.random.default_rng(0), [], []
    for tree in range(spec.trees):
        inner = 0 if spec.single and tree == 1 else 2**spec.depth - 1
        for i in range(2 * inner + 1):
            split = i < inner
            node.append(
                {
                    "treeids": tree,
                    "nodeids": i,
                    "modes": str(random.choice(spec.modes)) if split else "LEAF",
                    "featureids": int(random.integers(FEATURES)) if split else 0,
                    "hitrates": 1.0,
                    "values": float(random.integers(-2, 3)) if split else 0.0,
                    "truenodeids": 2 * i + 1 if split else 0,
                    "falsenodeids": 2 * i + 2 if split else 0,
                    "missing_value_tracks_true": int(split and random.integers(2)),
                }
            )
            for target in (
                (range(spec.n_targets) if spec.target is None else [spec.target])
                if not split
                else ()
            ):
                weight = float(np.float32(random.integers(-50, 50) / 16))
                entry.append(
                    {
                        "treeids": tree,
                        "nodeids": i,
                        "ids": target,
                        "weights": abs(weight) if spec.positive else weight,
                    }
                )
    kind = "class" if spec.labels else "target"
    lists: dict[str, Any] = {f"nodes_{name}": [item[name] for item in node] for name in node[0]}
    lists |= {f"{kind}_{name}": [item[name] for item in entry] for name in entry[0]}
    if spec.base:
        lists["base_values"] = list(spec.base)
    if spec.as_tensor:
        for name in {"nodes_values", "nodes_hitrates", f"{kind}_weights", "base_values"} & set(
            lists
        ):
            lists[f"{name}_as_tensor"] = numpy_helper.from_array(np.array(lists.pop(name)) + 0.1)
    if spec.labels:
        lists[
            "classlabels_strings" if isinstance(spec.labels[0], str) else "classlabels_int64s"
        ] = list(spec.labels)
    else:
        lists |= {"n_targets": spec.n_targets, "aggregate_function": spec.aggregate}
    return _model(lists, spec)


def _model(attributes: dict[str, Any], spec: Spec) -> onnx.ModelProto:
    label_type = (
        TensorProto.STRING if spec.labels and isinstance(spec.labels[0], str) else TensorProto.INT64
    )
    label = [helper.make_tensor_value_info("label", label_type, [None])] if spec.labels else []
    scores = helper.make_tensor_value_info(
        "scores", TensorProto.FLOAT, [None, len(spec.labels) or spec.n_targets]
    )
    op_type = "TreeEnsembleClassifier" if spec.labels else "TreeEnsembleRegressor"
    names = [value.name for value in (*label, scores)]
    node = helper.make_node(
        op_type, ["X"], names, domain="ai.onnx.ml", post_transform=spec.post, **attributes
    )
    x = helper.make_tensor_value_info("X", spec.x_type, [None, FEATURES])
    graph = helper.make_graph([node], "g", [x], [*label, scores])
    imports = [helper.make_opsetid("", 12), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=imports, ir_version=7)


def rows(x_type: int = TensorProto.FLOAT, n: int = 300) -> NDArray[Any]:
    """Rows on the thresholds, with NaN and infinities where the type has them."""
    random = np.random.default_rng(1)
    x = random.integers(-3, 4, (n, FEATURES)).astype(DTYPES[x_type])
    if x.dtype.kind == "f":
        for special in (np.nan, np.inf, -np.inf):
            x[random.random(x.shape) < 0.08] = special
    return x


def written(model: onnx.ModelProto) -> str:
    """The tree operator of a rewritten model."""
    return str(
        next(node.op_type for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    )


@pytest.mark.parametrize("ml_opset", [3, 5])
@pytest.mark.parametrize("mode", MODES)
def test_each_split_mode_sends_every_value_the_same_way(mode: str, ml_opset: int) -> None:
    model = made(Spec(modes=(mode,)))
    assert_same(outputs(rewrite_trees(model, ml_opset=ml_opset), rows()), outputs(model, rows()))


@pytest.mark.parametrize("ml_opset", [3, 5])
def test_mixed_split_modes_agree_with_the_reference_implementation(ml_opset: int) -> None:
    """BRANCH_NEQ of the older operators is left out.

    The reference and onnxruntime send NaN to different branches there.
    """
    model = made(Spec(modes=MODES if ml_opset == 5 else MODES[:-1]))
    x = rows(n=40)
    assert_same(reference_outputs(rewrite_trees(model, ml_opset=ml_opset), x), outputs(model, x))


@pytest.mark.parametrize("ml_opset", [3, 5])
@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("target", [None, 2], ids=["all targets", "one of three"])
@pytest.mark.parametrize("base", [(), (0.5, -1.0, 2.0)], ids=["", "base values"])
def test_aggregates_over_several_targets(
    aggregate: str, target: int | None, base: tuple[float, ...], ml_opset: int
) -> None:
    model = made(Spec(n_targets=3, aggregate=aggregate, target=target, base=base, single=True))
    assert_same(outputs(rewrite_trees(model, ml_opset=ml_opset), rows()), outputs(model, rows()))


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_a_tree_of_one_leaf_counts(aggregate: str) -> None:
    model = made(Spec(aggregate=aggregate, base=(0.25,), single=True))
    small = rewrite_trees(model, ml_opset=5)
    assert written(small) == "TreeEnsemble"
    assert_same(outputs(small, rows()), outputs(model, rows()))
    x = rows(n=10)
    assert_same(
        reference_outputs(rewrite_trees(made(Spec(single=True)), ml_opset=5), x),
        outputs(made(Spec(single=True)), x),
    )


@pytest.mark.parametrize("post", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
@pytest.mark.parametrize(
    "labels", [(0, 1, 2), (5, 3, 9), ("a", "b", "c"), (0, 1), ("x", "y")], ids=str
)
@pytest.mark.parametrize("target", [None, 0, 1], ids=["all", "first", "second"])
@pytest.mark.parametrize("positive", [True, False], ids=["no negative weight", "any sign"])
@pytest.mark.parametrize("based", [False, True], ids=["", "base values"])
def test_classifiers_decide_and_score_as_onnxruntime_does(
    post: str, labels: tuple[Any, ...], target: int | None, positive: bool, based: bool
) -> None:
    two = len(labels) == 2
    base = ((0.25,) if two else (0.25, -0.5, 1.0)) if based else ()
    model = made(Spec(labels, len(labels), post=post, target=target, positive=positive, base=base))
    assert_same(outputs(rewrite_trees(model, ml_opset=5), rows()), outputs(model, rows()))


@pytest.mark.parametrize("as_tensor", [False, True], ids=["float attributes", "double tensors"])
@pytest.mark.parametrize("labels", [(), (0, 1), (0, 1, 2)], ids=str)
def test_double_inputs_keep_double_trees(labels: tuple[int, ...], as_tensor: bool) -> None:
    target = 0 if len(labels) == 2 else None
    spec = Spec(
        labels, max(1, len(labels)), target=target, x_type=TensorProto.DOUBLE, as_tensor=as_tensor
    )
    model, x = made(spec), rows(TensorProto.DOUBLE) + 0.1
    small = rewrite_trees(model, ml_opset=5)
    assert written(small) == "TreeEnsemble"
    for shift in (0.0, 1e-9, -1e-9):  # one float32 for all, on both sides of the double thresholds
        assert_same(outputs(small, x + shift), outputs(model, x + shift))


@pytest.mark.parametrize("labels", [(0, 1), (0, 1, 2)], ids=str)
def test_integer_inputs_are_compared_as_floats(labels: tuple[int, ...]) -> None:
    spec = Spec(
        labels, len(labels), target=0 if len(labels) == 2 else None, x_type=TensorProto.INT64
    )
    model, x = made(spec), rows(TensorProto.INT64)
    assert_same(outputs(rewrite_trees(model, ml_opset=5), x), outputs(model, x))


def test_all_zero_missing_flags_and_hit_rates_are_dropped() -> None:
    model = made(Spec())
    for entry in model.graph.node[0].attribute:
        if entry.name == "nodes_missing_value_tracks_true":
            entry.ints[:] = [0] * len(entry.ints)
    for ml_opset in (3, 5):
        names = {
            entry.name for entry in rewrite_trees(model, ml_opset=ml_opset).graph.node[0].attribute
        }
        assert not names & {"nodes_missing_value_tracks_true", "nodes_hitrates"}


def test_leaf_index_finds_the_leaves_that_onnxruntime_adds_up() -> None:
    model = made(Spec(modes=MODES, single=True))
    forest, x = read(model.graph.node[0]), rows()
    total = forest.leaf_values[leaf_index(forest, x)].sum(axis=1)
    np.testing.assert_allclose(total, outputs(model, x)[0], atol=1e-5)


def test_nodes_may_be_listed_in_any_order_within_their_tree() -> None:
    model = made(Spec(depth=2, trees=3))
    shuffled = onnx.ModelProto()
    shuffled.CopyFrom(model)
    order = [0, 6, 5, 4, 3, 2, 1, 7, 13, 12, 11, 10, 9, 8, 14, 20, 19, 18, 17, 16, 15]
    for entry in shuffled.graph.node[0].attribute:
        if entry.name.startswith("nodes_"):
            values = onnx.helper.get_attribute_value(entry)
            entry.CopyFrom(helper.make_attribute(entry.name, [values[i] for i in order]))
    one, other = (rewrite_trees(each, ml_opset=5) for each in (model, shuffled))
    assert one == other


def test_a_missing_child_is_refused() -> None:
    node = made(Spec()).graph.node[0]
    next(entry for entry in node.attribute if entry.name == "nodes_truenodeids").ints[0] = 999
    with pytest.raises(Untreatable, match="does not exist"):
        read(node)


def test_a_tree_that_runs_in_a_circle_is_not_followed_for_ever() -> None:
    node = made(Spec()).graph.node[0]
    next(entry for entry in node.attribute if entry.name == "nodes_truenodeids").ints[1] = 0
    with pytest.raises(Untreatable, match="share"):
        preorder(read(node))


def test_a_node_nobody_can_read_is_left_alone_and_named() -> None:
    model = made(Spec())
    next(entry for entry in model.graph.node[0].attribute if entry.name == "nodes_modes").strings[
        0
    ] = b"BRANCH_MAYBE"
    with pytest.raises(NotApplicable, match="BRANCH_MAYBE"):
        rewrite_trees(model, ml_opset=5)


def test_one_unclear_node_sends_all_nodes_to_the_portable_encoding(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Version 5 withdrew the older operators, so that a model cannot hold both."""
    log_once.cache_clear()
    plain, unclear = made(Spec()), made(Spec((0, 1, 2), 3, post="SOFTMAX_ZERO"))
    unclear.graph.node.append(plain.graph.node[0])
    unclear.graph.node[1].output[0] = "more"
    unclear.graph.output.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [None, 1]))
    small = rewrite_trees(unclear, ml_opset=5)
    onnx.checker.check_model(small, full_check=True)
    assert "SOFTMAX_ZERO" in caplog.text
    assert {node.op_type for node in small.graph.node} == {
        "TreeEnsembleClassifier",
        "TreeEnsembleRegressor",
    }
    assert_same(outputs(small, rows()), outputs(unclear, rows()))


def test_trees_inside_a_branch_of_a_graph_are_reached() -> None:
    inner = made(Spec()).graph
    inner.ClearField("input")
    both = [onnx.GraphProto(), onnx.GraphProto()]
    for graph in both:
        graph.CopyFrom(inner)
    choice = helper.make_node("If", ["which"], ["y"], then_branch=both[0], else_branch=both[1])
    inputs = [
        helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, FEATURES]),
        helper.make_tensor_value_info("which", TensorProto.BOOL, []),
    ]
    graph = helper.make_graph(
        [choice], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])]
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 12), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=7,
    )
    small = rewrite_trees(model, ml_opset=5)
    assert written(onnx.ModelProto(graph=small.graph.node[0].attribute[0].g)) == "TreeEnsemble"
