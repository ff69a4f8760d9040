"""Where a tree node is in a graph, and how operators are added in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import TensorProto

from onnxpress.graph.writer import GraphWriter

Step = tuple[str, list[str], dict[str, Any]]
"""An operator on the running result: its type, its further inputs, its attributes."""


class SiteWriter(GraphWriter):
    """Writes to the end of ``graph`` under names from ``names``, which several graphs share."""

    def __init__(self, graph: onnx.GraphProto, opset: int, names: Iterator[str]) -> None:
        """``names`` yields names that nothing in the model uses, each once."""
        super().__init__(graph, opset, set())
        self._names = names

    def name(self, base: str) -> str:
        """See Writer; ``base`` is dropped."""
        del base
        return next(self._names)

    def chain(self, value: str, steps: list[Step], output: str) -> str:
        """Apply ``steps`` to ``value`` one after another; the last one writes ``output``."""
        for position, (op_type, inputs, attributes) in enumerate(steps):
            last = position == len(steps) - 1
            value = self.add(op_type, value, *inputs, output=output if last else "", **attributes)
        return value


@dataclass(frozen=True)
class Site:
    """Where a tree node is, and the ``writer`` of what replaces it.

    ``label`` and ``scores`` are names of outputs, empty where nothing reads them.
    """

    x: str
    label: str
    scores: str
    x_type: int  # TensorProto.DataType
    writer: SiteWriter
    columns: int = 0
    """How many columns ``x`` has; 0 if that is unknown."""
    double_scores: bool = False
    """Whether scores are float64, as TreeEnsemble (5) gives them for a double input."""

    @property
    def dtype(self) -> DTypeLike:
        """What thresholds are compared in: float64 for a double input, else float32."""
        return np.float64 if self.x_type == TensorProto.DOUBLE else np.float32
