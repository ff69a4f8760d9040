"""What quantisation changed, in words; most follow from the content of metrics.json alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from onnxpress.limits import RECALL, TARGET
from onnxpress.scores.bounds import rows_needed
from onnxpress.scores.losses import Loss
from onnxpress.text import percent_up

Metrics = Mapping[str, float]

SMALL = 0.01
"""The share of rows that a test set should be able to bound."""
ONE_SIDED = 1.645
"""A difference above so many standard errors is above 0 with 95 % confidence."""
LEAST = 1e-4
"""A smaller change of a loss of probabilities is not worth a line; float32 makes some."""

PROBABILITY_LOSSES = {
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}
"""What grows as probabilities get worse, by the end of its key, and its name in a line."""


def loss_lines(metrics: Metrics) -> Iterator[str]:
    """Yield all lines that apply."""
    yield from bound_lines(metrics)
    if line := deciding_line(metrics):
        yield line
    if line := worse_probabilities(metrics):
        yield line


def bound_lines(metrics: Metrics) -> Iterator[str]:
    """Yield on how many rows the quantised model gives another answer, and the bound on it.

    A line for the test rows, with the rows that a bound of 1 % takes if there are fewer, and one
    for the probe rows.
    """
    for what, key, count in (
        ("test rows", "quantized_disagreement", "test_rows"),
        ("probe rows", "quantized_probe_disagreement", "probe_rows"),
    ):
        upper = metrics.get(f"{key}_upper")
        if upper is None:
            continue
        rows = round(metrics[count])
        line = (
            f"the quantised model gives another answer than the original on "
            f"{round(metrics[key] * rows)} of {rows} {what}: on at most {percent_up(upper)} % of "
            "all rows like these (95 % bound)"
        )
        yield f"{line}{_more_rows(rows)}" if count == "test_rows" else line


def _more_rows(rows: int) -> str:
    """Say how many test rows a small bound takes, if these are fewer."""
    needed = rows_needed(SMALL)
    if rows >= needed:
        return ""
    return (
        f"; a bound of {percent_up(SMALL)} % takes {needed} test rows or more, even if none differs"
    )


def recall_lines(losses: Mapping[str, Loss]) -> Iterator[str]:
    """Yield which class loses most of its recall, and which classes have too few rows to tell."""
    loss = losses.get(RECALL)
    if loss is None or not loss.about:
        return
    if not loss.rows:
        yield f"recall: {loss.about}"
    elif loss.value > 0 or loss.rare_lost:
        lost = f"{loss.value:.3g} (standard error {loss.error:.2g}, {loss.rows} rows)"
        yield f"recall: quantisation costs at most {lost}, {loss.about}"


def worst_lines(losses: Mapping[str, Loss]) -> Iterator[str]:
    """Yield which class loses most of its recall, or which target most of its score."""
    yield from recall_lines(losses)
    yield from target_lines(losses)


def target_lines(losses: Mapping[str, Loss]) -> Iterator[str]:
    """Yield which of several targets loses most of its score, if one does."""
    loss = losses.get(TARGET)
    if loss is not None and loss.value > 0:
        lost = f"{loss.value:.3g} (standard error {loss.error:.2g}, {loss.rows} rows)"
        yield f"score: quantisation costs a single target at most {lost}, {loss.about}"


def deciding_line(metrics: Metrics) -> str | None:
    """Return which test rows make the quantised model's share of right labels another one."""
    lost, won = (metrics.get(f"quantized_rows_{key}", 0) for key in ("lost", "won"))
    if not lost + won:
        return None
    return (
        f"accuracy: of {metrics['test_rows']:.0f} test rows the original alone is right on "
        f"{lost:.0f}, the quantised model alone on {won:.0f}; no other row decides"
    )


def worse_probabilities(metrics: Metrics) -> str | None:
    """Return in which ways the probabilities got worse although as many labels are right.

    A difference counts if it is above 0 with 95 % confidence, by its paired standard error, and is
    no rounding. Labels that got worse are a matter of their own, so there is no line then.
    """
    if "quantized_agreement" not in metrics or _labels_are_worse(metrics):
        return None
    worse = []
    for key, name in PROBABILITY_LOSSES.items():
        drop = metrics.get(f"quantized_{key}_drop", 0.0)
        error = metrics.get(f"quantized_{key}_drop_se", math.inf)
        if drop > max(LEAST, ONE_SIDED * error):
            before, after = (metrics[f"{model}_{key}"] for model in ("original", "quantized"))
            worse.append(f"{name} {before:.4f} -> {after:.4f} (standard error {error:.2g})")
    if not worse:
        return None
    return (
        f"{100 * metrics['quantized_agreement']:.4g} % of the quantised model's labels are the "
        "original's and about as many are right, but its probabilities got worse: "
        f"{', '.join(worse)}; a limit on log_loss or brier in quantize.max_drop keeps them"
    )


def _labels_are_worse(metrics: Metrics) -> bool:
    """Return whether fewer labels are right, with 95 % confidence.

    Rows that only one model is right on are paired: with b lost and c won of n rows the difference
    is (b - c) / n, and its variance (b + c - (b - c)² / n) / n² (McNemar 1947).
    """
    lost, won = (metrics.get(f"quantized_rows_{key}", 0) for key in ("lost", "won"))
    difference, rows = lost - won, metrics["test_rows"]
    spread = math.sqrt(max(0.0, lost + won - difference**2 / rows))
    return bool(difference > ONE_SIDED * spread)
