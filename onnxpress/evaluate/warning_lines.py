"""What a reader of the metrics should know first: predictions that are no numbers, an original that is no use, blind probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.lossless_differences import lossless_differences
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.evaluate.probes.threshold_rows import ThresholdRows
from onnxpress.evaluate.score_differences import numbers
from onnxpress.evaluate.scores import worse_than_constant
from onnxpress.pipeline.outputs import MODEL_FILES, ONNX_MODEL
from onnxpress.tables.schema import Schema


def prediction_warnings(
    schema: Schema, target: NDArray[Any], asked: list[PredictedRows]
) -> Iterator[str]:
    """Warnings: an original below a constant answer, predictions with NaN or infinity; and how many labels are ties."""
    if worse := worse_than_constant(schema, target, asked[0].predictions[0].values, "test"):
        yield worse
    for each in asked:
        for path, answer in zip(MODEL_FILES.values(), each.predictions, strict=True):
            bad = ~np.isfinite(numbers(answer)).all(axis=1)
            if bad.any():
                where = each.describe(int(np.argmax(bad)), schema)
                yield (
                    f"warning: {path} answers NaN or infinity on {int(bad.sum())} of {len(each)} {each.kind} rows, "
                    f"first {where}; metrics that this leaves undefined are not in metrics.json"
                )
        ties = len(lossless_differences(*each.predictions[:2]).ties)
        if ties:
            yield (
                f"{ONNX_MODEL} gives the other class on {ties} of {len(each)} {each.kind} rows "
                "where the two highest scores of the original are equal within rounding"
            )


def threshold_lines(at: ThresholdRows) -> Iterator[str]:
    """How many of the thresholds the probes hit, and why not all."""
    if not at.operators:
        return
    if at.unread:
        which = f"{at.unread} of {at.operators} tree operators of {ONNX_MODEL}"
        yield f"warning: {which} cannot be read, so none of their thresholds is probed"
    if not at.thresholds and at.unread < at.operators:
        yield f"probes: no split of {ONNX_MODEL} has a finite threshold to hit"
    if not at.thresholds:
        return
    line = f"probes: {at.hit} of {at.thresholds} split thresholds of {ONNX_MODEL} are hit, each by two rows beside it"
    if at.asked < at.thresholds:
        line += f"; evaluate.probe_rows leaves room for {at.asked}"
    if at.hit < at.asked:
        line += f"; to {at.asked - at.hit} that were tried, no row made from training rows comes on both sides"
    yield line
