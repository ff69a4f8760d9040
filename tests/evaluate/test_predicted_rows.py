"""Rows with the predictions of three models: a model that refuses them, and a row in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxpress.errors import UserError
from onnxpress.evaluate.predicted_rows import PredictedRows, predict_with_all, predictions_csv
from onnxpress.evaluate.probes.raw_columns import RawColumn
from onnxpress.pipeline.inputs import predictions_in_pieces
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Column, Schema
from tests.conftest import numeric_schema

ANYTHING = Predictions(np.array([0, 1]), None)


def refusing(_feeds: Feeds) -> Predictions:
    raise RuntimeError("no such\n category")


def test_a_model_that_refuses_rows_is_named_in_one_line() -> None:
    models = {"outputs/model.joblib": lambda _feeds: ANYTHING, "outputs/model.onnx": refusing}
    line = "^outputs/model.onnx refuses the probe rows: no such category$"
    with pytest.raises(UserError, match=line):
        predict_with_all(models, {"X": np.zeros((2, 1), np.float32)}, "the probe rows")


def test_a_row_is_named_by_the_column_that_lies_at_a_threshold_or_by_its_first_values() -> None:
    columns = tuple(
        Column(f"c{i}", "category" if i == 1 else "number", missing=False) for i in range(6)
    )
    schema = Schema("classification", "y", columns)
    feeds: Feeds = {f"c{i}": np.full((2, 1), i + 0.5, np.float32) for i in range(6)}
    feeds["c1"] = np.array([["a"], ["it's"]])
    rows = PredictedRows(
        "probe", feeds, [ANYTHING] * 3, lambda row: RawColumn("c1", 0) if row else None
    )
    assert rows.describe(1, schema) == "probe row 1 ('c1' is \"it's\")"
    assert (
        rows.describe(0, schema)
        == "probe row 0 ('c0' is 0.5, 'c1' is 'a', 'c2' is 2.5, 'c3' is 3.5, ...)"
    )
    matrix = PredictedRows(
        "probe",
        {"X": np.array([[1, 2]], np.float32)},
        [ANYTHING] * 3,
        lambda _row: RawColumn("X", 1),
    )
    assert matrix.describe(0, numeric_schema(2)) == "probe row 0 ('f1' is 2)"


def test_several_targets_have_a_column_each_and_come_back(workspace: Path) -> None:
    values = np.array([[1.5, -2.0], [3.25, 1e9]])
    schema = Schema("regression", ("a, b", "c"), ())
    table = b"".join(predictions_csv(values, [Predictions(values, None)] * 3, schema))
    assert table.splitlines()[0] == (
        b'"target.a, b",target.c,"original.a, b",original.c,"onnx.a, b",onnx.c,'
        b'"quantized.a, b",quantized.c'
    )
    (workspace / "outputs" / "predictions.csv").write_bytes(table)
    (back,) = predictions_in_pieces(schema)
    for column in back.values():
        np.testing.assert_array_equal(column.astype(float), values)
