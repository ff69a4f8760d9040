"""Groups of rows in the library's functions."""

from __future__ import annotations

from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score
from sklearn.tree import DecisionTreeRegressor

import onnxpress
from onnxpress.errors import UserError
from tests.support.ranking import queries

ROWS = queries(200, categories=False).sort_values("query", kind="stable")
X = ROWS[["price", "fit"]].astype(np.float32)
Y, QUERIES = ROWS["relevance"].to_numpy(float), ROWS["query"].to_numpy()
FITTED = np.isin(QUERIES, np.unique(QUERIES)[:120])


def fitted(library: str) -> Any:
    """A ranker of the library, fitted to the first 120 queries."""
    x, y, names = X[FITTED], Y[FITTED], QUERIES[FITTED]
    if library == "lightgbm":
        sizes = np.unique(names, return_counts=True)[1]
        return lightgbm.LGBMRanker(n_estimators=20, verbosity=-1).fit(x, y, group=sizes)
    if library == "xgboost":
        return xgboost.XGBRanker(n_estimators=20).fit(x, y, qid=pd.factorize(names)[0])
    ranker = catboost.CatBoostRanker(
        iterations=20, verbose=False, allow_writing_files=False, random_seed=0
    )
    return ranker.fit(x, y, group_id=names)


def mean_ndcg(values: NDArray[Any], rows: NDArray[np.bool_]) -> float:
    """scikit-learn's, over the queries of these rows."""
    target, queries_ = Y[rows], QUERIES[rows]
    found = []
    for name in np.unique(queries_):
        own = queries_ == name
        if target[own].any():
            found.append(ndcg_score([target[own]], [values[own]]))
    return float(np.mean(found))


@pytest.mark.parametrize("library", ["catboost", "lightgbm", "xgboost"])
def test_a_ranker_is_compressed_and_compared_by_ndcg(library: str) -> None:
    model = fitted(library)
    other = ~FITTED
    result = onnxpress.compress(
        model,
        X[FITTED],
        Y[FITTED],
        groups=QUERIES[FITTED],
        calibration=(X[other], Y[other], QUERIES[other]),
    )
    assert result.times_smaller > 2
    found = onnxpress.compare(model, result.plain, X[other], Y[other], groups=QUERIES[other])
    assert found.score == "ndcg"
    assert found.scores is not None
    expected = mean_ndcg(model.predict(X[other]), other)
    assert found.scores[0] == pytest.approx(expected, abs=1e-9)
    assert found.agreement == 1
    assert found.given.largest_difference < 1e-6
    chosen = next(each for each in result.verdicts if each.name == result.candidate)
    smaller = onnxpress.compare(model, result, X[other], Y[other], groups=QUERIES[other])
    assert smaller.score_drop == pytest.approx(chosen.score_drop, abs=1e-6)
    assert chosen.score_drop is not None
    assert chosen.score_drop <= 0


def test_rows_set_aside_share_no_group_with_the_others() -> None:
    """A tree that has memorised its rows is as good on rows of groups that it has seen."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 12)
    x = np.stack([groups, random.normal(size=1200)], axis=1).astype(np.float32)
    y = random.normal(size=100)[groups]
    result = onnxpress.compress(
        DecisionTreeRegressor(random_state=0).fit(x, y), x, y, groups=groups
    )
    assert "rows set aside" in result.scoring
    count = int(result.scoring.split()[0])
    assert count % 12 == 0


def test_clones_are_fitted_to_whole_groups() -> None:
    """The target is the group's alone: on groups that it has not seen no clone predicts it."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 10)
    x = np.stack([random.permutation(60)[groups], random.normal(size=600)], axis=1)
    x, y = x.astype(np.float32), random.normal(size=60)[groups]
    tree = DecisionTreeRegressor(random_state=0).fit(x, y)
    found = [
        onnxpress.compress(tree, x, y, groups=each, level="refined", budgets={"score": 0.2})
        for each in (None, groups)
    ]
    drops = [max(v.score_drop for v in each.verdicts if v.score_drop is not None) for each in found]
    assert drops[0] > 0.2
    assert drops[1] < drops[0] - 0.2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"groups": QUERIES[:5]}, "groups should have one value for each of .* rows, got shape"),
        ({"groups": ROWS["query"].replace("q3", None)}, r"groups: row \d+ has no value"),
        ({"groups": QUERIES, "calibration": (X, Y)}, "calibration should be X, y and groups"),
        ({"calibration": (X, Y, QUERIES)}, "calibration should be a pair of X and y"),
        ({"score": "ndcg"}, r"score 'ndcg' compares rows of one group, and these are in no groups"),
        ({"groups": np.zeros(len(X))}, "groups are too few"),
    ],
)
def test_wrong_groups_are_one_line(arguments: dict[str, Any], line: str) -> None:
    tree = DecisionTreeRegressor(max_depth=3).fit(X, Y)
    with pytest.raises(UserError, match=line):
        onnxpress.compress(tree, X, Y, **arguments)


def test_groups_without_a_target_are_refused() -> None:
    tree = DecisionTreeRegressor(max_depth=3).fit(X, Y)
    with pytest.raises(UserError, match="groups are for scores on y"):
        onnxpress.compare(tree, onnxpress.convert(tree, X), X, groups=QUERIES)


def test_a_constant_prediction_has_the_ndcg_of_ties() -> None:
    tree = DecisionTreeRegressor(max_depth=3).fit(X, np.zeros(len(X)))
    found = onnxpress.compare(
        tree, onnxpress.convert(tree, X), X, Y, groups=QUERIES, score="ndcg", also=["ndcg_at_5"]
    )
    assert found.scores is not None
    everything = np.ones(len(X), bool)
    assert found.scores[0] == pytest.approx(mean_ndcg(np.zeros(len(X)), everything), abs=1e-12)
    assert set(found.also) == {"r2", "ndcg_at_5"}
