"""A given program of PyTorch (``.pt2``) as an estimator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from onnxpress.errors import UserError
from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxRegressor
from onnxpress.estimators.torch_estimator import TorchClassifier, TorchRegressor
from onnxpress.given.exports.heads import head_of
from onnxpress.given.onnx_models import as_estimator
from onnxpress.progress import Say, say_nothing
from onnxpress.reading import read_bytes
from onnxpress.tables.rows import Rows, sklearn_input
from onnxpress.tables.schema import Schema
from onnxpress.torch_program.archive import Program, read_program
from onnxpress.torch_program.asking import to_onnx


def load_torch(
    path: Path, rows: Rows, schema: Schema, say: Say = say_nothing
) -> TorchClassifier | TorchRegressor:
    """Return the classifier or regressor in the ``.pt2`` file at ``path``; see :func:`as_net`."""
    return as_net(read_bytes(path), str(path), rows, schema, say)


def as_net(
    data: bytes, name: str, rows: Rows, schema: Schema, say: Say = say_nothing
) -> TorchClassifier | TorchRegressor:
    """Return the classifier or regressor in the bytes of a ``.pt2`` file, called ``name``.

    1. The file is judged and written anew (:func:`read_program`).
    2. Torch makes an ONNX model of it, which is taken as a given one is (:func:`as_estimator`).
    3. What that model's head does to the outputs of the net, is done to those that torch gives.

    Raises:
        UserError: the file may not be loaded, torch does not load or export it, or it does not fit
            the columns and the target.
    """
    return exported_net(data, name).as_estimator(rows, schema, say)


@dataclass(frozen=True)
class ExportedNet:
    """A program, and the ONNX model that torch has made of it."""

    name: str
    program: Program
    exported: bytes

    def as_estimator(
        self, rows: Rows, schema: Schema, say: Say = say_nothing
    ) -> TorchClassifier | TorchRegressor:
        """Return the classifier or regressor; see :func:`as_net`.

        Raises:
            UserError: it does not fit the columns and the target.
        """
        form = as_estimator(self.exported, self.name, rows, schema, say)
        return _asking_torch(self.program, form, self.exported, rows)


def exported_net(data: bytes, name: str) -> ExportedNet:
    """Return the program in the bytes of a ``.pt2`` file, with its ONNX form.

    Raises:
        UserError: the file may not be loaded, or torch does not load or export it.
    """
    try:
        program = read_program(data)
    except UserError as error:
        raise UserError(f"{name} {error}") from error
    try:
        return ExportedNet(name, program, to_onnx(program))
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def _asking_torch(
    program: Program, form: OnnxClassifier | OnnxRegressor, exported: bytes, rows: Rows
) -> TorchClassifier | TorchRegressor:
    """Return the estimator that answers by the program as ``form`` does by its ONNX model."""
    if isinstance(form, OnnxRegressor):
        return TorchRegressor(program.data, form.model, form.columns, form.outputs)
    made = TorchClassifier(
        program.data,
        form.model,
        form.columns,
        form.outputs,
        form.classes,
        width=form.width,
        proper=form.proper,
    )
    made.sign = form.sign
    label, scores = form.outputs
    if label not in program.interface.outputs:
        graph = onnx.load_from_string(exported).graph
        values = made.answers(sklearn_input(rows.feeds))[scores]
        made.head = head_of(graph, scores, values).value
    return made
