"""Sums of what the reader makes of XGBoost's files, against XGBoost's own margins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost

from onnxpress.boosters.model import BoosterModel
from onnxpress.boosters.xgboost_json import read_xgboost
from tests.boosters.compared import BAR, leaf_sum
from tests.boosters.summed import sums
from tests.boosters.xgboost_models import fitted, matrix, probes, table

TABLE = table()
PAIR = np.stack([TABLE.number, -2 * TABLE.number], axis=1)


def both(booster: xgboost.Booster) -> list[BoosterModel]:
    """Read the booster from JSON and from UBJSON."""
    return [read_xgboost(bytes(booster.save_raw(form))) for form in ("json", "ubj")]


def assert_agrees(booster: xgboost.Booster, *, categories: bool = False) -> None:
    """Compare the sums on probes; nothing is left out of the file."""
    for model in both(booster):
        rows = probes(model, TABLE)
        margins = booster.predict(matrix(rows, categories), output_margin=True)
        expected = margins.reshape(len(rows), -1)
        assert np.abs(sums(model, rows) - expected).max() <= BAR * leaf_sum(model)


@pytest.mark.parametrize(
    "objective",
    [
        *("reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror"),
        *("reg:quantileerror", "reg:logistic", "reg:gamma", "reg:tweedie", "count:poisson"),
        *("binary:logistic", "binary:logitraw", "binary:hinge", "rank:pairwise", "rank:ndcg"),
    ],
)
def test_the_base_of_each_objective(objective: str) -> None:
    alpha = {"quantile_alpha": 0.7} if objective == "reg:quantileerror" else {}
    assert_agrees(fitted(TABLE, {"objective": objective} | alpha))


@pytest.mark.parametrize("base", [0.0, 0.2, 1.0])
def test_base_scores_of_a_logit(base: float) -> None:
    assert_agrees(fitted(TABLE, {"objective": "binary:logistic", "base_score": base}))


@pytest.mark.parametrize("objective", ["multi:softmax", "multi:softprob"])
def test_three_classes(objective: str) -> None:
    booster = fitted(TABLE, {"objective": objective, "num_class": 3})
    assert both(booster)[0].classes == 3
    assert_agrees(booster)


@pytest.mark.parametrize("one_hot", [1, 50])
def test_categories_of_a_set_go_right_and_all_others_left(one_hot: int) -> None:
    params = {"objective": "binary:logistic", "max_cat_to_onehot": one_hot}
    booster = fitted(TABLE, params, categories=True)
    assert [one.feature for one in both(booster)[0].memberships] == [4, 5]
    assert_agrees(booster, categories=True)


@pytest.mark.parametrize(
    "params",
    [
        {"booster": "dart", "rate_drop": 0.5, "one_drop": 1},
        {"booster": "dart", "rate_drop": 0.5, "objective": "multi:softprob", "num_class": 3},
        {"num_parallel_tree": 10, "subsample": 0.5, "learning_rate": 1.0},
        {"num_parallel_tree": 3, "subsample": 0.5, "objective": "binary:logistic"},
        {"tree_method": "exact", "gamma": 50.0},
        {"tree_method": "approx"},
        {"grow_policy": "lossguide", "max_leaves": 7, "max_depth": 0},
        {"gamma": 1e9},
        {"base_score": 100.0},
    ],
    ids=str,
)
def test_ways_to_grow(params: dict[str, Any]) -> None:
    assert_agrees(fitted(TABLE, params))


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_outputs(strategy: str) -> None:
    booster = fitted(TABLE, {"multi_strategy": strategy}, goal=PAIR)
    assert both(booster)[0].outputs == 2
    assert_agrees(booster)


def test_several_quantiles() -> None:
    params = {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]}
    booster = fitted(TABLE, params)
    assert both(booster)[0].outputs == 3
    assert_agrees(booster)
