"""Configurations of XGBoost by seed: objectives, boosters, categories, missing values, growth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from onnxpress.boosters.xgboost_json import read_xgboost
from tests.boosters.xgboost_models import CODED, SIZE, TYPES, probes, table

OBJECTIVES = (
    *("reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror"),
    *("reg:quantileerror", "reg:logistic", "reg:gamma", "reg:tweedie", "count:poisson"),
    *("rank:ndcg", "rank:pairwise", "binary:logistic", "binary:logitraw", "binary:hinge"),
    *("multi:softprob", "multi:softmax"),
)
GROWTH: tuple[dict[str, Any], ...] = (
    {"tree_method": "hist"},
    {"tree_method": "approx"},
    {"tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0},
    {"tree_method": "hist", "max_depth": 1},
    {"tree_method": "hist", "num_parallel_tree": 4, "subsample": 0.5},
    {"tree_method": "hist", "gamma": 1e9},
)
NAMES = list("abcdef")
KINDS = ("numbers", "codes", "texts")


@dataclass(frozen=True)
class Sampled:
    """A fitted booster, rows to ask it, and what it predicts of them before it is saved."""

    name: str
    data: bytes
    rows: pd.DataFrame
    """Columns are float32, or texts in which "" is missing and "new" was never seen."""
    expected: NDArray[np.float64]
    """(rows, outputs), behind the link of the objective."""


def sampled(seed: int) -> Sampled:
    """Fit the configuration of a seed; 16 seeds in a row have all objectives."""
    random = np.random.default_rng(seed)
    kind, params = KINDS[seed % len(KINDS)], _params(seed, random)
    data = table()
    train = data.rows if seed % 4 else np.nan_to_num(data.rows)
    label = data.goal(params["objective"])
    group = [SIZE // 3] * 3 if params["objective"].startswith("rank") else None
    given = xgboost.DMatrix(_typed(train, kind), label=label, group=group, **_types(kind))
    booster = xgboost.train(params, given, int(random.integers(1, 9)))
    raw = bytes(booster.save_raw("json" if seed % 2 else "ubj"))
    asked = probes(read_xgboost(raw), data, seed)
    found = booster.predict(xgboost.DMatrix(_typed(asked, kind), **_types(kind)))
    expected = np.asarray(found, np.float64).reshape(len(asked), -1)
    name = f"{seed} {kind} " + " ".join(f"{key}={value}" for key, value in params.items())
    return Sampled(name, raw, _frame(asked, kind), expected)


def _params(seed: int, random: np.random.Generator) -> dict[str, Any]:
    objective = OBJECTIVES[seed % len(OBJECTIVES)]
    params: dict[str, Any] = {"objective": objective, "nthread": 1, "seed": seed, "max_depth": 4}
    params |= GROWTH[random.integers(len(GROWTH))]
    params["learning_rate"] = float(random.choice([0.1, 0.7]))
    params["max_cat_to_onehot"] = int(random.choice([1, 20]))
    if random.random() < 1 / 3:
        params |= {"booster": "dart", "rate_drop": 0.4, "one_drop": 1}
    if random.random() < 1 / 2 and not objective.startswith("multi"):
        params["base_score"] = float(random.choice([0.25, 0.9]))
    if objective.startswith("multi"):
        params["num_class"] = 3
    if objective == "reg:quantileerror":
        params["quantile_alpha"] = 0.8
    return params


def _types(kind: str) -> dict[str, Any]:
    """How XGBoost is told of the categories."""
    if kind == "numbers":
        return {}
    types = {"feature_types": TYPES} if kind == "codes" else {}
    return {"enable_categorical": True} | types


def _typed(rows: NDArray[np.float32], kind: str) -> Any:
    """What XGBoost is given: texts of a fixed list, in which a new one is missing."""
    if kind != "texts":
        return rows
    frame = _frame(rows, kind)
    for column, names in zip(CODED, TEXTS, strict=True):
        values = frame[NAMES[column]]
        frame[NAMES[column]] = pd.Categorical(values.where(values.isin(names)), categories=names)
    return frame


TEXTS = [[f"{letter} {code}" for code in range(size)] for letter, size in (("e", 12), ("f", 40))]


def _frame(rows: NDArray[np.float32], kind: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=NAMES)
    if kind == "texts":
        for column, names in zip(CODED, TEXTS, strict=True):
            frame[NAMES[column]] = [_text(value, names) for value in rows[:, column]]
    return frame


def _text(value: np.float32, names: list[str]) -> str:
    if np.isnan(value):
        return ""
    return names[int(value)] if value in range(len(names)) else "new"
