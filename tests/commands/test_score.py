"""`onnxpress score`: the predictions of tables in pieces, resumed runs, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from onnxpress.commands.score import scoring
from onnxpress.commands.score.scoring import Job, main
from onnxpress.errors import UserError
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.serving.answering import _load_pyfunc
from onnxpress.tracking.served_model import columns_of
from tests.conftest import default_params, write_params
from tests.support.drift_models import Model, model
from tests.support.scored import CLASSIFIER, OUT, QUANTIZED, contents, put, raw, store


@pytest.fixture(autouse=True)
def folder(workspace: Path) -> Path:
    """A workspace with a model of categories and numbers, both with gaps."""
    put(CLASSIFIER)
    return workspace


def score(table: str | Path, keep: tuple[str, ...] = (), path: Path = QUANTIZED) -> None:
    main(Job(path, str(table), OUT, keep))


def served(made: Model, frame: pd.DataFrame) -> dict[str, Any]:
    """What the model answers for all rows at once, as the published model takes them."""
    inputs = [each.name for each in onnx.load_from_string(made.onnx).graph.input]
    folder = Path("published")
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(made.onnx)
    (folder / "columns.json").write_text(json.dumps(columns_of(inputs, made.schema)))
    names = [column.name for column in made.schema.columns]
    published, session = _load_pyfunc(str(folder / "model.onnx")), open_session(made.onnx)
    outputs = [each.name for each in session.get_outputs()]
    values = session.run(outputs, published.feeds(frame[names]))
    return dict(zip(outputs, map(np.asarray, values), strict=True))


def same(path: Path, expected: dict[str, Any], rows: slice = slice(None)) -> None:
    """See that predictions are as expected, bit by bit."""
    found = parquet.read_table(path)
    for name, values in expected.items():
        came = np.array(found[name].to_pylist(), values.dtype).reshape(values[rows].shape)
        np.testing.assert_array_equal(came, values[rows], strict=True)


def refusal(*arguments: Any, **words: Any) -> str:
    with pytest.raises(UserError) as caught:
        score(*arguments, **words)
    return str(caught.value)


@pytest.mark.parametrize("rows", [2, 7, 100, 2**16])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    "name",
    [
        "texts/RandomForestClassifier",
        "texts/LogisticRegression",
        "numbers/HistGradientBoostingClassifier",
        "numbers/refined RandomForestClassifier",
        "regression/RandomForestRegressor",
        "regression/Ridge",
    ],
)
def test_predictions_are_those_of_all_rows_at_once_whatever_the_pieces(
    name: str, suffix: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = model(name)
    put(made)
    frame = raw(made)
    monkeypatch.setattr(scoring, "rows_of_piece", lambda _: rows)
    score(store(frame, Path(f"rows.{suffix}")), ("key",))
    found = parquet.read_table(OUT / "rows.parquet")
    assert found["key"].to_pylist() == frame["key"].tolist()
    expected = served(made, frame)
    assert found.column_names == ["key", *expected]
    same(OUT / "rows.parquet", expected)


def test_the_files_lie_as_the_rows_do(capsys: pytest.CaptureFixture[str]) -> None:
    frame = raw()
    store(frame[:200], Path("rows/day=1/a.parquet"))
    store(frame[200:300], Path("rows/day=1/b.csv"))
    store(frame[300:], Path("rows/day=2/a.parquet"))
    store(frame, Path("rows/_temporary/a.parquet"))
    Path("rows/_SUCCESS").touch()
    score("rows")
    assert [*contents()] == ["day=1/a.parquet", "day=1/b.parquet", "day=2/a.parquet"]
    assert f"{len(frame)} rows of 3 files" in capsys.readouterr().out
    expected = served(CLASSIFIER, frame)
    same(OUT / "day=1/a.parquet", expected, slice(0, 200))
    same(OUT / "day=1/b.parquet", expected, slice(200, 300))
    same(OUT / "day=2/a.parquet", expected, slice(300, None))
    before = contents()
    shutil.rmtree(OUT)
    score("rows/*/*")
    assert contents() == before


def test_a_file_without_rows_gets_predictions_without_rows() -> None:
    store(raw()[:0], Path("rows/a.csv"))
    store(raw(), Path("rows/b.parquet"))
    score("rows", ("key",))
    empty = parquet.read_schema(OUT / "a.parquet")
    assert parquet.read_metadata(OUT / "a.parquet").num_rows == 0
    assert empty.names == parquet.read_schema(OUT / "b.parquet").names


def test_the_bytes_are_the_same_on_more_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "rows_of_piece", lambda _: 50)
    store(raw(times=3), Path("rows/a.parquet"))
    store(raw(times=2), Path("rows/b.csv"))
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr(scoring, "usable_cores", lambda cores=cores: cores)
        score("rows", ("key", "island"))
        found.append(contents())
        shutil.rmtree(OUT)
    assert found[0] == found[1] == found[2]


def test_kept_columns_keep_their_types() -> None:
    frame = raw()[["key"]].assign(
        day=pd.date_range("2026-01-01", periods=len(raw())),
        kind=pd.Categorical(["a", None, "b", "c"] * len(raw())).take(range(len(raw()))),
        pair=pd.Series([*np.arange(2 * len(raw())).reshape(-1, 2)]),
    )
    both = pd.concat([raw().drop(columns="key"), frame], axis=1)
    score(store(both, Path("rows.parquet")), tuple(frame.columns))
    found = parquet.read_table(OUT / "rows.parquet")
    table = pa.Table.from_pandas(frame)
    for name in frame.columns:
        assert found[name].to_pylist() == table[name].to_pylist()
    assert found.schema.field("day").type == table.schema.field("day").type


def test_what_is_scored_is_not_scored_again(capsys: pytest.CaptureFixture[str]) -> None:
    store(raw(), Path("rows/a.parquet"))
    store(raw(times=2), Path("rows/b.parquet"))
    score("rows")
    before, time = contents(), (OUT / "a.parquet").stat().st_mtime_ns
    (OUT / "b.parquet").unlink()
    capsys.readouterr()
    score("rows")
    assert "1 of 2 files were scored before" in capsys.readouterr().out
    assert (contents(), (OUT / "a.parquet").stat().st_mtime_ns) == (before, time)


def test_predictions_made_from_something_else_are_refused_and_kept() -> None:
    rows = store(raw(), Path("rows.csv"))
    score(rows)
    before = contents()
    assert "with other columns to --keep" in refusal(rows, ("key",))
    other = Path("outputs/other.onnx")
    graph = onnx.load_from_string(CLASSIFIER.onnx)
    graph.doc_string = "another"
    other.write_bytes(graph.SerializeToString())
    assert "scored/rows.parquet was made by another model; remove it" in refusal(rows, path=other)
    rows.write_text(rows.read_text().replace("Biscoe", "Biscuo", 1))
    assert "from other rows than it would be now" in refusal(rows)
    assert contents() == before


def test_a_file_of_others_is_never_replaced() -> None:
    rows = store(raw(), Path("rows.csv"))
    store(raw(), OUT / "rows.parquet")
    before = contents()
    assert "was not written by score" in refusal(rows)
    (OUT / "rows.parquet").write_text("no Parquet")
    assert "was not written by score" in refusal(rows)
    assert before.keys() == contents().keys()


def test_a_row_that_cannot_be_scored_stops_at_its_file_and_keeps_those_before() -> None:
    frame = raw()
    store(frame, Path("rows/a.csv"))
    wrong = frame.astype({"body_mass_g": object})
    wrong.loc[41, "body_mass_g"] = "heavy"
    store(wrong, Path("rows/b.csv"))
    line = refusal("rows")
    assert "rows/b.csv: column 'body_mass_g' should be numbers, got 'heavy' in row 42" in line
    assert "add it to data.missing_values in params.yaml" in line
    assert [*contents()] == ["a.parquet"]
    store(frame, Path("rows/b.csv"))
    score("rows")
    same(OUT / "b.parquet", served(CLASSIFIER, frame))


def test_rows_that_change_while_they_are_scored_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = store(raw(), Path("rows.csv"))

    def changing(*arguments: Any) -> Any:
        with rows.open("a") as file:
            file.write("\n")
        return predict_onnx(*arguments)

    monkeypatch.setattr(scoring, "predict_onnx", changing)
    assert "rows.csv changed while it was scored; run again" in refusal(rows)
    assert contents() == {}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_categories_that_the_model_does_not_know_are_counted(
    suffix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scoring, "rows_of_piece", lambda _: 50)
    frame = raw()
    assert "Biscoe" in set(frame["island"])
    strange = ["10.0", "Biscoe ", "biscoe", "Mars"]
    frame.loc[range(10, 70, 10), "island"] = [strange[at] for at in (0, 1, 0, 2, 3, 3)]
    frame.loc[5, "sex"] = "no"
    frame["island"] = frame["island"].astype("category")
    store(frame, Path(f"rows/a.{suffix}"))
    store(raw(), Path("rows/b.csv"))
    score("rows")
    line = "'island' in 6 rows ('10.0', 'Biscoe ', 'biscoe'), 'sex' in 1 row ('no')"
    warned = [each for each in capsys.readouterr().out.splitlines() if "warning" in each]
    assert len(warned) == 1
    assert line in warned[0]


def test_missing_categories_are_not_unknown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_params(folder, default_params(data__missing_values=["NA"]))
    frame = raw()
    frame["sex"] = frame["sex"].fillna(" NA ")
    frame["island"] = None
    store(frame, Path("rows/a.csv"))
    store(frame.drop(columns="sex").assign(sex=raw()["sex"]), Path("rows/b.parquet"))
    score("rows")
    assert "warning" not in capsys.readouterr().out


def test_json_has_the_counts(capsys: pytest.CaptureFixture[str]) -> None:
    store(raw(), Path("rows/a.csv"))
    score("rows")
    store(raw(times=2), Path("rows/b.csv"))
    capsys.readouterr()
    main(Job(QUANTIZED, "rows", OUT), in_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found.pop("rows_per_second") > 0
    assert found == {
        "output": "scored",
        "files": 1,
        "files_before": 1,
        "rows": 2 * len(raw()),
        "unknown_categories": {},
    }


@pytest.mark.parametrize(
    ("table", "words", "expected"),
    [
        ("none.csv", {}, "'none.csv' should be a .csv or .parquet file, or a folder or glob"),
        ("rows/*.parquet", {}, "and there is none"),
        ("empty", {}, "and there is none"),
        ("notes.txt", {}, "notes.txt should be a .csv or .parquet file"),
        ("both", {}, "both/a.csv and both/a.parquet would both become scored/a.parquet"),
        ("scored/a.csv", {}, "--output scored should be apart from the rows"),
        (".", {}, "--output scored should be apart from the rows"),
        ("rows/a.csv", {"keep": ("no",)}, "rows/a.csv lacks the column 'no'"),
        ("rows/a.csv", {"keep": ("label",)}, "--keep label: a column of predictions"),
        ("rows/a.csv", {"path": Path("no.onnx")}, "cannot read no.onnx"),
    ],
)
def test_what_cannot_be_scored_is_one_line(
    table: str, words: dict[str, Any], expected: str
) -> None:
    for path in ("rows/a.csv", "both/a.csv", "both/a.parquet", "scored/a.csv"):
        store(raw(), Path(path))
    Path("empty").mkdir()
    Path("notes.txt").write_text("nothing")
    assert expected in refusal(table, **words)


@pytest.mark.parametrize("address", ["tcp://me:a-secret-word@127.0.0.1:9", "http://x", ""])
def test_an_address_that_is_none_of_a_scheduler_is_refused_unseen(address: str) -> None:
    table = str(store(raw(), Path("rows.parquet")))
    with pytest.raises(UserError) as caught:
        main(Job(QUANTIZED, table, OUT, scheduler=address))
    expected = (
        "--scheduler should be tcp://host:port or tls://host:port, such as tcp://127.0.0.1:8786"
    )
    assert str(caught.value) == f"{expected}; correct the address"
