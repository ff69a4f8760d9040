"""The terms of one choice: what score means, what may be lost, and how close answers agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.certify.elsewhere import NOWHERE, Elsewhere
from onnxpress.estimators.booster_estimator import is_ranker
from onnxpress.evaluate.metrics import in_unit_of_target
from onnxpress.limits import (
    AVERAGE_PRECISION,
    DISAGREEMENT,
    FAITHFUL,
    RARE,
    SCORE,
    TARGET,
    is_scorer,
)
from onnxpress.quantize.candidates import Candidate, Form
from onnxpress.quantize.device import Device
from onnxpress.quantize.options import Options
from onnxpress.quantize.trials import Needed, Trials
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.scores.budgets import CALIBRATION, check_limits, with_defaults
from onnxpress.scores.losses import Limit
from onnxpress.scores.score import (
    Label,
    Score,
    as_classes,
    check_rows,
    chosen_name,
    find_score,
)
from onnxpress.tables.rows import take
from onnxpress.tables.schema import Schema

RARE_SHARE = 0.2
"""Share of the rows below which one of two classes is rare."""


@dataclass(frozen=True)
class Terms:
    """What every candidate is held to."""

    score: Score
    """What ``score`` means, and the classes of the original."""

    limits: Mapping[str, float]
    """The most that a candidate may lose, by key: those that apply to the model."""

    tolerance: Limit = 0.0
    """Regression: how far two predictions may be apart and still agree, in the target's unit; of
    several targets one for each."""

    rare: Label | None = None
    """The class whose average precision has a budget because it is rare; None if none is."""

    device: Device | None = None
    """What the model has to fit; None: no device."""

    runtimes: Elsewhere = NOWHERE
    """Other runtimes in which it has to answer equally."""


@dataclass(frozen=True)
class Words:
    """What errors call the score and the limits."""

    score: str = "score"
    limits: str = "budgets"


def terms_of(
    options: Options,
    schema: Schema,
    plain: bytes,
    trials: Trials,
    *,
    original: Callable[[], Any] | None = None,
    words: Words | None = None,
) -> Terms:
    """Find the terms that ``options`` set for a plain model, with the default of each other limit.

    The classes are those of the training rows, if the model has as many scores. Else the
    ``original`` is asked, which may have to be loaded.

    Raises:
        UserError: the score or a limit does not fit the model, or a named score is undefined on the
            rows that candidates are scored on.
    """
    words = words or Words()
    first = predict_onnx(open_session(plain), take(trials.train.feeds, np.arange(1)))
    width = 0 if first.scores is None else first.scores.shape[1]
    classes: tuple[Label, ...] = ()
    if schema.task == "classification":
        classes = as_classes(trials.train.target)
        if original is not None and len(classes) != width:
            classes = as_classes(original().classes_)
    gives = {"proper": bool(width) and first.proper, "scored": width == len(classes)}
    groups, name = trials.scored.groups, options.score
    if name is None and groups is not None and original is not None:
        name = chosen_name(name, ranks=is_ranker(original()), groups=groups)
    score = find_score(
        name,
        schema.task,
        classes,
        options.positive,
        **gives,
        targets=first.width,
        groups=groups,
        key=words.score,
    )
    applicable = check_limits(_limits(options), score, **gives, key=words.limits)
    _check_defined(score, applicable, trials, words, is_named=name is not None)
    rare = None
    if gives["scored"] and AVERAGE_PRECISION not in options.budgets:
        rare = rare_class(score.classes, trials.scored.target)
    if rare is not None:
        applicable |= check_limits(RARE, score, **gives, key=words.limits)
    if score.targets > 1 and TARGET not in options.budgets and SCORE in applicable:
        applicable[TARGET] = applicable[SCORE]
    return Terms(score, applicable, in_unit_of_target(options.tolerance, schema), rare)


def _limits(options: Options) -> dict[str, float | None]:
    """The limits that ``options`` set, with the default of each other one at their level."""
    defaults = {**CALIBRATION, **(FAITHFUL if options.level == "faithful" else {})}
    return with_defaults(options.budgets, defaults)


def needed_by(options: Options, candidates: Sequence[Candidate]) -> Needed:
    """Return what the trials of these candidates are for.

    At the level ``faithful`` the limit on other answers has to be proved, if there is one.
    """
    changing = any(not one.keeps_all for one in candidates)
    faithful = any(one.form == Form.FAITHFUL for one in candidates)
    proved = options.level == "faithful" and faithful
    return Needed(changing, _limits(options).get(DISAGREEMENT) if proved else None)


def rare_class(classes: tuple[Label, ...], target: NDArray[Any]) -> Label | None:
    """Return the rarer of two classes, if few rows of the ``target`` (rows,) are of it.

    Labels alone say little about a rare class: a model can rank its rows far worse and still give
    most of them the same label. So its average precision has a budget too.
    """
    if len(classes) != 2:
        return None
    counts = {label: int((target == label).sum()) for label in classes}
    label = min(classes, key=lambda each: counts[each])
    return label if 0 < counts[label] < RARE_SHARE * len(target) else None


def _check_defined(
    score: Score, limits: Mapping[str, float], trials: Trials, words: Words, *, is_named: bool
) -> None:
    """See that every score that is named is defined on the rows that candidates are scored on.

    That of a ranker is, too, if nobody names it.
    """
    target, rows = trials.scored.target, trials.kind
    if is_named:
        check_rows(score, target, rows=rows, key=words.score)
    for name in limits:
        if is_scorer(name):
            check_rows(replace(score, name=name), target, rows=rows, key=f"{words.limits}:")
