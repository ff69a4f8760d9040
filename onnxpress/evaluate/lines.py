"""The findings in words: warnings first, then the metrics, then what the probes reached.

``names`` says what the lines call the three models, by :data:`onnxpress.models.MODEL_KEYS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.baseline import worse_by_score, worse_than_constant
from onnxpress.evaluate.lossless_differences import lossless_differences
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.evaluate.probes.threshold_rows import ThresholdRows
from onnxpress.evaluate.relative_differences import numbers
from onnxpress.evaluate.scoring import Scoring
from onnxpress.models import MODEL_KEYS, MODELS, ONNX
from onnxpress.scores.score import DEFAULTS
from onnxpress.tables.mapped import row_by_row
from onnxpress.tables.schema import Schema

Names = Mapping[str, str]

TITLES: Names = {key: f"the {model.short} model" for key, model in MODELS.items()}
"""What lines call the three models if they have no names of their own."""

ERROR = "_se"
"""The end of the key of a standard error."""


def prediction_warnings(
    schema: Schema,
    target: NDArray[Any],
    compared: list[PredictedRows],
    names: Names = TITLES,
    scoring: Scoring | None = None,
) -> Iterator[str]:
    """Yield what makes the metrics worth less; ``target`` is that of the first rows.

    That is an original that a constant beats, and predictions of NaN or infinity. Labels that
    differ on ties are counted too. ``scoring`` has the score that counts; else it is accuracy or
    R2. On rows of a rare class a constant has a high accuracy, and a model need not beat that.
    """
    first = compared[0].predictions[0]
    if scoring is None or scoring.score.name in DEFAULTS.values():
        worse = worse_than_constant(schema, target, first.values, compared[0].kind)
    else:
        ordered = scoring.in_order(first)
        worse = worse_by_score(scoring.score, target, ordered, compared[0].kind)
    if worse:
        yield worse
    for rows in compared:
        yield from _not_finite(rows, schema, names)
        ties = len(lossless_differences(*rows.predictions[:2]).ties)
        if ties:
            yield (
                f"{names[ONNX]} gives the other class on {ties} of {len(rows)} {rows.kind} rows "
                "where two classes tie within rounding for the original"
            )


def _not_finite(rows: PredictedRows, schema: Schema, names: Names) -> Iterator[str]:
    for key, predictions in zip(MODEL_KEYS, rows.predictions, strict=True):
        bad = row_by_row(lambda part: ~np.isfinite(part).all(axis=1), numbers(predictions))
        if bad.any():
            first = rows.describe(int(np.argmax(bad)), schema)
            yield (
                f"warning: {names[key]} predicts NaN or infinity on {int(bad.sum())} of "
                f"{len(rows)} {rows.kind} rows, first {first}; metrics that this leaves undefined "
                "are left out"
            )


def metric_lines(metrics: Mapping[str, float]) -> list[str]:
    """Return the metrics, a line per model, under their keys without the model's prefix.

    A standard error stands behind its value: ``score_drop 0.01 ± 0.003``.
    """
    lines = []
    for model in MODEL_KEYS:
        prefix, shown = f"{model}_", []
        for key, value in metrics.items():
            if not key.startswith(prefix) or key.removesuffix(ERROR) in metrics.keys() - {key}:
                continue
            error = f" ± {_shown(metrics[key + ERROR])}" if key + ERROR in metrics else ""
            shown.append(f"{key.removeprefix(prefix)} {_shown(value)}{error}")
        lines.append(f"{model}: {', '.join(shown)}")
    return lines


def _shown(value: float) -> str:
    return np.format_float_positional(round(value, 4) + 0.0, 4, trim="-")  # + 0.0: 0 of -0


def rounding_lines(metrics: Mapping[str, float], rows: int) -> Iterator[str]:
    """Yield on how many of the test ``rows`` the original's own rounding explains a difference."""
    if steps := metrics.get("onnx_step_rows"):
        yield (
            f"warning: on {steps:.0f} of {rows} test rows the original's scores are at a step, "
            "and ONNX is on the other side of it"
        )
    if rounded := metrics.get("onnx_rounded_rows"):
        yield (
            f"warning: on {rounded:.0f} of {rows} test rows float32 rounds the original's own "
            "scores; scaled columns help"
        )


def threshold_lines(at: ThresholdRows, name: str = TITLES[ONNX]) -> Iterator[str]:
    """Yield how many thresholds of the model called ``name`` the probes hit, and why not all."""
    if not at.operators:
        return
    if at.unread:
        which = f"{at.unread} of {at.operators} tree operators of {name}"
        yield f"warning: {which} cannot be read, so none of their thresholds is probed"
    if not at.thresholds and at.unread < at.operators:
        yield f"probes: no split of {name} has a finite threshold to hit"
    if at.thresholds:
        yield f"probes: {_hits(at, name)}"


def _hits(at: ThresholdRows, name: str) -> str:
    hits = f"{at.hit} of {at.thresholds} split thresholds of {name} are hit"
    parts = [f"{hits}, each by two rows beside it"]
    if at.tried < at.thresholds:
        parts.append(f"probe_rows leaves room for {at.tried}")
    if at.hit < at.tried:
        missed = f"for {at.tried - at.hit} that were tried"
        parts.append(f"{missed}, no row made from training rows reaches both sides")
    return "; ".join(parts)
