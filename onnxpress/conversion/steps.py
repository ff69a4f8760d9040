"""The steps behind skl2onnx, each from model to model; a step may change the model it is given.

Their order is in :mod:`onnxpress.conversion.converting`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from onnxpress.conversion.contract import contract_outputs
from onnxpress.conversion.converters.trees.deferring import DeferredTrees
from onnxpress.graph.binary_trees import as_regressors
from onnxpress.graph.canonical import canonical
from onnxpress.graph.names import rename, take_out_zipmaps
from onnxpress.graph.svm_nodes import rewrite_svm_nodes
from onnxpress.onnx_file import judge
from onnxpress.tables.names import SCORES, input_name
from onnxpress.tables.schema import Schema


@dataclass(frozen=True)
class Conversion:
    """What is converted, and to what."""

    estimator: Any
    """In a form that skl2onnx takes."""
    whole: Any
    """What takes the raw rows: the estimator as it was given, or the pipeline around it."""
    schema: Schema
    opset: int


Step = Callable[[onnx.ModelProto, Conversion, DeferredTrees], onnx.ModelProto]


def in_canonical_form(
    model: onnx.ModelProto, _conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Drop what differs between two runs of the same conversion, by the rules of ``canonical``."""
    return canonical(model)


def with_the_opset_asked_for(
    model: onnx.ModelProto, conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Declare the opset of ai.onnx that was asked for.

    1. skl2onnx declares the lowest that its nodes need, down to 1: it is replaced.
    2. Imports of other domains stay.
    """
    others = [opset for opset in model.opset_import if opset.domain]
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", conversion.opset), *others])
    return model


LABELS = {"classlabels_int64s", "classlabels_ints"}
"""Whole labels: of tree operators; of linear models and support vectors."""


def without_needless_casts(
    model: onnx.ModelProto, _conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Take out casts that change nothing: an operator less in every call.

    1. A Cast to int64 of a classifier's label that is int64 already goes.
    2. What read it reads the label.
    """
    graph = model.graph
    whole = set()
    for node in graph.node:
        if any(item.name in LABELS and item.ints for item in node.attribute):
            whole.add(node.output[0])
    needless = {}
    for node in graph.node:
        if _is_cast_to_int64(node) and node.input[0] in whole:
            needless[node.output[0]] = node.input[0]
    kept = [node for node in graph.node if node.output[0] not in needless]
    for node in kept:
        node.input[:] = [needless.get(name, name) for name in node.input]
    for output in graph.output:
        output.name = needless.get(output.name, output.name)
    del graph.node[:]
    graph.node.extend(kept)
    return model


def _is_cast_to_int64(node: onnx.NodeProto) -> bool:
    return node.op_type == "Cast" and node.attribute[0].i == TensorProto.INT64


def with_named_outputs(
    model: onnx.ModelProto, conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Give the outputs the names and shapes of the contract.

    1. A ZipMap that skl2onnx may end with goes; its input becomes the output.
    2. A regressor has ``prediction``; a classifier has ``label``, and ``probabilities`` or, without
       ``predict_proba``, ``scores``.
    """
    graph = model.graph
    behind = take_out_zipmaps(graph)
    produced = [behind.get(output.name, output.name) for output in graph.output]
    outputs = _outputs(conversion)
    rename(graph, dict(zip(produced, (output.name for output in outputs), strict=False)))
    del graph.output[:], graph.value_info[:]
    graph.output.extend(outputs)
    return model


def _outputs(conversion: Conversion) -> list[onnx.ValueInfoProto]:
    """Declare the outputs of the contract."""
    if conversion.schema.task == "regression":
        return contract_outputs(None, proper=False, width=len(conversion.schema.targets))
    classes = conversion.estimator.classes_
    if hasattr(conversion.estimator, "predict_proba"):
        return contract_outputs(classes, proper=True, width=len(classes))
    return contract_outputs(classes, proper=False, width=None)


def with_both_columns_of_scores(
    model: onnx.ModelProto, _conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Give both columns of the scores of two classes.

    1. skl2onnx may end with an operator that picks the second column: it goes.
    2. What it read is the output.
    """
    for picking in model.graph.node:
        if SCORES in picking.output and picking.op_type == "ArrayFeatureExtractor":
            break
    else:
        return model
    both = picking.input[0]
    model.graph.node.remove(picking)
    for node in model.graph.node:
        for field in (node.input, node.output):
            field[:] = [SCORES if name == both else name for name in field]
    return model


def with_labels_by_gather(
    model: onnx.ModelProto, _conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Pick labels from the classes by an operator of ai.onnx, which more runtimes have.

    1. An ArrayFeatureExtractor that picks from a constant list becomes a Gather.
    2. One that anything but a Reshape to a list reads stays: a Gather gives another shape.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "ArrayFeatureExtractor" or node.input[0] not in constants:
            continue
        readers = [each for each in model.graph.node if node.output[0] in each.input]
        flat = len(constants[node.input[0]].dims) == 1
        if flat and all(_makes_a_list(reader, constants) for reader in readers):
            node.op_type, node.domain = "Gather", ""
    return model


def _makes_a_list(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    if node.op_type != "Reshape" or node.input[1] not in constants:
        return False
    return numpy_helper.to_array(constants[node.input[1]]).tolist() == [-1]


def with_filled_trees(
    model: onnx.ModelProto, _conversion: Conversion, trees: DeferredTrees
) -> onnx.ModelProto:
    """Write the long attributes of the tree operators, which were left empty until here.

    1. Each operator that waits gets its arrays, by its name.
    2. All that wait have to be in the model.
    """
    trees.fill(model)
    return model


def with_trees_that_all_runtimes_read(
    model: onnx.ModelProto, _conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Write trees of two classes as regressors where releases of onnxruntime misread them."""
    as_regressors(model, margins=True)
    return model


def with_machines_as_products(
    model: onnx.ModelProto, _conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Write support vector machines as matrix products, where those cover them."""
    return rewrite_svm_nodes(model)[0]


def with_named_inputs(
    model: onnx.ModelProto, conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Give the inputs of columns their names.

    This is the last renaming, so that no converter meets a name that a user gave.
    """
    if not conversion.schema.all_numeric:
        names = [input_name(column.name) for column in conversion.schema.columns]
        plain = [value.name for value in model.graph.input]
        rename(model.graph, dict(zip(plain, names, strict=True)))
    return model


def with_the_names_of_columns(
    model: onnx.ModelProto, conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Write the names of the columns, in order, into the metadata, as a JSON list."""
    names = [column.name for column in conversion.schema.columns]
    helper.set_model_props(model, {"feature_names": json.dumps(names)})
    return model


def checked(
    model: onnx.ModelProto, _conversion: Conversion, _trees: DeferredTrees
) -> onnx.ModelProto:
    """Have onnx check the model in full, and judge it as if it came from outside."""
    onnx.checker.check_model(model, full_check=True)
    judge(model)
    return model
