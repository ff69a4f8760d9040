"""XGBoost's classes fitted by the chain: against the same classes fitted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from numpy.typing import NDArray

from onnxpress.boosters.libraries import open_booster
from onnxpress.boosters.readers import read_booster
from onnxpress.boosters.trainer import Training
from onnxpress.boosters.training import checked_parameters, trainer_of
from onnxpress.errors import UserError
from tests.boosters.compared import BAR, compared, leaf_sum

NAMES = list("abcdefghij")
COUNT = 1500


def table() -> pd.DataFrame:
    """Ten numbers a row, float32."""
    random = np.random.default_rng(0)
    return pd.DataFrame(random.normal(size=(COUNT, 10)).astype(np.float32), columns=NAMES)


def rare(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Classes of which the second has a tenth of the rows."""
    score = frame["a"] + frame["b"] * frame["c"]
    return (score > score.quantile(0.9)).to_numpy().astype(np.int64)


def trained(name: str, rows: Any, target: Any, **params: Any) -> tuple[bytes, Any]:
    """Fit as the chain does."""
    arguments = checked_parameters("xgboost", name, params)
    return trainer_of("xgboost").fit(Training(name, arguments, rows, np.asarray(target)))


def assert_is(data: bytes, frame: pd.DataFrame, expected: Any, classes: Any = None) -> None:
    """Compare model.onnx with what the class fitted by hand predicts."""
    found = compared("xgboost", data, frame, classes)
    values = np.asarray(expected, np.float64).reshape(len(frame), -1)
    limit = BAR * leaf_sum(read_booster("xgboost", data)) * max(1, np.abs(values).max())
    assert np.abs(found.onnx - values).max() <= limit
    if classes is not None:
        at_once = np.abs(values[:, 1] - 0.5) > limit
        labels = np.array(classes)[values.argmax(axis=1)]
        assert np.array_equal(found.labels[at_once], labels[at_once])  # type: ignore[index]


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:logistic", "binary:hinge"])
def test_a_regressor_of_a_probability(objective: str) -> None:
    frame = table()
    params = {"objective": objective, "n_estimators": 20, "max_depth": 4, "subsample": 0.7}
    data, classes = trained("xgboost.XGBRegressor", frame, rare(frame).astype(float), **params)
    assert classes is None
    by_hand = xgboost.XGBRegressor(**params, n_jobs=1).fit(frame, rare(frame).astype(float))
    assert_is(data, frame, by_hand.predict(frame))


def test_a_classifier_of_rare_classes() -> None:
    frame = table()
    params = {"n_estimators": 20, "max_depth": 4, "learning_rate": 0.05}
    labels = np.array(["no", "yes"])[rare(frame)]
    data, classes = trained("xgboost.XGBClassifier", frame, labels, **params)
    assert classes == ("no", "yes")
    by_hand = xgboost.XGBClassifier(**params, n_jobs=1).fit(frame, rare(frame))
    assert_is(data, frame, by_hand.predict_proba(frame), classes)


@pytest.mark.parametrize(
    ("objective", "target"),
    [
        ("count:poisson", lambda frame: np.round(np.exp(frame["a"]))),
        ("reg:squarederror", lambda frame: 3 * frame["a"] + 100),
        ("reg:absoluteerror", lambda frame: 3 * frame["a"] - 100),
    ],
)
def test_the_base_of_a_regression_is_estimated(objective: str, target: Any) -> None:
    frame = table()
    params = {"objective": objective, "n_estimators": 10, "max_depth": 3}
    data, _ = trained("xgboost.XGBRegressor", frame, target(frame), **params)
    by_hand = xgboost.XGBRegressor(**params, n_jobs=1).fit(frame, target(frame))
    assert_is(data, frame, by_hand.predict(frame))


def test_numbers_that_float32_merges_are_merged_by_the_library_too() -> None:
    random = np.random.default_rng(0)
    wide = pd.DataFrame({"id": 2**24 + random.integers(0, 2001, COUNT), "a": random.random(COUNT)})
    target = wide["id"] % 2 + wide["a"]
    narrow = wide.astype(np.float32)
    assert narrow["id"].nunique() < wide["id"].nunique()
    data, _ = trained("xgboost.XGBRegressor", narrow, target, n_estimators=10)
    by_hand = xgboost.XGBRegressor(n_estimators=10, n_jobs=1).fit(wide, target)
    assert_is(data, narrow, by_hand.predict(wide))


def test_two_columns_of_200_texts_with_new_and_missing_ones() -> None:
    random = np.random.default_rng(0)
    names = [f"도시 {code:03}" for code in range(200)]
    codes = random.integers(0, 200, (COUNT, 2))
    frame = pd.DataFrame(np.array(names, object)[codes], columns=["p", "q"])
    frame["a"] = random.normal(size=COUNT).astype(np.float32)
    effects = random.normal(size=(2, 200))
    target = effects[0][codes[:, 0]] + effects[1][codes[:, 1]] * (frame["a"] > 0) > 0
    params = {"n_estimators": 15, "max_cat_to_onehot": 1}
    data, classes = trained("xgboost.XGBClassifier", frame, target.astype(int), **params)

    def typed(rows: pd.DataFrame) -> pd.DataFrame:
        """ASCII: XGBoost 3.2 stores other letters cut off."""
        known = {name: f"{code:03}" for code, name in enumerate(names)}
        columns = {}
        for name in ("p", "q"):
            columns[name] = pd.Categorical(rows[name].map(known), sorted(known.values()))
        return rows.assign(**columns)

    by_hand = xgboost.XGBClassifier(**params, n_jobs=1, enable_categorical=True)
    by_hand.fit(typed(frame), target.astype(int))
    asked = frame.copy()
    asked.loc[:50, "p"], asked.loc[30:80, "q"] = "", "new"
    assert_is(data, asked, by_hand.predict_proba(typed(asked)), classes)


def test_the_same_rows_give_the_same_bytes() -> None:
    frame = table()
    params = {"n_estimators": 5, "subsample": 0.5, "random_state": 3}
    once = trained("xgboost.XGBRegressor", frame, frame["a"], **params)
    assert trained("xgboost.XGBRegressor", frame, frame["a"], **params) == once


def test_a_column_without_a_known_text_is_of_no_use_and_no_harm() -> None:
    frame = table()[["a"]].assign(b=np.array([""] * COUNT, object))
    data, _ = trained("xgboost.XGBRegressor", frame, frame["a"], n_estimators=2)
    rows = frame.assign(b=np.array(["", "x"] * (COUNT // 2), object))
    found = compared("xgboost", data, rows, None)
    assert np.abs(found.onnx - found.library).max() <= BAR * leaf_sum(read_booster("xgboost", data))


@pytest.mark.parametrize(
    ("name", "params", "line"),
    [
        ("XGBClassifier", {"objective": "survival:cox"}, "has the objective survival:cox"),
        ("XGBClassifier", {"objective": "binary:logitraw"}, "no classes; expected binary:logistic"),
        ("XGBClassifier", {"objective": "reg:gamma"}, "no classes; expected multi:softprob"),
        ("XGBRegressor", {"objective": "multi:softprob"}, "gives classes and no number"),
        (
            "XGBRegressor",
            {"booster": "gblinear"},
            "'gblinear'; expected gbtree or dart",
        ),
        ("XGBRegressor", {"max_depth": -5}, "max_depth should be greater equal to 0"),
        ("XGBRegressor", {"missing": 0}, "'missing' is set by the pipeline or not used"),
        ("XGBRegressor", {"early_stopping_rounds": 2}, "'early_stopping_rounds' is set by"),
        ("XGBRegressor", {"rate_dro": 0.5}, "did you mean 'rate_drop'?"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_a_line(
    name: str, params: dict[str, Any], line: str
) -> None:
    frame = table()[:20]
    with pytest.raises(UserError) as error:
        trained(f"xgboost.{name}", frame, rare(frame), **params)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_infinity_in_a_row_ends_in_the_library_s_line() -> None:
    frame = table()
    data, _ = trained("xgboost.XGBRegressor", frame, frame["a"], n_estimators=2)
    predict = open_booster("xgboost", data)
    rows = frame.to_numpy()[:3].copy()
    rows[1, 0] = np.inf
    with pytest.raises(UserError, match="XGBoost takes no infinite number"):
        predict(rows, 1)
    assert predict(rows[:0], 1).shape == (0, 1)


def test_categories_that_are_whole_numbers_are_found_by_their_values() -> None:
    random = np.random.default_rng(0)
    values = random.choice([9, 3, 500], COUNT)
    frame = table()[["a"]].assign(k=pd.Categorical(values, [9, 3, 500]))
    params = {"n_estimators": 5, "max_cat_to_onehot": 1, "enable_categorical": True, "n_jobs": 1}
    by_hand = xgboost.XGBRegressor(**params).fit(frame, frame["a"] + (values == 3))
    asked = frame.assign(k=values.astype(np.float32))
    asked.loc[:50, "k"] = np.nan
    expected = by_hand.predict(frame.assign(k=frame["k"].where(asked["k"].notna())))
    data = bytes(by_hand.get_booster().save_raw("ubj"))
    assert_is(data, asked, expected)
    asked.loc[:50, "k"] = 4.0  # a new category is a missing one
    assert_is(data, asked, expected)


def test_texts_that_the_library_stores_cut_off_are_refused() -> None:
    frame = table()[["a"]].assign(c=pd.Categorical(np.resize(["가나", "b"], COUNT)))
    by_hand = xgboost.XGBRegressor(n_estimators=1, n_jobs=1, enable_categorical=True)
    by_hand.fit(frame, frame["a"])
    with pytest.raises(UserError, match="has categories with letters beyond ASCII"):
        read_booster("xgboost", bytes(by_hand.get_booster().save_raw("json")))
