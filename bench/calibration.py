"""How far predicted times are from measured ones, and the constants that fit refined forests.

``python -m bench.calibration`` fits forests of several kinds, writes refined forests with random
questions in every size, and measures a call of 1,024 rows of each: the shortest of many, in rounds
over all models in random order, because other work on the machine only ever adds time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from scipy.optimize import nnls

from bench.data import ESTIMATORS, split_of, unfitted
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.fitting import fit
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Rung
from onnxpress.quantize.forest.predicted_time import plain_seconds, refined_seconds
from onnxpress.quantize.forest.refined.answers import Answers
from onnxpress.quantize.forest.refined.as_operators import as_operators
from onnxpress.quantize.forest.refined.ladder import LADDER
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest, Questions
from onnxpress.quantize.forest.refined.subgraphs import Subgraphs
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.sources import BUNDLED

ROWS = 1024
ROUNDS, CALLS = 6, 8
OPSET = 12
TREES = (3, 20, 100)
SHAPES = ((1, 10), (1, 100), (4, 20), (10, 64), (10, 784))
"""Columns and features of refined forests."""
TERMS = ("call", "row question", "row tree", "row tree column", "row column", "row feature")
PERCENTILES = (0, 5, 50, 95, 100)


@dataclass(frozen=True)
class Case:
    """A model, rows for it, and what it is predicted to take."""

    name: str
    model: bytes
    x: NDArray[np.float32]
    predicted: float
    terms: tuple[float, ...] = ()
    """What the constants of a refined forest are multiplied by."""


def main() -> None:
    """Write the ratios of both kinds, and constants for refined forests, to stdout."""
    plain, refined = list(plain_cases()), list(refined_cases())
    seconds = measured([*plain, *refined])
    lines = [_spread("plain", plain, seconds), _spread("refined", refined, seconds)]
    terms = np.array([case.terms for case in refined])
    taken = np.array([seconds[case.name] for case in refined])
    constants, _ = nnls(terms / taken[:, None], np.ones(len(taken)))
    named = [f"{name} {value:.2g} s" for name, value in zip(TERMS, constants, strict=True)]
    sys.stdout.write("\n".join([*lines, ", ".join(named), ""]))


def _spread(kind: str, cases: list[Case], seconds: dict[str, float]) -> str:
    ratios = [case.predicted / seconds[case.name] for case in cases]
    shares = np.percentile(ratios, PERCENTILES).round(2).tolist()
    return f"{kind}, {len(cases)} models, predicted over measured at {PERCENTILES} %: {shares}"


def plain_cases() -> Iterator[Case]:
    """The suite's estimators with several numbers of trees."""
    for data in BUNDLED:
        part = split_of(data, 0)
        (x,) = part.train.feeds.values()
        for estimator in ESTIMATORS:
            for trees in TREES:
                fitted = unfitted(estimator, part, trees)
                fit(fitted, part.train)
                model = to_onnx(fitted, part.schema, OPSET)
                rows = np.resize(x, (ROWS, x.shape[1]))
                name = f"{data} {estimator} {trees}"
                yield Case(name, to_bytes(model), rows, plain_seconds(model, ROWS))


def refined_cases() -> Iterator[Case]:
    """Every rung of the ladder, with random questions."""
    rng = np.random.default_rng(0)
    for rung in LADDER:
        for columns, features in SHAPES:
            model = to_bytes(_random_refined(rung, columns, features, rng), packed=True)
            x = rng.normal(size=(ROWS, features)).astype(np.float32)
            tree, question = ROWS * rung.trees, ROWS * rung.trees * rung.depth
            terms = (1, question, tree, tree * columns, ROWS * columns, ROWS * features)
            predicted = refined_seconds(rung, columns, features, ROWS)
            yield Case(f"refined {rung} {columns} {features}", model, x, predicted, terms)


def _random_refined(
    rung: Rung, columns: int, features: int, rng: np.random.Generator
) -> onnx.ModelProto:
    shape = (rung.trees, rung.depth)
    questions = Questions(
        rng.integers(0, features, shape), rng.normal(size=shape).astype(np.float32)
    )
    table = rng.integers(-127, 128, (rung.trees, 2**rung.depth, columns)).astype(np.int8)
    ones = np.ones(columns, np.float32)
    forest = ObliviousForest(questions, table, 0.01 * ones, 0 * ones)
    labels = None if columns == 1 else np.arange(columns)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, features])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, columns])
    label = helper.make_tensor_value_info("label", TensorProto.INT64, [None])
    outputs = [scores] if labels is None else [label, scores]
    graph = helper.make_graph([], "refined", [x], outputs)
    opsets = [helper.make_opsetid("", OPSET)]
    empty = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return as_operators(empty, Subgraphs("x", features, (), ()), forest, Answers(labels))


def measured(cases: list[Case]) -> dict[str, float]:
    """The shortest call of each in seconds, by name."""
    sessions: list[Any] = [open_session(case.model) for case in cases]
    feeds = [
        {session.get_inputs()[0].name: case.x}
        for session, case in zip(sessions, cases, strict=True)
    ]
    shortest = np.full(len(cases), np.inf)
    for seed in range(ROUNDS):
        for place in np.random.default_rng(seed).permutation(len(cases)):
            for _ in range(CALLS):
                start = time.perf_counter()
                sessions[place].run(None, feeds[place])
                shortest[place] = min(shortest[place], time.perf_counter() - start)
    return {case.name: float(each) for case, each in zip(cases, shortest, strict=True)}


if __name__ == "__main__":
    main()
