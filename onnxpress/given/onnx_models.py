"""A given ONNX model, looked at and tried on the training rows before it counts as an estimator."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxpress.errors import UserError
from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxRegressor
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.row_dependence import row_dependence
from onnxpress.graph.imports import loadable
from onnxpress.progress import Say, say_nothing
from onnxpress.reading import read_bytes
from onnxpress.runtime.checked import checked_onnx
from onnxpress.runtime.predictions import as_labels
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Rows, sklearn_input
from onnxpress.tables.schema import Schema

FLOATS = ("tensor(float)", "tensor(double)")
LABELS = ("tensor(int64)", "tensor(int32)", "tensor(string)")
GIVEN_TOLERANCE = 1e-3
"""A given model may be quantised already: int8 steps turn a difference in the last bit into one of this size."""
TWO = 2
SUMS_TO_ONE = 1e-3
"""Probabilities in float32 of many classes add up to 1 within this."""


def load_onnx(
    path: Path, rows: Rows, schema: Schema, say: Say = say_nothing
) -> OnnxClassifier | OnnxRegressor:
    """Return the classifier or regressor in the ONNX file at ``path``; see :func:`as_estimator`."""
    return as_estimator(read_bytes(path), str(path), rows, schema, say)


def as_estimator(
    model: bytes, name: str, rows: Rows, schema: Schema, say: Say = say_nothing
) -> OnnxClassifier | OnnxRegressor:
    """Return the classifier or regressor in the bytes of an ONNX file, which errors call ``name``.

    ``say`` takes a warning if the prediction of a row depends on the other rows of the call.

    Raises:
        UserError: it is no ONNX model in one file, takes other inputs than the columns of
            ``schema``, gives other outputs than a label and scores (or a prediction), or cannot be
            run on the training rows.
    """
    proto = checked_onnx(model, name)
    try:
        if loadable(proto):
            model = proto.SerializeToString(deterministic=True)
        session = open_session(model)
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise UserError(
            f"{name} is no ONNX model that onnxruntime can load: {_reason(error)}"
        ) from error
    _check_inputs(session, schema, name)
    columns = tuple(column.name for column in schema.columns)
    outputs = _outputs(session, schema, name)
    if schema.task == "classification":
        unknown = OnnxClassifier(model, columns, outputs, (), width=0, proper=True)
        estimator: OnnxClassifier | OnnxRegressor = _classifier(proto, unknown, rows, name)
    else:
        estimator = OnnxRegressor(model, columns, outputs)
        _answer(estimator, rows, name)
    _check_repeatable(estimator, rows, name)
    _warn_of_mixed_rows(estimator, rows, schema, name, say)
    return estimator


def _reason(error: BaseException) -> str:
    """What onnxruntime or protobuf says, without places in its sources, and what to do about an opset that is too new."""
    text = re.sub(
        r"\[ONNXRuntimeError\] : \d+ : \w+ : |/\S*onnxruntime\S*\.(cc|h):\d+ .*?\) (?=[A-Z])",
        "",
        _line(error.__cause__ or error),
    )
    text = re.sub(
        r"Non-zero status code returned while running (\w+) node\. Name:'.*?' Status Message: (\S*onnxruntime\S*)?",
        r"\1: ",
        text,
    )
    newest = re.search(r"Current official support for domain (\S+) is till opset (\d+)", text)
    if newest is None:
        return text
    return f"it imports a newer {newest[1]} than this onnxruntime has; export it with opset {newest[2]} or older"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _check_repeatable(estimator: OnnxClassifier | OnnxRegressor, rows: Rows, name: str) -> None:
    """Raise UserError if two equal calls have different answers, as those of a Dropout that is still in training mode."""
    asked = sklearn_input(rows.feeds)
    ask = [estimator.predict] + (
        [estimator.scores] if isinstance(estimator, OnnxClassifier) else []
    )
    for what in ask:
        first, second = what(asked), what(asked)
        if not np.array_equal(first, second, equal_nan=first.dtype.kind == "f"):
            raise UserError(
                f"{name} gives other answers when asked twice; export it in inference mode, without random operators"
            )


def _warn_of_mixed_rows(estimator: Any, rows: Rows, schema: Schema, name: str, say: Say) -> None:
    """Say so where the answer to a row depends on the other rows of the call."""
    try:
        found = row_dependence(partial(predict_original, estimator, schema=schema), rows.feeds)
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class
        free = "export it with a first dimension of any size"
        raise UserError(
            f"{name} cannot be asked about one row of data.source ({_line(error)[:200]}); {free}"
        ) from error
    if found.difference > GIVEN_TOLERANCE:
        say(f"warning: {name}: {found}; one call with all rows and one call per row do not agree")


def _check_inputs(session: Any, schema: Schema, name: str) -> None:
    """Raise UserError unless the inputs are one matrix of all columns, or one (rows, 1) input per column."""
    given = {item.name: (item.type, item.shape) for item in session.get_inputs()}
    came = ", ".join(f"{name}: {kind} {shape}" for name, (kind, shape) in given.items())
    whole = schema.all_numeric and len(given) == 1
    width = len(schema.columns) if whole else 1
    kinds = {
        column.name: FLOATS if column.kind == "number" else ("tensor(string)",)
        for column in schema.columns
    }
    expected = dict.fromkeys(given, FLOATS) if whole else kinds
    fits = given.keys() == expected.keys() and all(
        kind in expected[name]
        and len(shape) == 2
        and not isinstance(shape[0], int)
        and shape[1] in {width, None}
        for name, (kind, shape) in given.items()
    )
    if not fits:
        wanted = (
            f"one float32 input of {width} columns"
            if schema.all_numeric
            else "an input of shape [None, 1] per column"
        )
        raise UserError(f"{name} takes {came}; data.source needs {wanted}, and any number of rows")


def _outputs(session: Any, schema: Schema, name: str) -> tuple[str, ...]:
    """The names of label and scores, or of the prediction."""
    kinds = {item.name: item.type for item in session.get_outputs()}
    values = [name for name, kind in kinds.items() if kind in FLOATS or kind.startswith("seq(map(")]
    found = (
        [[name for name, kind in kinds.items() if kind in LABELS], values]
        if schema.task == "classification"
        else [values]
    )
    if len(kinds) != len(found) or any(len(names) != 1 for names in found):
        wanted = (
            "a label (int64 or string) and scores"
            if schema.task == "classification"
            else "one float32 prediction"
        )
        came = ", ".join(f"{name}: {kind}" for name, kind in kinds.items())
        raise UserError(f"{name} gives {came}; expected {wanted} for this target (see data.task)")
    return tuple(names[0] for names in found)


def _classifier(
    proto: onnx.ModelProto, estimator: OnnxClassifier, rows: Rows, name: str
) -> OnnxClassifier:
    """The estimator with its classes, and told probabilities from scores by what it says of the training rows."""
    known = _class_labels(proto)
    classes = known if known is not None else np.unique(rows.target)
    estimator.classes = tuple(classes.tolist())
    said = as_labels(_answer(estimator, rows, name))
    scores = estimator.scores(sklearn_input(rows.feeds))
    strangers = sorted(set(said.tolist()) - set(estimator.classes))
    if strangers:
        raise UserError(
            f"{name} answers {strangers[0]!r}, which is no class of data.target; they are {estimator.classes}"
        )
    estimator.width = scores.shape[1]
    if estimator.width != len(classes) and (estimator.width, len(classes)) != (1, 2):
        raise UserError(
            f"{name} gives {estimator.width} scores per row for the {len(classes)} classes {estimator.classes}"
        )
    sums = np.abs(scores.sum(axis=1) - 1).max() <= SUMS_TO_ONE
    estimator.proper = bool(estimator.width > 1 and scores.min() >= 0 and sums)
    if len(classes) == TWO and not estimator.proper and _turned(scores, said == classes[1]):
        estimator.sign = -1
    return estimator


def _turned(scores: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> bool:
    """Whether scores of one decision, d or (d, -d), have the lesser one at the label, as skl2onnx writes a binary SVC."""
    if scores.shape[1] == TWO and not np.array_equal(scores[:, 0], -scores[:, 1]):
        return False
    decided = scores[:, -1] != 0
    return bool(np.mean((scores[:, -1] > 0)[decided] == second[decided]) < 1 / TWO)


def _class_labels(proto: onnx.ModelProto) -> np.ndarray[Any, Any] | None:
    """The classes of the ZipMap, else those that all classifiers of the graph share; None if the graph does not tell."""
    nodes = [node for node in proto.graph.node if node.op_type == "ZipMap"] or list(
        proto.graph.node
    )
    found = set()
    for node in nodes:
        for item in node.attribute:
            if item.name.startswith("classlabels_") and (item.ints or item.strings):
                found.add(tuple(item.ints) or tuple(text.decode() for text in item.strings))
    return np.array(found.pop()) if len(found) == 1 else None


def _answer(estimator: Any, rows: Rows, name: str) -> Any:
    try:
        answer = estimator.predict(sklearn_input(rows.feeds))
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise UserError(
            f"{name} cannot be run on rows of data.source: {_reason(error)[:300]}"
        ) from error
    if answer.size != len(rows):
        raise UserError(
            f"{name} gives {answer.shape} values for {len(rows)} rows; expected one per row"
        )
    return answer
