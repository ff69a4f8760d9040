"""`onnxpress drift`: tables and logs, what drifted and what did not, and files that are wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxpress.commands.drift.drifting import Question, main
from onnxpress.commands.drift.rows_of_log import request_in, rows_of_log
from onnxpress.commands.open_inference import infer_request
from onnxpress.drift.profiling import drift_profile, predicted
from onnxpress.drift.shifts import counts_of, shifts
from onnxpress.errors import GateFailed, UserError
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.runtime.sessions import open_session
from onnxpress.serving.packaging import profile_file
from tests.conftest import default_params, write_params
from tests.support.drift_models import model

MODEL = model("texts/RandomForestClassifier")
PROFILE = profile_file(drift_profile(MODEL.onnx, MODEL.schema, MODEL.rows.feeds, MODEL.rows.feeds))


@pytest.fixture
def made(workspace: Path) -> Path:
    """A workspace with a packaged model."""
    outputs = workspace / "outputs"
    write_bytes(outputs / "model_quantized.onnx", MODEL.onnx)
    write_json(outputs / "schema.json", MODEL.schema.to_json())
    write_bytes(outputs / "serving/drift_profile.json", PROFILE)
    write_params(workspace, default_params())
    return workspace


def shifted() -> pd.DataFrame:
    return MODEL.frame.assign(body_mass_g=MODEL.frame["body_mass_g"] + 800)


def asked(
    path: Path, capsys: pytest.CaptureFixture[str], limit: float | None = None
) -> dict[str, Any]:
    """What the command prints as JSON, whether something has drifted or not."""
    capsys.readouterr()
    with suppress(GateFailed):
        main(Question(str(path), limit), in_json=True)
    return dict(json.loads(capsys.readouterr().out))


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["verdict"] for entry in found["entries"]}


def write(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        names = MODEL.rows.feeds
        rows = [
            {
                name: np.array([[row[name]]], object if values.dtype.kind == "O" else np.float32)
                for name, values in names.items()
            }
            for row in frame.to_dict("records")
        ]
        path.write_text("".join(f"{json.dumps(infer_request(each))}\n" for each in rows))
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_the_training_rows_have_not_drifted_and_shifted_ones_have(
    kind: str, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = asked(write(MODEL.frame, made / f"same.{kind}"), capsys)
    assert {entry["psi"] for entry in same["entries"]} == {0.0}
    assert (same["rows"], same["drifted"]) == (len(MODEL.frame), [])
    moved = write(shifted(), made / f"moved.{kind}")
    assert "body_mass_g" in asked(moved, capsys)["drifted"]
    with pytest.raises(GateFailed, match="body_mass_g.* drifted"):
        main(Question(str(moved)))


def many_rows() -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """More rows than a piece has, and the entries of all of them at once."""
    index = np.random.default_rng(0).integers(0, len(MODEL.frame) // 2, 70_000)
    rows = MODEL.rows.take(index)
    profile = json.loads(PROFILE)
    counts = counts_of(profile, rows.feeds, predicted(open_session(MODEL.onnx), rows.feeds))
    return MODEL.frame.iloc[index], [each.to_json() for each in shifts(profile, counts)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_in_pieces_is_that_of_all_rows_at_once(
    kind: str, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame, entries = many_rows()
    path = write(frame, made / f"many.{kind}")
    found = asked(path, capsys)
    assert (found["rows"], found["entries"]) == (len(frame), entries)


def test_a_folder_is_the_table_of_its_files(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame, entries = many_rows()
    parts = frame.iloc[:1], frame.iloc[1:1], frame.iloc[1:30_000], frame.iloc[30_000:]
    (made / "rows").mkdir()
    for number, part in enumerate(parts):
        part.to_parquet(made / f"rows/{number}.parquet", row_group_size=10_000)
    for table in (made / "rows", made / "rows/*.parquet"):
        found = asked(table, capsys)
        assert (found["rows"], found["entries"]) == (len(frame), entries)


def test_a_text_in_the_last_piece_makes_texts_of_the_column(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame, _ = many_rows()
    frame = frame.assign(body_mass_g=["True"] * (len(frame) - 1) + ["heavy"])
    found = asked(write(frame, made / "x.csv"), capsys)
    entry = next(each for each in found["entries"] if each["name"] == "body_mass_g")
    assert entry["missing"] == 1.0


def test_the_order_of_rows_and_columns_does_not_matter(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = shifted()
    mixed = frame.sample(frac=1, random_state=0)[sorted(frame.columns, reverse=True)]
    paths = write(frame, made / "a.parquet"), write(mixed, made / "b.parquet")
    one, other = (asked(path, capsys)["entries"] for path in paths)
    assert one == other


def test_one_row_is_too_few_to_tell(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(write(shifted()[:1], made / "one.csv"), capsys)
    assert found["drifted"] == []
    assert "too few rows" in verdicts(found).values()


def test_missing_infinite_and_unseen_values_are_counted(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = MODEL.frame.assign(island="Atlantis", body_mass_g=np.inf, bill_length_mm=np.nan)
    found = {
        entry["name"]: entry for entry in asked(write(frame, made / "x.parquet"), capsys)["entries"]
    }
    assert (found["island"]["verdict"], found["island"]["most"]) == ("drifted", "unseen")
    assert found["body_mass_g"]["most"].startswith("above")
    assert (found["bill_length_mm"]["most"], found["bill_length_mm"]["missing"]) == ("missing", 1.0)


def test_text_among_numbers_counts_as_missing_and_is_said(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = MODEL.frame.astype({"body_mass_g": object})
    frame.loc[0, "body_mass_g"] = "heavy"
    path = write(frame, made / "x.csv")
    main(Question(str(path)))
    assert "column 'body_mass_g': 1 texts among numbers count as missing" in capsys.readouterr().out


def test_a_limit_of_ones_own(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(shifted(), made / "moved.csv")
    assert asked(path, capsys, limit=1000)["drifted"] == []


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", "island,sex\n", "lacks the column 'bill_length_mm'"),
        ("b.csv", ",".join(MODEL.frame.columns) + "\n", "has no row"),
        ("c.jsonl", "", "holds no row of a request"),
        ("d.jsonl", "{}\n", "line 1, should be a request"),
        ("e.jsonl", '\n{"inputs": []}\n', "line 2, should be a request"),
        ("f.jsonl", "not json", "line 1, should be a request"),
        ("g.txt", "", "should end in one of"),
        ("h.parquet", "PAR1", "h.parquet"),
    ],
)
def test_a_wrong_file_ends_with_a_line(name: str, content: str, line: str, made: Path) -> None:
    (made / name).write_text(content)
    with pytest.raises(UserError, match=line) as error:
        main(Question(name))
    assert "\n" not in str(error.value)
    assert not isinstance(error.value, GateFailed)


def test_a_profile_of_another_model_is_refused(made: Path) -> None:
    (made / "outputs/model_quantized.onnx").write_bytes(model("texts/LogisticRegression").onnx)
    with pytest.raises(UserError, match=r"drift_profile\.json is not of outputs/model_quantized"):
        main(Question(str(write(MODEL.frame, made / "x.csv"))))


@pytest.mark.parametrize(
    "content",
    ['{"form": 2}', '{"form": 1}', '{"form": 1, "features": [{}], "predictions": []}'],
)
def test_a_profile_that_is_none_is_refused(content: str, made: Path) -> None:
    (made / "outputs/serving/drift_profile.json").write_text(content)
    with pytest.raises(
        UserError, match=r"drift_profile\.json: .*; run `dvc repro --force package`"
    ):
        main(Question(str(write(MODEL.frame, made / "x.csv"))))


REQUEST = {"inputs": [{"name": "X"}]}


@pytest.mark.parametrize(
    ("event", "request_"),
    [
        (REQUEST, REQUEST),
        ({"type": "org.kubeflow.serving.inference.request", "data": REQUEST}, REQUEST),
        ({"request": json.dumps(REQUEST)}, REQUEST),
        ({"body": REQUEST, "time": 1}, REQUEST),
        ({"type": "org.kubeflow.serving.inference.response", "data": {"outputs": []}}, None),
        ({"outputs": []}, None),
        ({"error": "wrong shape"}, None),
    ],
)
def test_requests_are_found_in_events_and_responses_passed_over(event: Any, request_: Any) -> None:
    assert request_in(event) == request_


def test_null_in_a_log_is_a_missing_value(tmp_path: Path) -> None:
    rows = {name: values[:1] for name, values in MODEL.rows.feeds.items()}
    body = infer_request(rows)
    for tensor in body["inputs"]:
        tensor["data"] = [None]
    (tmp_path / "log.jsonl").write_text(json.dumps(body))
    (feeds,) = rows_of_log(tmp_path / "log.jsonl", MODEL.schema)
    assert np.isnan(feeds["body_mass_g"]).all()
    assert feeds["island"].tolist() == [[""]]
