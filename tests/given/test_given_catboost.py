"""A given CatBoost file takes its categories from the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import catboost
import joblib
import numpy as np
import pandas as pd
import pytest

from onnxpress.errors import UserError
from onnxpress.estimators import stored
from onnxpress.estimators.booster_estimator import BoosterRegressor
from onnxpress.given.booster_models import load_booster
from onnxpress.given.sandbox import GivenFile, try_model
from onnxpress.tables.rows import Rows, as_rows
from onnxpress.tables.schema import Schema
from tests.boosters.compared import schema_of

ROWS = 200


def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=ROWS).astype(np.float32)})
    frame["city"] = random.choice(["Bern", "Köln", "Ulm", "Wien"], ROWS)
    frame["code"] = random.integers(0, 5, ROWS)
    return frame


def fitted(frame: pd.DataFrame, path: Path, **given: Any) -> Any:
    model = catboost.CatBoostRegressor(
        iterations=10,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
        one_hot_max_size=2,
        **given,
    )
    target = frame["a"] + frame["city"].map({"Bern": 0, "Köln": 1, "Ulm": 2, "Wien": 5})
    model.fit(frame, target + frame["code"] % 2, cat_features=["city", "code"])
    model.save_model(str(path))
    return model


def rows_of(frame: pd.DataFrame) -> tuple[Rows, Schema]:
    schema = schema_of(frame.astype({"code": np.float32}), "regression")
    columns = {str(name): frame[name].to_numpy() for name in frame}
    rows = as_rows(columns, np.zeros(len(frame)), schema)
    rows.feeds["code"] = rows.feeds["code"].astype(np.float32)
    return rows, schema


def loaded(path: Path, frame: pd.DataFrame) -> tuple[Any, list[str]]:
    lines: list[str] = []
    rows, schema = rows_of(frame)
    return load_booster(path, rows, schema, lines.append), lines


def test_texts_and_whole_numbers_are_the_table_s(tmp_path: Path) -> None:
    frame, path = table(), tmp_path / "mine.cbm"
    own = fitted(frame, path)
    estimator, lines = loaded(path, frame)
    assert lines == []
    assert [one.categories for one in estimator.read().features] == [
        None,
        ("Bern", "Köln", "Ulm", "Wien"),
        (0, 1, 2, 3, 4),
    ]
    rows = frame.astype({"code": np.float32})
    assert np.array_equal(estimator.predict(rows), own.predict(frame))


def test_categories_that_the_table_does_not_have_are_counted(tmp_path: Path) -> None:
    frame, path = table(), tmp_path / "mine.cbm"
    fitted(frame, path, max_ctr_complexity=1)
    _, lines = loaded(path, frame[frame["city"] != "Wien"])
    end = "the training rows do not have; it predicts them as new ones"
    assert lines == [f"warning: {path} knows 1 categories of city that {end}"]


def test_categories_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    frame, path = table(), tmp_path / "mine.cbm"
    fitted(frame, path)
    with pytest.raises(UserError, match=r"takes categories in 'code', which holds 0\.5"):
        loaded(path, frame.assign(code=0.5))


def test_an_object_in_a_joblib_file_takes_them_from_the_table_too(tmp_path: Path) -> None:
    frame, path = table(), tmp_path / "mine.joblib"
    own = fitted(frame, tmp_path / "mine.cbm", max_ctr_complexity=1)
    joblib.dump(own, path)
    rows, schema = rows_of(frame[frame["city"] != "Wien"])
    trusted = "catboost.core.CatBoostRegressor"
    tried = try_model(GivenFile(path, (trusted,), 200, 8000), rows, rows, schema)
    estimator = stored.loads(tried.accepted(), ())
    assert isinstance(estimator, BoosterRegressor)
    end = "the training rows do not have; it predicts them as new ones"
    assert f"warning: {path} knows 1 categories of city that {end}" in tried.lines
    assert np.array_equal(
        estimator.predict(frame.astype({"code": np.float32})), own.predict(frame_with_new(frame))
    )


def frame_with_new(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with a city that no row of the fit has in the place of one that the table lacks."""
    return frame.assign(city=frame["city"].replace("Wien", "never seen"))


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.cbm"
    path.write_bytes(b"CATEGORIES {}\nCBM1")
    with pytest.raises(UserError, match=r"mine\.cbm is no CatBoost model"):
        loaded(path, table())
