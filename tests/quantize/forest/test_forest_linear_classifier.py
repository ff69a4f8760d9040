"""Labels and scores behind TreeEnsemble in one node: as the original's."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from onnxpress.graph.trees.reader import read
from onnxpress.quantize.forest.lossless.lowering import MOST_CLASSES, one_node_classifies
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees

EDGES = np.array([[np.nan], [np.inf], [-np.inf], [0.5], [0.50000006], [-3], [2.5], [9]], np.float32)


def classifier(classes: int, post: str, *, weight: float = 1.0, **more: Any) -> onnx.ModelProto:
    """Trees of one split, x <= tree + 0.5; the leaves of tree t score class t % classes.

    Two classes are scored by one target, and both leaves of the first tree score 0, so that there
    are ties.
    """
    count = max(classes, 3)
    trees = np.repeat(np.arange(count), 3)
    leaf = np.arange(2 * count)
    weights = np.float32(weight) * np.where(leaf % 2, 0.25, -0.75) * (leaf // 2 > 0)
    target = 0 * leaf if classes == 2 else leaf // 2 % classes
    node = helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml",
        nodes_treeids=trees, nodes_nodeids=[0, 1, 2] * count,
        nodes_featureids=[0] * 3 * count, nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * count,
        nodes_truenodeids=[1, 0, 0] * count, nodes_falsenodeids=[2, 0, 0] * count,
        nodes_values=[v for tree in range(count) for v in (tree + 0.5, 0, 0)],
        class_treeids=leaf // 2, class_nodeids=1 + leaf % 2, class_ids=target,
        class_weights=weights, post_transform=post, **more,
    )  # fmt: skip
    texts = "classlabels_strings" in more
    graph = helper.make_graph(
        [node], "trees", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor_value_info(
                "label", TensorProto.STRING if texts else TensorProto.INT64, [None]
            ),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, classes]),
        ],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 12), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(model: onnx.ModelProto, x: Any) -> list[Any]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"x": x}))


@pytest.mark.parametrize("rows", [0, 1, len(EDGES)])
@pytest.mark.parametrize(
    ("classes", "post"),
    [
        (2, "NONE"),
        (2, "LOGISTIC"),
        (3, "NONE"),
        (3, "SOFTMAX"),
        (3, "LOGISTIC"),
        (7, "SOFTMAX"),
    ],
)
@pytest.mark.parametrize("texts", [False, True], ids=["numbers", "texts"])
def test_labels_and_scores_are_those_of_the_original(
    classes: int, texts: bool, post: str, rows: int
) -> None:
    labels: dict[str, Any] = {"classlabels_int64s": [7 * label - 3 for label in range(classes)]}
    if texts:
        labels = {"classlabels_strings": [f"class {label}" for label in range(classes)]}
    base = [0.5] if classes == 2 else list(np.linspace(-0.5, 0.5, classes))
    model = classifier(classes, post, base_values=base, **labels)
    after = rewrite_trees(model, ml_opset=5)
    types = [node.op_type for node in after.graph.node]
    assert ("LinearClassifier" in types) == (post != "NONE" or classes == 2)
    agree(run(model, EDGES[:rows]), run(after, EDGES[:rows]), exact=post == "NONE")


def agree(one: list[Any], other: list[Any], *, exact: bool) -> None:
    """Labels are equal, and scores to the last bit or within 3e-7."""
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_allclose(one[1], other[1], rtol=0, atol=0 if exact else 3e-7)


def test_scores_that_may_overflow_are_not_multiplied_by_zero() -> None:
    for weight, expected in ((1.5e38, False), (1e36, True)):
        model = classifier(3, "SOFTMAX", weight=weight, classlabels_int64s=[0, 1, 2])
        assert one_node_classifies(read(model.graph.node[0])) == expected


def test_many_classes_keep_their_operators() -> None:
    """Coefficients are classes times classes, which would cost more bytes than a node or two."""
    for classes, expected in ((MOST_CLASSES, True), (MOST_CLASSES + 1, False)):
        model = classifier(classes, "SOFTMAX", classlabels_int64s=list(range(classes)))
        assert one_node_classifies(read(model.graph.node[0])) == expected
