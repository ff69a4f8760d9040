"""Tables keep their values and rows, types have one meaning, and surprises get a line."""

from __future__ import annotations

import csv
import datetime as dt
import io
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from sklearn.datasets import load_wine

from onnxpress.errors import UserError
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.tables.csv_file import read_cells
from onnxpress.tables.names import NUMERIC_INPUT
from stages import prepare
from tests.conftest import ROOT, default_params, write_params
from tests.support.generated_tables import Generated, check, tables

ROWS = 40
Y = np.array(["u", "v"])[np.arange(ROWS) // 2 % 2]
GENERATED = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
Lines = list[str]


@pytest.fixture
def said(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """The lines that prepare says, in a folder with an empty data/."""
    lines: Lines = []
    monkeypatch.setattr(prepare, "say", lines.append)
    assert workspace
    return lines


def run(source: str, target: str = "y", **params: Any) -> None:
    write_params(Path(), default_params(data__source=source, data__target=target, **params))
    prepare.main()


def run_csv(columns: dict[str, Any], **params: Any) -> None:
    pd.DataFrame({"row": noise(), **columns}).assign(**({} if "y" in columns else {"y": Y})).to_csv(
        "data/x.csv", index=False
    )
    run("data/x.csv", **params)


def run_parquet(columns: dict[str, Any], index: Any = None, **params: Any) -> None:
    frame = pd.DataFrame({"row": noise(), **columns}).assign(**({} if "y" in columns else {"y": Y}))
    frame.set_axis(range(ROWS) if index is None else index).to_parquet("data/x.parquet")
    run("data/x.parquet", **params)


def noise() -> np.ndarray[Any, Any]:
    """Numbers without any meaning, each row's own."""
    return np.random.default_rng(0).permutation(ROWS) / 8


def warnings(said: Lines) -> Lines:
    return [line.removeprefix("warning: ") for line in said if line.startswith("warning: ")]


def prepared(name: str) -> dict[float, Any]:
    """The values of a column after prepare, by the noise of their rows."""
    parts = pd.concat(
        [pd.read_parquet(f"outputs/{part}.parquet") for part in ("train", "calibration", "test")]
    )
    return dict(zip(parts["row"], parts[name], strict=True))


def kinds() -> dict[str, tuple[str, bool]]:
    return {column.name: (column.kind, column.missing) for column in read_schema().columns}


@pytest.mark.usefixtures("workspace")
@settings(GENERATED, max_examples=40)
@given(table=tables())
def test_every_value_of_a_table_stays_in_its_row_and_is_the_same_from_csv_and_parquet(
    table: Generated,
) -> None:
    check(table, Path())


@pytest.mark.usefixtures("said")
def test_a_shuffled_frame_keeps_its_rows_together() -> None:
    wine = load_wine(as_frame=True).frame
    shuffled = wine.sample(frac=1, random_state=0)
    shuffled.to_parquet("data/x.parquet")
    run("data/x.parquet", "target")
    schema = read_schema()
    parts = [read_rows(Path(f"outputs/{part}.parquet"), schema) for part in ("train", "test")]
    came = {
        tuple(row): label
        for part in parts
        for row, label in zip(part.feeds[NUMERIC_INPUT], part.target, strict=True)
    }
    values = wine.drop(columns="target").to_numpy(np.float32)
    assert came == {tuple(row): label for row, label in zip(values, wine["target"], strict=True)}


CELL = st.text(st.sampled_from('a1," \n\ré'), max_size=4)


@settings(GENERATED, max_examples=300)
@given(
    rows=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=4),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_cells_are_read_as_pythons_csv_module_reads_them(
    tmp_path: Path, rows: list[list[str]], ends: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ends, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *rows])
    (tmp_path / "x.csv").write_bytes(text.getvalue().encode())
    cells = read_cells(tmp_path / "x.csv")
    assert [[row[name] or "" for name in "abc"] for row in cells.to_pylist()] == rows


@settings(GENERATED, max_examples=300)
@given(
    text=st.lists(st.sampled_from(["a", ",", '"', "\n", "é", " ", ",b\n"]), max_size=12).map(
        "".join
    )
)
def test_any_text_is_read_as_pythons_csv_module_reads_it_or_refused(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "x.csv").write_bytes(f"p,q\n{text}".encode())
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        right = all(len(row) == 2 for row in rows)
    except csv.Error:
        right = False
    if not right:
        with pytest.raises(UserError, match=r"x\.csv"):
            read_cells(tmp_path / "x.csv")
    else:
        assert [
            [row["p"] or "", row["q"] or ""] for row in read_cells(tmp_path / "x.csv").to_pylist()
        ] == rows


BITS = [row % 3 == 0 for row in range(ROWS)]
ONE_GAP = [None, *BITS[1:]]
SPELLED: dict[str, list[Any]] = {
    "True": BITS,
    "TRUE": [str(bit).upper() for bit in BITS],
    "true and TRUE": [
        str(bit).upper() if row % 2 else str(bit).lower() for row, bit in enumerate(BITS)
    ],
}


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("spelled", SPELLED)
@pytest.mark.parametrize("gap", [False, True], ids=["complete", "one gap"])
def test_booleans_are_numbers_with_and_without_gaps(spelled: str, gap: bool) -> None:
    values = SPELLED[spelled]
    run_csv({"b": [None, *values[1:]] if gap else values})
    assert kinds()["b"] == ("number", gap)
    came = prepared("b")
    for row, (key, bit) in enumerate(zip(noise(), BITS, strict=True)):
        assert np.isnan(came[key]) if gap and row == 0 else came[key] == float(bit)
    assert read_schema().all_numeric


@pytest.mark.usefixtures("said")
def test_a_gap_among_booleans_of_parquet_leaves_the_matrix_a_matrix() -> None:
    run_parquet({"b": pd.array(ONE_GAP, dtype="boolean")})
    assert kinds()["b"] == ("number", True)
    assert np.isnan(prepared("b")[noise()[0]])


WORDS = np.array(["NA", "None", "null", "N/A"])


@pytest.mark.parametrize("write", [run_csv, run_parquet], ids=["csv", "parquet"])
def test_words_for_nothing_are_labels_and_categories_like_others(
    said: Lines, write: Callable[..., None]
) -> None:
    labels, categories = WORDS[np.arange(ROWS) % 2], WORDS[np.arange(ROWS) // 2 % 4]
    write({"c": categories, "y": labels})
    assert prepared("y") == dict(zip(noise(), labels, strict=True))
    assert prepared("c") == dict(zip(noise(), categories, strict=True))
    assert kinds()["c"] == ("category", False)
    assert any("column 'c' has 'NA' as a category in 10 rows" in line for line in warnings(said))
    assert any("target 'y' has 'NA' as a class in 20 rows" in line for line in warnings(said))


@pytest.mark.parametrize("named", [" ", "\u00a0", ""])
def test_cells_of_spaces_are_warned_of_and_missing_where_params_say_so(
    said: Lines, named: str
) -> None:
    """In the well-known table of telephone customers, the charges of a new one are a space."""
    run_csv({"c": [" ", *["True", "False", "True"] * 13]})
    assert any("column 'c' has ' ' as a category in 1 rows" in line for line in warnings(said))
    charges = [" ", *(f"{row}.5" for row in range(1, ROWS))]
    with pytest.raises(
        UserError,
        match=r"text in 1, first ' ' in row 1; .* "
        r"add it to data.missing_values in params.yaml \(CSV\): \[' '\]",
    ):
        run_csv({"c": charges})
    run_csv({"c": charges}, data__missing_values=[named])
    assert kinds()["c"] == ("number", True)
    assert [row for row, key in enumerate(noise()) if np.isnan(prepared("c")[key])] == [0]


def test_words_for_a_missing_value_are_missing_where_params_say_so(said: Lines) -> None:
    numbers = ["NA" if row % 5 == 0 else f"{row}.5" for row in range(ROWS)]
    labels = ["-999" if row < 4 else "uv"[row // 2 % 2] for row in range(ROWS)]
    run_csv({"n": numbers, "y": labels}, data__missing_values=["NA", "-999"])
    assert kinds()["n"] == ("number", True)
    assert "4 rows without a target are left out" in said
    came = prepared("n")
    for row, key in enumerate(noise()):
        if row >= 4:
            assert np.isnan(came[key]) if row % 5 == 0 else came[key] == row + 0.5


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(
    ("decimal", "thousands", "written"),
    [
        (".", ",", "1,234.5"),
        (",", ".", "1.234,5"),
        (",", " ", "1 234,5"),
        (".", "'", "1'234.5"),
        (",", None, "1234,5"),
        (",", "\u00a0", "1\u00a0234,5"),
    ],
)
def test_numbers_are_read_as_params_say_that_they_are_written(
    decimal: str, thousands: str | None, written: str
) -> None:
    """The noise has full stops, which are text where the comma is the mark: it is left out."""
    lines = [f'"{written}",{row % 2},{"uv"[row // 2 % 2]}' for row in range(ROWS)]
    Path("data/x.csv").write_text("\n".join(['"n","b",y', *lines]))
    run("data/x.csv", data__decimal=decimal, data__thousands=thousands)
    assert kinds()["n"] == ("number", False)
    assert set(pd.read_parquet("outputs/train.parquet")["n"]) == {1234.5}


@pytest.mark.usefixtures("said")
def test_one_long_cell_does_not_cost_its_length_in_each_row() -> None:
    run_csv({"c": ["x", "y"] * (ROWS // 2 - 1) + ["z" * 200_000] * 2})
    schema = read_schema()
    parts = [
        read_rows(Path(f"outputs/{part}.parquet"), schema).feeds["c"] for part in ("train", "test")
    ]
    assert max(len(text) for part in parts for text in part[:, 0]) == 200_000
    assert sum(part.nbytes for part in parts) < 200_000


@pytest.mark.usefixtures("said")
def test_digits_that_are_not_grouped_by_three_are_no_numbers() -> None:
    run_csv({"c": ["1,2", "1,23,4"] * (ROWS // 2)}, data__thousands=",")
    assert kinds()["c"][0] == "category"


@pytest.mark.usefixtures("said")
def test_classes_of_many_digits_stay_distinct() -> None:
    labels = [10**17 + row // 2 % 2 for row in range(ROWS)]
    run_csv({"y": labels})
    assert prepared("y") == dict(zip(noise(), labels, strict=True))


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("gap", [False, True], ids=["complete", "one gap"])
@pytest.mark.parametrize("write", [run_csv, run_parquet], ids=["csv", "parquet"])
def test_whole_numbers_stored_as_floats_are_classes_with_and_without_gaps(
    gap: bool, write: Callable[..., None]
) -> None:
    labels = [float(row // 2 % 3 + 1) for row in range(ROWS)]
    write({"y": [None, *labels[1:]] if gap else labels})
    assert read_schema().task == "classification"
    assert set(prepared("y").values()) == {1, 2, 3}
    write({"y": labels}, data__task="regression")
    assert read_schema().task == "regression"


def test_an_index_is_left_out_and_named(said: Lines) -> None:
    run_parquet({"c": noise() ** 2}, pd.Index(noise(), name="age"))
    assert list(kinds()) == ["row", "c"]
    assert any(
        "data/x.parquet: the DataFrame's index 'age' is left out; call reset_index()" in line
        for line in warnings(said)
    )


def test_an_index_whose_note_another_program_dropped_is_left_out_too(said: Lines) -> None:
    pd.DataFrame({"row": noise(), "y": Y}).sample(frac=1, random_state=0).to_parquet(
        "data/x.parquet"
    )
    table = parquet.read_table("data/x.parquet").replace_schema_metadata(None)
    parquet.write_table(table, "data/x.parquet")
    run("data/x.parquet")
    assert list(kinds()) == ["row"]
    assert any("unnamed index is left out" in line for line in warnings(said))


def test_a_plain_frame_has_no_index_to_warn_of(said: Lines) -> None:
    run_parquet({"c": noise() ** 2})
    assert warnings(said) == []


def test_names_of_several_levels_become_one_text_each(said: Lines) -> None:
    frame = pd.DataFrame({("a", "x"): noise(), ("a", "y"): -noise(), ("label", ""): Y})
    frame.to_parquet("data/x.parquet")
    run("data/x.parquet", "('label', '')")
    assert list(kinds()) == ["('a', 'x')", "('a', 'y')"]
    assert any("names of several levels are one text each here" in line for line in warnings(said))


DAY = dt.date(2024, 1, 17)
SURPRISES: dict[str, tuple[Any, str]] = {
    "whole numbers that become one": (
        [2**24 + row for row in range(ROWS)][::-1],
        "float32 merges 19 of its 40 distinct values",
    ),
    "epoch seconds": (
        [1_700_000_000 + 60 * (row // 2) for row in range(ROWS)],
        "holds whole numbers above 16,777,216",
    ),
    "whole numbers beyond 64 bits": (
        [10**25 + row for row in range(ROWS)],
        "merges 39 of its 40 distinct values",
    ),
    "whole numbers with gaps": (
        [None, *(2.0**24 + row for row in range(1, ROWS))],
        "float32 merges 18 of its 39 distinct",
    ),
    "little spread": (
        [1 + row * 1e-9 for row in range(ROWS)][::-1],
        "has 40 distinct values, of which float32 keeps 1",
    ),
    "tiny numbers": (
        [1e-42 * (row + 1) for row in range(ROWS)],
        "has 40 values closer to 0 than float32 can hold",
    ),
    "days as numbers": (
        [20240101 + row % 28 for row in range(ROWS)],
        "looks like dates (20240101)",
    ),
    "row numbers": (list(range(ROWS)), "only counts the rows"),
    "dates": (
        [str(DAY + dt.timedelta(row % 9)) for row in range(ROWS)],
        "looks like dates ('2024-01-17')",
    ),
    "dates and a remark": (
        [*(f"{row % 12 + 1}/17/24" for row in range(ROWS - 1)), "soon"],
        "looks like dates ('1/17/24')",
    ),
    "dates with times": (
        [f"2024-01-17 {row % 24:02}:05:00" for row in range(ROWS)],
        "looks like dates",
    ),
    "german dates": ([f"{row % 28 + 1}.2.2024" for row in range(ROWS)], "looks like dates"),
    "months in words": ([f"{row % 28 + 1} Mar 2024" for row in range(ROWS)], "looks like dates"),
    "korean dates": ([f"2024년 {row % 9 + 1}월 3일" for row in range(ROWS)], "looks like dates"),
    "times of day": ([f"{row % 24}:05" for row in range(ROWS)], "looks like times ('0:05')"),
    "durations": ([f"{row} days 00:00:00" for row in range(ROWS)], "looks like times"),
    "decimal commas": ([f"{row},5" for row in range(ROWS)], "a decimal comma ('0,5')"),
    "european numbers": (
        [f"1.{row + 100},5" for row in range(ROWS)],
        'set data.decimal in params.yaml: "," (CSV) and data.thousands: "."',
    ),
    "thousands": (
        [f"{500 * row:,}" for row in range(ROWS)],
        'set data.thousands in params.yaml: ","',
    ),
    "thousands with spaces": (
        [f"1 {row + 100}" for row in range(ROWS)],
        "numbers with thousands separators",
    ),
    "percentages": ([f"{row / 3:.1f}%" for row in range(ROWS)], "looks like percentages ('0.0%')"),
    "dollars": ([f"${row * 355.5:,.2f}" for row in range(ROWS)], "looks like amounts of money"),
    "won": ([f"{row * 1000:,}원" for row in range(ROWS)], "looks like amounts of money"),
    "units": ([f"{row} mm" for row in range(ROWS)], "looks like numbers with a unit ('0 mm')"),
    "leading zeros": ([f"{row % 20:05}" for row in range(ROWS)], "has leading zeros ('00000')"),
    "identifiers": (
        [f"u{row:04}" for row in range(ROWS)],
        "has another text in each of its 40 rows",
    ),
    "many categories": ([f"u{row % 5}" for row in range(ROWS)], "has 5 categories in 40 rows"),
    "spaces": (["x", " x"] * (ROWS // 2), "differ in spelling only, 'x' and ' x'"),
    "case": (["Yes", "YES"] * (ROWS // 2), "differ in spelling only, 'Yes' and 'YES'"),
    "composed letters": (
        ["é", "e\u0301"] * (ROWS // 2),
        "differ in spelling only, '\\xe9' and 'e\\u0301'",
    ),
    "few numbers and a word": (
        [*["1", "2", "3", "4", "5"] * 7, *["other"] * 5],
        "numbers in 35 rows and text in 5, 'other'",
    ),
    "a word for nothing": (
        ["x", "y", "NA", "z"] * (ROWS // 4),
        "has 'NA' as a category in 10 rows",
    ),
    "a constant": ([7] * ROWS, "has the same value in every training row"),
    "the target": (Y, "equals the target in every row"),
    "the target in other words": (
        ["no" if y == "u" else "yes" for y in Y],
        "gives the target away",
    ),
    "the target as a number": ([float(y == "u") for y in Y], "gives the target away"),
}


@pytest.mark.parametrize("name", SURPRISES)
def test_a_surprise_in_a_column_gets_a_line_that_names_it(said: Lines, name: str) -> None:
    values, expected = SURPRISES[name]
    run_csv({"c": values})
    lines = [line for line in warnings(said) if line.startswith("column 'c' ")]
    assert any(expected in line for line in lines), lines
    assert len(lines) <= 2


TYPED: dict[str, tuple[pa.Array, str]] = {
    "text of digits": (
        pa.array([str(row % 3) for row in range(ROWS)]),
        "is text that looks like numbers ('0')",
    ),
    "codes": (
        pa.array([f"{row % 3:03}" for row in range(ROWS)]),
        "looks like numbers, with leading zeros ('000')",
    ),
    "the largest integers": (
        pa.array([2**63 + row for row in range(ROWS)], pa.uint64()),
        "float32 merges 39 of its 40",
    ),
    "long decimals": (
        pa.array([Decimal(10**12 + row) for row in range(ROWS)], pa.decimal128(20, 0)),
        "merges 39 of its 40",
    ),
    "dictionary of text": (
        pa.array([f"u{row % 9}" for row in range(ROWS)]).dictionary_encode(),
        "has 9 categories in 40 rows",
    ),
}


@pytest.mark.parametrize("name", TYPED)
def test_a_surprise_in_a_typed_column_gets_a_line_that_names_it(said: Lines, name: str) -> None:
    values, expected = TYPED[name]
    parquet.write_table(pa.table({"row": noise(), "c": values, "y": Y}), "data/x.parquet")
    run("data/x.parquet")
    lines = [line for line in warnings(said) if line.startswith("column 'c' ")]
    assert any(expected in line for line in lines), lines


QUIET: dict[str, Any] = {
    "small numbers": noise() * 1e-9,
    "whole numbers up to 2**24": [2**24 - row for row in range(ROWS)],
    "years": [1990 + row % 30 for row in range(ROWS)],
    "few categories": ["north", "south", "east", "west"] * (ROWS // 4),
    "drives": ["2wd", "4wd"] * (ROWS // 2),
    "sizes": ["S", "M", "L", "XL"] * (ROWS // 4),
    "fractions": ["a/b", "b/c"] * (ROWS // 2),
    "booleans": BITS,
}


@pytest.mark.parametrize("name", QUIET)
def test_an_ordinary_column_gets_no_line(said: Lines, name: str) -> None:
    run_csv({"c": QUIET[name]})
    assert warnings(said) == []


TARGETS: dict[str, tuple[list[Any], str]] = {
    "01 and 1": (
        ["01", "1", "2", "2"] * (ROWS // 4),
        "writes one class in several ways, '01' and '1'",
    ),
    "True and TRUE": (
        ["True", "TRUE", "False", "False"] * (ROWS // 4),
        "writes one class in several ways, 'True' and 'TRUE'",
    ),
    "x and spaces": (
        ["x", " x", "y", "y"] * (ROWS // 4),
        "classes that differ in spelling only, 'x' and ' x'",
    ),
    "whole floats": (
        [1.0, 2.0] * (ROWS // 2),
        "holds whole numbers written with decimals, 2 different ones",
    ),
    "a word for nothing": (["None", "mild"] * (ROWS // 2), "has 'None' as a class in 20 rows"),
    "booleans and a word": (["True", "False", "maybe", "maybe"] * (ROWS // 4), ""),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_surprise_in_the_target_gets_a_line_that_names_it(said: Lines, name: str) -> None:
    values, expected = TARGETS[name]
    run_csv({"y": values})
    lines = [line for line in warnings(said) if line.startswith("target 'y' ")]
    assert any(expected in line for line in lines) if expected else lines == []
    whole = {"01 and 1": {1, 2}, "True and TRUE": {0, 1}, "whole floats": {1, 2}}
    assert set(prepared("y").values()) == whole.get(name, set(values))


COARSE: dict[str, tuple[Any, bool]] = {
    "epoch seconds of an hour": (1.7e9 + 60.0 * np.arange(ROWS), True),
    "too small": (1e-300 * np.arange(1, ROWS + 1), True),
    "too small for all digits": (1e-43 * np.arange(1, ROWS + 1), True),
    "prices in won": (1e6 * (200 + 37 * np.arange(ROWS)) + 0.5, False),
    "years": (1900.5 + np.arange(ROWS), False),
    "atoms in metres": (1e-10 * np.arange(1, ROWS + 1), False),
    "the largest": (8e36 * np.arange(1, ROWS + 1), False),
}


@pytest.mark.parametrize("name", COARSE)
def test_a_quantity_that_float32_merges_gets_a_line(said: Lines, name: str) -> None:
    """The error of float32 is at most half a step, so a thousandth of the deviation shows."""
    values, expected = COARSE[name]
    run_csv({"y": values[np.random.default_rng(1).permutation(ROWS)]}, data__task="regression")
    assert [
        line.startswith("target 'y' has a standard deviation of ") for line in warnings(said)
    ] == [True] * expected
    error = (
        np.abs(values.astype(np.float32) - values).max() / values.std() if values.std() else np.inf
    )
    assert expected == (error > 2.5e-4)


def test_a_quantity_that_is_constant_in_training_is_warned_of(said: Lines) -> None:
    """Which rows are for the test depends on the seed and the number of rows alone."""
    run_csv({"y": noise()}, data__task="regression")
    (in_test, *_) = pd.read_parquet("outputs/test.parquet")["row"]
    run_csv({"y": np.where(noise() == in_test, 2.5, 1.5)}, data__task="regression")
    assert (
        "target 'y' has the same value in every training row: there is nothing to learn"
        in warnings(said)
    )


def test_numbers_beyond_float32_may_be_in_rows_without_a_target(said: Lines) -> None:
    run_csv({"c": ["inf", "1e39", *noise()[2:]], "y": [None, None, *Y[2:]]})
    assert warnings(said) == []
    assert kinds()["c"] == ("number", False)


@pytest.mark.usefixtures("said")
def test_a_total_below_the_numbers_does_not_make_text_of_them() -> None:
    lines = [f"{number},{label}" for number, label in zip(noise(), Y, strict=True)]
    Path("data/x.csv").write_text("\n".join(["row,y", *lines, "Total:,"]))
    run("data/x.csv")
    assert prepared("y") == dict(zip(noise(), Y, strict=True))


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("write", [run_csv, run_parquet], ids=["csv", "parquet"])
def test_classes_beyond_64_bits_stay_distinct(write: Callable[..., None]) -> None:
    labels = [2**63 + row // 2 % 2 for row in range(ROWS)]
    write({"y": np.array(labels, dtype=np.uint64)})
    assert prepared("y") == {row: str(label) for row, label in zip(noise(), labels, strict=True)}


def test_columns_that_share_a_surprise_share_a_line(said: Lines) -> None:
    run_csv({f"c{number}": [number] * ROWS for number in range(60)})
    (line,) = warnings(said)
    assert line.startswith("column 'c0' has the same value in every training row")
    assert line.endswith("(and so in 59 more columns: 'c1', 'c2', 'c3', 'c4', 'c5' and 54 more)")


def test_gaps_in_only_one_part_are_warned_of(said: Lines) -> None:
    run_csv({"c": noise() ** 2})
    in_test = pd.read_parquet("outputs/test.parquet")["row"]
    for part, expected in (
        (in_test, "in 8 test rows and in no training row"),
        (None, "training rows and in no test row"),
    ):
        said.clear()
        hit = pd.Series(noise()).isin(in_test)
        run_csv(
            {"c": pd.Series(noise() ** 2).mask(hit if part is not None else ~hit & (noise() < 2))}
        )
        assert any(
            line.startswith("column 'c' is missing") and expected in line for line in warnings(said)
        )


def test_rows_in_both_parts_are_counted(said: Lines) -> None:
    frame = pd.DataFrame({"a": np.arange(60) / 7, "y": np.arange(60) // 2 % 2})
    pd.concat([frame] * 5).to_csv("data/x.csv", index=False)
    run("data/x.csv")
    test, train = (
        set(map(tuple, pd.read_parquet(f"outputs/{part}.parquet").to_numpy()))
        for part in ("test", "train")
    )
    rows = pd.read_parquet("outputs/test.parquet").to_numpy()
    shared = sum(tuple(row) in train for row in rows)
    assert shared > len(test) / 2
    assert f"{shared} of 60 test rows are also among the training rows" in warnings(said)[-1]


@pytest.mark.parametrize("source", ["iris", "wine", "breast_cancer", "diabetes"])
def test_the_bundled_tables_get_no_warning(said: Lines, source: str) -> None:
    run(source, "target")
    assert warnings(said) == []


def test_settings_of_csv_files_are_said_to_change_nothing_in_parquet(said: Lines) -> None:
    run_parquet({}, data__missing_values=["NA"])
    assert warnings(said) == [
        (
            "data.missing_values, data.decimal and data.thousands are for CSV files "
            "and change nothing here"
        )
    ]


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(
    "name",
    [
        "bill length (mm)",
        "가 나",
        "1st",
        "a,b",
        'x"y',
        "two\nlines",
        " a",
        "<b>",
        "=1+1",
        "\u202ertl",
    ],
)
def test_any_name_is_read_as_it_is(name: str) -> None:
    run_csv({name: noise() ** 2, "c": ["p", "q"] * (ROWS // 2)})
    assert list(kinds()) == ["row", name, "c"]
    shutil.copy("outputs/schema.json", "outputs/first.json")
    run_parquet({name: noise() ** 2, "c": ["p", "q"] * (ROWS // 2)})
    assert Path("outputs/first.json").read_bytes() == Path("outputs/schema.json").read_bytes()
    rows = read_rows(Path("outputs/test.parquet"), read_schema())
    assert rows.feeds[name].ravel() == pytest.approx(rows.feeds["row"].ravel() ** 2)


@pytest.mark.usefixtures("said")
def test_penguins_with_another_word_for_nothing_are_the_same_penguins() -> None:
    text = (ROOT / "data" / "penguins.csv").read_text()
    Path("data/x.csv").write_text(text)
    run("data/x.csv", "species")
    first = Path("outputs/train.parquet").read_bytes()
    lines = [",".join(cell or "NA" for cell in line.split(",")) for line in text.splitlines()]
    Path("data/x.csv").write_text("\n".join(lines))
    run("data/x.csv", "species", data__missing_values=["NA"])
    assert Path("outputs/train.parquet").read_bytes() == first
