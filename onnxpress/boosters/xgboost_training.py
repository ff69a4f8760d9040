"""Fit XGBoost's classes for scikit-learn, and return their native bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.boosters.library_errors import first_line
from onnxpress.boosters.trainer import Training, plain_frame
from onnxpress.boosters.xgboost_categories import ESCAPES, escaped
from onnxpress.boosters.xgboost_objectives import objective_of
from onnxpress.errors import UserError

_FURTHER = """
huber_slope lambdarank_num_pair_per_sample lambdarank_pair_method max_cached_hist_node
normalize_type one_drop quantile_alpha rate_drop refresh_leaf sample_type skip_drop
tweedie_variance_power updater
"""
FURTHER = frozenset(_FURTHER.split())
"""Parameters of XGBoost that its classes take and do not list."""

NEWEST = 3
"""The major version whose objectives are meant."""

_REFUSED = """
callbacks early_stopping_rounds enable_categorical feature_types feature_weights missing
"""
REFUSED = frozenset(_REFUSED.split())
"""Arguments that need more than rows and a target, or change what is missing."""


def defaults(name: str) -> dict[str, Any]:
    """Return all arguments of the class, quiet and on one thread."""
    import xgboost

    found = getattr(xgboost, name.rpartition(".")[2])().get_params()
    kept = {key: value for key, value in found.items() if key not in REFUSED}
    return kept | {"device": "cpu", "n_jobs": 1, "verbosity": 0}


def known(name: str) -> set[str]:
    """Return the names of the arguments that may be given."""
    return {*FURTHER, *defaults(name)}


def _check_objective(given: Training) -> None:
    """Refuse before the fit what could not be read after it.

    Raises:
        UserError: the booster or the objective has no exact form, or is not of the class's kind.
    """
    booster, name = given.parameters.get("booster"), given.parameters.get("objective")
    if booster not in (None, "gbtree", "dart"):
        raise UserError(f"`params` ask for the booster {booster!r}; expected gbtree or dart")
    if name is None:
        return
    try:
        objective = objective_of(str(name), NEWEST)
    except UserError as error:
        raise UserError(f"`params` make a model that {error}") from error
    if given.name.endswith("Classifier") and not objective.classifies:
        near = "binary:logistic" if str(name).startswith("binary") else "multi:softprob"
        raise UserError(f"`params` ask for {name}, which gives no classes; expected {near}")
    if given.name.endswith("Ranker") and not str(name).startswith("rank:"):
        raise UserError(f"`params` ask for {name}, which does not rank; expected rank:ndcg")
    if given.name.endswith("Regressor") and objective.link == "softmax":
        raise UserError(f"`params` ask for {name}, which gives classes and no number")


def fit(given: Training) -> tuple[bytes, tuple[Any, ...] | None]:
    """Fit, and return UBJSON and the classes; a classifier of XGBoost takes 0, 1, 2 and so on.

    Raises:
        UserError: XGBoost refuses parameters, rows or target.
    """
    import xgboost

    _check_objective(given)
    estimator = getattr(xgboost, given.name.rpartition(".")[2])
    estimator = estimator(**given.parameters, enable_categorical=True)
    rows, target, labels = plain_frame(given.rows), given.target, None
    if given.name.endswith("Classifier"):
        classes, target = np.unique(target, return_inverse=True)
        labels = tuple(classes.tolist())
    texts = hasattr(rows, "columns")
    groups = {} if given.groups is None else {"qid": given.groups}
    try:
        estimator.fit(escaped(rows) if texts else rows, target, **groups)
    except xgboost.core.XGBoostError as error:
        raise UserError(f"XGBoost cannot be fitted: {first_line(error)}") from error
    booster = estimator.get_booster()
    if texts:
        booster.set_attr(**ESCAPES)
    return bytes(booster.save_raw("ubj")), labels
