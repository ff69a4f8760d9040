"""Outputs of a net, turned into a label and scores, or one prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.given.exports.inputs import ROWS
from onnxpress.graph.names import rename
from onnxpress.graph.writer import GraphWriter, names_of, opset_of

Values = Mapping[str, NDArray[np.generic]]
"""What the model gives for some rows, by output."""

TWO = 2

SUMS_TO_ONE = 1e-3
"""Probabilities in float32 of many classes add up to 1 within this."""

SHOWN = 10
"""Classes that a line names."""

PASSING = {"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast"}
"""Operators that leave the values as they are."""

SIGMOIDS = {"Sigmoid", "HardSigmoid"}


class Head(StrEnum):
    """What the scores of a net are."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    SCORES = "scores"
    """Of a sigmoid for each class: no distribution."""
    LOGIT = "logit"
    """One column, of the second of two classes."""
    PROBABILITY = "probability"
    """The same behind a sigmoid."""


@dataclass(frozen=True)
class Roles:
    """The outputs that are kept."""

    label: str | None = None
    values: str | None = None
    """The scores of a classifier, or the prediction of a regressor."""


def widen_halves(model: onnx.ModelProto) -> None:
    """Cast outputs of float16 to float32, in place."""
    graph = model.graph
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    for value in graph.output:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            name = value.name
            inner = writer.name(f"{name}_inner")
            rename(graph, {name: inner})
            writer.add("Cast", inner, output=name, to=TensorProto.FLOAT)
            value.name = name
            value.type.tensor_type.elem_type = TensorProto.FLOAT


def classifier_head(
    model: onnx.ModelProto, found: Values, target: NDArray[np.generic]
) -> list[str]:
    """Leave a label and scores as outputs, in place; return a line for each change.

    1. Outputs that are neither go.
    2. Without a label, the class of the greatest score is written. Where the model does not name
       its classes, they are those of the ``target`` (rows,), sorted, as trainers number them.
    3. Logits, which any real numbers may be, become probabilities by softmax; one column of them,
       the logit of the second of two classes, by the logistic function. Values that are
       probabilities already stay, and so do those of a sigmoid for each class, which are no
       distribution: they become scores.

    ``found`` holds the values of all outputs for the training rows. A model whose outputs cannot be
    told apart stays as it is.
    """
    named = class_labels(model)
    classes = np.unique(target) if named is None else named
    roles = _classifier_roles(found, classes, named=named is not None)
    if roles.values is None:
        return []
    lines = _dropped(found, roles)
    kept = [name for name in (roles.label, roles.values) if name is not None]
    _keep(model, kept)
    if roles.label is None:
        lines.append(_label(model, roles.values, found[roles.values], classes))
    return lines


def regressor_head(model: onnx.ModelProto, found: Values) -> list[str]:
    """Leave the one output with one number per row, in place; return a line if others go.

    A model that has none, or several, stays as it is.
    """
    single = [name for name, values in found.items() if _is_float(values) and _width(values) == 1]
    if len(found) == 1 or len(single) != 1:
        return []
    roles = Roles(values=single[0])
    _keep(model, single)
    return _dropped(found, roles)


def class_labels(proto: onnx.ModelProto) -> NDArray[np.generic] | None:
    """Return the classes of the ZipMap, or those of all classifiers of the graph; else None."""
    zipped = [node for node in proto.graph.node if node.op_type == "ZipMap"]
    found: set[tuple[int, ...] | tuple[str, ...]] = set()
    for node in zipped or proto.graph.node:
        for item in node.attribute:
            if item.name.startswith("classlabels_") and (item.ints or item.strings):
                texts = tuple(text.decode() for text in item.strings)
                found.add(tuple(item.ints) or texts)
    return np.array(found.pop()) if len(found) == 1 else None


def _classifier_roles(found: Values, classes: NDArray[np.generic], *, named: bool) -> Roles:
    """Return which outputs are the label and the scores.

    A label counts as one if it is a class of the table; from a model that has ``named`` its
    classes, any does, and whether they are the table's is checked later.
    """
    widths = {len(classes)} | ({1} if len(classes) == TWO else set())
    scores = [name for name, values in found.items() if _is_float(values)]
    scores = [name for name in scores if _width(found[name]) in widths]
    labels = [
        name
        for name, values in found.items()
        if _is_label(values) and (named or _are_of(classes, values))
    ]
    proper = [name for name in scores if _are_probabilities(found[name])]
    best = scores if len(scores) == 1 else proper
    if len(best) != 1 or len(labels) > 1:
        return Roles()
    if labels and not named and _are_numbers_of(classes, found[labels[0]], found[best[0]]):
        labels = []
    return Roles(labels[0] if labels else None, best[0])


def _is_label(values: NDArray[np.generic]) -> bool:
    return values.dtype.kind in "iUO" and _width(values) == 1


def _are_of(classes: NDArray[np.generic], values: NDArray[np.generic]) -> bool:
    """Whether all values are classes; numbers 0, 1, 2 of classes that are texts are none."""
    if (values.dtype.kind in "UO") != (classes.dtype.kind in "UO"):
        return False
    return bool(np.isin(values.reshape(-1), classes).all())


def _are_numbers_of(
    classes: NDArray[np.generic], label: NDArray[np.generic], scores: NDArray[np.generic]
) -> bool:
    """Whether a label is the place of the greatest score, and not the class in that place.

    With the classes 1, 2, 3 a net that numbers them 0, 1, 2 may give 1 and 2 alone on some rows,
    which are classes, but other ones.
    """
    if _width(scores) != len(classes) or label.dtype.kind != "i":
        return False
    places, given = scores.reshape(len(scores), -1).argmax(axis=1), label.reshape(-1)
    return bool((given == places).all() and (given != classes[places]).any())


def _is_float(values: NDArray[np.generic]) -> bool:
    return values.dtype.kind == "f"


def _width(values: NDArray[np.generic]) -> int:
    """Return how many values there are for a row."""
    return values.size // max(1, len(values)) if values.ndim else 0


def _are_probabilities(values: NDArray[np.generic]) -> bool:
    """Whether the values of each row are a distribution over two classes or more."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    sums = np.abs(rows.sum(axis=1) - 1).max(initial=0)
    return bool(rows.shape[1] > 1 and rows.min(initial=0) >= 0 and sums <= SUMS_TO_ONE)


def _dropped(found: Values, roles: Roles) -> list[str]:
    gone = [name for name in found if name not in (roles.label, roles.values)]
    return [f"gives {', '.join(map(repr, gone))}, which is left out"] if gone else []


def _keep(model: onnx.ModelProto, names: list[str]) -> None:
    """Leave only the outputs ``names``, in that order, in place."""
    outputs = {value.name: value for value in model.graph.output}
    kept = [outputs[name] for name in names]
    del model.graph.output[:]
    model.graph.output.extend(kept)


def _label(
    model: onnx.ModelProto, name: str, values: NDArray[np.generic], classes: NDArray[np.generic]
) -> str:
    """Write label and scores from the output ``name``, in place; return what was taken for what."""
    graph = model.graph
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    inner, width = writer.name(f"{name}_inner"), _width(values)
    head = head_of(graph, name, values)
    rename(graph, {name: inner})
    flat = inner
    if values.ndim != TWO:
        shape = writer.constant(np.array([-1, width], np.int64))
        flat = writer.add("Reshape", inner, shape)
    scores = flat
    if width == 1:
        scores = _pair(writer, flat, values, head)
    elif head is Head.LOGITS:
        scores = writer.add("Softmax", flat, axis=1)
    # the outputs are float32: doubles are cast before the greatest of them is looked for
    scores = writer.add("Cast", scores, output=name, to=TensorProto.FLOAT)
    label = writer.labels(scores, classes, writer.name("label"))
    kind = TensorProto.STRING if classes.dtype.kind in "UO" else TensorProto.INT64
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info(label, kind, [ROWS]),
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [ROWS, max(TWO, width)]),
        ]
    )
    shown = ", ".join(map(repr, classes[:SHOWN].tolist())) + (", …" if len(classes) > SHOWN else "")
    if width == 1:
        return f"gives no label: {name!r} is taken for the {head} of {classes[1].item()!r}"
    return f"gives no label: {name!r} is taken for the {head} of the classes {shown}, in this order"


def head_of(graph: onnx.GraphProto, name: str, values: NDArray[np.generic]) -> Head:
    """Return what the scores of the output ``name`` are, of which ``values`` are some rows."""
    last = _producer(graph, name)
    if _width(values) == 1:
        within = bool((values >= 0).all() and (values <= 1).all())  # type: ignore[operator] # floats
        return Head.PROBABILITY if last in SIGMOIDS or within else Head.LOGIT
    if _are_probabilities(values):
        return Head.PROBABILITIES
    return Head.SCORES if last in SIGMOIDS else Head.LOGITS


def _pair(writer: GraphWriter, flat: str, values: NDArray[np.generic], head: Head) -> str:
    """Write the probabilities of two classes from one column; return their name."""
    second = flat if head is Head.PROBABILITY else writer.add("Sigmoid", flat)
    kind = np.dtype(values.dtype)
    first = writer.add("Sub", writer.constant(np.ones(1, kind)), second)
    return writer.add("Concat", first, second, axis=1)


def _producer(graph: onnx.GraphProto, name: str) -> str:
    """Return the operator that makes the values of an output, whatever only passes them on."""
    by_output = {output: node for node in graph.node for output in node.output}
    while name in by_output and by_output[name].op_type in PASSING:
        name = by_output[name].input[0]
    return str(by_output[name].op_type) if name in by_output else ""
