"""A given ONNX model, inspected and run on the training rows before it counts as an estimator."""

from __future__ import annotations

import json
import re
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.estimators.onnx_estimator import NUMPY_TYPES, OnnxClassifier, OnnxRegressor
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.row_dependence import row_dependence
from onnxpress.given.exports.adapting import adapted
from onnxpress.given.exports.heads import class_labels
from onnxpress.given.exports.weights import with_weights
from onnxpress.graph.imports import loadable
from onnxpress.progress import Say, say_nothing
from onnxpress.reading import read_bytes
from onnxpress.runtime.checked import checked_onnx
from onnxpress.runtime.predictions import as_labels
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Rows, sklearn_input, take
from onnxpress.tables.schema import Schema, describe_tensor

FLOATS: tuple[str, ...] = ("tensor(float)", "tensor(double)")

LABELS = ("tensor(int64)", "tensor(int32)", "tensor(string)")

GIVEN_TOLERANCE = 1e-3
"""A given model may be quantised already: a difference in the last bit becomes an int8 step."""

TWO = 2

DROPOUT_ROWS, DROPOUTS = 32, 50
"""How many rows a model with a Dropout has to predict alike so often."""

SUMS_TO_ONE = 1e-3
"""Probabilities in float32 of many classes add up to 1 within this."""


def load_onnx(
    path: Path, rows: Rows, schema: Schema, say: Say = say_nothing
) -> OnnxClassifier | OnnxRegressor:
    """Return the classifier or regressor in the ONNX file at ``path``; see :func:`as_estimator`."""
    return as_estimator(with_weights(read_bytes(path), path), str(path), rows, schema, say)


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
        why = _reason(error)
        raise UserError(f"{name} is no ONNX model that onnxruntime can load: {why}") from error
    fitting = adapted(proto, rows, schema, name, say)
    if fitting is not proto:
        proto, model = fitting, fitting.SerializeToString(deterministic=True)
        session = open_session(model)
    _check_inputs(session, schema, name)
    columns = tuple(column.name for column in schema.columns)
    outputs = _outputs(session, schema, name)
    if schema.task == "classification":
        unknown = OnnxClassifier(model, columns, outputs, (), width=0, proper=True)
        estimator: OnnxClassifier | OnnxRegressor = _classifier(proto, unknown, rows, name)
    else:
        estimator = OnnxRegressor(model, columns, outputs)
        _predicted(estimator, rows, name, len(schema.targets))
    _check_repeatable(estimator, rows, name)
    _warn_of_mixed_rows(estimator, rows, schema, name, say)
    return estimator


def _reason(error: BaseException) -> str:
    """Return what onnxruntime or protobuf says, without places in its sources.

    For an opset that is too new, the line says what to do.
    """
    text = re.sub(
        r"\[ONNXRuntimeError\] : \d+ : \w+ : |/\S*onnxruntime\S*\.(cc|h):\d+ .*?\) (?=[A-Z])",
        "",
        _line(error.__cause__ or error),
    )
    text = re.sub(
        r"Non-zero status code returned while running (\w+) node\. "
        r"Name:'.*?' Status Message: (\S*onnxruntime\S*)?",
        r"\1: ",
        text,
    )
    newest = re.search(r"Current official support for domain (\S+) is till opset (\d+)", text)
    if newest is None:
        return text
    domain, opset = newest.groups()
    return (
        f"it imports a newer {domain} than this onnxruntime has; "
        f"export it with opset {opset} or older"
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _check_repeatable(estimator: OnnxClassifier | OnnxRegressor, rows: Rows, name: str) -> None:
    """Check that equal calls predict the same, unlike a Dropout still in training mode.

    One that drops half of four weights predicts the same twice in one of sixteen times, so a model
    with a Dropout is asked more often.

    Raises:
        UserError: they do not.
    """
    calls = [(rows.feeds, 1)]
    if b"Dropout" in estimator.model:
        calls.append((take(rows.feeds, np.arange(min(len(rows.target), DROPOUT_ROWS))), DROPOUTS))
    methods = [estimator.predict]
    if isinstance(estimator, OnnxClassifier):
        methods.append(estimator.scores)
    for method, (feeds, times) in product(methods, calls):
        given = sklearn_input(feeds)
        first = method(given)
        for _ in range(times):
            if not np.array_equal(first, method(given), equal_nan=first.dtype.kind == "f"):
                raise UserError(
                    f"{name} predicts differently when it is run twice on the same rows; "
                    "export it in inference mode, without random operators"
                )


def _warn_of_mixed_rows(estimator: Any, rows: Rows, schema: Schema, name: str, say: Say) -> None:
    """Say so where the prediction of a row depends on the other rows of the call.

    Raises:
        UserError: the model does not take one row alone.
    """
    try:
        found = row_dependence(partial(predict_original, estimator, schema=schema), rows.feeds)
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class
        why = _line(error)[:200]
        raise UserError(
            f"{name} cannot predict one row alone ({why}); "
            "export it with a first dimension of any size"
        ) from error
    if found.difference > GIVEN_TOLERANCE:
        say(f"warning: {name}: {found}; one call with all rows and one call per row do not agree")


def _check_inputs(session: Any, schema: Schema, name: str) -> None:
    """Check that the inputs are one matrix of all columns, or one (rows, 1) input per column.

    Of tensors, each is an input of its own.

    Raises:
        UserError: they are not.
    """
    given = {item.name: (item.type, item.shape) for item in session.get_inputs()}
    if schema.has_tensors:
        _check_tensors(given, schema, name)
        return
    expected, width = _kinds(schema), 1
    if schema.all_numeric and len(given) == 1:
        expected, width = dict.fromkeys(given, FLOATS), len(schema.columns)
    fits = given.keys() == expected.keys() and all(
        kind in expected[item] and _is_rows_of(shape, width)
        for item, (kind, shape) in given.items()
    )
    if not fits:
        came = ", ".join(f"{item}: {kind} {shape}" for item, (kind, shape) in given.items())
        wanted = "an input of shape [None, 1] per column"
        if schema.all_numeric:
            wanted = f"one float32 input of {len(schema.columns)} columns"
        raise UserError(f"{name} takes {came}; the table needs {wanted}, and any number of rows")
    names = [column.name for column in schema.columns]
    order = stored_order(session, names) if width > 1 else None
    if order is not None:
        wanted = ", ".join(names[place] for place in order)
        raise UserError(f"{name} takes the columns in another order: {wanted}; give them like that")


def _check_tensors(given: dict[str, tuple[str, list[Any]]], schema: Schema, name: str) -> None:
    """Check that there is an input for each tensor, a lone one under any name.

    Raises:
        UserError: one has another shape or type, or there are other ones.
    """
    wanted = {column.name: column for column in schema.columns}
    if len(given) == len(wanted) == 1:
        wanted = dict(zip(given, wanted.values(), strict=True))
    fits = given.keys() == wanted.keys() and all(
        NUMPY_TYPES.get(kind) == np.dtype(wanted[item].dtype) and _takes(shape, wanted[item].shape)
        for item, (kind, shape) in given.items()
    )
    if not fits:
        came = ", ".join(f"{item}: {kind} {shape}" for item, (kind, shape) in given.items())
        has = ", ".join(map(describe_tensor, schema.columns))
        raise UserError(
            f"{name} takes {came}; the data have {has} for a row, and any number of rows: "
            "give arrays of these names and shapes, rows first"
        )


def _takes(shape: list[Any], row: tuple[int, ...]) -> bool:
    """Return whether an input of a shape takes any number of rows of the shape ``row``."""
    return (
        len(shape) == len(row) + 1
        and not isinstance(shape[0], int)
        and all(
            size == own or not isinstance(size, int)
            for size, own in zip(shape[1:], row, strict=True)
        )
    )


def stored_order(session: Any, names: list[str]) -> list[int] | None:
    """Return the places of the columns in the order that an ONNX model has stored.

    None if the order is the same, if the model has stored no names of columns, or other ones. A
    model that has stored a, b, c, and a table with c, a, b: [1, 2, 0].
    """
    text = session.get_modelmeta().custom_metadata_map.get("feature_names", "")
    try:
        stored = json.loads(text)
    except ValueError:
        return None
    is_permutation = (
        isinstance(stored, list)
        and all(isinstance(each, str) for each in stored)
        and sorted(stored) == sorted(names)
    )
    if stored == names or not is_permutation:
        return None
    return [names.index(each) for each in stored]


def _kinds(schema: Schema) -> dict[str, tuple[str, ...]]:
    """Return the types that an input of each column may have."""
    return {
        column.name: FLOATS if column.kind == "number" else ("tensor(string)",)
        for column in schema.columns
    }


def _is_rows_of(shape: list[Any], width: int) -> bool:
    """Return whether a shape is (any number of rows, ``width``); None may be any number."""
    return len(shape) == TWO and not isinstance(shape[0], int) and shape[1] in {width, None}


def _outputs(session: Any, schema: Schema, name: str) -> tuple[str, ...]:
    """Return the names of label and scores, or of the prediction.

    Raises:
        UserError: the model has other outputs.
    """
    kinds = {item.name: item.type for item in session.get_outputs()}
    labels = [item for item, kind in kinds.items() if kind in LABELS]
    values = [item for item, kind in kinds.items() if kind in FLOATS or kind.startswith("seq(map(")]
    if schema.task == "classification":
        found, wanted = [labels, values], "a label (int64 or string) and scores"
    else:
        found, wanted = [values], "one float32 prediction"
    if len(kinds) != len(found) or any(len(names) != 1 for names in found):
        came = ", ".join(f"{item}: {kind}" for item, kind in kinds.items())
        raise UserError(f"{name} gives {came}; expected {wanted} for this target (see `task`)")
    return tuple(names[0] for names in found)


def _classifier(
    proto: onnx.ModelProto, estimator: OnnxClassifier, rows: Rows, name: str
) -> OnnxClassifier:
    """Give the estimator its classes and the form of its scores, as the training rows show.

    Raises:
        UserError: it predicts a class that it does not name, or has another number of scores than
            of classes.
    """
    known = class_labels(proto)
    classes = known if known is not None else np.unique(rows.target)
    estimator.classes = tuple(classes.tolist())
    predicted = as_labels(_predicted(estimator, rows, name))
    scores = estimator.scores(sklearn_input(rows.feeds))
    strangers = sorted(set(predicted.tolist()) - set(estimator.classes))
    if strangers:
        raise UserError(
            f"{name} predicts {strangers[0]!r}, which is not a class of the target; "
            f"they are {estimator.classes}"
        )
    estimator.width = scores.shape[1]
    if estimator.width != len(classes) and (estimator.width, len(classes)) != (1, TWO):
        raise UserError(
            f"{name} gives {estimator.width} scores per row for the {len(classes)} classes "
            f"{estimator.classes}"
        )
    sums_to_one = np.abs(scores.sum(axis=1) - 1).max() <= SUMS_TO_ONE
    estimator.proper = bool(estimator.width > 1 and scores.min() >= 0 and sums_to_one)
    if len(classes) == TWO and not estimator.proper and _turned(scores, predicted == classes[1]):
        estimator.sign = -1
    return estimator


def _turned(scores: NDArray[np.float64], second: NDArray[np.bool_]) -> bool:
    """Return whether the lesser of two scores is the label's, as skl2onnx writes a binary SVC.

    ``scores`` are of one decision, d (rows, 1) or (-d, d) (rows, 2); ``second`` (rows,) says where
    the label is the second class. Three rows, d first as it should be, then turned:

        d       -1.5   0.2   2.0           1.5  -0.2  -2.0
        second   no    yes   yes            no   yes   yes
        d > 0    no    yes   yes           yes    no    no

    The second class has the greater d on average, then the lesser, at whatever d it begins. Where
    all rows have one class, it is held to begin at 0.
    """
    if scores.shape[1] == TWO and not np.array_equal(scores[:, 0], -scores[:, 1]):
        return False
    decision = scores[:, -1]
    if 0 < second.sum() < len(second):
        return bool(decision[second].mean() < decision[~second].mean())
    decided = decision != 0
    return bool(np.mean((decision > 0)[decided] == second[decided]) < 1 / TWO)


def _predicted(estimator: Any, rows: Rows, name: str, targets: int = 1) -> NDArray[Any]:
    """Predict labels or numbers for the training rows, in the shape that the model gives.

    Raises:
        UserError: it cannot be run on them, or does not give a value per row for each target.
    """
    try:
        values: NDArray[Any] = estimator.predict(sklearn_input(rows.feeds))
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class
        why = _reason(error)[:300]
        raise UserError(f"{name} cannot be run on the training rows: {why}") from error
    if values.size != len(rows) * targets or (targets > 1 and values.shape[0] != len(rows)):
        many = "one" if targets == 1 else str(targets)
        raise UserError(
            f"{name} gives {values.shape} values for {len(rows)} rows; expected {many} per row"
        )
    return values
