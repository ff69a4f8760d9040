"""The scores by which the models are compared, as their caller names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions, as_labels
from onnxpress.scores.score import DEFAULTS, Label, Score, chosen_name, find_score
from onnxpress.tables.column_types import Task


@dataclass(frozen=True)
class WantedScores:
    """The scores by scikit-learn's names, as they were asked for."""

    score: str | None = None
    """The one that counts; None: accuracy or R2, and NDCG of a model that ranks rows in groups."""
    also: tuple[str, ...] = ()
    """More that are recorded."""
    positive: Label | None = None
    """Of two classes the one that recall and the like are about; None: the greater."""


@dataclass(frozen=True)
class Scoring:
    """The scores of a model, and the order of its classes."""

    score: Score
    """The one that counts."""
    named: Mapping[str, Score]
    """All that are recorded, by name: ``score``, the wanted others, and accuracy or R2."""
    columns: tuple[Label, ...] = ()
    """The classes in the order in which the models give their scores; empty for regression."""

    @property
    def classes(self) -> tuple[Label, ...]:
        """The classes, sorted."""
        return self.score.classes

    def in_order(self, predictions: Predictions) -> Predictions:
        """Return the predictions with the columns of their scores in the order of ``classes``.

        They come in another order from a given ONNX model whose graph lists its labels unsorted.
        Columns that are not one per class stay as they are.
        """
        scores = predictions.scores
        if scores is None or scores.shape[1] != len(self.columns):
            return predictions
        return predictions.spread(self.columns, self.classes)


@dataclass(frozen=True)
class Grouped:
    """The groups of the rows that are scored."""

    groups: NDArray[np.int64] | None = None
    """The number of each row's group, (rows,); None if the rows are in no groups."""
    ranks: bool = False
    """Whether the model was fitted to rank the rows of a group."""


ALONE = Grouped()
"""Rows in no groups."""


def find_scoring(
    wanted: WantedScores,
    task: Task,
    classes: Any,
    original: Predictions,
    section: str = "",
    grouped: Grouped = ALONE,
) -> Scoring:
    """Find the wanted scores for a model with these ``classes``, in the order of its scores.

    ``original`` are some predictions of it, and ``section`` is the beginning of the keys that
    errors name, such as ``evaluate.``.

    Raises:
        UserError: a score is unknown, or does not fit the task, the classes or the model.
    """
    columns = tuple(as_labels(np.asarray(classes)).tolist()) if task == "classification" else ()
    found = []
    chosen = chosen_name(wanted.score, ranks=grouped.ranks, groups=grouped.groups)
    for key, name in [("score", chosen), *(("also", name) for name in wanted.also)]:
        score = find_score(
            name,
            task,
            tuple(sorted(columns)),
            wanted.positive,
            proper=original.proper,
            scored=original.scores is not None,
            targets=original.width,
            groups=grouped.groups,
            key=f"{section}{key}",
        )
        found.append(score)
    first = found[0]
    default = replace(first, name=DEFAULTS[task])
    return Scoring(first, {each.name: each for each in (default, *found)}, columns)
