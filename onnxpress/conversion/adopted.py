"""A model that came as ONNX, under the names of the contract; what it computes stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import onnx
from onnx import TensorProto, ValueInfoProto, helper, version_converter

from onnxpress.errors import UserError
from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxRegressor
from onnxpress.graph.binary_trees import as_regressors
from onnxpress.graph.canonical import canonical
from onnxpress.graph.constants import as_initializers
from onnxpress.graph.names import rename, take_out_zipmaps
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.onnx_file import judge
from onnxpress.tables.names import (
    LABEL,
    NUMERIC_INPUT,
    PREDICTION,
    PROBABILITIES,
    SCORES,
    input_name,
)
from onnxpress.tables.schema import Schema

OLDEST_OPSET, RAISED_OPSET = 11, 12
"""ai.onnx below the first, in which the quantisers cannot write, is raised to the second; all others are kept."""


def adopted(estimator: OnnxClassifier | OnnxRegressor, schema: Schema) -> onnx.ModelProto:
    """The given model with the contract's inputs and outputs, canonical and checked in full.

    1. Its ai.onnx opset is kept, unless it is older than ``OLDEST_OPSET``. Constants become initializers.
    2. A ZipMap goes; what went into it comes out.
    3. One column d of scores becomes [-d, d].
    4. Inputs and outputs get the contract's names; a Cast, Gather or Reshape is added where types or shapes differ.

    Raises:
        UserError: the result would be no valid model.
    """
    with _part("its versions", f"export it with ai.onnx {OLDEST_OPSET} or newer"):
        model = canonical(_modern(onnx.load_from_string(estimator.model)))
        as_initializers(model.graph)
        rename(model.graph, {value.name: input_name(value.name) for value in _inputs(model.graph)})
    with _part(
        f"its outputs {', '.join(estimator.outputs)}",
        "export it with a label and a tensor of scores, or one prediction",
    ):
        behind = take_out_zipmaps(model.graph)
        _connect_outputs(
            model,
            [behind.get(name, name) for name in estimator.outputs],
            _contract_outputs(estimator),
        )
        if isinstance(estimator, OnnxClassifier):
            _scores_by_class(model, estimator.sign)
    with _part(
        "its inputs", "export it with one float32 input, or one of shape [None, 1] per column"
    ):
        _connect_inputs(model, tuple(map(input_name, estimator.columns)), schema)
    as_regressors(model)
    del model.graph.value_info[:]
    helper.set_model_props(model, {"feature_names": json.dumps(list(estimator.columns))})
    with _part(
        "the whole",
        "onnx.checker.check_model(model, full_check=True) should pass on the file itself",
    ):
        onnx.checker.check_model(model, full_check=True)
        judge(model)
    return model


@contextmanager
def _part(name: str, cure: str) -> Iterator[None]:
    """Name the part of the model that does not fit the chain, and a cure."""
    try:
        yield
    except Exception as error:  # of onnx's version converter and checker, which share no base class
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"the ONNX model of train.model_path does not fit the chain in {name} ({reason}); {cure}"
        ) from error


def _modern(model: onnx.ModelProto) -> onnx.ModelProto:
    versions = {opset.domain: opset.version for opset in model.opset_import}
    opset = versions.get("", versions.get("ai.onnx"))
    if opset is None:  # converters of boosters declare ai.onnx.ml alone where they use nothing else
        model.opset_import.append(helper.make_opsetid("", RAISED_OPSET))
        return model
    return (
        model if opset >= OLDEST_OPSET else version_converter.convert_version(model, RAISED_OPSET)
    )


def _contract_outputs(estimator: OnnxClassifier | OnnxRegressor) -> list[ValueInfoProto]:
    if isinstance(estimator, OnnxRegressor):
        return [helper.make_tensor_value_info(PREDICTION, TensorProto.FLOAT, [None, 1])]
    kind = TensorProto.STRING if estimator.classes_.dtype.kind == "U" else TensorProto.INT64
    scores = PROBABILITIES if estimator.proper else SCORES
    return [
        helper.make_tensor_value_info(LABEL, kind, [None]),
        helper.make_tensor_value_info(scores, TensorProto.FLOAT, [None, estimator.width]),
    ]


def _connect_outputs(model: onnx.ModelProto, ends: list[str], wanted: list[ValueInfoProto]) -> None:
    """Give the tensors ``ends`` the names, types and shapes of ``wanted``, in place."""
    graph = model.graph
    declared = {
        value.name: value for value in graph.output
    }  # what went into a ZipMap is float32 (rows, classes), as wanted
    pairs = list(zip(ends, wanted, strict=True))
    alike = {
        end: value.name
        for end, value in pairs
        if end not in declared or _alike(declared[end], value)
    }
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    others = {end: writer.name(f"{value.name}_given") for end, value in pairs if end not in alike}
    rename(graph, alike | others)
    for end, value in pairs:
        if end in others:
            kind = value.type.tensor_type.elem_type
            cast = (
                others[end]
                if kind == TensorProto.STRING
                else writer.add("Cast", others[end], to=kind)
            )
            shape = [-1, *(dim.dim_value for dim in value.type.tensor_type.shape.dim[1:])]
            writer.add(
                "Reshape", cast, writer.constant(np.array(shape, np.int64)), output=value.name
            )
    del graph.output[:]
    graph.output.extend(wanted)


def _scores_by_class(model: onnx.ModelProto, sign: int) -> None:
    """Write, in place, the score of each of two classes, the greater at the label, where the model gives one or the lesser."""
    found = next((value for value in model.graph.output if value.name == SCORES), None)
    if found is None:
        return
    columns = found.type.tensor_type.shape.dim[1]
    if columns.dim_value > 1 and sign > 0:
        return
    writer = GraphWriter(model.graph, opset_of(model), names_of(model))
    given = writer.name(f"{SCORES}_given")
    rename(model.graph, {SCORES: given})
    found.name = SCORES
    if columns.dim_value > 1:
        writer.add("Neg", given, output=SCORES)
        return
    pair = [writer.add("Neg", given), given]
    writer.add("Concat", *pair[::sign], output=SCORES, axis=1)
    columns.dim_value = 2


def _alike(one: ValueInfoProto, other: ValueInfoProto) -> bool:
    """Whether both are tensors of the same type and rank."""
    one_type, other_type = one.type.tensor_type, other.type.tensor_type
    return (one_type.elem_type, len(one_type.shape.dim)) == (
        other_type.elem_type,
        len(other_type.shape.dim),
    )


def _connect_inputs(model: onnx.ModelProto, columns: tuple[str, ...], schema: Schema) -> None:
    """Let the model take one float32 matrix ``X``, or a float32 or string input per column, in place."""
    graph = model.graph
    given = _inputs(graph)
    double = {
        value.name for value in given if value.type.tensor_type.elem_type == TensorProto.DOUBLE
    }
    split = schema.all_numeric and len(given) > 1
    head = onnx.GraphProto()
    writer = GraphWriter(head, opset_of(model), names_of(model) | {NUMERIC_INPUT, *columns})
    inner = {
        value.name: writer.name(f"{value.name}_given")
        for value in given
        if split or value.name in double
    }
    rename(graph, inner if inner or not schema.all_numeric else {given[0].name: NUMERIC_INPUT})
    for name, target in inner.items():
        source = NUMERIC_INPUT if schema.all_numeric else name
        if split:
            position = writer.constant(np.array([columns.index(name)], np.int64))
            source = writer.add(
                "Gather", source, position, output="" if name in double else target, axis=1
            )
        if name in double:
            writer.add("Cast", source, output=target, to=TensorProto.DOUBLE)
    nodes = [*head.node, *graph.node]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.initializer.extend(head.initializer)
    graph.input.extend(_contract_inputs(schema))


def _inputs(graph: onnx.GraphProto) -> list[ValueInfoProto]:
    """The inputs that are fed."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def _contract_inputs(schema: Schema) -> list[ValueInfoProto]:
    if schema.all_numeric:
        return [
            helper.make_tensor_value_info(
                NUMERIC_INPUT, TensorProto.FLOAT, [None, len(schema.columns)]
            )
        ]
    kinds = {
        input_name(column.name): TensorProto.FLOAT
        if column.kind == "number"
        else TensorProto.STRING
        for column in schema.columns
    }
    return [helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in kinds.items()]
