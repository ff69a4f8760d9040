"""scikit-learn's scorers: which of them fit a model, and where one of them is undefined.

Which those are is no list that a new version of scikit-learn would make wrong: each scorer is tried
on a few rows whose right answers are known.
"""

from __future__ import annotations

import inspect
import math
import warnings
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxpress.limits import SCORERS, is_ndcg, pinball_quantile
from onnxpress.tables.mapped import finite

Task = Literal["classification", "regression"]
Kind = Literal["classification", "regression", "clustering", "multilabel"]

FAILURES = (ValueError, AttributeError, TypeError, IndexError, ArithmeticError)
"""What a scorer raises where it is undefined, or where the model lacks what it asks for."""

AGAINST_A_CONSTANT = ("r2", "explained_variance", "d2_")
"""Beginnings of the names of scores that divide by the error of the best constant."""


LIKELIHOOD_RATIOS = ("positive_likelihood_ratio", "neg_negative_likelihood_ratio")

SHARES_OF_ROWS = {"accuracy", "top_k_accuracy"}
"""Scores that are the share of rows that are right."""

MEANS_OVER_ROWS = SHARES_OF_ROWS | {
    "neg_brier_score",
    "neg_log_loss",
    "neg_mean_absolute_error",
    "neg_mean_absolute_percentage_error",
    "neg_mean_gamma_deviance",
    "neg_mean_poisson_deviance",
    "neg_mean_squared_error",
    "neg_mean_squared_log_error",
}
"""Scores that are means of what each row adds, so of pieces of the rows too."""


@cache
def kind_of(name: str) -> Kind:
    """Return what a scorer of scikit-learn compares."""
    if is_ndcg(name):
        return "regression"
    if name.endswith("_samples"):
        return "multilabel"
    module = _scorer(name, 0)._score_func.__module__
    if ".cluster" in module:
        return "clustering"
    return "regression" if module.endswith("_regression") else "classification"


@cache
def _scorer(name: str, n_classes: int) -> Any:
    """Return the scorer, which knows how many classes there are where it has to.

    A loss of probabilities asks which classes the columns are, and would take them from the rows:
    wrong where a class has no row.
    """
    from sklearn.metrics import get_scorer, make_scorer, mean_pinball_loss

    quantile = pinball_quantile(name)
    if quantile is not None:
        return make_scorer(mean_pinball_loss, greater_is_better=False, alpha=quantile)
    scorer = get_scorer(name)
    takes_labels = "labels" in inspect.signature(scorer._score_func).parameters
    of_labels = scorer._response_method == "predict" or name.startswith("roc_auc")
    if n_classes and takes_labels and not of_labels:
        scorer._kwargs = {**scorer._kwargs, "labels": np.arange(n_classes)}
    return scorer


@cache
def _weighing_scorer(name: str, n_classes: int) -> Any:
    """Return a scorer that takes weights: of likelihood ratios, only scikit-learn's metric does."""
    from sklearn.metrics import class_likelihood_ratios, make_scorer

    if name not in LIKELIHOOD_RATIOS:
        return _scorer(name, n_classes)
    place = LIKELIHOOD_RATIOS.index(name)

    def ratio(target: Any, labels: Any, sample_weight: Any) -> Any:
        ratios = class_likelihood_ratios(
            target, labels, sample_weight=sample_weight, replace_undefined_by=1.0
        )
        return ratios[place]

    return make_scorer(ratio, greater_is_better=place == 0)


def takes_weights(name: str) -> bool:
    """Whether a scorer can count a row several times."""
    return "sample_weight" in inspect.signature(_scorer(name, 0)._score_func).parameters


def scored(
    name: str,
    n_classes: int,
    estimator: Any,
    target: NDArray[Any],
    weights: NDArray[Any] | None = None,
) -> float:
    """Return what a scorer gives for the answers of ``estimator``; NaN where it is undefined.

    ``target`` and ``weights`` are (rows,).
    """
    import sklearn

    more = {} if weights is None else {"sample_weight": weights}
    scorer = (_scorer if weights is None else _weighing_scorer)(name, n_classes)
    with warnings.catch_warnings(), sklearn.config_context(skip_parameter_validation=True):
        warnings.simplefilter("ignore")
        try:
            value = float(scorer(estimator, target, target, **more))
        except FAILURES:
            return math.nan
    return value if math.isfinite(value) else math.nan


@cache
def fits(
    name: str, task: Task, n_classes: int, *, proper: bool, has_scores: bool, targets: int = 1
) -> bool:
    """Whether a scorer can score models of this task.

    ``proper`` says whether the model gives probabilities, ``has_scores`` whether it has any scores,
    ``targets`` how many numbers it predicts for a row.
    """
    if kind_of(name) != task:
        return False
    if task == "regression":
        return targets == 1 or takes_several(name)
    present = frozenset(range(n_classes))
    return _tells(name, n_classes, present, proper=proper, has_scores=has_scores)


@cache
def takes_several(name: str) -> bool:
    """Whether a score of regression is defined for several targets."""
    from onnxpress.scores.answers import AnsweringRegressor

    target = np.array([[1.0, 2.0], [2.0, 4.0], [4.0, 3.0]])
    return math.isfinite(scored(name, 0, AnsweringRegressor(target[::-1]), target))


def fitting(
    task: Task, n_classes: int, *, proper: bool, has_scores: bool, targets: int = 1
) -> tuple[str, ...]:
    """Return the names of the scorers that fit, sorted."""
    return tuple(
        name
        for name in SCORERS
        if fits(name, task, n_classes, proper=proper, has_scores=has_scores, targets=targets)
    )


@cache
def tells_classes(name: str, n_classes: int, present: frozenset[int]) -> bool:
    """Whether the score is defined on rows of these classes, numbered from 0.

    A number from ``n_classes`` on is a class that the model does not know.
    """
    return _tells(name, n_classes, present, proper=True, has_scores=True)


def _tells(
    name: str, n_classes: int, present: frozenset[int], *, proper: bool, has_scores: bool
) -> bool:
    """Whether right, mixed and wrong answers get more than one score.

    Where they do not, as the recall of a class without rows, the score says nothing about a model;
    scikit-learn gives 0 for most of these.
    """
    if name == "accuracy" or n_classes < 2:
        return name == "accuracy"
    if name.startswith(AGAINST_A_CONSTANT) and len(present) < 2:
        return False
    target = np.repeat(np.array(sorted(present), np.int64), 2)
    right = np.minimum(target, n_classes - 1)
    wrong = (right + 1) % n_classes
    mixed = np.where(np.arange(len(target)) % 2, right, wrong)
    answers = (_sure(each, n_classes, proper, has_scores) for each in (right, mixed, wrong))
    values = [scored(name, n_classes, answer, target) for answer in answers]
    return len({round(value, 9) for value in values if math.isfinite(value)}) > 1


def _sure(values: NDArray[Any], n_classes: int, proper: bool, has_scores: bool) -> Any:
    """Return a classifier that gives these labels with a probability near 1."""
    from onnxpress.scores.answers import AnsweringClassifier

    low = 0.1 / n_classes
    matrix = np.full((len(values), n_classes), low)
    matrix[np.arange(len(values)), values] = 1 - low * (n_classes - 1)
    probabilities = matrix if proper else None
    decisions = matrix if has_scores and not proper else None
    return AnsweringClassifier(n_classes, values, probabilities, decisions)


def why_not_numbers(name: str, target: NDArray[Any]) -> str:
    """Say why a regression score is undefined on these targets; empty if it is not.

    They are (rows,), or (rows, targets), where the score is undefined if that of one target is.
    """
    from onnxpress.scores.answers import AnsweringRegressor

    if target.ndim == 2:
        reasons = (why_not_numbers(name, column) for column in target.T)
        return next(filter(None, reasons), "")
    if not finite(target):
        return "a target is NaN or infinite"
    low, high = float(target.min()), float(target.max())
    if name.startswith(AGAINST_A_CONSTANT) and low == high:
        return f"every target is {low:g}"
    if name.endswith("percentage_error") and not target.all():
        return "a target is 0, and the error is divided by it"
    ends = np.array([low, high])
    answers = np.where(ends > 0, ends, 1.0)
    if math.isnan(scored(name, 0, AnsweringRegressor(answers), ends)):
        return f"a target is {low:g}" if low <= 0 else "scikit-learn does not take these targets"
    return ""
