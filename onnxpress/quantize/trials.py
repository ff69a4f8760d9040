"""Where candidates are scored: on rows that neither the model nor the candidate has learned from.

A fold of the rows that the model was fitted on flatters every candidate. So a large data set has
calibration rows set aside. Where these are few, in all or of a class, clones are fitted on folds
and quantised in the same way, each scored on the fold it never saw.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.conversion.converting import to_onnx
from onnxpress.engine.engine import HERE, Engine, in_order
from onnxpress.errors import ServerError, UserError
from onnxpress.estimators.fitting import fit, unfitted
from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxRegressor
from onnxpress.graph.canonical import to_bytes
from onnxpress.scores.bounds import rows_needed
from onnxpress.tables.rows import Feeds, Rows, sklearn_input
from onnxpress.tables.schema import Schema

FOLDS = 5

FEW = 1000
"""Calibration rows below which it takes the training rows too to score.

A score of so many, of which one in twenty has another answer, has a standard error of 0.7 points.
"""

FEW_OF_CLASS = 200
"""The same of the rows of a class, for its recall: 1.6 points."""

MOST_ROWS = 50_000
"""Rows above which clones would take too long; calibration rows of a rare class must do there."""

EXPECTED = 30
"""Calibration rows with another answer that a limit must allow, for these rows to be enough.

A share is judged by its exact upper bound: where the limit is 10 rows, that lets 4 pass, where it
is 30, 20, and where it is 64, 50.
"""

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Positions of the rows to fit on, and of those to score on."""


@dataclass(frozen=True)
class Trial:
    """A plain model, the rows that a candidate may learn from, and the rows that score it."""

    plain: bytes
    learn: Rows
    score: Rows
    warned: tuple[str, ...] = ()
    """What there was to warn about when it was made, a line each."""


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
    make: Callable[[Engine], list[Trial]]
    """Makes the trials; called when the first candidate is scored, for it may fit clones.

    To be tried on a cluster, they are made before (:func:`made`)."""
    warned: set[str] = field(default_factory=set)
    """What there was to warn about with the trials that were used, a line each."""
    few: bool = False
    """Whether these are too few rows to tell a small loss from none, and no clone gives more."""
    screen: Trial | None = None
    """A trial that is quick to score: what clearly fails it needs no other."""


@dataclass(frozen=True)
class Needed:
    """What trials are for."""

    changing: bool = True
    """Whether any candidate is tried that may change an answer."""
    disagreement: float | None = None
    """The share of other answers that a candidate has to be proved to stay below; None: none."""


ANYTHING = Needed()


def held_out(plain: bytes, train: Rows, calibration: Rows) -> Trials:
    """One trial: the model itself, scored on the calibration rows."""
    name = f"{len(calibration)} calibration rows"
    make = partial(_given, [Trial(plain, train, calibration)])
    return Trials(name, train, calibration, "calibration rows", make)


def _given(trials: list[Trial], _engine: Engine) -> list[Trial]:
    return trials


def _refused(error: Exception, _engine: Engine) -> list[Trial]:
    raise error


def made(trials: Trials, engine: Engine) -> Trials:
    """Make trials by an engine; what comes back is plain data, which its workers can take.

    Where they cannot be made, the same error comes when the first candidate is scored.

    Raises:
        ServerError: the engine fails.
    """
    try:
        return replace(trials, make=partial(_given, trials.make(engine)))
    except ServerError:
        raise
    except Exception as error:  # as Attempts does
        return replace(trials, make=partial(_refused, error))


@dataclass(frozen=True)
class Clones:
    """How clones of the original are fitted and converted."""

    load: Callable[[], Any]
    """Gives the original."""
    schema: Schema
    target_opset: int
    seed: int
    """Of the folds."""
    inputs: Callable[[Feeds], Any] = sklearn_input
    """Gives the rows the form that the original takes."""


def trials_of(
    plain: bytes,
    train: Rows,
    calibration: Rows,
    clones: Clones,
    needed: Needed = ANYTHING,
    engine: Engine = HERE,
) -> Trials:
    """Score by calibration rows, or by clones where these are none or too few.

    They are too few in all, or of a class, or to prove that so few answers change as is ``needed``.
    The clones are then fitted on training and calibration rows; the model that is chosen learns
    from training rows alone, as otherwise. A model that cannot be fitted again is scored on what
    calibration rows there are, which are ``few``. No clone is fitted where no candidate can change
    an answer. Clones are fitted by ``engine``.

    Raises:
        ServerError: the engine fails.
    """
    if not len(calibration):
        return cross_fits(clones, train)
    held = held_out(plain, train, calibration)
    why = too_few(train, calibration, needed)
    if not why:
        return held
    if not can_be_fitted(clones.load()):
        return replace(held, few=True)
    fits = cross_fits(clones, joined(train, calibration))
    try:
        trials = fits.make(engine)
    except ServerError:
        raise
    except UserError as error:
        return replace(held, few=True, warned={f"{held.name} score alone, for {error}"})
    rows = f"{len(train) + len(calibration)} training and calibration rows"
    name = f"cross-fitting on {FOLDS} folds of {rows}, for {why}"
    screen = None if needed.disagreement is None else Trial(plain, train, calibration)
    make, warned = partial(_given, trials), {line for each in trials for line in each.warned}
    return replace(fits, name=name, train=train, make=make, warned=warned, screen=screen)


def too_few(train: Rows, calibration: Rows, needed: Needed = ANYTHING) -> str:
    """Say for what the calibration rows are too few; empty if they are enough, or for clones too.

    Of very many rows no clones are fitted.
    """
    if not needed.changing or len(train) + len(calibration) > MOST_ROWS:
        return ""
    few = len(calibration) < FEW
    if few or train.target.dtype.kind == "f":
        return f"{len(calibration)} calibration rows are few" if few else ""
    label, count = _rarest(train, calibration)
    if count < FEW_OF_CLASS:
        return f"only {count} of {len(calibration)} calibration rows are of the class {label!r}"
    limit = needed.disagreement
    if not limit or rows_needed(limit) > len(train) + len(calibration):
        return ""
    allowed = len(calibration) * limit
    if allowed >= EXPECTED:
        return ""
    return f"the limit on other answers is {allowed:.1f} of {len(calibration)} calibration rows"


def _rarest(train: Rows, calibration: Rows) -> tuple[int | str, int]:
    """Return the class with the fewest calibration rows, and how many there are."""
    labels = np.unique(np.concatenate([train.target, calibration.target]))
    counts = [int((calibration.target == label).sum()) for label in labels]
    at = int(np.argmin(counts))
    label: int | str = labels[at].item()
    return label, counts[at]


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of both, one after another."""
    feeds = {
        name: np.concatenate([values, second.feeds[name]]) for name, values in first.feeds.items()
    }
    groups = None
    if first.groups is not None and second.groups is not None:
        groups = np.concatenate([first.groups, second.groups])
    return Rows(feeds, np.concatenate([first.target, second.target]), groups)


def can_be_fitted(estimator: Any) -> bool:
    """Whether clones of the original can be fitted: not of ONNX, nor of a given native file."""
    is_given = getattr(estimator, "parameters", {}) is None
    return not is_given and not isinstance(estimator, (OnnxClassifier, OnnxRegressor))


def cross_fits(clones: Clones, train: Rows) -> Trials:
    """A trial per fold of the training rows: a clone is fitted on the other folds."""

    def make(engine: Engine) -> list[Trial]:
        estimator = clones.load()
        folds = _folds(train, clones.schema, clones.seed)
        parts = ((unfitted(estimator), *fold) for fold in folds)
        how = engine.share(train), clones.inputs, clones.schema, clones.target_opset
        return list(in_order(engine, _cross_fitted, parts, *how))

    name = f"cross-fitting on {FOLDS} folds of {len(train)} training rows"
    return Trials(name, train, train, "the training rows", make)


def _cross_fitted(
    part: tuple[Any, NDArray[np.intp], NDArray[np.intp]],
    train: Rows,
    inputs: Callable[[Feeds], Any],
    schema: Schema,
    target_opset: int,
) -> Trial:
    """Fit a clone on the rows at some places, to be scored on those at others."""
    clone, rest, fold = part
    learn = train.take(rest)
    lines = fit(clone, learn, inputs=inputs)
    warned = tuple(f"scikit-learn warns of clones fitted on folds: {line}" for line in lines)
    plain = to_bytes(to_onnx(clone, schema, target_opset))
    return Trial(plain, learn, train.take(fold), warned)


def _folds(train: Rows, schema: Schema, seed: int) -> list[Fold]:
    """Stratified where a class has a row for each fold; one with fewer is missing in some folds.

    A group of rows is in one fold.

    Raises:
        UserError: the rows are of one group.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if train.groups is not None:
        return _grouped_folds(train, train.groups, schema, seed)
    target = train.target
    folds = min(FOLDS, len(train))
    settings = {"n_splits": folds, "shuffle": True, "random_state": seed}
    if schema.task == "classification":
        _, counts = np.unique(target, return_counts=True)
        if counts.max() >= folds:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The least populated class")
                return list(StratifiedKFold(**settings).split(target, target))
    return list(KFold(**settings).split(target))


def _grouped_folds(train: Rows, groups: NDArray[np.int64], schema: Schema, seed: int) -> list[Fold]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    folds = min(FOLDS, len(np.unique(groups)))
    if folds < 2:
        raise UserError(f"the {len(train)} training rows are of one group; bring more groups")
    settings = {"n_splits": folds, "shuffle": True, "random_state": seed}
    if schema.task == "classification":
        _, counts = np.unique(train.target, return_counts=True)
        if counts.max() >= folds:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The least populated class")
                made = StratifiedGroupKFold(**settings).split(groups, train.target, groups)
                return [fold for fold in made if len(fold[1])]
    return list(GroupKFold(**settings).split(groups, groups=groups))
