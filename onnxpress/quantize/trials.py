"""Where candidates are scored: on rows that neither the model nor the candidate has learned from.

A fold of the rows that the model was fitted on flatters every candidate. So a large data set has calibration rows set
aside; for a small one, clones are fitted on folds and quantised in the same way, each scored on the fold it never saw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.fitting import fit
from onnxpress.graph.canonical import to_bytes
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema

FOLDS = 5


@dataclass(frozen=True)
class Trial:
    """A plain model, the rows that a candidate may learn from, and the rows that it is scored on."""

    plain: bytes
    learn: Rows
    score: Rows


@dataclass(frozen=True)
class Trials:
    """How candidates are scored, in words; the rows the final model learns from; the trials, made when first needed.

    ``warned`` is filled when they are made: what scikit-learn warned about, a line each.
    """

    name: str
    train: Rows
    make: Callable[[], list[Trial]]
    warned: set[str] = field(default_factory=set)


def held_out(plain: bytes, train: Rows, calibration: Rows) -> Trials:
    """One trial: the model itself, scored on the calibration rows."""
    return Trials(
        f"{len(calibration)} calibration rows", train, lambda: [Trial(plain, train, calibration)]
    )


def cross_fits(
    load: Callable[[], Any], train: Rows, schema: Schema, target_opset: int, seed: int
) -> Trials:
    """A trial per fold of the training rows: a clone of the estimator that ``load`` returns, fitted on the other folds."""
    warned: set[str] = set()

    def make() -> list[Trial]:
        from sklearn.base import clone

        estimator = load()
        trials = []
        for rest, fold in _folds(train, schema, seed):
            learn = train.take(rest)
            fitted = clone(estimator)
            warned.update(fit(fitted, learn))
            trials.append(
                Trial(to_bytes(to_onnx(fitted, schema, target_opset)), learn, train.take(fold))
            )
        return trials

    return Trials(
        f"cross-fitting on {FOLDS} folds of {len(train)} training rows", train, make, warned
    )


def _folds(
    train: Rows, schema: Schema, seed: int
) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    from sklearn.model_selection import KFold, StratifiedKFold

    if (
        schema.task == "classification"
        and np.unique(train.target, return_counts=True)[1].min() >= FOLDS
    ):
        return list(
            StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(
                train.target, train.target
            )
        )
    return list(KFold(FOLDS, shuffle=True, random_state=seed).split(train.target))
