"""prepare for a folder of Parquet files, against pandas on all rows at once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from onnxpress.errors import UserError
from onnxpress.pipeline.inputs import read_schema
from onnxpress.tables import joined_files
from onnxpress.tables.kept_rows import shares_of
from onnxpress.tables.parquet_file import columns_in_batches
from onnxpress.tables.places import cut_of
from stages import prepare
from tests.conftest import default_params, write_params

PARTS = "train", "calibration", "test"
Read = dict[str, pd.DataFrame]


def some_rows(rows: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Numbers with gaps, text with gaps, a rare class, and 300 rows that are there twice."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "a": random.normal(size=rows),
            "b": np.where(random.random(rows) < 0.1, np.nan, random.integers(0, 50, rows)),
            "c": random.choice(np.array(["red", "green", "blue", None]), rows),
            "y": random.choice(["no", "yes", "rare"], rows, p=[0.7, 0.28, 0.02]),
        }
    )
    return pd.concat([frame, frame.head(300)], ignore_index=True)


def write_files(frame: pd.DataFrame, files: int, folder: str = "data/rows") -> None:
    """Write rows to so many files of a folder."""
    Path(folder).mkdir(parents=True)
    for number, part in enumerate(np.array_split(np.arange(len(frame)), files)):
        frame.iloc[part].to_parquet(f"{folder}/part-{number:02}.parquet", index=False)


def prepared(folder: Path, **params: Any) -> Read:
    """Run prepare, and return the rows of each part."""
    given = {"data__source": "data/rows", "data__target": "y", **params}
    write_params(folder, default_params(**given))
    prepare.main()
    return {part: pd.read_parquet(f"outputs/{part}.parquet") for part in PARTS}


def counted(frame: pd.DataFrame) -> Counter[tuple[Any, ...]]:
    """Return how often each row is there, as the models see it."""
    frame = frame.copy()
    for name in frame.columns:
        numbers = frame[name].dtype.kind in "fiu"
        frame[name] = (
            frame[name].astype("float32").fillna(-1e9) if numbers else frame[name].fillna("")
        )
    return Counter(frame.itertuples(index=False, name=None))


def test_every_row_is_in_one_part_and_equal_rows_are_in_the_same(workspace: Path) -> None:
    frame = some_rows()
    write_files(frame, 5)
    parts = {name: counted(part) for name, part in prepared(workspace).items()}
    assert sum(parts.values(), Counter()) == counted(frame)
    for one, other in [PARTS[:2], PARTS[1:], PARTS[::2]]:
        assert not parts[one] & parts[other]
    assert parts["test"].total() / len(frame) == pytest.approx(0.2, abs=0.03)
    assert parts["calibration"].total() / parts["train"].total() == pytest.approx(0.25, abs=0.03)


def test_the_schema_is_that_of_the_same_rows_in_one_file(workspace: Path) -> None:
    frame = some_rows()
    write_files(frame, 3)
    prepared(workspace)
    many = read_schema()
    frame.to_parquet("data/one.parquet")
    prepared(workspace, data__source="data/one.parquet")
    assert many == read_schema()


def test_a_gap_in_test_rows_alone_is_a_gap_in_the_schema(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = some_rows().drop_duplicates()
    write_files(frame, 1)
    test = prepared(workspace)["test"]
    row = frame.index[frame["a"].astype("float32") == test["a"][0]][0]
    # the row stays a test row only if its hash says so: try texts until one does
    frame["d"] = "x"
    for number in range(100):
        frame.loc[row, "d"], frame.loc[row, "a"] = None, float(number)
        (workspace / "data" / "rows" / "part-00.parquet").unlink()
        frame.to_parquet("data/rows/part-00.parquet")
        parts = prepared(workspace)
        if (parts["test"]["d"] == "").any():
            break
    assert [each.missing for each in read_schema().columns if each.name == "d"] == [True]
    assert "'d' is missing in 1 test rows and in no training row" in capsys.readouterr().out


@pytest.mark.parametrize("most", [200, 10**6])
def test_the_same_rows_are_kept_in_whatever_files_and_pieces(
    most: int, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = some_rows()
    write_files(frame, 1)
    expected = prepared(workspace, train__max_rows=most)
    write_files(frame.sample(frac=1, random_state=1), 7, "data/others")
    monkeypatch.setattr(joined_files, "rows_of_piece", lambda _columns: 31)
    came = prepared(workspace, data__source="data/others", train__max_rows=most)
    for part in PARTS[:2]:
        pd.testing.assert_frame_equal(came[part], expected[part])
    assert counted(came["test"]) == counted(expected["test"])


def test_another_seed_keeps_and_tests_other_rows(workspace: Path) -> None:
    write_files(some_rows(), 2)
    one, other = (prepared(workspace, seed=seed, train__max_rows=500) for seed in (1, 2))
    shared = (counted(one["test"]) & counted(other["test"])).total()
    assert shared / len(one["test"]) == pytest.approx(0.2, abs=0.06)
    assert counted(one["train"]) != counted(other["train"])


def test_kept_rows_have_the_shares_of_the_classes(workspace: Path) -> None:
    frame = some_rows(20_000)
    write_files(frame, 4)
    parts = prepared(workspace, train__max_rows=2000)
    kept = pd.concat([parts["train"], parts["calibration"]])
    assert len(kept) <= 2000
    expected = frame["y"].value_counts() / len(frame) * 2000
    assert (kept["y"].value_counts() - expected).abs().max() <= 1
    assert not counted(kept) - counted(frame)
    for part in PARTS[:2]:
        assert set(parts[part]["y"]) == {"no", "yes", "rare"}


def test_of_few_different_rows_each_is_kept_in_proportion(workspace: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.choice(40, 30_000, p=np.arange(40) / 780), "y": 0.0})
    frame["y"] = frame["a"] % 7 + 0.5
    write_files(frame, 3)
    parts = prepared(workspace, train__max_rows=2000)
    kept = pd.concat([parts["train"], parts["calibration"]])
    others = frame[~frame["a"].isin(parts["test"]["a"])]
    expected = others["a"].value_counts() / len(others) * 2000
    came = kept["a"].astype(int).value_counts().reindex(expected.index, fill_value=0)
    assert len(kept) == 2000
    assert (came - expected).abs().max() <= 1


def test_rows_of_a_group_are_in_one_part(workspace: Path) -> None:
    frame = some_rows(4000).drop_duplicates("a")
    frame["who"] = np.random.default_rng(1).integers(0, 400, len(frame))
    write_files(frame, 4)
    parts = prepared(workspace, data__group="who", train__max_rows=2000)
    whose = dict(zip(frame["a"].astype("float32"), frame["who"], strict=True))
    groups = {part: {whose[value] for value in rows["a"]} for part, rows in parts.items()}
    for one, other in [PARTS[:2], PARTS[1:], PARTS[::2]]:
        assert not groups[one] & groups[other]
    for part in PARTS:  # the numbers of the groups say which rows are of one
        pairs = {(whose[a], who) for a, who in parts[part][["a", "who"]].itertuples(index=False)}
        assert len(pairs) == len(groups[part]) == parts[part]["who"].nunique()


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("files", [0, 3])
def test_the_newest_rows_are_the_test_rows(files: int, as_text: bool, workspace: Path) -> None:
    frame = some_rows()
    days = np.random.default_rng(2).integers(0, 365, len(frame))
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")
    if as_text:
        frame["day"] = frame["day"].dt.strftime("%Y-%m-%d")
    source = "data/rows"
    if files:
        write_files(frame, files)
    else:
        frame.to_csv("data/one.csv", index=False)
        source = "data/one.csv"
    split = {"by": "time", "column": "day"}
    parts = prepared(workspace, data__split=split, data__source=source)
    assert "day" not in parts["train"]
    counts = np.cumsum(np.bincount(days))
    cut = int(np.abs(counts / len(frame) - 0.8).argmin()) + 1  # the first day of the test rows
    assert counted(parts["test"]) == counted(frame[days >= cut].drop(columns="day"))
    known = np.cumsum(np.bincount(days[days < cut]))
    first = int(np.abs(known / known[-1] - 0.8).argmin()) + 1
    newer = frame[(days >= first) & (days < cut)].drop(columns="day")
    assert counted(parts["calibration"]) == counted(newer)


@given(
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), min_size=1, max_size=40),
    st.floats(0.01, 0.99),
)
def test_a_cut_is_the_nearest_that_divides_no_place(values: list[int], share: float) -> None:
    places = np.array(values, np.uint64)
    cut = cut_of(lambda: [places[:7], places[7:]], share)
    wanted = max(1, min(len(values) - 1, round(share * len(values))))
    possible = {value: sum(each >= value for each in values) for value in set(values)}
    possible = {value: count for value, count in possible.items() if count < len(values)}
    if not possible:
        assert cut is None
        return
    assert cut is not None
    assert abs(possible[int(cut)] - wanted) == min(abs(n - wanted) for n in possible.values())


@given(st.lists(st.integers(2, 1000), min_size=1, max_size=10), st.integers(20, 2000))
def test_shares_of_classes_are_at_most_the_rows_asked_for(counts: list[int], most: int) -> None:
    came = shares_of(np.array(counts), most, 2)
    assert came.sum() <= max(most, 2 * len(counts))
    assert (came >= 2).all()
    assert (came <= counts).all()


def test_schemas_are_joined_where_no_value_changes(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = some_rows(600)
    tables = [
        pa.table({"i": pa.array(np.arange(900) % 7, kind), **columns})
        for kind, columns in (
            (pa.int32(), {"y": frame["y"], "c": frame["c"], "d": frame["b"]}),
            (pa.int64(), {"c": frame["c"].astype("category"), "y": frame["y"]}),
            (pa.float64(), {"d": frame["b"], "y": frame["y"], "c": pa.nulls(900)}),
        )
    ]
    Path("data/rows").mkdir()
    for number, table in enumerate(tables):
        parquet.write_table(table, f"data/rows/{number}.parquet")
    parts = prepared(workspace, data__calibration_size=0.0)
    both = pd.concat([parts["train"], parts["test"]])
    expected = pd.concat([each.to_pandas().astype({"c": object}) for each in tables])
    assert counted(both) == counted(expected[["i", "c", "d", "y"]])
    assert "column 'd' is not in data/rows/1.parquet" in capsys.readouterr().out


def test_folders_that_name_values_are_columns(workspace: Path) -> None:
    frame = some_rows(1000)
    for year, city, rows in ((2023, "A%20B", slice(0, 500)), (2024, "C", slice(500, None))):
        folder = Path(f"data/rows/year={year}/city={city}")
        folder.mkdir(parents=True)
        frame[rows].to_parquet(folder / "a.parquet")
    for name in ("_SUCCESS", ".a.parquet.crc", ".hidden.parquet", "_temporary/0.parquet"):
        path = Path("data/rows", name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    parts = prepared(workspace)
    kinds = {each.name: each.kind for each in read_schema().columns}
    assert kinds == {
        "a": "number",
        "b": "number",
        "c": "category",
        "year": "number",
        "city": "category",
    }
    every = pd.concat(parts.values())
    assert Counter(zip(every["year"], every["city"], strict=True)) == {
        (2023.0, "A B"): 500,
        (2024.0, "C"): 800,
    }


def test_a_folder_may_name_the_target(workspace: Path) -> None:
    for name in "ab":
        folder = Path(f"data/rows/y={name}")
        folder.mkdir(parents=True)
        some_rows(500, ord(name))[["a", "b"]].to_parquet(folder / "rows.parquet")
    every = pd.concat(prepared(workspace).values())
    assert Counter(every["y"]) == {"a": 800, "b": 800}


def test_a_glob_names_some_of_the_files(workspace: Path) -> None:
    frame = some_rows()
    write_files(frame, 11)
    parts = prepared(workspace, data__source="data/rows/part-0*.parquet")
    assert sum(map(len, parts.values())) == sum(map(len, np.array_split(frame, 11)[:10]))


def corrupt() -> None:
    path = Path("data/rows/part-01.parquet")
    data = bytearray(path.read_bytes())
    data[4:2000] = b"\xff" * 1996
    path.write_bytes(data)


def empty_file() -> None:
    Path("data/rows/part-01.parquet").write_bytes(b"")


def of_text() -> None:
    table = parquet.read_table("data/rows/part-01.parquet")
    words = pa.array(["w"] * len(table))
    parquet.write_table(table.set_column(0, "a", words), "data/rows/part-01.parquet")


def beyond_doubles() -> None:
    table = parquet.read_table("data/rows/part-01.parquet")
    values = pa.array([2**53 + 1] * len(table))
    parquet.write_table(table.set_column(0, "a", values), "data/rows/part-01.parquet")


def infinite() -> None:
    table = parquet.read_table("data/rows/part-01.parquet")
    values = pa.array([1.0, 2.0, np.inf] + [0.0] * (len(table) - 3))
    parquet.write_table(table.set_column(0, "a", values), "data/rows/part-01.parquet")


def empty_folder() -> None:
    for path in Path("data/rows").iterdir():
        path.rename(path.with_suffix(".txt"))


def linked() -> None:
    path = Path("data/rows/part-01.parquet")
    path.rename("elsewhere.parquet")
    path.symlink_to(Path("elsewhere.parquet").resolve())


def dangling() -> None:
    Path("data/rows/part-09.parquet").symlink_to("nowhere")


def without_values() -> None:
    for path in Path("data/rows").iterdir():
        table = parquet.read_table(path)
        gaps = pa.array([np.nan] * len(table))
        parquet.write_table(table.append_column("d", gaps), path)


def rare() -> None:
    table = parquet.read_table("data/rows/part-00.parquet")
    column = table.column_names.index("y")
    labels = pa.array(["once"] + ["no"] * (len(table) - 1))
    parquet.write_table(table.set_column(column, "y", labels), "data/rows/part-00.parquet")


def uneven() -> None:
    folder = Path("data/rows/year=1")
    folder.mkdir()
    Path("data/rows/part-01.parquet").rename(folder / "a.parquet")


WRONG: dict[str, tuple[Callable[[], None], str]] = {
    "a corrupt file": (corrupt, "data/rows/part-01.parquet should be a Parquet file: "),
    "an empty file": (
        empty_file,
        "data/rows/part-01.parquet should be a Parquet file: ",
    ),
    "text and numbers": (
        of_text,
        (
            "column 'a' is of the type double in data/rows/part-00.parquet and large_string in "
            "data/rows/part-01.parquet; write both with one type"
        ),
    ),
    "numbers that doubles lack": (
        beyond_doubles,
        (
            "column 'a' is of the type double in data/rows/part-00.parquet, and "
            "data/rows/part-01.parquet has a value that would change"
        ),
    ),
    "an infinite number": (
        infinite,
        "data/rows/part-01.parquet: column 'a' has inf in row 3; expected finite",
    ),
    "no Parquet file": (empty_folder, "has no .parquet file; there is data/rows/part-00.txt"),
    "a link out of the folder": (linked, "a link to elsewhere; copy the file there"),
    "a link to nothing": (dangling, "part-09.parquet is a link to a file that does not exist"),
    "a column without values": (without_values, "column 'd' has no value in any row; drop it"),
    "a class of one row": (rare, "class 'once' with 1 rows is in no "),
    "folders of other columns": (uneven, "both should name the same columns"),
}


@pytest.mark.parametrize(("spoil", "line"), WRONG.values(), ids=WRONG)
def test_wrong_files_end_in_one_line(spoil: Callable[[], None], line: str, workspace: Path) -> None:
    write_files(some_rows(), 2)
    spoil()
    with pytest.raises(UserError) as caught:
        prepared(workspace)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(Path("outputs").iterdir())


def test_a_file_that_changes_while_it_is_read_is_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(some_rows(), 2)
    usual = columns_in_batches

    def touched(path: Path, *rest: Any) -> Any:
        yield from usual(path, *rest)
        os.utime(path, ns=(1, 1))

    monkeypatch.setattr(joined_files, "columns_in_batches", touched)
    with pytest.raises(UserError, match=r"part-00\.parquet changed while it was read; run again"):
        prepared(workspace)


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"data__target": "z"}, "data.target 'z' is not a column of data/rows; its columns: 'a'"),
        ({"data__group": "z"}, "data.group 'z' is not a column of the table"),
        ({"data__split": {"by": "time", "column": "z"}}, "data.split: 'z' is not a column"),
        ({"data__split": {"by": "time", "column": "c"}}, "column 'c' has no value in row "),
        (
            {"data__split": {"by": "time", "column": "b"}, "data__group": "c"},
            "data.split by time would divide the rows of a data.group",
        ),
        ({"train__max_rows": 5}, "train.max_rows should be at least 6, two rows for each class"),
        ({"data__source": "data/none*"}, "has no .parquet file"),
        ({"data__source": "/usr/lib"}, "data.source should lie under data/"),
    ],
)
def test_wrong_params_end_in_one_line(params: dict[str, Any], line: str, workspace: Path) -> None:
    write_files(some_rows(), 2)
    with pytest.raises(UserError) as caught:
        prepared(workspace, **params)
    assert line in str(caught.value)


def test_a_column_of_text_has_one_type_in_all_files(workspace: Path) -> None:
    """Where 1 is an integer its text is "1", and where it is a double "1.0"."""
    write_files(some_rows(), 2)
    for path, kind in zip(sorted(Path("data/rows").iterdir()), (int, float), strict=True):
        frame = pd.read_parquet(path)
        frame.assign(code=np.arange(len(frame)).astype(kind)).to_parquet(path, index=False)
    with pytest.raises(
        UserError, match=r"column 'code' \(data\.text\) has another type in .*1\.par"
    ):
        prepared(workspace, data__text=["code"])
    prepared(workspace)


def test_rows_without_a_target_are_left_out(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = some_rows()
    frame.loc[:49, "y"] = None
    write_files(frame, 2)
    assert sum(map(len, prepared(workspace).values())) == len(frame) - 50
    assert "50 rows without a target are left out" in capsys.readouterr().out


def test_findings_on_kept_rows_are_said_to_be(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = some_rows()
    frame["copy"] = frame["y"]
    write_files(frame, 2)
    prepared(workspace, train__max_rows=300)
    out = capsys.readouterr().out
    assert "column 'copy' equals the target in every row; drop it" in out
    assert "rows that are kept were searched for what may surprise" in out
