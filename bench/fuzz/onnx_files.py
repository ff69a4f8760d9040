"""ONNX models, whole and with bytes, fields, names and attributes changed."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import numpy as np
import onnx

from bench.fuzz.descriptions import INTEGERS, TEXTS
from bench.fuzz.estimators import COLUMNS, fitted, small_rows
from bench.fuzz.mutations import CHANGES
from bench.fuzz.watch import FORBIDDEN, watched
from bench.fuzz.workers import Outcome, enter
from onnxpress.onnx_file import BadModel, read_model

CONVERTED = (
    "RandomForestClassifier",
    "LogisticRegression",
    "HistGradientBoostingRegressor",
    "MLPClassifier",
    "SVC",
    "KNeighborsClassifier",
)
OPERATORS = (
    "If",
    "Loop",
    "Scan",
    "Constant",
    "Identity",
    "Tile",
    "ConstantOfShape",
    "Range",
    "Evil",
    "Gather",
    "Reshape",
    "Cast",
)
DOMAINS = ("", "ai.onnx.ml", "com.microsoft", "evil", "ai.onnx.preview.training")


@cache
def real() -> tuple[onnx.ModelProto, ...]:
    """Some of the estimators as ONNX, by skl2onnx alone."""
    from skl2onnx import to_onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(
            to_onnx(fitted()[name], small_rows(fitted()[name])[0][:1]) for name in CONVERTED
        )


def damaged(random: Random) -> bytes:
    """A model with one to four changes of its bytes."""
    data = bytearray(random.choice(real()).SerializeToString())
    for _ in range(random.choice((1, 1, 2, 4))):
        if data:
            random.choice(CHANGES)(random, data)
    return bytes(data)


def changed(random: Random) -> bytes:
    """A model with one to three changes of its fields."""
    model = copy.deepcopy(random.choice(real()))
    for _ in range(random.choice((1, 1, 2, 3))):
        try:
            random.choice(FIELDS)(random, model)
        except (
            ValueError,
            TypeError,
            IndexError,
            OverflowError,
        ):  # a value that the field cannot hold
            continue
    return bytes(model.SerializeToString())


def judged(kind: str, number: int, data: bytes) -> Outcome:
    """Look at a model as train does before anything runs it."""
    enter("reading")
    with watched(FORBIDDEN) as seen:
        try:
            model = read_model(data)
        except BadModel:
            return Outcome(kind, number, "refused", "; ".join(seen))
        except Exception as error:  # whatever is not documented is a finding
            return Outcome(kind, number, "raised", f"{type(error).__name__}: {str(error)[:200]}")
    if seen:
        return Outcome(kind, number, "accepted", "; ".join(seen))
    if _refers_outside(model):
        return Outcome(kind, number, "accepted", "it refers to another file")
    enter("running")
    return Outcome(kind, number, _run(model.SerializeToString()))


def _refers_outside(model: onnx.ModelProto) -> bool:
    """Whether a tensor lies in another file, by what the bytes say, not by walking the graph."""
    return any(
        value == onnx.TensorProto.EXTERNAL
        for message, field, value in _scalars(model)
        if field.name == "data_location"
    )


def _run(data: bytes) -> str:
    """What onnxruntime makes of an accepted model.

    It may crash, which in the product only the held child would see.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        session.run(None, {session.get_inputs()[0].name: np.zeros((3, COLUMNS), np.float32)})
    except Exception:  # onnxruntime's exceptions share no base class of their own
        return "accepted, refused by the runtime"
    return "accepted, runs"


def _scalars(message: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Every field of numbers, text or bytes that is set, with its message and value."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                yield from _scalars(inner)
        else:
            yield message, field, value


def _other_field(random: Random, model: onnx.ModelProto) -> None:
    message, field, _ = random.choice(list(_scalars(model)))
    value: Any = random.choice(INTEGERS)
    if field.type in {field.TYPE_FLOAT, field.TYPE_DOUBLE}:
        value = random.choice((float("nan"), float("inf"), -1.0, 1e30, 0.0))
    elif field.type == field.TYPE_STRING:
        value = random.choice(TEXTS)
    elif field.type == field.TYPE_BYTES:
        value = random.randbytes(random.choice((0, 1, 8, 64)))
    if field.is_repeated:
        items = getattr(message, field.name)
        items[random.randrange(len(items))] = value
    else:
        setattr(message, field.name, value)


def _all_of_a_field(random: Random, model: onnx.ModelProto) -> None:
    """A whole list of an attribute set to one number: children, features, classes."""
    attributes = [item for node in model.graph.node for item in node.attribute if item.ints]
    attribute = random.choice(attributes)
    attribute.ints[:] = [random.choice(INTEGERS)] * random.choice((len(attribute.ints), 1, 1000))


def _external(random: Random, model: onnx.ModelProto) -> None:
    """A weight in another file."""
    tensor = random.choice(
        [
            *model.graph.initializer,
            *(item.t for node in model.graph.node for item in node.attribute),
        ]
    )
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (
        ("location", random.choice(("params.yaml", "/etc/passwd", "../a", ""))),
        ("offset", "0"),
        ("length", "4"),
    ):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def _node(random: Random, model: onnx.ModelProto) -> None:
    """Another operator, domain, input or output for a node, or one node more."""
    node = random.choice(model.graph.node)
    action = random.randrange(5)
    if action == 0:
        node.op_type = random.choice(OPERATORS)
    elif action == 1:
        node.domain = random.choice(DOMAINS)
    elif action == 2:
        node.input[random.randrange(len(node.input))] = random.choice(
            (*(item.name for item in model.graph.input), *node.output)
        )
    elif action == 3:
        node.output[random.randrange(len(node.output))] = random.choice((*node.input, "label", "X"))
    else:
        model.graph.node.append(copy.deepcopy(node))


def _subgraph(random: Random, model: onnx.ModelProto) -> None:
    """The graph within itself, in an attribute of one of its nodes."""
    graph = (
        model.graph.SerializeToString()
    )  # protobuf crashes on a message that is copied into itself
    node = random.choice(model.graph.node)
    attribute = node.attribute.add()
    attribute.name, attribute.type = (
        random.choice(("body", "then_branch", "else_branch")),
        onnx.AttributeProto.GRAPH,
    )
    attribute.g.ParseFromString(graph)
    node.op_type = random.choice(("If", "Loop", "Scan"))


def _shape(random: Random, model: onnx.ModelProto) -> None:
    """Dimensions of a weight that its data do not have."""
    tensors = list(model.graph.initializer)
    tensor = random.choice(tensors)
    tensor.dims[:] = [random.choice(INTEGERS) % 2**63 for _ in range(random.randrange(4))]


def _model(random: Random, model: onnx.ModelProto) -> None:
    """Versions, imports, metadata."""
    action = random.randrange(4)
    if action == 0:
        model.ir_version = random.choice((0, 1, 3, 99, 2**31))
    elif action == 1:
        model.opset_import[0].version = random.choice((0, 1, 99, 2**40))
    elif action == 2:
        model.opset_import.add(domain=random.choice(DOMAINS), version=1)
    else:
        model.doc_string = "x" * random.choice((0, 1000, 1_000_000))


FIELDS = (
    _other_field,
    _other_field,
    _other_field,
    _all_of_a_field,
    _external,
    _node,
    _node,
    _subgraph,
    _shape,
    _model,
)
