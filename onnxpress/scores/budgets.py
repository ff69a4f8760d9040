"""Limits on losses: which of them apply to a model, and whether a loss exceeds one."""

from __future__ import annotations

import math

from onnxpress.errors import UserError
from onnxpress.limits import (
    CALIBRATION,
    DISAGREEMENT,
    OF_CLASSIFIERS,
    OF_REGRESSORS,
    RECALL,
    SCORE,
    TARGET,
    TEST,
    Limits,
    about_unknown,
    error_quantile,
    is_scorer,
    with_defaults,
)
from onnxpress.scores.losses import SCORER_OF, Loss
from onnxpress.scores.score import Score, find_score
from onnxpress.text import shortened

__all__ = [
    "CALIBRATION",
    "TEST",
    "Limits",
    "check_limits",
    "exceeded",
    "with_defaults",
]


def check_limits(
    limits: Limits,
    score: Score,
    *,
    proper: bool = True,
    scored: bool = True,
    key: str = "max_drop",
) -> dict[str, float]:
    """Return the limits that apply to a model, without those that are switched off.

    The loss of recall does not apply to regression, and is left out there: it is a default.

    Args:
        limits: by key; None switches one off.
        score: what ``score`` means: its task, its classes and the positive one.
        proper: whether the model gives probabilities.
        scored: whether it gives scores at all.
        key: what an error calls the limits.

    Raises:
        UserError: a key is unknown, or does not fit the task or the model; or a limit is no number
            from 0 on.
    """
    found = {}
    for name, limit in limits.items():
        _check_key(name, score, proper=proper, scored=scored, key=key)
        if limit is None or (name == RECALL and score.task == "regression"):
            continue
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not limit >= 0:
            shown = shortened(repr(limit))
            raise UserError(f"{key}.{name} should be a number from 0 on or null, got {shown}")
        if not math.isfinite(limit):
            raise UserError(f"{key}.{name} should be finite, or null for no limit, got {limit}")
        found[name] = float(limit)
    return found


def _check_key(name: str, score: Score, *, proper: bool, scored: bool, key: str) -> None:
    if name in (SCORE, DISAGREEMENT, RECALL):
        return
    regression = score.task == "regression"
    of_regressors = name in OF_REGRESSORS or error_quantile(name) is not None
    if of_regressors and not regression:
        raise UserError(f"{key}.{name} is for regression, and the target has classes; remove it")
    if name in OF_CLASSIFIERS and regression:
        raise UserError(f"{key}.{name} is for classes, and the target has numbers; remove it")
    if name == TARGET and score.targets == 1:
        raise UserError(f"{key}.{name} is for several targets, and there is one; remove it")
    if of_regressors:
        return
    if name in SCORER_OF:
        if not proper:
            raise UserError(
                f"{key}.{name} needs probabilities, and this model gives none; remove it"
            )
        return
    if not is_scorer(name):
        raise UserError(f"{key} has the unknown key {shortened(repr(name))}; {about_unknown(name)}")
    find_score(
        name,
        score.task,
        score.classes,
        proper=proper,
        scored=scored,
        targets=score.targets,
        groups=score.groups,
        key=f"{key}:",
    )


def exceeded(loss: Loss, limit: float, *, by_bound: bool = False) -> bool:
    """Whether a loss is over its limit.

    The estimate decides, and a loss that cannot be told counts as over it. ``by_bound`` is for
    calibration rows, where a model is chosen among many: a loss that has an upper bound, as every
    disagreement has, is judged by that, and a class with too few rows to tell its recall may lose
    none of them net, or one of 20.
    """
    if loss.key == RECALL:
        if by_bound and loss.rare_lost > 0:
            return True
        if not loss.rows:  # no class has enough rows
            return False
    if by_bound and loss.upper is not None:
        return loss.upper > limit + loss.rounding
    return not loss.value <= limit + loss.rounding
