"""Models as callers pass them: fitted estimators, ONNX models, and files of either."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.api.loading import load_estimator
from onnxpress.api.table_arguments import Features
from onnxpress.errors import UserError
from onnxpress.estimators.booster_objects import of_native_bytes
from onnxpress.estimators.layout import DoesNotFit, layout, original_input
from onnxpress.estimators.onnx_estimator import NUMPY_TYPES
from onnxpress.estimators.predicting import predict_original
from onnxpress.given.exports.weights import with_weights
from onnxpress.given.onnx_models import as_estimator, stored_order
from onnxpress.given.torch_files import PROGRAM, refuse_torch
from onnxpress.given.torch_models import ExportedNet, exported_net
from onnxpress.reading import read_bytes
from onnxpress.runtime.checked import checked_onnx
from onnxpress.runtime.predictions import Predict, as_labels
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.column_types import Task
from onnxpress.tables.names import OUTPUT_NAMES
from onnxpress.tables.rows import Feeds, Rows, take
from onnxpress.tables.schema import Column, Schema

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)

TWO = 2


class OnnxHolder:
    """A result that holds an ONNX model, and can be passed on as that model."""

    data: bytes


@dataclass(frozen=True)
class GivenModel:
    """A model argument, looked at but not run yet: an estimator, or the bytes of an ONNX model."""

    name: str
    """What errors call it: its path, or the name of the argument."""

    task: Task
    estimator: Any = None
    data: bytes = b""
    """The bytes of an ONNX model; empty for an estimator."""
    net: ExportedNet | None = None
    """The program of PyTorch that ``data`` was made of."""

    @property
    def proto(self) -> onnx.ModelProto:
        """The ONNX model."""
        model: onnx.ModelProto = onnx.load_from_string(self.data)
        return model

    def as_estimator(self, rows: Rows, schema: Schema) -> Any:
        """Return the model behind scikit-learn's interface, with the columns of the schema.

        Raises:
            UserError: it takes other columns, or an ONNX model is not a predictor of the target.
        """
        if self.net is not None:
            return self.net.as_estimator(rows, schema)
        if self.data:
            return as_estimator(self.data, self.name, rows, schema)
        self.check_columns(schema)
        return self.estimator

    def check_columns(self, schema: Schema) -> None:
        """See that an estimator takes the columns of the schema.

        Raises:
            UserError: it does not.
        """
        try:
            layout(self.estimator, schema, "X")
        except DoesNotFit as error:
            what = f"{self.name}, a {type(self.estimator).__name__},"
            raise UserError(f"{what} {error}; pass X with the columns of its fit") from error

    def count_targets(self, table: Features) -> int:
        """Return how many numbers a regressor predicts for a row; 1 for a classifier.

        An estimator that refuses the first row, of which nothing is known then, counts as one of 1.
        """
        if self.task != "regression":
            return 1
        if self.data:
            size = self.proto.graph.output[0].type.tensor_type.shape.dim
            return max(1, int(size[1].dim_value)) if len(size) == TWO else 1
        one, schema = take(table.feeds(), np.arange(1)), table.schema(self.task)
        try:
            values = self.estimator.predict(original_input(self.estimator, one, schema))
        except Exception:  # each library has its own
            return 1
        return max(1, np.size(values))

    def predictor(self, rows: Rows, schema: Schema, threads: int = 1) -> Predict:
        """Return the function that predicts; ``rows`` are only needed for foreign ONNX models.

        Raises:
            UserError: as :meth:`as_estimator`.
        """
        if self.data and self.is_own:
            session = open_session(self.data, threads)
            return lambda feeds: predict_onnx(session, self._inputs(session, feeds, schema))
        estimator = self.as_estimator(rows, schema)
        return lambda feeds: predict_original(estimator, feeds, schema)

    def _inputs(self, session: Any, feeds: Feeds, schema: Schema) -> Feeds:
        return as_inputs(session, feeds, schema.columns, self.name)

    @property
    def is_own(self) -> bool:
        """Whether it is an ONNX model whose outputs have the names that onnxpress gives."""
        names = {value.name for value in self.proto.graph.output}
        return self.net is None and names <= set(OUTPUT_NAMES)


def given_model(model: Any, name: str, trust: Collection[str] = ()) -> GivenModel:
    """Return what a model argument is.

    ``model`` is a fitted estimator, the path of a file, an ONNX ``ModelProto`` or its bytes, or
    what :func:`onnxpress.compress` returned.

    Raises:
        UserError: it is something else, not fitted, or a file that may not be loaded.
    """
    if isinstance(model, (str, PathLike)):
        path = Path(model)
        refuse_torch(path, str(path))
        if path.suffix == PROGRAM:
            net = exported_net(read_bytes(path), str(path))
            task = _task_of(checked_onnx(net.exported, str(path)))
            return GivenModel(str(path), task, data=net.exported, net=net)
        if path.suffix != ".onnx":
            return _estimator(load_estimator(path, trust=trust), str(path))
        name, model = str(path), with_weights(read_bytes(path), path)
    if isinstance(model, onnx.ModelProto):
        model = model.SerializeToString(deterministic=True)
    if isinstance(model, OnnxHolder):
        model = model.data
    if isinstance(model, (bytes, bytearray)):
        return GivenModel(name, _task_of(checked_onnx(bytes(model), name)), data=bytes(model))
    return _estimator(model, name)


def _estimator(estimator: Any, name: str) -> GivenModel:
    from sklearn.base import BaseEstimator, is_classifier, is_regressor
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    what = "a fitted classifier or regressor of scikit-learn"
    came = type(estimator).__name__
    if isinstance(estimator, type):
        raise UserError(f"{name} should be {what}, got the class {estimator.__name__} itself")
    estimator = of_native_bytes(estimator)
    if type(estimator).__module__.startswith("catboost."):
        cure = "save_model('models/model.cbm'), which the pipeline takes as train.model_path"
        raise UserError(f"{name} should be {what}, got a {came}, which is none: {cure}")
    if not isinstance(estimator, BaseEstimator):
        raise UserError(f"{name} should be {what}, an ONNX model or a file of either, got {came}")
    if not (is_classifier(estimator) or is_regressor(estimator)):
        raise UserError(f"{name} should be {what}, got {came}")
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise UserError(f"{name} should be fitted, got a {came} that is not; fit it") from error
    if not hasattr(estimator, "predict"):
        cure = "fit a search with refit=True, or pass its best estimator, fitted"
        raise UserError(f"{name} should predict, got a {came} that cannot; {cure}")
    classes = getattr(estimator, "classes_", ())
    if isinstance(classes, list):
        raise UserError(f"{name} should predict one label per row, got a {came} of several targets")
    if len(classes) == 1:
        known = as_labels(np.asarray(classes)).tolist()[0]
        raise UserError(f"{name} should know two classes or more, got one that knows {known!r}")
    return GivenModel(
        name, "classification" if is_classifier(estimator) else "regression", estimator
    )


def _task_of(model: onnx.ModelProto) -> Task:
    """The task of an ONNX model: a classifier gives labels or scores beside its first output."""
    outputs = model.graph.output
    single = len(outputs) == 1 and outputs[0].type.tensor_type.elem_type in FLOATS
    return "regression" if single else "classification"


def for_target(model: GivenModel, y: Any) -> GivenModel:
    """Return an ONNX model for the task of its target ``y``.

    A net that ends in logits gives several numbers per row, as a regression of several targets
    does; for a target of one column they are those of its classes.
    """
    if not model.data or model.is_own or y is None or not _is_column(y):
        return model
    shape = model.proto.graph.output[0].type.tensor_type.shape.dim
    logits = model.task == "regression" and len(shape) > 1 and shape[-1].dim_value > 1
    return replace(model, task="classification") if logits else model


def _is_column(y: Any) -> bool:
    try:
        return np.shape(y)[1:] in {(), (1,)}
    except ValueError:  # rows of different lengths: whoever reads it says so
        return False


def as_inputs(session: Any, feeds: Feeds, columns: tuple[Column, ...], name: str) -> Feeds:
    """Return the rows under the names of the inputs of an ONNX model, which errors call ``name``.

    If the model takes one matrix and has stored the names of its columns, they get its order.

    Raises:
        UserError: it takes other columns.
    """
    inputs = session.get_inputs()
    if any(column.kind == "tensor" for column in columns):
        return _as_tensors(inputs, feeds, name)
    if len(inputs) == len(feeds) == 1:
        matrix = next(iter(feeds.values()))
        order = stored_order(session, [column.name for column in columns])
        feeds = {inputs[0].name: matrix if order is None else matrix[:, order]}
    widths = {item.name: item.shape[1] if len(item.shape) == 2 else 0 for item in inputs}
    if widths.keys() != feeds.keys() or any(
        isinstance(width, int) and width != feeds[each].shape[1] for each, width in widths.items()
    ):
        takes = ", ".join(f"{item.name} {item.shape}" for item in inputs)
        has = ", ".join(f"{each} {[None, values.shape[1]]}" for each, values in feeds.items())
        raise UserError(f"{name} takes {takes}, X gives {has}; pass X with the columns of its fit")
    wide = {item.name for item in inputs if item.type == "tensor(double)"}
    return {
        each: values.astype(np.float64) if each in wide else values
        for each, values in feeds.items()
    }


def _as_tensors(inputs: Sequence[Any], feeds: Feeds, name: str) -> Feeds:
    """Return tensors in the types of the inputs that take them, a lone one under any name.

    Raises:
        UserError: there are other inputs, or an input takes other shapes or numbers.
    """
    if len(inputs) == len(feeds) == 1:
        feeds = {inputs[0].name: next(iter(feeds.values()))}
    fits = {item.name for item in inputs} == feeds.keys() and all(
        _takes(item, feeds[item.name]) for item in inputs
    )
    if not fits:
        takes = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
        has = ", ".join(
            f"{each} {values.dtype} {[None, *values.shape[1:]]}" for each, values in feeds.items()
        )
        raise UserError(f"{name} takes {takes}, X gives {has}; pass X as the model takes it")
    return {item.name: np.asarray(feeds[item.name], NUMPY_TYPES[item.type]) for item in inputs}


def _takes(item: Any, values: NDArray[Any]) -> bool:
    """Return whether an input takes tensors, whose numbers may become wider ones only."""
    kind = NUMPY_TYPES.get(item.type)
    same = len(item.shape) == values.ndim and all(
        size == own or not isinstance(size, int)
        for size, own in zip(item.shape, values.shape, strict=True)
    )
    return same and kind is not None and np.can_cast(values.dtype, kind)


def check_classes(estimator: Any, target: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the target as the estimator's labels are: int64 or text.

    Raises:
        UserError: it holds a class that the estimator does not know.
    """
    known = as_labels(estimator.classes_)
    target = target.astype(str) if known.dtype.kind == "U" else target
    unknown = sorted(set(np.unique(target).tolist()) - set(known.tolist()))
    if unknown:
        raise UserError(
            f"y holds the class {unknown[0]!r}, which {name} does not know; it knows "
            f"{', '.join(map(repr, known.tolist()))}"
        )
    return target


def stand_in_target(model: GivenModel, features: Features) -> NDArray[Any]:
    """Return a target for rows that have none: labels that an ONNX model predicts, else zeros.

    The classes of an ONNX model follow from them where its graph does not name them.
    """
    zeros = np.zeros(len(features), np.int64)
    if model.task == "regression" or not (model.data and model.is_own):
        return zeros
    session = open_session(model.data)
    return predict_onnx(
        session, as_inputs(session, features.feeds(), features.columns, model.name)
    ).values
