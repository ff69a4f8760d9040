"""Which reader takes the native bytes of a library, and how its files are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from onnxpress.boosters.catboost_cbm import read_catboost
from onnxpress.boosters.lightgbm_text import read_lightgbm
from onnxpress.boosters.model import BoosterModel, Unsupported
from onnxpress.boosters.xgboost_json import read_xgboost

READERS: dict[str, Callable[[bytes], BoosterModel]] = {
    "catboost": read_catboost,
    "lightgbm": read_lightgbm,
    "xgboost": read_xgboost,
}
"""By the names of the libraries."""

SUFFIXES = {
    ".cbm": "catboost",
    ".json": "xgboost",
    ".txt": "lightgbm",
    ".ubj": "xgboost",
}
"""Libraries by the endings of their files."""

CLASSES = {
    "catboost.CatBoostClassifier": "catboost",
    "catboost.CatBoostRanker": "catboost",
    "catboost.CatBoostRegressor": "catboost",
    "lightgbm.LGBMClassifier": "lightgbm",
    "lightgbm.LGBMRanker": "lightgbm",
    "lightgbm.LGBMRegressor": "lightgbm",
    "xgboost.XGBClassifier": "xgboost",
    "xgboost.XGBRanker": "xgboost",
    "xgboost.XGBRegressor": "xgboost",
}
"""Libraries by the classes that ``estimator`` may name."""

RANKING = frozenset(
    (
        *("lambdarank", "rank_xendcg"),
        *("rank:map", "rank:ndcg", "rank:pairwise"),
        *("QueryRMSE", "QuerySoftMax", "QueryCrossEntropy", "PairLogit", "PairLogitPairwise"),
        *("YetiRank", "YetiRankPairwise", "LambdaMart", "StochasticRank", "StochasticFilter"),
    )
)
"""Objectives of models that rank the rows of a group: LightGBM's, XGBoost's, CatBoost's."""


@lru_cache(maxsize=4)
def read_booster(library: str, data: bytes) -> BoosterModel:
    """Read a native file.

    Raises:
        Unreadable: the bytes are no whole file of the library.
        Unsupported: a part of the model has no exact form here.
    """
    if library not in READERS:
        raise Unsupported(f"is of {library}, and models are read of {', '.join(READERS)}")
    return READERS[library](data)
