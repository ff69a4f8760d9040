"""Rows read in pieces: the same rows whatever the pieces, typed by the schema alone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from onnxpress.errors import UserError
from onnxpress.tables.csv_types import PLAIN, CsvForm
from onnxpress.tables.pieces import feeds_of, pieces
from onnxpress.tables.schema import Column, Schema

SIZE, COLOUR = Column("size", "number", missing=True), Column("colour", "category", missing=True)
FULL = Column("size", "number", missing=False)
NUMBER = Schema("classification", "y", (SIZE,))
WORD = Schema("classification", "y", (COLOUR,))
NAN = float("nan")


def read(path: Path, schema: Schema, rows: int, form: CsvForm = PLAIN) -> list[Any]:
    """The values of the one column of a schema, of all pieces one after another."""
    (column,) = schema.columns
    parts = [feeds_of(piece, schema, form) for piece in pieces(path, [column.name], rows)]
    return [value for part in parts for values in part.values() for value in values.ravel()]


def refusal(path: Path, schema: Schema, form: CsvForm = PLAIN) -> str:
    """The line about a file, which is the same whatever the pieces."""
    lines = set()
    for rows in (1, 2, 3, 100):
        with pytest.raises(UserError) as caught:
            read(path, schema, rows, form)
        lines.add(str(caught.value))
    (line,) = lines
    return line


def stored(folder: Path, values: Any, name: str = "size") -> Path:
    """A Parquet file of one column, in row groups of three rows."""
    parquet.write_table(pa.table({name: values}), folder / "rows.parquet", row_group_size=3)
    return folder / "rows.parquet"


def csv(folder: Path, *cells: str, name: str = "size") -> Path:
    """A CSV file of one column, beside the number of each row."""
    rows = [f"{number},{cell}" for number, cell in enumerate(cells)]
    (folder / "rows.csv").write_text("\n".join([f"row,{name}", *rows]), encoding="utf-8")
    return folder / "rows.csv"


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([None, None, None, 1, 2, 3, None]), [NAN, NAN, NAN, 1, 2, 3, NAN]),
        (pa.array([0.1, NAN, None, 0.3]), [np.float32(0.1), NAN, NAN, np.float32(0.3)]),
        (pa.array([True, False, None, True]), [1, 0, NAN, 1]),
        (pa.array([Decimal("0.10"), None, Decimal("2.50")]), [np.float32(0.1), NAN, 2.5]),
        (pa.array([5, 7, None, 5], pa.int8()).dictionary_encode(), [5, 7, NAN, 5]),
        (pa.nulls(4), [NAN] * 4),
        (pa.array([None, "", None]), [NAN] * 3),
    ],
    ids=["gaps first", "floats", "booleans", "decimals", "categories", "no type", "empty text"],
)
def test_numbers_of_a_parquet_file(
    values: pa.Array, expected: list[float], rows: int, tmp_path: Path
) -> None:
    np.testing.assert_array_equal(read(stored(tmp_path, values), NUMBER, rows), expected)


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_cells_are_numbers_each_by_itself(rows: int, tmp_path: Path) -> None:
    cells = ["", "", "1", " 2 ", "+3", "0.5", "1e3", "True", "false", "9007199254740993", ""]
    expected = [NAN, NAN, 1, 2, 3, 0.5, 1000, 1, 0, np.float32(9007199254740993), NAN]
    np.testing.assert_array_equal(read(csv(tmp_path, *cells), NUMBER, rows), expected)


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_cells_follow_the_form_of_the_file(rows: int, tmp_path: Path) -> None:
    form = CsvForm(("NA",), ",", ".")
    cells = ['"1.234,5"', "NA", '"0,5"', "7"]
    np.testing.assert_array_equal(
        read(csv(tmp_path, *cells), NUMBER, rows, form), [1234.5, NAN, 0.5, 7]
    )


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_texts_stay_the_texts_that_they_are(rows: int, tmp_path: Path) -> None:
    cells = ["1", "1.0", "", " red", "True", "제주"]
    words = pa.array(["1", "1.0", None, " red", "True", "제주"])
    expected = ["1", "1.0", "", " red", "True", "제주"]
    assert read(csv(tmp_path, *cells, name="colour"), WORD, rows) == expected
    for values in (words, words.cast(pa.large_string()), words.dictionary_encode()):
        assert read(stored(tmp_path, values, "colour"), WORD, rows) == expected
    assert read(stored(tmp_path, pa.nulls(3), "colour"), WORD, rows) == [""] * 3


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2", "x1", "4", "y"], "should be numbers, got 'x1' in row 3"),
        (["1", "nan"], "should be numbers, got 'nan' in row 2"),
        (["1", "2", "3", "-inf"], "has -inf in row 4; expected finite float32 numbers"),
        (["1", "1e39"], "has 1e+39 in row 2; expected finite float32 numbers"),
    ],
)
def test_a_cell_that_is_no_number_is_named_by_its_row(
    cells: list[str], expected: str, tmp_path: Path
) -> None:
    assert f"rows.csv: column 'size' {expected}" in refusal(csv(tmp_path, *cells), NUMBER)


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        (SIZE, pa.array([None, "", "7"]), "should be numbers, got '7' in row 3"),
        (SIZE, pa.array([1.0, 2.0, np.inf]), "has inf in row 3"),
        (SIZE, pa.array([0], pa.date32()), "holds dates"),
        (
            Column("size", "number", missing=False),
            pa.array([1, 2, 3, None]),
            "has no value in row 4",
        ),
        (COLOUR, pa.array([1, 2]), "should be text, got the type int64"),
        (COLOUR, pa.array(["a", "b", "c\0d"]), "has a NUL character in row 3"),
        (COLOUR, pa.array([[1]]), "holds list values"),
    ],
)
def test_a_value_that_the_model_cannot_take_is_named_by_its_row(
    column: Column, values: pa.Array, expected: str, tmp_path: Path
) -> None:
    path = stored(tmp_path, values, column.name)
    line = refusal(path, Schema("classification", "y", (column,)))
    assert f"rows.parquet: column '{column.name}' {expected}" in line


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("count", range(8))
def test_no_row_is_alone_beside_others(count: int, rows: int, tmp_path: Path) -> None:
    path = stored(tmp_path, pa.array(range(count), pa.int64()))
    found = list(pieces(path, ["size"], rows))
    lengths = [piece.table.num_rows for piece in found]
    assert [piece.first for piece in found] == [sum(lengths[:at]) for at in range(len(found))]
    values = [value for piece in found for value in piece.table["size"].to_pylist()]
    assert values == [*range(count)]
    assert max(lengths) <= rows + 1
    assert rows == 1 or count <= 1 or min(lengths) > 1


def test_a_missing_column_is_named_before_any_row_is_read(tmp_path: Path) -> None:
    for path in (stored(tmp_path, pa.array([1]), "other"), csv(tmp_path, "1", name="other")):
        assert "lacks the column 'size'" in refusal(path, NUMBER)


def test_columns_whose_names_have_dots_are_not_mixed_up(tmp_path: Path) -> None:
    table = pa.table({"size.cm": [1], "size": [2], "s": [3]})
    parquet.write_table(table, tmp_path / "rows.parquet")
    assert read(tmp_path / "rows.parquet", NUMBER, 2) == [2]


def test_files_that_are_broken_behind_their_first_rows_are_refused(tmp_path: Path) -> None:
    assert "row 3 has 3 values" in refusal(csv(tmp_path, "1", "2", "3,4", "5"), NUMBER)
    path = stored(tmp_path, pa.array([f"{number}" for number in range(5000)]), "colour")
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    assert "rows.parquet should be a Parquet file" in refusal(path, WORD)
