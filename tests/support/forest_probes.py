"""Rows on which two forests differ if they can, comparisons of models on them, small forests."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from onnxpress.conversion.converters.trees.converter import register
from onnxpress.graph.canonical import to_bytes
from onnxpress.graph.trees.forest import Forest, reached_by
from onnxpress.graph.trees.graphs import graphs
from onnxpress.graph.trees.reader import is_tree

Matrix = NDArray[np.float32]


def converted(
    estimator: Any, x: NDArray[Any], opset: int = 12, ml_opset: int = 3
) -> onnx.ModelProto:
    """``estimator`` as the pipeline's converters write it.

    Missing tracks are included, and probabilities are a tensor.
    """
    import skl2onnx

    register()
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: onnx.ModelProto = skl2onnx.to_onnx(
            estimator, x[:1], target_opset={"": opset, "ai.onnx.ml": ml_opset}, options=options
        )
    return model


def thresholds(model: onnx.ModelProto) -> tuple[NDArray[np.int64], Matrix]:
    """(feature, threshold) of all splits, read here independently of the code under test."""
    features, values = [], []
    for graph in graphs(model.graph):
        for node in filter(is_tree, graph.node):
            found = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
            split = np.array([mode != b"LEAF" for mode in found["nodes_modes"]])
            features.append(np.array(found["nodes_featureids"])[split])
            values.append(np.array(found["nodes_values"], np.float32)[split])
    return np.concatenate(features), np.concatenate(values)


def probes(model: onnx.ModelProto, x: Matrix, limit: int = 4000, *, missing: bool = True) -> Matrix:
    """Rows of ``x`` with one feature on a threshold or next to it, and with NaN and infinities.

    Every distinct threshold has a row of its own, and its float32 neighbours one each, up to
    ``limit`` rows.
    """
    random = np.random.default_rng(0)
    feature, value = (part[:, None] for part in thresholds(model))
    pairs = np.unique(np.hstack([feature.astype(np.float64), value.astype(np.float64)]), axis=0)
    value = pairs[:, 1].astype(np.float32)
    above = np.nextafter(value, np.float32(np.inf))
    near = np.concatenate([value, above, np.nextafter(value, np.float32(-np.inf))])
    column = np.tile(pairs[:, 0].astype(np.int64), 3)
    chosen = random.permutation(len(near))[:limit]
    rows = x[random.integers(0, len(x), len(chosen))].copy()
    rows[np.arange(len(chosen)), column[chosen]] = near[chosen]
    odd = x[random.integers(0, len(x), 300)].copy()
    for position, special in enumerate((np.nan, np.inf, -np.inf) if missing else (0, 1e30, -1e30)):
        part = slice(100 * position, 100 * position + 100)
        odd[part][random.random(odd[part].shape) < 0.2] = special
    return np.concatenate([x[:200], rows, odd])


def rows_at_splits(forest: Forest, x: Matrix) -> Matrix:
    """Three rows for each split that reach it: on its threshold, just above it, just below it.

    They are made from a row of ``x`` that passes the split. Its threshold lies within the range
    that its ancestors let through, so that setting its feature keeps the path.
    """
    reached = reached_by(forest, x)
    split = np.flatnonzero(reached >= 0)
    value = forest.threshold[split]
    above = np.nextafter(value, np.float32(np.inf))
    near = np.concatenate([value, above, np.nextafter(value, np.float32(-np.inf))])
    rows = np.tile(x[reached[split]], (3, 1))
    rows[np.arange(len(rows)), np.tile(forest.feature[split], 3)] = near
    return rows


def session(model: onnx.ModelProto, *, packed: bool = False) -> onnxruntime.InferenceSession:
    """The model in onnxruntime, on one thread; ``packed`` as quantised models are stored."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(to_bytes(model, packed=packed), options)


def outputs(model: onnx.ModelProto, x: NDArray[Any], *, packed: bool = False) -> list[NDArray[Any]]:
    """What onnxruntime computes for ``x``."""
    loaded = session(model, packed=packed)
    found: list[NDArray[Any]] = loaded.run(None, {loaded.get_inputs()[0].name: x})
    return found


def reference_outputs(model: onnx.ModelProto, x: NDArray[Any]) -> list[NDArray[Any]]:
    """What onnx's own reference implementation computes for ``x``; slow, a few rows only."""
    return [
        np.asarray(value)
        for value in ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x})
    ]


def assert_same(found: list[NDArray[Any]], expected: list[NDArray[Any]]) -> None:
    """Equal shapes and types; labels equal, numbers within 1e-6."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        if other.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6, equal_nan=True)
        else:
            np.testing.assert_array_equal(one, other)


def packed_size(model: onnx.ModelProto) -> int:
    """Bytes of the model as the pipeline stores it."""
    return len(to_bytes(model, packed=True))


def small_forest(children: list[tuple[int, int]], roots: list[int], leaves: list[float]) -> Forest:
    """Splits x[0] <= their own number, one target."""
    n = len(children)
    pairs = np.array(children, np.int32).reshape(n, 2)
    return Forest(
        feature=np.zeros(n, np.int32),
        threshold=np.arange(n, dtype=np.float32),
        mode=np.zeros(n, np.uint8),
        missing_true=np.zeros(n, np.bool_),
        true_child=pairs[:, 0].copy(),
        false_child=pairs[:, 1].copy(),
        roots=np.array(roots, np.int32),
        leaf_offset=np.arange(len(leaves) + 1, dtype=np.int32),
        leaf_target=np.zeros(len(leaves), np.int32),
        leaf_weight=np.array(leaves, np.float32),
        n_targets=1,
    )
