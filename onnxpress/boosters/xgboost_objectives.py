"""What XGBoost's objectives make of the sum of the trees, in one table.

Source: src/objective of XGBoost 1.7 to 3.2 (``PredTransform``, ``ProbToMargin``). ``base_score`` is
stored on the scale of the prediction; the trees' sum starts at its margin, which is a logit or a
logarithm, computed in float32 as XGBoost does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.model import Link, Unreadable, Unsupported

Float32s = NDArray[np.float32]

SCORES_SINCE = 2
"""The major version since which the base score of binary:logitraw is a score."""
_CLAMP = np.float32(1e-6)
"""XGBoost's kRtEps: the logit of a base score of 0 or 1 is that of a number this near."""


@dataclass(frozen=True)
class Objective:
    """How the sum of the trees becomes the prediction."""

    link: Link
    margin: str = "identity"
    """How a base score becomes the start of the sum: identity, logit or log."""
    classifies: bool = False


OBJECTIVES = {
    "binary:hinge": Objective("step", classifies=True),
    "binary:logistic": Objective("logistic", "logit", classifies=True),
    "binary:logitraw": Objective("identity"),
    "count:poisson": Objective("exp", "log"),
    "multi:softmax": Objective("softmax", classifies=True),
    "multi:softprob": Objective("softmax", classifies=True),
    "rank:map": Objective("identity"),
    "rank:ndcg": Objective("identity"),
    "rank:pairwise": Objective("identity"),
    "reg:absoluteerror": Objective("identity"),
    "reg:gamma": Objective("exp", "log"),
    "reg:linear": Objective("identity"),
    "reg:logistic": Objective("logistic", "logit"),
    "reg:pseudohubererror": Objective("identity"),
    "reg:quantileerror": Objective("identity"),
    "reg:squarederror": Objective("identity"),
    "reg:squaredlogerror": Objective("identity"),
    "reg:tweedie": Objective("exp", "log"),
}

_SURVIVAL = "predicts survival from censored times, which a column of the target cannot hold"
_REFUSED = {"survival:aft": _SURVIVAL, "survival:cox": _SURVIVAL}


def objective_of(name: str, version: int) -> Objective:
    """Return the objective called ``name`` of a model of the major ``version``.

    Raises:
        Unsupported: it is unknown, or means something else than in the library that predicts.
    """
    if name in _REFUSED:
        raise Unsupported(f"has the objective {name}, which {_REFUSED[name]}")
    if name == "binary:logitraw" and version < SCORES_SINCE:
        raise Unsupported(
            f"has the objective {name} of XGBoost {version}, whose base score newer versions read "
            f"in another way; train it again with XGBoost {SCORES_SINCE} or newer"
        )
    if name not in OBJECTIVES:
        raise Unsupported(
            f"has the objective {name[:80]!r}; those with an exact form: {', '.join(OBJECTIVES)}"
        )
    return OBJECTIVES[name]


def base_margin(objective: Objective, score: Float32s) -> NDArray[np.float64]:
    """Return the start of the trees' sums from the base scores (outputs,), in float32's values.

    Raises:
        Unreadable: a base score has no margin: a negative one of a log link, one beyond 0 to 1.
    """
    margin = _margin(objective.margin, score)
    if not np.isfinite(margin).all():
        wanted = "finite" if objective.margin == "identity" else f"with a {objective.margin}"
        raise Unreadable(f"is damaged: expected base scores {wanted}; got {score.tolist()[:4]}")
    return margin.astype(np.float64)


def _margin(kind: str, score: Float32s) -> Float32s:
    """Compute the margins, NaN where there is none."""
    if kind == "identity":
        return score
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "log":
            return np.log(score)
        within = np.where((score >= 0) & (score <= 1), score, np.float32(np.nan))
        one = np.float32(1)
        logit: Float32s = -np.log(one / np.clip(within, _CLAMP, one - _CLAMP) - one)
        return logit
