"""XGBoost's own files, taken by train through the held process and converted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from onnxpress.errors import UserError
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.runtime.sessions import load_session, predict_onnx
from stages import convert, prepare, train
from tests.conftest import ROOT, default_params, write_params
from tests.given.conftest import chain, typed

FILES = ROOT / "tests" / "boosters" / "files"

SPECIES = np.array(["Adelie", "Chinstrap", "Gentoo"])
FIXED = {"n_estimators": 6, "max_cat_to_onehot": 1, "n_jobs": 1, "enable_categorical": True}


def predictions(task: str) -> tuple[Any, pd.DataFrame]:
    """What model.onnx predicts of the test rows, and the rows as they were in the table."""
    feeds = read_rows(Path("outputs/test.parquet"), read_schema()).feeds
    rows = pd.read_parquet("outputs/test.parquet").reset_index(drop=True)
    found = predict_onnx(load_session(Path("outputs/model.onnx")), feeds)
    return (found.scores if task == "classification" else found.values), rows


@pytest.mark.parametrize("ending", ["json", "ubj"])
def test_a_classifier_stopped_early_predicts_with_its_best_rounds(
    ending: str, penguins: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = pd.factorize(penguins["species"], sort=True)[0]
    random = np.random.default_rng(0)
    noisy = np.where(random.random(len(codes)) < 0.3, random.integers(0, 3, len(codes)), codes)
    settings = FIXED | {"n_estimators": 60, "early_stopping_rounds": 3, "learning_rate": 0.9}
    classifier = xgboost.XGBClassifier(**settings)
    held_out = [(typed(penguins)[250:], noisy[250:])]
    classifier.fit(typed(penguins)[:250], noisy[:250], eval_set=held_out, verbose=False)
    assert classifier.best_iteration + 1 < classifier.get_booster().num_boosted_rounds()
    classifier.save_model(f"models/model.{ending}")
    chain(prepare, train, convert, name=f"model.{ending}")
    assert "was stopped early" in capsys.readouterr().out
    found, rows = predictions("classification")
    expected = classifier.predict_proba(typed(rows[list(penguins)]))
    assert np.abs(found - expected).max() < 1e-6


def test_a_regressor_of_a_probability(workspace: Path) -> None:
    (workspace / "data").mkdir(exist_ok=True)
    (workspace / "models").mkdir()
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(300, 3)).astype(np.float32), columns=list("abc"))
    target = (random.random(300) < 0.2).astype(float) / 2
    frame.assign(y=target + frame["a"].abs() / 100).to_csv("data/table.csv", index=False)
    model = xgboost.XGBRegressor(objective="binary:logistic", n_estimators=5, n_jobs=1)
    model.fit(frame, target * 2).save_model("models/model.json")
    keys = {"data__source": "data/table.csv", "data__target": "y", "data__task": "regression"}
    given = {"train__model_path": "models/model.json", "data__calibration_size": 0.2}
    write_params(Path(), default_params(**keys, **given))
    for stage in (prepare, train, convert):
        stage.main()
    found, rows = predictions("regression")
    assert np.abs(found.ravel() - model.predict(rows[list("abc")])).max() < 1e-6


def number(path: Path, rows: pd.DataFrame, codes: Any) -> None:
    xgboost.XGBRegressor(**FIXED).fit(rows, codes).save_model(path)


def two_classes(path: Path, rows: pd.DataFrame, codes: Any) -> None:
    xgboost.XGBClassifier(**FIXED).fit(rows, np.minimum(codes, 1)).save_model(path)


def other_column(path: Path, rows: pd.DataFrame, codes: Any) -> None:
    renamed = rows.rename(columns={"bill_length_mm": "beak_length_mm"})
    xgboost.XGBClassifier(**FIXED).fit(renamed, codes).save_model(path)


def cut(path: Path, rows: pd.DataFrame, codes: Any) -> None:
    xgboost.XGBClassifier(**FIXED).fit(rows, codes).save_model(path)
    path.write_bytes(path.read_bytes()[:-400])


def linear(path: Path, rows: pd.DataFrame, codes: Any) -> None:
    numbers = rows.select_dtypes("float32")
    xgboost.XGBClassifier(booster="gblinear", n_estimators=2).fit(numbers, codes).save_model(path)


def own_objective(path: Path, rows: pd.DataFrame, codes: Any) -> None:
    number(path, rows, codes)
    document = json.loads(path.read_text())
    document["learner"]["objective"]["name"] = "mine"
    path.write_text(json.dumps(document))


def old_vectors(path: Path, *_: Any) -> None:
    path.write_bytes((FILES / "xgboost-2.1.4" / "vectors.json").read_bytes())


REFUSED: dict[str, tuple[Callable[..., None], str]] = {
    "a number for classes": (number, "gives a number a row by its objective 'reg:squarederror'"),
    "two classes of three": (two_classes, "tells 2 classes apart, and 'species' has 3"),
    "another column": (other_column, "takes the column 'beak_length_mm', which the table does"),
    "damage": (cut, "models/model.json is no whole JSON file"),
    "gblinear": (linear, "has the booster 'gblinear', not gbtree or dart, so no trees"),
    "an unknown objective": (own_objective, "has the objective 'mine'; those with an exact form"),
    "an old form": (old_vectors, "has leaves of several outputs as XGBoost wrote them before 3.2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_does_not_fit_is_refused(case: str, penguins: pd.DataFrame) -> None:
    make, line = REFUSED[case]
    codes = pd.factorize(penguins["species"], sort=True)[0]
    make(Path("models/model.json"), typed(penguins), codes)
    with pytest.raises(UserError, match=re.escape(line)):
        chain(prepare, train, name="model.json")
