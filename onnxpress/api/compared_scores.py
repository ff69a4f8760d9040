"""The scores of two models on the same rows, and what the second loses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.api.model_arguments import GivenModel
from onnxpress.errors import UserError
from onnxpress.evaluate.loss_metrics import losses_of
from onnxpress.evaluate.scoring import ALONE, Grouped, Scoring, WantedScores, find_scoring
from onnxpress.given.exports.heads import class_labels
from onnxpress.runtime.predictions import Predictions, as_labels
from onnxpress.scores.losses import Limit, Loss
from onnxpress.scores.score import check_rows

Pair = tuple[float, float]


@dataclass(frozen=True)
class ComparedScores:
    """What two models score on the same rows."""

    name: str
    """scikit-learn's name of the score that counts."""
    pairs: Mapping[str, Pair]
    """By name, the scores of the original and of the model, NaN where undefined."""
    losses: Mapping[str, Loss]
    """What the model loses, by the keys of budgets."""


def compared_scores(
    wanted: WantedScores,
    original: GivenModel,
    truth: NDArray[Any],
    found: list[Predictions],
    limit: Limit,
    grouped: Grouped = ALONE,
) -> ComparedScores:
    """Score the predictions that ``original`` and the other model have ``found``.

    ``truth`` is (rows,), and ``grouped`` has the groups of the rows. Regressors agree within
    ``limit``, in the unit of the target.

    Raises:
        UserError: ``y`` is text where the original predicts numbers, or the reverse; or a score
            does not fit the model, or is undefined on ``y`` whatever a model predicts.
    """
    _check_kind(truth, found[0].values)
    classes = _classes(original, truth, found)
    scoring = find_scoring(wanted, original.task, classes, found[0], grouped=grouped)
    if wanted.score is not None:
        check_rows(scoring.score, truth, rows="y", key="score")
    before, after = found
    losses = losses_of(scoring, truth, before, after, limit)
    return ComparedScores(scoring.score.name, _pairs(scoring, truth, found), losses)


def _pairs(scoring: Scoring, truth: NDArray[Any], found: list[Predictions]) -> dict[str, Pair]:
    before, after = (scoring.in_order(each) for each in found)
    return {
        name: (score(truth, before), score(truth, after)) for name, score in scoring.named.items()
    }


def _classes(original: GivenModel, truth: NDArray[Any], found: list[Predictions]) -> Any:
    """The classes in the order of the original's scores.

    Those of an ONNX model that does not name them are the labels that occur.
    """
    if original.task == "regression":
        return ()
    if original.estimator is not None:
        return original.estimator.classes_
    named = class_labels(original.proto)
    if named is not None:
        return named
    return np.unique(np.concatenate([as_labels(truth), *(each.values for each in found)]))


def _check_kind(truth: NDArray[Any], predicted: NDArray[Any]) -> None:
    """See that ``y`` is of the type that the original predicts.

    Raises:
        UserError: one is text, the other numbers.
    """
    if truth.dtype.kind != predicted.dtype.kind:
        example, came = (repr(values.flat[0].item()) for values in (predicted, truth))
        raise UserError(f"y should hold what original predicts, such as {example}, got {came}")
