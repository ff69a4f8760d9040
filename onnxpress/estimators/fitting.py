"""Fitting a scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.rows import Feeds, Rows, sklearn_input

SHOWN_CLASSES = 10


def fit(
    estimator: Any,
    rows: Rows,
    *,
    inputs: Callable[[Feeds], Any] = sklearn_input,
    expected: tuple[type[Warning], ...] = (),
) -> list[str]:
    """Fit a scikit-learn estimator in place; a ranker or a search gets the groups of the rows.

    ``inputs`` gives the rows the form that the estimator takes.

    Returns:
        What it warned about, sorted, one line each, without warnings of the classes ``expected``.

    Raises:
        UserError: scikit-learn refuses the rows or the arguments.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(inputs(rows.feeds), rows.target, **_groups(estimator, rows))
    except Exception as error:  # some estimators raise AttributeError and IndexError
        name = type(estimator).__name__
        cure = "change `estimator`, `params` or the data"
        if "class_weight" in str(error):
            cure = _cure_of_weights(estimator, rows.target) or cure
        raise UserError(f"{name} cannot be fitted to these rows: {error}; {cure}") from error
    unexpected = [each for each in caught if not issubclass(each.category, expected)]
    return sorted({str(warning.message).split("\n")[0] for warning in unexpected})


def _groups(estimator: Any, rows: Rows) -> dict[str, Any]:
    """Return the groups of the rows by the keyword that takes them, if there are groups and one.

    A search divides the rows by them, if its folds are such as ``GroupKFold``.
    """
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

    from onnxpress.estimators.booster_estimator import BoosterRanker

    steps = getattr(estimator, "steps", None) or [("", estimator)]
    name, last = steps[-1]
    if rows.groups is None or not isinstance(
        last, (BoosterRanker, GridSearchCV, RandomizedSearchCV)
    ):
        return {}
    return {f"{name}__groups" if name else "groups": rows.groups}


def unfitted(estimator: Any) -> Any:
    """Return an estimator with the same arguments, to be fitted again.

    What is told to take the estimators inside as they are fitted (``cv="prefit"``) does so.
    """
    from sklearn.base import clone
    from sklearn.frozen import FrozenEstimator

    steps = getattr(estimator, "steps", None)
    if steps is not None:
        again = clone(estimator)
        again.steps = [
            (name, step if isinstance(step, str) else unfitted(step)) for name, step in steps
        ]
        return again
    if getattr(estimator, "cv", None) != "prefit":
        return clone(estimator)
    arguments = {}
    for name, value in estimator.get_params(deep=False).items():
        if name == "estimator":
            arguments[name] = FrozenEstimator(value)
        elif name == "estimators":
            arguments[name] = [
                (each, part if isinstance(part, str) else FrozenEstimator(part))
                for each, part in value
            ]
        else:
            arguments[name] = clone(value, safe=False)
    return type(estimator)(**arguments)


def _cure_of_weights(estimator: Any, target: NDArray[Any]) -> str:
    """Return what to do about a ``class_weight`` for other classes than the target's, if any."""
    classes = np.unique(target).tolist()
    for key, weights in estimator.get_params().items():
        if not key.endswith("class_weight") or not isinstance(weights, Mapping):
            continue
        strange = [each for each in weights if each not in classes or isinstance(each, bool)]
        known = ", ".join(repr(each) for each in classes[:SHOWN_CLASSES])
        if any(isinstance(each, bool) for each in strange):
            return (
                "YAML reads yes, no, on and off as truths, so quote them in `class_weight`; "
                f"the classes are {known}"
            )
        if strange:
            return f"`class_weight` has {strange[0]!r}, and the classes are {known}"
        if isinstance(classes[0], str):  # as HistGradientBoostingClassifier takes them
            numbers = ", ".join(f"{place} for {each!r}" for place, each in enumerate(classes[:2]))
            return f"give the classes in `class_weight` by their numbers: {numbers}"
    return ""
