"""A program of PyTorch behind scikit-learn's interface, with the ONNX model that torch made of it.

All predictions are torch's own, so the original of the metrics is the net that was given, and its
agreement with the converted model proves the export. The ONNX model is there to be converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxEstimator, OnnxRegressor
from onnxpress.torch_program.archive import read_program
from onnxpress.torch_program.asking import open_program


class _TorchEstimator(OnnxEstimator):
    """What the program answers in the place of the ONNX model."""

    program: bytes

    def answers(self, rows: Any) -> dict[str, NDArray[Any]]:
        """Return all outputs of the program.

        ``rows`` is a matrix of the columns, or a mapping of tensors.

        Raises:
            UserError: torch is not installed, or refuses the program; a pickle may hold any.
        """
        if not hasattr(self, "_asked"):
            program = read_program(self.program)  # nothing but what it has written goes to torch
            self._asked = program.interface.inputs, open_program(program)
        inputs, ask = self._asked
        if isinstance(rows, Mapping):
            given = rows
        elif len(inputs) == 1:
            given = {inputs[0].name: np.asarray(rows)}
        else:
            given = {each.name: self._column(rows, each.name) for each in inputs}
        return ask(given, self.n_jobs or 1)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what torch has loaded, which is made of the bytes."""
        return {key: value for key, value in super().__getstate__().items() if key != "_asked"}


class TorchRegressor(_TorchEstimator, OnnxRegressor):
    """A net with one number per row, or one for each of several targets."""

    def __init__(
        self, program: bytes, model: bytes, columns: tuple[str, ...], outputs: tuple[str, ...]
    ) -> None:
        """Keep the bytes of a ``.pt2`` file, ``program``, and of its ONNX form, ``model``."""
        super().__init__(model, columns, outputs)
        self.program = program

    def _run(self, rows: Any, output: str) -> Any:
        return self.answers(rows)[output]


class TorchClassifier(_TorchEstimator, OnnxClassifier):
    """A net with scores per row and class, or with a label beside them."""

    def __init__(
        self,
        program: bytes,
        model: bytes,
        columns: tuple[str, ...],
        outputs: tuple[str, ...],
        classes: tuple[Any, ...],
        *,
        width: int,
        proper: bool,
    ) -> None:
        """Keep the bytes of a ``.pt2`` file, ``program``, and of its ONNX form, ``model``."""
        super().__init__(model, columns, outputs, classes, width=width, proper=proper)
        self.program = program
        self.head = ""
        """What the net's scores are, a ``given.exports.heads.Head``; empty beside a label."""

    def _run(self, rows: Any, output: str) -> Any:
        found = self.answers(rows)
        if output in found:
            values = found[output]
            return scores_of(self.head, values) if output == self.outputs[1] else values
        return self.classes_[scores_of(self.head, found[self.outputs[1]]).argmax(axis=1)]


def scores_of(head: str, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return probabilities or scores (rows, classes) of what a net gives.

    Logits become probabilities by softmax, or the logistic function where there is one for two
    classes; the rest stays as it is.
    """
    found = values.reshape(len(values), -1).astype(np.float64)
    if head == "logits":
        return np.asarray(softmax(found, axis=1))
    if head in {"logit", "probability"}:
        second = expit(found) if head == "logit" else found
        return np.hstack([1 - second, second])
    return found
