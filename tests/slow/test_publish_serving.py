"""`mlflow models serve`, as a process of its own, answers raw rows with a published model."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.ensemble import RandomForestClassifier

from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.building import build
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.files import read_json, write_bytes, write_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.outputs import QUANTIZED_MODEL, TEST
from onnxpress.tables.column_types import type_columns
from onnxpress.tables.parquet_file import parquet_bytes
from onnxpress.tables.rows import sklearn_input
from onnxpress.tracking.served_model import save_serving_model
from tests.conftest import ROOT
from tests.support.publish_fixtures import (
    LIBRARY_WARNINGS,
    fit,
    make_repository,
    mixed_rows,
    numeric_rows,
    publish_in_process,
)
from tests.support.servers import free_port, started

pytestmark = LIBRARY_WARNINGS
PENGUINS = pd.read_csv(ROOT / "data" / "penguins.csv")
RAW = PENGUINS.drop(columns="species")
NUMBERS = numeric_rows()


@dataclass(frozen=True)
class Served:
    """A model served over HTTP and loaded in this process, and what the original predicts."""

    address: str
    loaded: Any
    labels: list[Any]
    probabilities: Any

    def post(self, body: str, kind: str = "application/json") -> requests.Response:
        """The server's response."""
        return requests.post(
            self.address, data=body.encode(), headers={"Content-Type": kind}, timeout=60
        )

    def answers(self, body: str, kind: str = "application/json") -> None:
        """Hold the server's answer on all rows against the original's."""
        came = self.post(body, kind)
        assert came.status_code == 200, came.text
        self.agrees(came.json()["predictions"])

    def agrees(self, said: Any) -> None:
        """Hold an answer on all rows against the original's."""
        assert list(said) == ["label", "probabilities"]
        assert list(said["label"]) == self.labels
        assert np.allclose(said["probabilities"], self.probabilities, atol=1e-6)

    def refuses(self, body: str, kind: str = "application/json") -> str:
        """The line that the server refuses rows with."""
        came = self.post(body, kind)
        assert 400 <= came.status_code < 500, came.text
        return str(came.json()["message"]).rpartition("Error: ")[2]


@contextmanager
def served(folder: Path, labels: Any, probabilities: Any) -> Iterator[Served]:
    """Publish from ``folder`` to its embedded store and serve the model of the run."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        publish_in_process(folder, monkeypatch)
        store = f"sqlite:///{folder}/mlflow.db"
        mlflow.set_tracking_uri(store)
        model, port = (
            f"runs:/{read_json(folder / 'outputs/mlflow_run.json')['run_id']}/model",
            free_port(),
        )
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "models",
            "serve",
            "-m",
            model,
            "--env-manager",
            "local",
            "-p",
            str(port),
        ]
        address = f"http://127.0.0.1:{port}"
        with started(
            command, folder, f"{address}/ping", {"MLFLOW_TRACKING_URI": store, "PYTHONPATH": ""}
        ):
            yield Served(
                f"{address}/invocations", mlflow.pyfunc.load_model(model), labels, probabilities
            )


def penguin_repository(folder: Path) -> tuple[Any, pd.DataFrame]:
    """Prepare ``folder`` to publish a forest of the penguins; return the forest and its rows.

    The penguins have categories and missing values.
    """
    make_repository(folder, mixed_rows())
    frame, schema = type_columns(PENGUINS, "species", "auto")
    (folder / "outputs/test.parquet").write_bytes(parquet_bytes(frame))
    write_json(folder / "outputs/schema.json", schema.to_json())
    rows = read_rows(folder / "outputs/test.parquet", schema)
    estimator = build("RandomForestClassifier", {"n_estimators": 10}, schema, 0)
    estimator.fit(sklearn_input(rows.feeds), rows.target)
    joblib.dump(estimator, folder / "outputs/model.joblib")
    for name in ("model.onnx", "model_quantized.onnx"):
        write_bytes(folder / "outputs" / name, to_bytes(to_onnx(estimator, schema, 12)))
    return estimator, sklearn_input(rows.feeds)


@pytest.fixture(scope="module")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("penguins")
    estimator, rows = penguin_repository(folder)
    with served(folder, estimator.predict(rows).tolist(), estimator.predict_proba(rows)) as model:
        yield model


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = make_repository(tmp_path_factory.mktemp("numbers"), NUMBERS)
    forest, rows = fit(NUMBERS)[0], NUMBERS.to_numpy()
    with served(folder, forest.predict(rows).tolist(), forest.predict_proba(rows)) as model:
        yield model


def columns_of(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns as JSON has them, null where a value is missing."""
    return {
        str(name): [None if pd.isna(value) else value for value in values.tolist()]
        for name, values in frame.items()
    }


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them."""
    columns = columns_of(frame)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def requests_of(frame: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """The same rows in every form that names its columns: body and content type."""
    split = {
        "columns": list(frame.columns),
        "data": [list(row.values()) for row in records_of(frame)],
    }
    forms = {
        "dataframe_split": split,
        "dataframe_records": records_of(frame),
        "inputs": columns_of(frame),
        "instances": records_of(frame),
    }
    bodies = {
        name: (json.dumps({name: content}), "application/json") for name, content in forms.items()
    }
    rows = {"inputs, rows": (json.dumps({"inputs": records_of(frame)}), "application/json")}
    return {**bodies, **rows, "csv": (frame.to_csv(index=False), "text/csv")}


FORMS = list(requests_of(RAW.head(1)))


@pytest.mark.parametrize("form", FORMS)
def test_rows_with_gaps_are_answered_in_any_form_and_order(penguins: Served, form: str) -> None:
    assert RAW.isna().any(axis=None)
    for frame in (RAW, RAW[RAW.columns[::-1]], RAW.sample(frac=1, axis=1, random_state=1)):
        penguins.answers(*requests_of(frame)[form])


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_numbers_are_answered_in_any_form_and_order(numbers: Served, form: str) -> None:
    for frame in (NUMBERS, NUMBERS[NUMBERS.columns[::-1]]):
        numbers.answers(*requests_of(frame)[form])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (RAW.assign(weight=1.0), "has unknown 'weight'"),
        (RAW.drop(columns="sex"), "lacks 'sex'"),
        (RAW.rename(columns={"year": "Year"}), "lacks 'year' and has unknown 'Year'"),
    ],
)
def test_unknown_and_absent_columns_are_refused_by_name(
    penguins: Served, form: str, frame: pd.DataFrame, named: str
) -> None:
    (line,) = penguins.refuses(*requests_of(frame.head(3))[form]).splitlines()
    assert named in line


@pytest.mark.parametrize("form", FORMS)
def test_text_among_numbers_is_refused_by_name(penguins: Served, form: str) -> None:
    frame = RAW.head(3).astype({"body_mass_g": object})
    frame.loc[1, "body_mass_g"] = "heavy"
    assert "'body_mass_g' should be numbers, got 'heavy' in row 2" in penguins.refuses(
        *requests_of(frame)[form]
    )


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "inputs", "instances"])
def test_no_rows_are_refused(penguins: Served, form: str) -> None:
    content: Any = {
        "dataframe_split": {"columns": list(RAW.columns), "data": []},
        "inputs": columns_of(RAW.head(0)),
    }.get(form, [])
    assert "no rows" in penguins.refuses(json.dumps({form: content}))


def test_an_array_is_taken_in_the_order_of_training(penguins: Served, numbers: Served) -> None:
    for model, frame in ((penguins, RAW), (numbers, NUMBERS)):
        rows = [list(row.values()) for row in records_of(frame)]
        for form in ("inputs", "instances"):
            model.answers(json.dumps({form: rows}))
        model.answers(json.dumps({"dataframe_split": {"data": rows}}))
        assert "shape" in model.refuses(json.dumps({"inputs": [row[1:] for row in rows]}))


def test_the_input_of_the_onnx_file_is_taken_by_its_name(numbers: Served) -> None:
    numbers.answers(json.dumps({"inputs": {"X": NUMBERS.to_numpy().tolist()}}))


def test_whole_numbers_and_booleans_are_numbers(numbers: Served) -> None:
    forest = fit(NUMBERS)[0]
    came = numbers.post(
        json.dumps({"dataframe_records": [{"width": True, "length": 2, "height": False}]})
    )
    assert came.json()["predictions"]["label"] == forest.predict([[2, 1, 0]]).tolist()


def test_what_was_never_missing_in_training_may_not_be_missing(numbers: Served) -> None:
    line = numbers.refuses(
        json.dumps({"dataframe_records": [{"width": 1, "length": None, "height": 0}]})
    )
    assert "column 'length' had no missing value in training" in line


@pytest.mark.parametrize("blank", [None, np.nan, pd.NA, ""])
def test_loaded_in_python_every_missing_value_is_missing(penguins: Served, blank: Any) -> None:
    gaps = RAW.astype({"sex": object, "bill_length_mm": object})
    gaps.loc[gaps["sex"].isna(), "sex"] = blank
    if not isinstance(blank, str):
        gaps.loc[gaps["bill_length_mm"].isna(), "bill_length_mm"] = blank
    for data in (
        gaps,
        gaps[gaps.columns[::-1]],
        gaps.to_dict("list"),
        gaps.to_dict("records"),
        gaps.to_numpy(),
    ):
        penguins.agrees(penguins.loaded.predict(data))


def test_loaded_in_python_any_types_of_pandas_are_taken(penguins: Served) -> None:
    for frame in (
        RAW.convert_dtypes(),
        RAW.convert_dtypes(dtype_backend="pyarrow"),
        RAW.astype({"sex": "category"}),
    ):
        penguins.agrees(penguins.loaded.predict(frame))


def test_loaded_in_python_one_line_says_what_is_wrong(penguins: Served) -> None:
    with pytest.raises(mlflow.MlflowException) as caught:
        penguins.loaded.predict(RAW.drop(columns=["sex"]).assign(weight=1))
    assert caught.value.message == (
        "the input lacks 'sex' and has unknown 'weight'; "
        "the model takes the columns 'island', 'bill_length_mm', "
        "'bill_depth_mm', 'flipper_length_mm', 'body_mass_g', 'sex', 'year'"
    )


def test_a_missing_category_that_decides_is_not_an_unknown_one(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    colour = generator.choice(np.array(["red", "blue", None], object), 300, p=[0.4, 0.4, 0.2])
    x = generator.normal(size=300).round(3)
    table = pd.DataFrame(
        {
            "colour": colour,
            "x": x,
            "y": np.where(pd.isna(colour), "missing", np.where(x > 0, "plus", "minus")),
        }
    )
    make_repository(tmp_path, mixed_rows())
    frame, schema = type_columns(table, "y", "auto")
    (tmp_path / "outputs/test.parquet").write_bytes(parquet_bytes(frame))
    write_json(tmp_path / "outputs/schema.json", schema.to_json())
    rows = read_rows(tmp_path / "outputs/test.parquet", schema)
    estimator = build("RandomForestClassifier", {"n_estimators": 100}, schema, 0)
    estimator.fit(sklearn_input(rows.feeds), rows.target)
    assert isinstance(estimator[-1], RandomForestClassifier)
    for name in ("model.onnx", "model_quantized.onnx"):
        write_bytes(tmp_path / "outputs" / name, to_bytes(to_onnx(estimator, schema, 12)))
    labels = table["y"].tolist()  # the forest has learned the rule by heart
    with served(tmp_path, labels, estimator.predict_proba(sklearn_input(rows.feeds))) as model:
        for body, kind in requests_of(table.drop(columns="y")).values():
            model.answers(body, kind)


def test_what_travels_with_a_model_is_the_same_each_time_and_names_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    penguin_repository(tmp_path)
    monkeypatch.chdir(tmp_path)
    schema = read_schema()
    rows = read_rows(TEST, schema)
    made = []
    for name in ("one", "two"):
        save_serving_model(
            tmp_path / name,
            QUANTIZED_MODEL.read_bytes(),
            rows.feeds,
            schema,
            {"content_digest": "x"},
            run_id="1",
        )
        files = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        assert not any(
            str(place).encode() in path.read_bytes() for path in files for place in (ROOT, tmp_path)
        )
        made.append(
            {
                str(path.relative_to(tmp_path / name)): path.read_bytes()
                for path in files
                if path.name != "MLmodel"
            }
        )
    assert made[0] == made[1]
    assert made[0]["model.onnx"] == QUANTIZED_MODEL.read_bytes()


def test_columns_of_any_name_reach_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    penguin_repository(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = dict(
        zip(
            RAW.columns,
            ["label", "bill length (mm)", "길이 [mm]", "1", "probabilities", "label_input", "a\nb"],
            strict=True,
        )
    )
    table = PENGUINS.rename(columns=names)
    frame, schema = type_columns(table, "species", "auto")
    TEST.write_bytes(parquet_bytes(frame))
    renamed = read_rows(TEST, schema)
    estimator = build("RandomForestClassifier", {"n_estimators": 10}, schema, 0)
    estimator.fit(sklearn_input(renamed.feeds), renamed.target)
    write_bytes(QUANTIZED_MODEL, to_bytes(to_onnx(estimator, schema, 12)))
    save_serving_model(
        tmp_path / "model", QUANTIZED_MODEL.read_bytes(), renamed.feeds, schema, {}, run_id="1"
    )
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    expected = estimator.predict(sklearn_input(renamed.feeds)).tolist()
    raw = table.drop(columns="species")
    for data in (raw, raw[raw.columns[::-1]], raw.to_dict("list"), raw.to_dict("records")):
        assert loaded.predict(data)["label"].tolist() == expected
    assert len(set(expected)) == 3
    with pytest.raises(mlflow.MlflowException, match="has unknown 'label_input_input'"):
        loaded.predict(raw.rename(columns={"label_input": "label_input_input"}))
