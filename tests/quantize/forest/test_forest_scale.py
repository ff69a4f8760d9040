"""Large forests: linear time, bounded memory, and no Python step per node."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnxpress.graph.trees.attributes import floats, integer, ints, strings
from onnxpress.graph.trees.reader import read
from onnxpress.quantize.forest.lossless.leaves import drop_zeros
from onnxpress.quantize.forest.lossless.passes import lossless
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from tests.support.forest_probes import outputs

FEATURES = 20


def regressor(trees: int, splits: int) -> onnx.ModelProto:
    """Complete trees of ``splits`` (2^k - 1) splits, as skl2onnx writes a TreeEnsembleRegressor."""
    random, n = np.random.default_rng(0), 2 * splits + 1
    number = np.arange(n)
    leaf = np.tile(number >= splits, trees)
    node = onnx.NodeProto(
        op_type="TreeEnsembleRegressor", domain="ai.onnx.ml", input=["X"], output=["y"]
    )
    ints(node, "nodes_treeids", np.repeat(np.arange(trees), n))
    ints(node, "nodes_nodeids", np.tile(number, trees))
    for side, offset in (("true", 1), ("false", 2)):
        ints(node, f"nodes_{side}nodeids", np.where(leaf, 0, np.tile(2 * number + offset, trees)))
    ints(node, "nodes_featureids", np.where(leaf, 0, random.integers(0, FEATURES, len(leaf))))
    ints(node, "nodes_missing_value_tracks_true", np.zeros(len(leaf), np.int64))
    floats(
        node, "nodes_values", np.where(leaf, 0, random.normal(size=len(leaf))).astype(np.float32)
    )
    floats(node, "nodes_hitrates", np.ones(len(leaf), np.float32))
    strings(
        node, "nodes_modes", [b"LEAF" if is_leaf else b"BRANCH_LEQ" for is_leaf in leaf.tolist()]
    )
    ints(node, "target_treeids", np.repeat(np.arange(trees), n)[leaf])
    ints(node, "target_nodeids", np.tile(number, trees)[leaf])
    ints(node, "target_ids", np.zeros(int(leaf.sum()), np.int64))
    floats(node, "target_weights", random.integers(0, 1000, int(leaf.sum())).astype(np.float32))
    integer(node, "n_targets", 1)
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, FEATURES])
    graph = helper.make_graph(
        [node], "g", [x], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])]
    )
    imports = [helper.make_opsetid("", 12), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=imports, ir_version=7)


@pytest.fixture(scope="module")
def large() -> onnx.ModelProto:
    """About 200,000 nodes."""
    return regressor(24, 4095)


def test_200_000_nodes_take_seconds_and_predict_alike(large: onnx.ModelProto) -> None:
    start = time.process_time()
    small = rewrite_trees(large, ml_opset=5)
    assert time.process_time() - start < 5
    x = np.random.default_rng(1).normal(size=(500, FEATURES)).astype(np.float32)
    np.testing.assert_array_equal(outputs(small, x, packed=True)[0], outputs(large, x)[0])


def parsed_bytes(model: onnx.ModelProto) -> int:
    """The size, as numpy arrays, of the eight columns of the nodes and the four of the weights."""
    entries = model.graph.node[0].attribute
    return sum(
        8 * len(entry.ints) + 4 * len(entry.floats) + len(entry.strings) for entry in entries
    )


def peak_bytes(task: Callable[[], object]) -> int:
    """What Python and numpy hold at most while ``task`` runs."""
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_stays_within_three_times_the_parsed_arrays(large: onnx.ModelProto) -> None:
    node = large.graph.node[0]
    peak = peak_bytes(lambda: lossless(drop_zeros(read(node))))
    assert peak < 3 * parsed_bytes(large)


@pytest.mark.parametrize("ml_opset", [3, 5])
def test_memory_of_a_rewrite_stays_within_three_times_the_parsed_arrays(
    large: onnx.ModelProto, ml_opset: int
) -> None:
    peak = peak_bytes(lambda: rewrite_trees(large, ml_opset=ml_opset))
    assert peak < 3 * parsed_bytes(large)


def test_time_is_linear_in_nodes() -> None:
    """Sixteen times the nodes take about sixteen times as long; a quadratic step would take 256."""
    small, big = (regressor(trees, 1023) for trees in (4, 64))

    def seconds(model: onnx.ModelProto) -> float:
        start = time.process_time()
        lossless(drop_zeros(read(model.graph.node[0])))
        return time.process_time() - start

    assert min(seconds(big) for _ in range(3)) < 40 * max(
        min(seconds(small) for _ in range(3)), 0.002
    )
