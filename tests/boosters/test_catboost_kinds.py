"""Kinds of CatBoost models that the sample does not have, against catboost's own predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from onnxpress.boosters.catboost_categories import with_categories
from onnxpress.boosters.readers import read_booster
from tests.boosters.compared import BAR, compared, leaf_sum
from tests.boosters.probes import limits
from tests.boosters.summed import sums

ROWS = 240
QUIET = {
    "verbose": 0,
    "allow_writing_files": False,
    "thread_count": 1,
    "random_seed": 0,
    "iterations": 15,
    "depth": 4,
}


def numbers() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)


def saved(fitted: Any, path: Path) -> bytes:
    fitted.save_model(str(path))
    return path.read_bytes()


@pytest.mark.parametrize(
    "loss", ["MultiRMSE", "MultiQuantile:alpha=0.1,0.5,0.9", "YetiRank", "QueryRMSE", "LogCosh"]
)
def test_scores_of_several_outputs_and_of_rankers(loss: str, tmp_path: Path) -> None:
    rows = numbers()
    target = rows[:, :2] if loss == "MultiRMSE" else rows[:, 0].round()
    groups = {"group_id": np.arange(ROWS) // 8} if loss in ("YetiRank", "QueryRMSE") else {}
    pool = catboost.Pool(rows, target, **groups)
    fitted = catboost.CatBoost({**QUIET, "loss_function": loss}).fit(pool)
    model = read_booster("catboost", saved(fitted, tmp_path / "model.cbm"))
    expected = np.asarray(fitted.predict(rows)).reshape(ROWS, -1)
    assert model.outputs == expected.shape[1]
    assert np.abs(sums(model, rows) - expected).max() <= 1e-12 * leaf_sum(model)


def test_trees_behind_the_best_iteration_are_left_out(tmp_path: Path) -> None:
    rows, random = numbers(), np.random.default_rng(1)
    target = rows[:, 0] + random.normal(size=ROWS) * 3
    fitted = catboost.CatBoostRegressor(**{**QUIET, "iterations": 300, "learning_rate": 0.5})
    fitted.fit(rows[:120], target[:120], eval_set=(rows[120:], target[120:]), use_best_model=True)
    data = saved(fitted, tmp_path / "model.cbm")
    assert len(read_booster("catboost", data).trees) == fitted.tree_count_ < 300
    found = compared("catboost", data, pd.DataFrame(rows, columns=list("abc")), None)
    assert np.array_equal(found.library[:, 0], fitted.predict(rows))


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
def test_trees_of_one_leaf(policy: str, tmp_path: Path) -> None:
    rows = np.zeros((ROWS, 2), np.float32)
    rows[0, 0] = 1
    fitted = catboost.CatBoostRegressor(
        **QUIET, grow_policy=policy, allow_const_label=True, bootstrap_type="No"
    )
    fitted.fit(rows, np.ones(ROWS))
    data = saved(fitted, tmp_path / "model.cbm")
    found = compared("catboost", data, pd.DataFrame(rows, columns=["a", "b"]), None)
    assert np.abs(found.onnx[:, 0] - fitted.predict(rows)).max() <= BAR


def test_missing_numbers_where_the_fit_saw_none_go_left(tmp_path: Path) -> None:
    rows = numbers()
    fitted = catboost.CatBoostRegressor(**QUIET, nan_mode="Max").fit(rows, rows[:, 0])
    data = saved(fitted, tmp_path / "model.cbm")
    odd = rows.copy()
    odd[::2] = np.nan
    found = compared("catboost", data, pd.DataFrame(odd, columns=list("abc")), None)
    assert np.array_equal(found.library[:, 0], fitted.predict(odd))
    limit = BAR * leaf_sum(read_booster("catboost", data))
    assert np.abs(found.onnx - found.library).max() <= limit


def test_combinations_with_borders_and_single_categories(tmp_path: Path) -> None:
    """A statistic of two columns of texts, of a number with gaps and of a column of two texts."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"n": random.normal(size=ROWS).astype(np.float32)})
    frame.loc[::7, "n"] = np.nan
    for name, letters in (("c", "uvwxyz"), ("d", "pqrs"), ("two", "ab")):
        frame[name] = random.choice(list(letters), ROWS)
    above = (frame["n"].fillna(9) > 0.3).to_numpy() ^ (frame["two"] == "a")
    target = (above ^ frame["c"].isin(["u", "v"]) ^ frame["d"].isin(["p", "q"])).astype(int)
    fitted = catboost.CatBoostClassifier(
        **{**QUIET, "iterations": 60},
        cat_features=["c", "d", "two"],
        max_ctr_complexity=4,
        model_size_reg=0,
        nan_mode="Max",
    ).fit(frame, target)
    listed = {place: sorted(set(frame[name])) for place, name in enumerate(frame) if place}
    data = with_categories(saved(fitted, tmp_path / "model.cbm"), listed)
    crossings = read_booster("catboost", data).crossings
    read = {digit.feature for crossing in crossings for digit in crossing.digits}
    assert read == {0, 1, 2, 3}
    assert max(len(crossing.digits) for crossing in crossings) > 2
    rows = frame.copy()
    rows.loc[:40, "c"] = "never"
    rows.loc[20:60, "two"] = "seen"
    found = compared("catboost", data, rows, (0, 1))
    assert np.array_equal(found.library, fitted.predict_proba(rows))
    allowed = limits(read_booster("catboost", data), rows, found.library, BAR)
    assert (np.abs(found.onnx - found.library) <= allowed).all()
