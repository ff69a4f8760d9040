"""Tables with several columns to predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxpress.errors import UserError
from onnxpress.tables.column_types import AnyTask, as_table, type_columns
from onnxpress.tables.schema import as_schema
from onnxpress.tables.sources import Source, load_source
from onnxpress.tables.split import split
from onnxpress.tables.table_warnings import source_warnings

ROWS = 60
TABLE: dict[str, Any] = {
    "x": np.linspace(0, 1, ROWS),
    "a": np.linspace(5, 9, ROWS) ** 2,
    "kind": ["p", "q", "r"] * (ROWS // 3),
    "b": np.arange(ROWS) * 10,
    "few": np.arange(ROWS) % 3,
}


def test_the_targets_come_last_in_their_order() -> None:
    frame, schema = type_columns(pd.DataFrame(TABLE), ("b", "a"), "auto")
    assert list(frame) == ["x", "kind", "few", "b", "a"]
    assert schema.task == "regression"
    assert schema.targets == ("b", "a")
    assert frame["b"].dtype == frame["a"].dtype == np.float64
    np.testing.assert_array_equal(frame["a"], TABLE["a"])


def test_a_schema_of_several_targets_comes_back_from_json() -> None:
    frame, schema = type_columns(pd.DataFrame(TABLE), ("b", "a"), "auto")
    parts = split(frame, schema, 0.25, 0.2, seed=0)
    spread = parts.train[["b", "a"]].to_numpy().std(axis=0)
    assert parts.schema.target_std == pytest.approx(tuple(spread))
    assert as_schema(parts.schema.to_json()) == parts.schema


def test_rows_without_one_of_the_targets_are_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame(TABLE)
    frame.loc[3, "a"] = np.nan
    frame.loc[5, "b"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    source = load_source(tmp_path / "t.csv", ("a", "b"))
    typed, _ = type_columns(source.table, source.target, "auto")
    assert len(typed) == ROWS - 2
    kept = np.delete(np.arange(ROWS), [3, 5])
    np.testing.assert_allclose(typed["a"], TABLE["a"][kept])


BAD: list[tuple[tuple[str, ...], AnyTask, str]] = [
    (("a", "kind"), "auto", r"target 'kind' holds classes, .* name one column of classes"),
    (("a", "few"), "auto", r"target 'few' holds classes.*set `task`: regression"),
    (("a", "b"), "classification", r"several targets, 'a', 'b', should be quantities"),
    (("a", "kind"), "regression", r"target 'kind' holds text; regression expects numbers"),
    (("x", "a", "kind", "b", "few"), "regression", r"no feature column beside the target 'x', 'a'"),
]


@pytest.mark.parametrize(("targets", "task", "line"), BAD)
def test_other_targets_are_refused(targets: tuple[str, ...], task: AnyTask, line: str) -> None:
    with pytest.raises(UserError, match=line):
        type_columns(pd.DataFrame(TABLE), targets, task)


def test_whole_numbers_are_quantities_if_the_task_says_so() -> None:
    _, schema = type_columns(pd.DataFrame(TABLE), ("a", "few"), "regression")
    assert schema.targets == ("a", "few")


def test_targets_that_share_no_row_are_refused() -> None:
    half = np.arange(ROWS) < ROWS // 2
    frame = pd.DataFrame(TABLE | {"a": np.where(half, 1.5, np.nan), "b": np.where(half, np.nan, 2)})
    with pytest.raises(UserError, match="no row has a value in each of the targets 'a', 'b'"):
        type_columns(frame, ("a", "b"), "regression")


def test_a_column_that_the_table_lacks_is_named(tmp_path: Path) -> None:
    pd.DataFrame(TABLE).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(UserError, match="`target` 'c' is not a column of"):
        load_source(tmp_path / "t.csv", ("a", "c"))


def test_a_feature_that_equals_the_second_target_is_told() -> None:
    frame = pd.DataFrame(TABLE | {"again": TABLE["b"]})
    typed, schema = type_columns(frame, ("a", "b"), "auto")
    source = Source(as_table(frame), ("a", "b"))
    lines = source_warnings(source, typed, schema, decided=False)
    assert any("'again' equals the target in every row" in line for line in lines)
