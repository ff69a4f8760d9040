"""Predicted times: the shapes they follow from, and the candidates that follow from them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnxpress.graph.trees.forest import Forest, Mode
from onnxpress.quantize.candidates import Candidate, Rung
from onnxpress.quantize.forest.predicted_time import (
    count_features,
    full_trees,
    plain_seconds,
    refined_node_seconds,
    refined_seconds,
    shape_of,
)
from onnxpress.quantize.forest.refined.ladder import refined_candidates
from tests.support.forest_models import converted

BATCH = 1024


def test_a_shape_counts_splits_and_leaves_level_by_level() -> None:
    """The first tree: x0 <= 1, then x1 <= 2 on its false branch. The second: x1 <= 3."""
    forest = Forest(
        feature=np.array([0, 1, 1], np.int32),
        threshold=np.array([1, 2, 3], np.float32),
        mode=np.full(3, Mode.LEQ, np.uint8),
        missing_true=np.zeros(3, np.bool_),
        true_child=np.array([~0, ~1, ~3], np.int32),
        false_child=np.array([1, ~2, ~0], np.int32),
        roots=np.array([0, 2], np.int32),
        leaf_offset=np.array([0, 1, 2, 4, 5], np.int32),
        leaf_target=np.array([0, 0, 0, 1, 1], np.int32),
        leaf_weight=np.array([10, 20, 30, 31, 41], np.float32),
        n_targets=2,
    )
    shape = shape_of(forest)
    assert (shape.trees, shape.splits, shape.leaves) == (2, (2, 1), (3, 2))
    assert (shape.entries, shape.targets) == (1.25, 2)


def test_full_trees_double_from_level_to_level() -> None:
    shape = full_trees(3, 2, targets=4)
    assert (shape.splits, shape.leaves) == ((3, 6), (0, 12))


def test_trees_of_one_leaf_take_time_too() -> None:
    one, many = full_trees(1, 0, targets=1).seconds(BATCH), full_trees(90, 0, targets=1)
    assert 0 < one < many.seconds(BATCH) < full_trees(90, 1, targets=1).seconds(BATCH)


@pytest.mark.parametrize("rows", [1, 32, BATCH])
def test_more_work_takes_longer(rows: int) -> None:
    less = full_trees(50, 6, targets=1).seconds(rows)
    for more in (full_trees(60, 6, targets=1), full_trees(50, 7, 1), full_trees(50, 6, 4)):
        assert less < more.seconds(rows) < 5 * less
    assert less < full_trees(50, 6, targets=1).seconds(2 * rows)
    few = refined_seconds(Rung(32, 5), 1, 10, rows)
    for rung, columns in (
        (Rung(64, 5), 1),
        (Rung(32, 6), 1),
        (Rung(32, 5), 9),
    ):
        assert few < refined_seconds(rung, columns, 10, rows) < 5 * few
    assert few < refined_seconds(Rung(32, 5), 1, 700, rows)


def test_a_node_that_cannot_be_read_counts_as_full_trees() -> None:
    """A leaf with two weights for one target, which runtimes add up or not."""
    model = _digits(4)
    whole = plain_seconds(model, BATCH)
    (node,) = (node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier")
    entries = {entry.name: entry for entry in node.attribute}
    for name in ("class_ids", "class_nodeids", "class_treeids"):
        entries[name].ints.append(entries[name].ints[-1])
    entries["class_weights"].floats.append(1.0)
    assert whole / 2 < plain_seconds(model, BATCH) < whole * 2


def test_features_count_up_to_the_last_one_in_use() -> None:
    model = _digits(30)
    assert count_features(model) in (63, 64)  # the last pixel of digits is rarely set


def test_a_few_trees_are_not_replaced_by_more_work_than_they_were() -> None:
    assert not _candidates(_digits(1))
    few, many = (_candidates(_digits(trees)) for trees in (10, 30))
    assert 0 < len(few) < len(many)


def test_fifty_large_trees_may_be_replaced_by_hundreds_of_small_ones() -> None:
    """54,000 rows, about as many leaves per tree: onnxruntime waits for memory at each of them."""
    large = full_trees(50, 15, targets=1)
    assert refined_seconds(Rung(64, 7), 1, 9, BATCH) < large.seconds(BATCH) / 4
    assert refined_seconds(Rung(512, 8), 1, 9, BATCH) < large.seconds(BATCH)
    assert refined_node_seconds(Rung(512, 8), 1, BATCH) > large.seconds(BATCH) / 2


def _digits(trees: int) -> onnx.ModelProto:
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    x, y = load_digits(return_X_y=True)
    x = x.astype(np.float32)
    return converted(RandomForestClassifier(trees, random_state=0).fit(x, y), x)


def _candidates(model: onnx.ModelProto) -> list[Candidate]:
    return refined_candidates(model, objective="size", seed=0)
