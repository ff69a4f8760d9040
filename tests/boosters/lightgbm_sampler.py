"""Seeded configurations of LightGBM: a table, parameters, and the trained text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

ROWS = 300
CLASSES = {"binary": 2, "multiclass": 4, "multiclassova": 3}
OBJECTIVES = (
    *("binary", "multiclass", "multiclassova", "regression", "regression_l1", "huber", "fair"),
    *("quantile", "mape", "poisson", "gamma", "tweedie", "cross_entropy"),
    *("cross_entropy_lambda", "lambdarank", "rank_xendcg", "custom"),
)
BOOSTING = ("gbdt", "gbdt", "dart", "rf")
MISSING = ("nan", "zero", "none", "full")
KINDS = ("numbers", "numbers", "whole categories", "texts", "whole pandas", "constant")


@dataclass(frozen=True)
class Sampled:
    """A trained model and its rows, float32 numbers and texts."""

    name: str
    data: bytes
    rows: pd.DataFrame
    classes: tuple[Any, ...] | None
    booster: lightgbm.Booster
    typed: Any
    """From rows to what lightgbm takes."""


def sampled(seed: int) -> Sampled:
    """Return the configuration of this seed; each objective comes once in 17 seeds."""
    random = np.random.default_rng(seed)
    objective = OBJECTIVES[seed % len(OBJECTIVES)]
    kind, missing = random.choice(KINDS), random.choice(MISSING)
    boosting, linear = random.choice(BOOSTING), bool(random.random() < 0.3)
    linear = linear and missing != "zero" and objective != "regression_l1"
    rows, typed, categorical = _table(kind, missing, random)
    parameters = {
        "verbosity": -1,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "seed": seed,
        "num_leaves": int(random.choice([2, 7, 31])),
        "min_data_in_leaf": 5,
        "min_data_per_group": 2,
        "cat_smooth": 1,
        "max_cat_to_onehot": int(random.choice([1, 4, 40])),
        "boosting": boosting,
        "linear_tree": linear,
        "zero_as_missing": missing == "zero",
        "use_missing": missing != "none",
        "sigmoid": float(random.choice([1.0, 0.7])),
        "boost_from_average": bool(random.random() < 0.7),
        "reg_sqrt": objective == "regression" and bool(random.random() < 0.5),
    }
    if boosting == "rf":
        parameters |= {"bagging_freq": 1, "bagging_fraction": 0.6}
    if objective != "custom":
        parameters["objective"] = objective
    else:
        parameters["objective"] = lambda _scores, data: (
            _scores - data.get_label(),
            1 + 0 * _scores,
        )
        parameters["boosting"] = "gbdt"
    if objective in ("multiclass", "multiclassova"):
        parameters["num_class"] = CLASSES[objective]
    data = lightgbm.Dataset(
        typed(rows),
        _target(objective, rows, random),
        group=[30] * (ROWS // 30) if objective in ("lambdarank", "rank_xendcg") else None,
        categorical_feature=categorical,
    )
    booster = lightgbm.train(parameters, data, int(random.choice([1, 12, 40])))
    classes = tuple(range(CLASSES[objective])) if objective in CLASSES else None
    words = [objective, str(kind), str(missing), str(parameters["boosting"])]
    name = " ".join([str(seed), *words, *(["linear"] if linear else [])])
    return Sampled(name, booster.model_to_string().encode(), rows, classes, booster, typed)


def _table(kind: str, missing: str, random: Any) -> tuple[pd.DataFrame, Any, Any]:
    """Return rows, the change to what lightgbm takes, and its categorical features."""
    rows = pd.DataFrame(
        {name: random.normal(size=ROWS).astype(np.float32) for name in ("a", "b", "c")}
    )
    rows["b"] = rows["b"].round(1)
    if missing != "full":
        rows.loc[random.random(ROWS) < 0.2, "b"] = np.nan
        rows.loc[random.random(ROWS) < 0.3, "c"] = 0.0
    if kind == "constant":
        rows["c"] = np.float32(1)
    if kind == "whole categories":
        rows["d"] = random.integers(0, 40, ROWS).astype(np.float32)
        return rows, _as_is, ["d"]
    if kind == "whole pandas":
        rows["d"] = (10 * random.integers(0, 12, ROWS)).astype(np.float32)
        known = np.unique(rows["d"]).astype(int)
        return rows, _coded("d", known), "auto"
    if kind == "texts":
        known = np.array([f"é {number}" for number in range(20)], object)
        rows["d"] = random.choice(known, ROWS)
        rows["d"] = rows["d"].astype(object)
        return rows[["d", "a", "b", "c"]], _coded("d", known), "auto"
    return rows, _as_is, "auto"


def _squared(scores: Any, data: lightgbm.Dataset) -> Any:
    """An objective of the user's own: gradients and hessians."""
    return scores - data.get_label(), np.ones_like(scores)


def _as_is(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


def _coded(name: str, known: Any) -> Any:
    def typed(rows: pd.DataFrame) -> pd.DataFrame:
        values = rows[name].where(rows[name].isin(known), None)
        return rows.assign(**{name: pd.Categorical(values, known)})

    return typed


def _target(objective: str, rows: pd.DataFrame, random: Any) -> Any:
    last = rows[rows.columns[0] if rows.iloc[:, 0].dtype == object else rows.columns[-1]]
    code = pd.factorize(last)[0] % 5
    signal = rows["a"] + 0.5 * rows["b"].fillna(2) + 0.3 * code + random.normal(size=ROWS) / 5
    rank = signal.rank(pct=True).to_numpy()
    if objective in CLASSES:
        return np.minimum((rank * CLASSES[objective]).astype(int), CLASSES[objective] - 1)
    if objective in ("poisson", "gamma", "tweedie"):
        return np.exp(signal.clip(-3, 3)).to_numpy() + 0.01
    if objective in ("cross_entropy", "cross_entropy_lambda"):
        return rank
    if objective in ("lambdarank", "rank_xendcg"):
        return (rank * 4.99).astype(int)
    return signal.to_numpy() * 10
