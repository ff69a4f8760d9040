"""Random oblivious forests as models of operators, and their sums found by walking each tree."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.quantize.forest.refined.answers import Answers
from onnxpress.quantize.forest.refined.as_operators import as_operators
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest, Questions, quantised
from onnxpress.quantize.forest.refined.subgraphs import Subgraphs

FEATURES = 7
WIDE = 700  # more columns than any forest here has questions


def random_forest(
    trees: int, depth: int, columns: int, *, width: int = FEATURES, many: bool = False
) -> ObliviousForest:
    """Some questions are alike, unless there are ``many``; some ask for infinite thresholds."""
    random = np.random.default_rng(trees * 100 + depth * 10 + columns)
    thresholds = np.array([-1.5, -0.3, 0.0, 1e-30, 0.7, np.inf, -np.inf], np.float32)
    if many:
        thresholds = random.normal(size=1000).astype(np.float32)
    questions = Questions(
        random.integers(0, width, (trees, depth)), random.choice(thresholds, (trees, depth))
    )
    values = random.normal(size=(trees, 2**depth, columns)) * random.lognormal(size=columns)
    return quantised(questions, values, np.zeros(columns))


def hard_rows(forest: ObliviousForest, width: int = FEATURES) -> NDArray[np.float32]:
    """Thresholds, their neighbours, missing and infinite values, zeros of both signs."""
    thresholds = np.unique(forest.questions.threshold)
    below, above = (np.nextafter(thresholds, np.float32(to)) for to in (-np.inf, np.inf))
    extremes = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, 1e-45], np.float32)
    pool = np.concatenate([thresholds, below, above, extremes])
    return np.random.default_rng(0).choice(pool, (150, width)).astype(np.float32)


def walked(forest: ObliviousForest, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """The scores of each row, one tree after the other."""
    sums = np.zeros((len(x), forest.table.shape[-1]), np.int64)
    for row, values in enumerate(x):
        for tree, (features, thresholds) in enumerate(
            zip(forest.questions.feature, forest.questions.threshold, strict=True)
        ):
            yes = [values[f] < t for f, t in zip(features, thresholds, strict=True)]
            sums[row] += forest.table[tree, sum(1 << level for level in np.flatnonzero(yes))]
    return np.asarray(sums * forest.scale.astype(np.float64))


def shell(width: int, columns: int, *, labels: bool, opset: int) -> onnx.ModelProto:
    """A model without operators."""
    rows = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, width])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, columns])
    label = helper.make_tensor_value_info("label", TensorProto.INT64, [None])
    graph = helper.make_graph([], "shell", [rows], [label, scores] if labels else [scores])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=7)


def regressor(
    forest: ObliviousForest, *, width: int = FEATURES, opset: int = 12
) -> onnx.ModelProto:
    model = shell(width, len(forest.scale), labels=False, opset=opset)
    return as_operators(model, Subgraphs("X", width, (), ()), forest, Answers(None))


def classifier(forest: ObliviousForest, *, opset: int = 12) -> onnx.ModelProto:
    labels = np.arange(max(2, len(forest.scale)))
    model = shell(FEATURES, len(labels), labels=True, opset=opset)
    return as_operators(model, Subgraphs("X", FEATURES, (), ()), forest, Answers(labels))
