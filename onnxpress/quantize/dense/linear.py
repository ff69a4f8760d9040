"""LinearClassifier and LinearRegressor (ai.onnx.ml 1) as matrix products.

Their weights can then be stored in fewer bits. The result is what onnxruntime computes: scores are
``x @ coefficients.T + intercepts``, and the label is that of the first greatest score before the
post-transform (https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.graph.writer import ML_DOMAIN, GraphWriter, names_of, opset_of

POST_TRANSFORMS = {"NONE": "", "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}
"""Post-transforms that ai.onnx has an operator for."""


def is_linear(node: onnx.NodeProto) -> bool:
    """Whether ``node`` is one of the two linear operators."""
    return node.domain == ML_DOMAIN and node.op_type in {"LinearClassifier", "LinearRegressor"}


def as_products(model: onnx.ModelProto, min_weights: int) -> onnx.ModelProto:
    """A copy of ``model`` with its large linear operators as matrix products.

    An operator stays as it is where

    1. its input is not float32,
    2. it has fewer than ``min_weights`` coefficients,
    3. its post-transform has no operator of its own,
    4. it derives a second class from a single score.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    del graph.node[:]
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    whole = {
        value.name
        for value in model.graph.input
        if value.type.tensor_type.elem_type != TensorProto.FLOAT
    }
    for node in model.graph.node:
        if is_linear(node) and not whole.intersection(node.input):
            weights = _Weights(node)
            if weights.coefficients.size >= min_weights and weights.treatable:
                weights.write(node, writer)
                continue
        writer.copy(node)
    if not any(node.domain == ML_DOMAIN for node in graph.node):
        kept = [entry for entry in result.opset_import if entry.domain != ML_DOMAIN]
        del result.opset_import[:]
        result.opset_import.extend(kept)
    return result


class _Weights:
    """The attributes of a linear operator.

    ``coefficients`` (features, scores) and ``intercepts`` (scores,) are float32.
    """

    def __init__(self, node: onnx.NodeProto) -> None:
        found: dict[str, Any] = {
            item.name: helper.get_attribute_value(item) for item in node.attribute
        }
        flat = np.array(found["coefficients"], np.float32)
        scores = len(found["intercepts"]) if "intercepts" in found else int(found.get("targets", 1))
        self.coefficients = flat.reshape(scores, -1).T
        self.intercepts = np.array(found.get("intercepts", np.zeros(scores)), np.float32)
        self.transform = found.get("post_transform", b"NONE").decode()
        self.labels = _labels(found) if node.op_type == "LinearClassifier" else None
        known = self.transform in POST_TRANSFORMS
        self.treatable = known and (self.labels is None or len(self.labels) == scores)

    def write(self, node: onnx.NodeProto, writer: GraphWriter) -> None:
        """Write operators with the outputs of ``node``."""
        last = POST_TRANSFORMS[self.transform]
        output = node.output[-1]
        raw = "" if last else output
        coefficients = writer.constant(np.ascontiguousarray(self.coefficients), "weights")
        intercepts = writer.constant(self.intercepts)
        scores = writer.add("Gemm", node.input[0], coefficients, intercepts, output=raw)
        if last == "Softmax":
            writer.add(last, scores, output=output, axis=1)
        elif last:
            writer.add(last, scores, output=output)
        if self.labels is not None:
            writer.labels(scores, self.labels, node.output[0])


def _labels(found: dict[str, Any]) -> NDArray[Any]:
    """The class labels, (classes,) of text or int64."""
    words = [word.decode() for word in found.get("classlabels_strings", [])]
    if words:
        return np.array(words, object)
    return np.array(found.get("classlabels_ints", []), np.int64)
