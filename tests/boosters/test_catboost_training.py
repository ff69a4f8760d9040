"""CatBoost's classes fitted by the chain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from onnxpress.boosters.readers import read_booster
from onnxpress.boosters.training import checked_parameters
from onnxpress.errors import UserError
from onnxpress.estimators.building import build
from onnxpress.given.catboost_categories import unlisted_yet
from tests.boosters.compared import schema_of
from tests.conftest import ROOT

ROWS = 200


def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a b": random.normal(size=ROWS).astype(np.float32)})
    frame["city"] = random.choice(["", "Köln", "Ulm"], ROWS)
    frame["size"] = random.choice(["l", "m", "s", "xl"], ROWS)
    frame.loc[::9, "a b"] = np.nan
    return frame


def target(frame: pd.DataFrame) -> Any:
    return np.where((frame["a b"].fillna(0) + (frame["city"] == "Ulm")) > 0.3, "yes", "no")


def fitted(**params: Any) -> Any:
    frame = table()
    schema = schema_of(frame, "classification")
    estimator = build("catboost.CatBoostClassifier", {"iterations": 10, **params}, schema, 7)
    return estimator.fit(frame, target(frame))


def test_a_fit_is_catboost_s_own_and_the_same_again() -> None:
    frame = table()
    first, second = fitted(), fitted()
    assert first.model == second.model
    assert b"train_finish_time" not in first.model
    own = catboost.CatBoostClassifier(
        iterations=10, random_seed=7, thread_count=1, verbose=False, allow_writing_files=False
    ).fit(frame, target(frame), cat_features=["city", "size"])
    assert np.array_equal(first.predict_proba(frame), own.predict_proba(frame))
    assert first.classes_.tolist() == own.classes_.tolist() == ["no", "yes"]


def test_missing_and_new_texts_are_what_catboost_takes_them_for() -> None:
    rows = table().head(4)
    rows["city"] = ["", "never", "Ulm", "Bern"]
    estimator = fitted(one_hot_max_size=2)
    own = catboost.CatBoostClassifier(
        iterations=10,
        random_seed=7,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
        one_hot_max_size=2,
    ).fit(table(), target(table()), cat_features=["city", "size"])
    assert np.array_equal(estimator.predict_proba(rows), own.predict_proba(rows))


def test_the_example_of_the_page_makes_a_file_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "boosters.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "models").mkdir()
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    exec(next(block for block in blocks if "import catboost" in block), {})  # noqa: S102 - our page
    data = (tmp_path / "models" / "model.cbm").read_bytes()
    features = read_booster("catboost", unlisted_yet(data)).features
    assert [one.name for one in features if one.categories is not None] == ["island", "sex"]


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"itrations": 3}, "did you mean 'iterations'"),
        ({"train_dir": "x"}, "'train_dir' is no argument"),
        ({"loss_function": "RMSE"}, "CatBoost cannot fit catboost.CatBoostClassifier: Invalid"),
    ],
)
def test_arguments_that_do_not_fit_end_in_a_line(params: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as error:
        fitted(**params)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("thread_count", "'thread_count' is set by the pipeline or not used); remove it"),
        ("train_dir", "arguments that name files are not taken"),
        ("iteration", "did you mean 'iterations'?"),
    ],
)
def test_an_argument_that_is_not_taken_says_why(key: str, line: str) -> None:
    with pytest.raises(UserError) as error:
        checked_parameters("catboost", "catboost.CatBoostRegressor", {key: 1})
    assert line in str(error.value)
