"""Where candidates are scored: on rows that neither the model nor the candidate has learned from.

A fold of the rows that the model was fitted on flatters every candidate. So a large data set has
calibration rows set aside. For a small one, clones are fitted on folds and quantised in the same
way, each scored on the fold it never saw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.fitting import fit
from onnxpress.graph.canonical import to_bytes
from onnxpress.tables.rows import Feeds, Rows, sklearn_input
from onnxpress.tables.schema import Schema

FOLDS = 5

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Positions of the rows to fit on, and of those to score on."""


@dataclass(frozen=True)
class Trial:
    """A plain model, the rows that a candidate may learn from, and the rows that score it."""

    plain: bytes
    learn: Rows
    score: Rows


@dataclass(frozen=True)
class Trials:
    """How candidates are scored."""

    name: str
    """The same in words, for quantization.json."""
    train: Rows
    """The rows that the final model learns from."""
    scored: Rows
    """The rows that score candidates, in some order."""
    kind: str
    """What an error calls those rows, such as ``calibration rows``."""
    make: Callable[[], list[Trial]]
    """Makes the trials; called when the first candidate is scored, for it may fit clones."""
    warned: set[str] = field(default_factory=set)
    """What scikit-learn warned about when they were made, a line each."""


def held_out(plain: bytes, train: Rows, calibration: Rows) -> Trials:
    """One trial: the model itself, scored on the calibration rows."""
    name = f"{len(calibration)} calibration rows"
    trial = Trial(plain, train, calibration)
    return Trials(name, train, calibration, "calibration rows", lambda: [trial])


def cross_fits(
    load: Callable[[], Any],
    train: Rows,
    schema: Schema,
    target_opset: int,
    seed: int,
    *,
    inputs: Callable[[Feeds], Any] = sklearn_input,
) -> Trials:
    """A trial per fold of the training rows.

    In each, a clone of the estimator that ``load`` returns is fitted on the other folds.
    ``inputs`` gives the rows the form that the estimator takes.
    """
    warned: set[str] = set()

    def make() -> list[Trial]:
        from sklearn.base import clone

        estimator = load()
        trials = []
        for rest, fold in _folds(train, schema, seed):
            learn = train.take(rest)
            fitted = clone(estimator)
            warned.update(fit(fitted, learn, inputs=inputs))
            plain = to_bytes(to_onnx(fitted, schema, target_opset))
            trials.append(Trial(plain, learn, train.take(fold)))
        return trials

    name = f"cross-fitting on {FOLDS} folds of {len(train)} training rows"
    return Trials(name, train, train, "the training rows", make, warned)


def _folds(train: Rows, schema: Schema, seed: int) -> list[Fold]:
    """Stratified where every class has a row for each fold."""
    from sklearn.model_selection import KFold, StratifiedKFold

    target = train.target
    settings = {"n_splits": FOLDS, "shuffle": True, "random_state": seed}
    if schema.task == "classification":
        _, counts = np.unique(target, return_counts=True)
        if counts.min() >= FOLDS:
            return list(StratifiedKFold(**settings).split(target, target))
    return list(KFold(**settings).split(target))
