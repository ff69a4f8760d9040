from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from onnxpress.errors import UserError
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.tables.column_types import decide_task, type_columns
from onnxpress.tables.schema import Schema
from onnxpress.tables.sources import BUNDLED, load_source
from onnxpress.tables.split import split
from stages import prepare
from tests.conftest import ROOT, default_params, write_params


def settled(source: str, target: str | None = None) -> tuple[pd.DataFrame, Schema]:
    came = load_source(source, target)
    return type_columns(came.table, came.target, "auto")


def rows_of(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    return list(frame.itertuples(index=False, name=None))


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_dataset_splits_into_disjoint_parts(name: str) -> None:
    frame, schema = settled(name)
    frame["row"] = np.arange(len(frame))
    parts = split(frame, schema, 0.2, None, 42)
    seen = pd.concat([parts.train, parts.calibration, parts.test])["row"]
    assert sorted(seen) == list(range(len(frame)))
    assert schema.task == ("regression" if name == "diabetes" else "classification")


def test_iris_splits_120_to_30_with_equal_classes_as_in_the_lab() -> None:
    frame, schema = settled("iris")
    parts = split(frame, schema, 0.2, None, 42)
    assert (len(parts.train), len(parts.calibration), len(parts.test)) == (120, 0, 30)
    assert parts.test["target"].value_counts().tolist() == [10, 10, 10]


def test_calibration_rows_are_set_aside_from_a_thousand_training_rows_on() -> None:
    frame, schema = settled("digits")
    assert len(split(frame, schema, 0.2, None, 0).calibration) == 288
    assert len(split(frame, schema, 0.5, None, 0).calibration) == 0
    assert len(split(frame, schema, 0.5, 0.1, 0).calibration) == 90


def test_penguins_keep_their_categories_missing_values_and_string_labels(workspace: Path) -> None:
    (workspace / "data" / "penguins.csv").write_bytes((ROOT / "data" / "penguins.csv").read_bytes())
    write_params(
        workspace, default_params(data__source="data/penguins.csv", data__target="species")
    )
    prepare.main()
    schema = read_schema()
    kinds = {column.name: (column.kind, column.missing) for column in schema.columns}
    assert kinds["island"] == ("category", False)
    assert kinds["sex"] == ("category", True)
    assert kinds["body_mass_g"] == ("number", True)
    rows = read_rows(workspace / "outputs" / "train.parquet", schema)
    assert set(rows.target) == {"Adelie", "Chinstrap", "Gentoo"}
    assert rows.feeds["body_mass_g"].dtype == np.float32
    assert np.isnan(rows.feeds["body_mass_g"]).sum() > 0
    assert "" in rows.feeds["sex"]


def test_parquet_files_are_sources_too(workspace: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(40.0), "b": [True, False] * 20, "y": np.arange(40.0) / 3})
    frame.to_parquet(workspace / "data" / "x.parquet")
    _, schema = settled("data/x.parquet", "y")
    assert (schema.task, schema.all_numeric) == ("regression", True)


def test_preparing_twice_gives_the_same_bytes(workspace: Path) -> None:
    prepare.main()
    first = {path.name: path.read_bytes() for path in (workspace / "outputs").iterdir()}
    prepare.main()
    assert {path.name: path.read_bytes() for path in (workspace / "outputs").iterdir()} == first


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (["a", "b"] * 30, "classification"),
        ([True, False] * 30, "classification"),
        ([0, 1, 2] * 20, "classification"),
        (list(range(60)), "regression"),
        ([1.0, 2.0, 3.0] * 20, "classification"),  # as integers with a gap come from pandas
        ([0.5, 1.0] * 30, "regression"),
    ],
)
def test_the_task_follows_from_the_target(target: list[object], task: str) -> None:
    assert decide_task(pa.chunked_array([target])) == task


def test_rows_without_a_target_are_left_out() -> None:
    frame, _ = type_columns(pd.DataFrame({"a": range(4), "y": ["u", None, "v", "u"]}), "y", "auto")
    assert rows_of(frame) == [(0.0, "u"), (2.0, "v"), (3.0, "u")]


def test_integer_classes_with_gaps_are_classes_still() -> None:
    frame, schema = type_columns(
        pd.DataFrame({"a": range(5), "y": [1, None, 2, 1, 2]}), "y", "auto"
    )
    assert schema.task == "classification"
    assert frame["y"].tolist() == [1, 2, 1, 2]
    assert frame["y"].dtype == np.int64


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("iri", None, "`source` should be one of iris, wine"),
        ("data/none.csv", "y", r"cannot read data/none.csv \(No such file"),
        ("data/x.csv", None, "`target` should name the column"),
        ("data/x.csv", "z", "`target` 'z' is not a column of data/x.csv; its columns: 'a', 'y'"),
        ("data/empty.csv", "y", "should be a CSV file with a header line"),
        ("data/twice.csv", "y", "column 'a' is in the header more than once"),
        ("data/semicolon.csv", "y", "has one column only, 'a;y'"),
        ("data/latin1.csv", "y", "should be UTF-8 text"),
        (
            "data/ragged.csv",
            "y",
            "row 2 has 4 values, the header has 2 names; correct the row or complete the header",
        ),
        ("data/no.parquet", "y", "should be a Parquet file"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(
    workspace: Path, source: str, target: str | None, expected: str
) -> None:
    files = {
        "x.csv": b"a,y\n1,2\n",
        "empty.csv": b"",
        "twice.csv": b"a,a,y\n1,2,3\n",
        "semicolon.csv": b"a;y\n1;2\n",
        "latin1.csv": "a,y\né,2\n".encode("latin-1"),
        "ragged.csv": b"a,y\n1,2\n1,2,3,4\n",
        "no.parquet": b"PAR?",
    }
    for name, content in files.items():
        (workspace / "data" / name).write_bytes(content)
    with pytest.raises(UserError, match=expected):
        load_source(source, target)


@pytest.mark.parametrize(
    ("columns", "task", "expected"),
    [
        ({"a": [], "y": []}, "auto", "has a header but no rows"),
        ({"y": [1, 2]}, "auto", "no feature column"),
        ({"a": [None, None], "y": [0, 1]}, "auto", "column 'a' has no value in any row"),
        ({"a": [1.0, np.inf], "y": [0, 1]}, "auto", "column 'a' has inf in row 2"),
        ({"a": [1.0, 1e300], "y": [0, 1]}, "auto", "expected finite float32 numbers"),
        (
            {"a": pd.to_datetime(["2020-01-01", "2020-01-02"]), "y": [0, 1]},
            "auto",
            "column 'a' holds dates with a time",
        ),
        ({"a": [1, 2], "y": ["u", "u"]}, "auto", "one class only"),
        ({"a": [1, 2], "y": ["u", "v"]}, "regression", "holds text; regression expects numbers"),
        ({"a": [1, 2], "y": [1.0, np.inf]}, "regression", "has inf in row 2"),
        ({"a": [1, 2], "y": [None, None]}, "auto", "target 'y' has no value in any row"),
    ],
)
def test_a_column_that_cannot_be_used_is_named(
    columns: dict[str, object], task: str, expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        type_columns(pd.DataFrame(columns), "y", task)  # type: ignore[arg-type] # a literal, as params.yaml has it


def test_a_class_too_rare_to_be_in_every_part_is_named() -> None:
    frame, schema = type_columns(
        pd.DataFrame({"a": range(21), "y": ["u"] * 20 + ["v"]}), "y", "auto"
    )
    with pytest.raises(
        UserError, match=r"`test_size` 0\.2 cannot split 21 rows.*rarest class: 'v', 1 rows"
    ):
        split(frame, schema, 0.2, None, 0)
