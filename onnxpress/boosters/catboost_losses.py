"""What CatBoost makes of the sums: by the name of the loss, and the labels of its classes."""

from __future__ import annotations

import json
from typing import Any

from onnxpress.boosters.model import Link, Unreadable, Unsupported

BINARY = ("Logloss", "CrossEntropy", "Focal")
PROBABILITIES: dict[str, Link] = {"MultiClass": "softmax", "MultiClassOneVsAll": "logistic"}
EXPONENTS = ("Poisson", "Tweedie")
"""Of which the library's regressor predicts the exponential."""
NUMBERS = frozenset(
    (
        "RMSE",
        "MAE",
        "MAPE",
        "Quantile",
        "Expectile",
        "LogLinQuantile",
        "Lq",
        "Huber",
        "LogCosh",
        "GroupQuantile",
        "MultiQuantile",
        "MultiRMSE",
        "MultiRMSEWithMissingValues",
        "QueryRMSE",
        "PairLogit",
        "PairLogitPairwise",
        "YetiRank",
        "YetiRankPairwise",
        "LambdaMart",
        "StochasticRank",
        "StochasticFilter",
        "QuerySoftMax",
        "QueryCrossEntropy",
    )
)
"""Losses of which the library predicts the sums themselves."""
THRESHOLD = "binclass_probability_threshold"


def loss_of(info: dict[str, str]) -> str:
    """Return the name of the loss that a model was fitted with.

    The sum of models has it alone, one that was fitted among its params.

    Raises:
        Unreadable: the model does not say.
        Unsupported: its predictions have no form here.
    """
    params = _json(info, "params")
    loss = params.get("loss_function") if isinstance(params, dict) else _json(info, "loss_function")
    name = loss.get("type") if isinstance(loss, dict) else None
    if not isinstance(name, str):
        raise Unreadable("does not say by which loss it was fitted")
    if name not in (*BINARY, *PROBABILITIES, *EXPONENTS, *NUMBERS):
        raise Unsupported(
            f"was fitted by the loss {name[:60]}, whose predictions have no form here"
        )
    return name


def link_of(loss: str) -> Link:
    """Return what is done with the sums."""
    if loss in BINARY:
        return "logistic"
    return "exp" if loss in EXPONENTS else PROBABILITIES.get(loss, "identity")


def labels_of(info: dict[str, str], classes: int) -> tuple[Any, ...] | None:
    """Return the labels of the classes, texts or whole numbers; None if the model has none.

    Booleans are 0 and 1, as they are in tables.

    Raises:
        Unreadable: there are more or fewer of them than classes.
        Unsupported: they are other numbers, or the first of equals does not win.
    """
    if float(_json(info, THRESHOLD) or 0.5) != 0.5:
        raise Unsupported(f"has a {THRESHOLD} of {info[THRESHOLD][:20]}; set it to 0.5")
    found = _json(info, "class_params")
    if not isinstance(found, dict):
        return None
    numbers, names = found.get("class_to_label"), found.get("class_names")
    if numbers not in (names, list(range(classes))) and names:
        raise Unsupported("has classes in another order than their labels")
    labels = names or numbers
    if not isinstance(labels, list) or len(labels) != classes:
        raise Unreadable(f"is damaged: expected labels of {classes} classes")
    if all(isinstance(one, str) for one in labels):
        return tuple(labels)
    if all(isinstance(one, (int, float)) and float(one).is_integer() for one in labels):
        return tuple(int(one) for one in labels)
    raise Unsupported("has labels that are neither texts nor whole numbers; fit with such labels")


def _json(info: dict[str, str], key: str) -> Any:
    try:
        return json.loads(info.get(key, "null"))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is damaged: its {key} are no JSON") from error
