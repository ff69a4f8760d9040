"""Limits on what may get worse: their keys, their defaults, and how a wrong one is refused.

The params and the library share them, so this file imports no room. What each key measures is in
:mod:`onnxpress.scores.losses`, and which keys apply to a model in :mod:`onnxpress.scores.budgets`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

Limits = Mapping[str, float | None]
"""The most that each key may lose; None switches the key off."""

SCORE = "score"
"""The score that params or caller chose: accuracy or R2 by default."""
RECALL = "recall_worst_loss"
TARGET = "target_worst_loss"
"""Of several targets, what the score of the one loses that loses most: in an average the gain of
another would pay for it. Its default is the limit of ``score``."""
DISAGREEMENT = "disagreement"
WITHIN = "within_tolerance"
LOG_LOSS = "log_loss"
BRIER = "brier"
AVERAGE_PRECISION = "average_precision"
MAX_ERROR = "max_abs_error"

CALIBRATION: Limits = {SCORE: 0.0, RECALL: 0.02}
"""Default limits on calibration rows, where the quantised model is chosen."""
FAITHFUL: Limits = {DISAGREEMENT: 0.01}
"""More of them at the level ``faithful``, whose aim is to keep answers."""
RARE: Limits = {AVERAGE_PRECISION: 0.01}
"""More of them where one of two classes is rare, whose labels say little about it."""
TEST: Limits = {SCORE: 0.01, RECALL: 0.05}
"""Default limits on test rows, where the chosen model is judged."""

KEYS = (SCORE, RECALL, TARGET, DISAGREEMENT, WITHIN, LOG_LOSS, BRIER, MAX_ERROR)
"""Every key but quantiles of the error and scikit-learn's scorer names."""

OF_CLASSIFIERS = frozenset({RECALL, LOG_LOSS, BRIER})
OF_REGRESSORS = frozenset({TARGET, WITHIN, MAX_ERROR})

_SCORERS = """
accuracy adjusted_mutual_info_score adjusted_rand_score average_precision balanced_accuracy
completeness_score d2_absolute_error_score d2_brier_score d2_log_loss_score explained_variance
f1 f1_macro f1_micro f1_samples f1_weighted fowlkes_mallows_score homogeneity_score jaccard
jaccard_macro jaccard_micro jaccard_samples jaccard_weighted matthews_corrcoef mutual_info_score
neg_brier_score neg_log_loss neg_max_error neg_mean_absolute_error
neg_mean_absolute_percentage_error neg_mean_gamma_deviance neg_mean_poisson_deviance
neg_mean_squared_error neg_mean_squared_log_error neg_median_absolute_error
neg_negative_likelihood_ratio neg_root_mean_squared_error neg_root_mean_squared_log_error
normalized_mutual_info_score positive_likelihood_ratio precision precision_macro precision_micro
precision_samples precision_weighted r2 rand_score recall recall_macro recall_micro
recall_samples recall_weighted roc_auc roc_auc_ovo roc_auc_ovo_weighted roc_auc_ovr
roc_auc_ovr_weighted top_k_accuracy v_measure_score
"""
SCORERS = tuple(_SCORERS.split())
"""The names of scikit-learn's scorers, sorted.

They are listed because importing scikit-learn takes a second, which every stage would pay.
"""

PINBALL = "neg_mean_pinball_loss"
"""Ours, for regressors of a quantile: scikit-learn has the loss, but no scorer by name."""

NDCG = "ndcg"
"""Ours too, for rows in groups: scikit-learn has the score of one group, but no scorer by name."""

ERROR_QUANTILES = (50, 95, 99)
"""The quantiles of the error that are measured on test rows, in percent."""

COUNTS_ROUNDING = 1e-9
"""Losses of counts are differences of their means: one below this is rounding."""
PROBABILITIES_ROUNDING = 1e-6
"""The same of losses of probabilities: so close are those of a lossless model."""

_OF_PROBABILITIES = frozenset({LOG_LOSS, BRIER, "neg_log_loss", "neg_brier_score"})

_PERCENT = re.compile(r"([a-z_]+)_p([1-9][0-9]?)")
_DEPTH = re.compile(NDCG + r"(?:_at_([1-9][0-9]{0,5}))?")


def error_quantile(key: str) -> float | None:
    """Return the share that ``max_abs_error_pNN`` names: 0.95 of ``max_abs_error_p95``, or None."""
    return _share_of(MAX_ERROR, key)


def pinball_quantile(name: str) -> float | None:
    """Return the quantile of ``neg_mean_pinball_loss_pNN``: 0.9 of the name with p90, or None."""
    return _share_of(PINBALL, name)


def _share_of(base: str, name: str) -> float | None:
    found = _PERCENT.fullmatch(name)
    return int(found[2]) / 100 if found and found[1] == base else None


def is_ndcg(name: str) -> bool:
    """Whether a score is ``ndcg`` or ``ndcg_at_10``, for which the rows have to be in groups."""
    return _DEPTH.fullmatch(name) is not None


def ndcg_depth(name: str) -> int | None:
    """Return how many ranks count: 10 of ``ndcg_at_10``; None for all."""
    found = _DEPTH.fullmatch(name)
    return int(found[1]) if found and found[1] else None


def is_scorer(name: str) -> bool:
    """Whether a score may have this name for some task."""
    return name in SCORERS or pinball_quantile(name) is not None or is_ndcg(name)


def with_defaults(limits: Limits, defaults: Limits) -> dict[str, float | None]:
    """Return the limits, and the default of each key that they leave out."""
    return {**defaults, **limits}


def rounding(key: str) -> float:
    """Return the loss below which there is none but rounding, for a key or a scorer's name."""
    return PROBABILITIES_ROUNDING if key in _OF_PROBABILITIES else COUNTS_ROUNDING


def is_known(key: str) -> bool:
    """Whether a limit may have this key for some task."""
    return key in KEYS or error_quantile(key) is not None or is_scorer(key)


def nearest(name: str, valid: tuple[str, ...]) -> str:
    """Return the valid name that is most like ``name``; empty if none is.

    ``mean_absolute_error`` is like ``neg_mean_absolute_error``: scikit-learn's scorers grow with
    quality, so an error has a ``neg_`` before its name. A pinball loss has its quantile after it,
    and NDCG how many ranks count: ``ndcg@10`` is ``ndcg_at_10``.
    """
    if "pinball" in name.lower():
        return f"{PINBALL}_p90"
    if NDCG in name.lower():
        depth = re.search(r"[1-9][0-9]{0,5}", name)
        return f"{NDCG}_at_{depth[0]}" if depth else NDCG
    for form in (f"neg_{name}", f"{name}_score", name.removesuffix("_score"), name.lower()):
        if form in valid:
            return form
    near = difflib.get_close_matches(name.lower(), valid, n=1)
    return near[0] if near else ""


def about_unknown(key: str) -> str:
    """Say what to write instead of a key that no limit has."""
    near = nearest(key, (*KEYS, *SCORERS))
    if near:
        return f"did you mean {near!r}?"
    return f"valid keys: {', '.join(KEYS)}, {MAX_ERROR}_p95, and scikit-learn's scorer names"
