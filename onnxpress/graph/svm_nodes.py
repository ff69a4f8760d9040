"""Replace SVMClassifier and SVMRegressor nodes (ai.onnx.ml 1) by matrix products.

The outputs stay the same; their rules are those of libsvm, as onnxruntime's operators and
scikit-learn follow them.

Source: Chang and Lin, "LIBSVM: a library for support vector machines", 2011, sections 4 and 8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.graph.kernel_machine import (
    KernelMachine,
    Untreatable,
    decisions,
    one_vector_a_pair,
    read,
    vote_matrix,
)
from onnxpress.graph.writer import ML_DOMAIN, GraphWriter, Writer, names_of, opset_of

SVM_OPS = {"SVMClassifier", "SVMRegressor"}
MIN_OPSET = 9  # Where
TWO = 2


def is_svm(node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a support vector machine of ai.onnx.ml.

    One that ``_couple`` has written, whose vectors are unit vectors, does not count.
    """
    if node.domain != ML_DOMAIN or node.op_type not in SVM_OPS:
        return False
    given = {item.name: item for item in node.attribute}
    if not {"prob_a", "support_vectors"} <= given.keys():
        return True
    vectors, size = given["support_vectors"].floats, len(given["prob_a"].floats)
    return len(vectors) != size**2 or not np.array_equal(np.array(vectors), np.eye(size).ravel())


def rewrite_svm_nodes(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """Copy ``model`` with the machines of its main graph as matrix products.

    1. Matrix products need opset 9.
    2. A machine that products do not cover stays; the second value says why, a line for each.
    3. Imports of domains that are no longer used go.
    """
    opset = opset_of(model)
    if opset < MIN_OPSET:
        return model, [f"matrix products need opset {MIN_OPSET} or later, the model has {opset}"]
    result, reasons = onnx.ModelProto(), []
    result.CopyFrom(model)
    del result.graph.node[:]
    writer = GraphWriter(result.graph, opset, names_of(model))
    inputs = model.graph.input
    float_type = TensorProto.FLOAT
    floats = {one.name for one in inputs if one.type.tensor_type.elem_type == float_type}
    for node in model.graph.node:
        count = len(result.graph.node), len(result.graph.initializer)
        try:
            if is_svm(node):
                _replace(node, writer, is_float=node.input[0] in floats)
                continue
        except Untreatable as reason:
            del result.graph.node[count[0] :], result.graph.initializer[count[1] :]
            reasons.append(f"{node.op_type} is left as it is: {reason}")
        writer.copy(node)
    used = {node.domain for node in result.graph.node} | {"", "ai.onnx"}
    kept = [entry for entry in result.opset_import if entry.domain in used]
    del result.opset_import[:]
    result.opset_import.extend(kept)
    return result, reasons


def _replace(node: onnx.NodeProto, writer: GraphWriter, *, is_float: bool) -> None:
    """Write the products that compute the outputs of ``node``."""
    machine = read(node)
    given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    x = node.input[0] if is_float else writer.add("Cast", node.input[0], to=TensorProto.FLOAT)
    if node.op_type == "SVMRegressor":
        decisions(machine, x, writer, node.output[0])
        return
    if "prob_a" in given:
        _couple(node, machine, x, writer)
        return
    classes, (label, scores) = _classes(given), node.output
    if len(machine.per_class) > TWO:
        vote(decisions(machine, x, writer, scores), classes, label, writer)
        return
    decided = decisions(machine, x, writer)
    second_unless_first(decided, classes, label, writer)
    signs = writer.constant(np.array([[-1, 1]], np.float32))
    writer.add("Mul", decided, signs, output=scores)


def _classes(given: dict[str, Any]) -> NDArray[Any]:
    """Return the labels, texts or int64."""
    names = given.get("classlabels_strings")
    if names:
        return np.array([name.decode() for name in names], object)
    return np.array(given["classlabels_ints"], np.int64)


def second_unless_first(decided: str, classes: NDArray[Any], label: str, writer: Writer) -> None:
    """Write the first class where the decision is above 0, else the second."""
    zero = writer.constant(np.zeros(1, np.float32))
    flat = writer.add("Reshape", decided, writer.constant(np.array([-1], np.int64)))
    above = writer.add("Greater", flat, zero)
    first, second = writer.constant(classes[:1]), writer.constant(classes[1:])
    writer.add("Where", above, first, second, output=label)


def vote(decided: str, classes: NDArray[Any], label: str, writer: Writer) -> None:
    """Write the class with most votes, the first of equals.

    Each pair has one vote: for its first class where the decision is above 0, else for its second.
    """
    signs, second = vote_matrix(len(classes))
    positive = writer.add("Greater", decided, writer.constant(np.zeros(1, np.float32)))
    above = writer.add("Cast", positive, to=TensorProto.FLOAT)
    count = writer.add("Gemm", above, writer.whole(signs), writer.whole(second))
    writer.labels(count, classes, label)


def _couple(node: onnx.NodeProto, machine: KernelMachine, x: str, writer: GraphWriter) -> None:
    """Give the node decisions for rows; it keeps its rules of probabilities, an iteration.

    It becomes a linear machine whose vectors are unit vectors, one for each pair of classes.
    """
    size = len(machine.pairs)
    if size * (size + len(machine.per_class)) >= machine.vectors.size:
        raise Untreatable(
            "its probabilities have too many pairs of classes for its support vectors"
        )
    decided = decisions(machine, x, writer)
    replaced = coupling_attributes(len(machine.per_class))
    coupling = writer.copy(node)
    coupling.input[:] = [decided]
    kept = [item for item in node.attribute if item.name not in replaced]
    del coupling.attribute[:]
    coupling.attribute.extend(
        [*kept, *(helper.make_attribute(name, value) for name, value in replaced.items())]
    )


def coupling_attributes(classes: int) -> dict[str, Any]:
    """Return the attributes of a linear SVMClassifier whose rows are decisions.

    Its vectors are unit vectors: of three classes, so three pairs, the rows of a 3 x 3 identity.
    """
    coefficients, per_class = one_vector_a_pair(classes)
    size = len(coefficients[0])
    return {
        "kernel_type": "LINEAR",
        "vectors_per_class": per_class.tolist(),
        "support_vectors": np.eye(size).ravel().tolist(),
        "coefficients": coefficients.ravel().tolist(),
        "rho": [0.0] * size,
    }
