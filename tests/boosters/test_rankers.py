"""Rankers of the three libraries: fitted to groups, given in their files, and stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from onnxpress.errors import UserError
from onnxpress.estimators import stored
from onnxpress.estimators.booster_estimator import BoosterRanker, BoosterRegressor, is_ranker
from onnxpress.estimators.building import ColumnSteps, build
from onnxpress.estimators.fitting import fit, unfitted
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.baseline import baseline_warning, ranks_groups
from onnxpress.given.booster_models import load_booster
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from tests.support.ranking import queries, rows_of

NAMES = {
    "catboost": "catboost.CatBoostRanker",
    "lightgbm": "lightgbm.LGBMRanker",
    "xgboost": "xgboost.XGBRanker",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "catboost": {"iterations": 15, "random_state": 7},
    "lightgbm": {"n_estimators": 15, "random_state": 7, "min_child_samples": 5},
    "xgboost": {"n_estimators": 15, "random_state": 7},
}


def generated(count: int = 60, *, categories: bool = False) -> tuple[Rows, Schema]:
    """The rows of queries without missing values."""
    return rows_of(queries(count, categories=categories).fillna({"price": 1.0}))


def by_the_library(library: str, rows: Rows) -> NDArray[Any]:
    """What the library's own class predicts, fitted to the rows sorted by their groups."""
    assert rows.groups is not None
    order = np.argsort(rows.groups, kind="stable")
    x, y, groups = rows.feeds["X"][order], rows.target[order], rows.groups[order]
    given = ARGUMENTS[library]
    if library == "lightgbm":
        ranker: Any = lightgbm.LGBMRanker(
            **given, n_jobs=1, deterministic=True, force_col_wise=True, verbosity=-1
        )
        ranker.fit(x, y, group=pd.Series(groups).value_counts(sort=False).to_list())
    elif library == "xgboost":
        ranker = xgboost.XGBRanker(**given, n_jobs=1).fit(x, y, qid=groups)
    else:
        ranker = catboost.CatBoostRanker(
            **given, thread_count=1, verbose=False, allow_writing_files=False
        )
        ranker.fit(x, y, group_id=groups)
    return np.asarray(ranker.predict(rows.feeds["X"]), np.float64)


@pytest.mark.parametrize("library", NAMES)
def test_it_is_what_the_library_fits_to_the_same_groups(library: str) -> None:
    rows, schema = generated()
    ranker = build(NAMES[library], ARGUMENTS[library], schema, seed=0)
    assert isinstance(ranker, BoosterRanker)
    fit(ranker, rows)
    found = predict_original(ranker, rows.feeds, schema).values
    assert np.array_equal(found, by_the_library(library, rows))
    loaded = stored.loads(stored.dump(ranker), ())
    assert np.array_equal(predict_original(loaded, rows.feeds, schema).values, found)
    again = unfitted(loaded)
    fit(again, rows)
    assert again.model == ranker.model
    assert baseline_warning(ranker, rows, schema, "training") is None
    assert ranks_groups(rows, found)
    assert not ranks_groups(rows, -found)
    assert "ndcg" in str(baseline_warning(_Reversed(ranker), rows, schema, "training"))


class _Reversed(BoosterRanker):
    """A ranker that puts the worst first."""

    def __init__(self, ranker: BoosterRanker) -> None:
        super().__init__(ranker.library, ranker.model, ranker.columns)

    def predict(self, rows: Any) -> NDArray[np.float64]:
        return -super().predict(rows)


@pytest.mark.parametrize("library", NAMES)
def test_a_ranker_behind_other_steps_gets_the_groups_too(library: str) -> None:
    rows, schema = generated(categories=True)
    steps = ColumnSteps(scale=True)
    pipeline = build(NAMES[library], ARGUMENTS[library], schema, seed=0, steps=steps)
    assert is_ranker(pipeline)
    fit(pipeline, rows)
    assert ranks_groups(rows, predict_original(pipeline, rows.feeds, schema).values)


@pytest.mark.parametrize("library", NAMES)
def test_without_groups_it_is_not_fitted(library: str) -> None:
    _, schema = generated()
    alone = Schema(schema.task, schema.target, schema.columns)
    with pytest.raises(UserError, match=r"learns from groups of rows.*in none.*\(`group`\)"):
        build(NAMES[library], {}, alone, 0)
    classes = Schema("classification", schema.target, schema.columns, group="query")
    with pytest.raises(UserError, match="set `task` to regression"):
        build(NAMES[library], {}, classes, 0)
    ranker = build(NAMES[library], ARGUMENTS[library], schema, 0)
    with pytest.raises(UserError, match="it ranks rows in groups, and these are in none"):
        clone(ranker).fit(np.zeros((4, 2), np.float32), np.arange(4.0))


def test_an_objective_that_does_not_rank_is_refused() -> None:
    rows, schema = generated()
    ranker = build("xgboost.XGBRanker", {"objective": "reg:squarederror"}, schema, 0)
    with pytest.raises(UserError, match="reg:squarederror, which does not rank; expected rank"):
        fit(ranker, rows)


@pytest.mark.parametrize(
    ("library", "suffix", "objective"),
    [
        ("catboost", "cbm", "YetiRank"),
        ("catboost", "cbm", "QueryRMSE"),
        ("lightgbm", "txt", "rank_xendcg"),
        ("xgboost", "json", "rank:pairwise"),
        ("xgboost", "ubj", "rank:ndcg"),
    ],
)
def test_a_given_file_of_a_ranking_objective_is_a_ranker(
    library: str, suffix: str, objective: str, tmp_path: Path
) -> None:
    rows, schema = generated()
    key = "loss_function" if library == "catboost" else "objective"
    ranker = build(NAMES[library], ARGUMENTS[library] | {key: objective}, schema, 0)
    fit(ranker, rows)
    path = tmp_path / f"model.{suffix}"
    if suffix == "json":
        booster = xgboost.Booster()
        booster.load_model(bytearray(ranker.model))
        booster.save_model(path)
    else:
        path.write_bytes(ranker.model)
    given = load_booster(path, rows, schema, print)
    assert is_ranker(given)
    expected = predict_original(ranker, rows.feeds, schema).values
    assert np.array_equal(predict_original(given, rows.feeds, schema).values, expected)


def test_a_given_file_of_a_regression_is_none(tmp_path: Path) -> None:
    rows, schema = generated()
    model = build("lightgbm.LGBMRegressor", {"n_estimators": 3}, schema, 0)
    fit(model, rows)
    (tmp_path / "model.txt").write_bytes(model.model)
    given = load_booster(tmp_path / "model.txt", rows, schema, print)
    assert type(given) is BoosterRegressor
    assert not is_ranker(given)


def test_a_search_divides_the_rows_by_their_groups() -> None:
    rows, _ = generated()
    search = GridSearchCV(DecisionTreeRegressor(), {"max_depth": [2, 3]}, cv=GroupKFold(3))
    assert fit(search, rows) == []
    with pytest.raises(UserError, match="The 'groups' parameter should not be None"):
        fit(clone(search), Rows(rows.feeds, rows.target))
    assert fit(make_pipeline(StandardScaler(), clone(search)), rows) == []
    ungrouped = GridSearchCV(DecisionTreeRegressor(), {"max_depth": [2]}, cv=KFold(3))
    assert fit(ungrouped, rows) == ["The groups parameter is ignored by KFold"]
