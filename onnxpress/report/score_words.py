"""What a score is called, and how it and differences of it are written."""

from __future__ import annotations

import math

from onnxpress.text import percent_up

SHARES = ("accuracy", "balanced_accuracy", "top_k_accuracy")
"""Scores that are shares of rows, besides precision and recall with any average."""
TITLES = {"r2": "R\N{SUPERSCRIPT TWO}"}
"""The scores that people write in another way than scikit-learn."""

LEAST_PLAIN = 1e-6
"""Smaller numbers have an exponent."""
OF_ONE_CLASS = {
    "average_precision",
    "f1",
    "jaccard",
    "neg_negative_likelihood_ratio",
    "positive_likelihood_ratio",
    "precision",
    "recall",
    "roc_auc",
}
"""Scores that are about the positive one of two classes."""


def title_of(score: str) -> str:
    """Return a score's name as pictures write it: scikit-learn's."""
    return TITLES.get(score, score)


def is_of_one_class(score: str) -> bool:
    """Whether a score is about the positive one of two classes."""
    return score in OF_ONE_CLASS


def with_class(score: str, positive: int | str | None) -> str:
    """Return a score's name with the class that it is about, if it is about one."""
    return score if positive is None or not is_of_one_class(score) else f"{score} of {positive!r}"


def is_share(score: str) -> bool:
    """Whether a score is a share of rows, so that its differences are percentage points."""
    return score in SHARES or score.startswith(("precision", "recall"))


def unit_of(score: str) -> tuple[float, str]:
    """Return the factor by which differences of a score are shown, and the unit in words.

    It is empty for a score that is no share of rows: what 0.01 of it is worth depends on the score.
    """
    return (100.0, "percentage points") if is_share(score) else (1.0, "")


def number(value: float | None) -> str:
    """Return a score with four decimals, or four digits if it is large, three if next to 0.

    ``0.9`` is ``0.9000``, ``-12345.678`` is ``-12,350``, ``0.0000123`` stays as it is.
    """
    if value is None:
        return "-"
    if LEAST_PLAIN <= abs(value) < 0.001:
        return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"
    if 0 < abs(value) < LEAST_PLAIN:
        return f"{value:.3g}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{float(f'{value:.4g}'):,.0f}"


def with_error(value: float, error: float | None) -> str:
    """Return a difference with its standard error: ``0.0333 +- 0.0328``."""
    shown = number(round(value, 15) + 0.0)  # + 0.0 makes 0 of -0
    return shown if error is None else f"{shown} \N{PLUS-MINUS SIGN} {number(error)}"


def percent(share: float) -> str:
    """Return a share in percent with three digits: ``3.33 %``."""
    return f"{100 * share:.3g} %"


def bound(share: float) -> str:
    """Return an upper bound in percent, rounded up to three digits: ``<=14.9`` for 0.148001."""
    return f"\N{LESS-THAN OR EQUAL TO}{percent_up(share)}"
