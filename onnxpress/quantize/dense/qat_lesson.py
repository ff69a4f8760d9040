"""What quantisation-aware training learns: the plain model's answers, with values rounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.dense.chain import LINKS
from onnxpress.quantize.dense.int8_layers import Range
from onnxpress.quantize.dense.training import FEWEST_ROWS, MOST_ROWS, with_rows_between
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, Rows, take

MOST_BYTES = 2**29
"""Of rows that are learned from: of large images fewer are taken."""

CHUNK = 100

TRAINED = frozenset(["Conv", "Gemm", "MatMul", "Add"])
"""Constants that only these read are trained: weights and biases."""


@dataclass(frozen=True)
class Stored:
    """How values of a graph will be rounded."""

    blocks: frozenset[str] = frozenset()
    """Weights in blocks of 4 bits."""
    int8: Mapping[str, int] = field(default_factory=dict)
    """Weights in int8, and the axis that counts their outputs."""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    """Values between layers in int8."""


@dataclass(frozen=True)
class Lesson:
    """What the process that trains gets beside the model."""

    names: tuple[str, ...]
    """The constants that are trained."""
    stored: Stored
    value: str
    """What is learned: the sums before probabilities, or an output."""
    link: str
    """``Softmax`` or ``Sigmoid``: probabilities are learned. Empty: the numbers themselves."""
    feeds: Feeds
    """(2 * rows, ...): rows of the table, then as many at a random place between two."""
    answers: NDArray[np.float32]
    """(2 * rows, ...): the value, as the plain model computes it."""
    seed: int


def lesson_of(model: onnx.ModelProto, rows: Rows, stored: Stored, seed: int) -> Lesson:
    """Take rows and ask the plain model about them.

    Raises:
        NotApplicable: a column is text, or an answer is no number.
    """
    if any(values.dtype.kind not in "fiub" for values in rows.feeds.values()):
        raise NotApplicable("rows with text are not trained on")
    value, link = _learned(model)
    row_bytes = sum(values.nbytes // len(rows) for values in rows.feeds.values())
    size = min(MOST_ROWS, max(len(rows), FEWEST_ROWS), max(MOST_BYTES // (2 * row_bytes), CHUNK))
    feeds = with_rows_between(rows.feeds, size, seed)
    answers = _answers(model, value, feeds)
    if not np.isfinite(answers).all():
        raise NotApplicable("the plain model gives no number for some training rows")
    return Lesson(_trained(model), stored, value, link, feeds, answers, seed)


def _trained(model: onnx.ModelProto) -> tuple[str, ...]:
    """The names of float32 constants with axes that are weights or biases."""
    readers: dict[str, set[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, set()).add(node.op_type)
    return tuple(
        item.name
        for item in model.graph.initializer
        if item.data_type == TensorProto.FLOAT
        and len(item.dims)
        and readers.get(item.name, {""}) <= TRAINED
    )


def _learned(model: onnx.ModelProto) -> tuple[str, str]:
    """The value to learn, and what makes probabilities of it; the last float output without that.

    From the output backwards, what follows one value alone is passed: a Cast, or the pair
    ``1 - p, p``.
    """
    constants = {item.name for item in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    floats = [
        value.name
        for value in model.graph.output
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    ]
    if not floats:
        raise NotApplicable("the graph gives no float32")
    output = name = floats[-1]
    while name in makers:
        node = makers[name]
        if node.op_type in LINKS:
            return node.input[0], LINKS[node.op_type]
        sources = [each for each in node.input if each and each not in constants]
        if node.op_type not in ("Cast", "Concat", "Identity", "Reshape", "Sub") or not sources:
            break
        name = sources[0]
    return output, ""


def _answers(model: onnx.ModelProto, value: str, feeds: Feeds) -> NDArray[np.float32]:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if value not in {output.name for output in copy.graph.output}:
        copy.graph.output.append(onnx.ValueInfoProto(name=value))
    session = open_session(copy.SerializeToString())
    size = len(next(iter(feeds.values())))
    ends = [*range(0, size, CHUNK), size]
    parts = [
        session.run([value], take(feeds, np.arange(start, end)))[0] for start, end in pairwise(ends)
    ]
    return np.asarray(np.concatenate(parts), np.float32)
