"""The seam between the quantize stage and its methods.

A method is a function from the plain model and the params to the candidates worth trying on that graph. A candidate is a
pure function from a model and the rows it may learn from to a new model. It is applied to the plain model with all
training rows, and, where candidates are scored by cross-fitting, in the same way to a clone of it per fold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from onnxpress.tables.rows import Rows


class NotApplicable(Exception):
    """Raised by a candidate that cannot treat this graph; the message says why in words for quantization.json."""


@dataclass(frozen=True)
class Candidate:
    """One way to quantise: ``apply(model, rows)`` returns a new model and never changes its input.

    Input and output names, types and shapes of the model stay as they are. ``rows`` are training rows: the
    candidate may learn from them (calibrate ranges, refine leaves) but is never scored on them.
    """

    name: str
    apply: Callable[[onnx.ModelProto, Rows], onnx.ModelProto]

    @property
    def ladder(self) -> str:
        """Candidates that share their name up to a ``-`` are rungs of one ladder, listed from the smallest model up."""
        return self.name.partition("-")[0]
