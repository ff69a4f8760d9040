"""The check that a quantised model which is called lossless predicts as the ONNX model does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.evaluate.lines import TITLES, Names
from onnxpress.evaluate.lossless_differences import TOLERANCE, lossless_differences, trees_agree
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.evaluate.relative_differences import numbers
from onnxpress.models import LOSSLESS, ONNX, PLAIN, QUANTIZED
from onnxpress.tables.schema import Schema

RowNumbers = NDArray[np.intp]


class NotLossless(UserError):
    """A quantised model that is called lossless predicts something else than the ONNX model."""


def is_lossless(candidate: str) -> bool:
    """Return whether a candidate, by its name in quantization.json, is called lossless."""
    return candidate in (PLAIN, LOSSLESS)


def check_lossless(
    candidate: str,
    models: tuple[bytes, bytes],
    compared: list[PredictedRows],
    schema: Schema,
    names: Names = TITLES,
) -> list[str]:
    """Compare the quantised model with the ONNX one on all ``compared`` rows.

    ``models`` are the ONNX model and the quantised one. The lines returned count labels that
    differ on ties, and scores that a step function has moved apart.

    Raises:
        NotLossless: labels differ, or scores by more than the tolerance.
    """
    found = [lossless_differences(*rows.predictions[1:]) for rows in compared]
    labels = _Differing(compared, [each.labels for each in found])
    scores = _Differing(compared, [each.scores for each in found])
    ties = _Differing(compared, [each.ties for each in found])
    beyond = f"scores that differ by more than {TOLERANCE:g}"
    if labels:
        raise NotLossless(_complaint(candidate, "other labels", labels, schema, names))
    if scores and not scores.trees_agree(models):
        raise NotLossless(_complaint(candidate, beyond, scores, schema, names))
    lines = []
    if scores:
        lines.append(
            f"{candidate}: {scores} have {beyond} (at most {scores.largest():.3g}): a step "
            "function, such as isotonic calibration, follows trees that agree; labels are equal"
        )
    if ties:
        lines.append(f"{candidate}: {ties} are ties between two classes, and get the other one")
    return lines


class _Differing:
    """Rows that differ in one way, of all the rows that were compared."""

    def __init__(self, compared: list[PredictedRows], found: list[RowNumbers]) -> None:
        """``found`` are the numbers of the rows in each of ``compared``."""
        pairs = zip(compared, found, strict=True)
        self.parts = [(rows, each) for rows, each in pairs if len(each)]

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __str__(self) -> str:
        """Count them, as ``2 of 30 test rows and 7 of 2000 probe rows``."""
        counts = [f"{len(each)} of {len(rows)} {rows.kind} rows" for rows, each in self.parts]
        return " and ".join(counts)

    def largest(self) -> float:
        """Return the largest difference of a score, or of a prediction, on these rows."""
        found = []
        for rows, each in self.parts:
            one, other = (numbers(predictions)[each] for predictions in rows.predictions[1:])
            found.append(float(np.nanmax(np.abs(one - other), initial=0)))
        return max(found)

    def trees_agree(self, models: tuple[bytes, bytes]) -> bool:
        """Return whether the trees of both models agree on these rows."""
        return all(trees_agree(*models, rows.feeds, each) for rows, each in self.parts)


def _complaint(
    candidate: str, what: str, differing: _Differing, schema: Schema, names: Names
) -> str:
    """Say how many rows differ, and describe the first of them."""
    rows, found = differing.parts[0]
    row = int(found[0])
    plain, quantized = (each.values.tolist()[row] for each in rows.predictions[1:])
    return (
        f"{names[QUANTIZED]} ({candidate}) should predict what {names[ONNX]} predicts and has "
        f"{what} on {differing}: {rows.describe(row, schema)} gets {quantized!r} where "
        f"{names[ONNX]} says {plain!r}"
    )
