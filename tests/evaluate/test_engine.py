"""Many test rows are predicted by the workers of a real cluster, with the predictions of one."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from onnxpress.conversion.converting import to_onnx
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import HERE
from onnxpress.evaluate.evaluation import EvaluationSettings, ThreeModels, evaluate
from onnxpress.evaluate.lines import TITLES
from onnxpress.graph.canonical import to_bytes
from onnxpress.tables.mapped import PIECE_ROWS
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema
from tests.support.clusters import local

__all__ = ["local"]

SCHEMA = numeric_schema(4)


def refuse(line: str) -> None:
    raise AssertionError(line)


def test_pieces_of_test_rows_are_predicted_there_with_the_same_results(local: Any) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(2 * PIECE_ROWS + 7, 4)).astype(np.float32)
    target = (matrix[:, 0] + rng.normal(size=len(matrix)) > 0).astype(np.int64)
    forest = RandomForestClassifier(4, max_depth=4, random_state=0).fit(matrix[:500], target[:500])
    plain = to_bytes(to_onnx(forest, SCHEMA, 12))
    models = ThreeModels(forest, plain, plain, TITLES)
    run = partial(
        evaluate,
        models,
        {NUMERIC_INPUT: matrix[:500]},
        Rows({NUMERIC_INPUT: matrix}, target),
        SCHEMA,
        EvaluationSettings(1e-3, 100, 0),
    )
    with engine_at(local.scheduler_address, refuse) as engine:
        before = local.scheduler.transition_counter
        there = run(engine)
        assert local.scheduler.transition_counter - before > 3 * 3  # models, pieces of each
    here = run(HERE)
    assert there.metrics == here.metrics
    assert there.detail == here.detail
    for one, other in zip(there.tested.predictions, here.tested.predictions, strict=True):
        np.testing.assert_array_equal(one.values, other.values, strict=True)
        np.testing.assert_array_equal(one.scores, other.scores, strict=True)
