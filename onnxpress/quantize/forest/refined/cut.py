"""Cut a model in two at the tensor that its trees read: what prepares the features, and what predicts from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.quantize.candidates import NotApplicable
from onnxpress.tables.rows import Feeds

_TREES = {"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"}
_ROWS_BY_FEATURES = 2


@dataclass(frozen=True)
class Cut:
    """A model as ``front`` (inputs of the model -> features) and ``back`` (features -> outputs of the model)."""

    features: str  # the tensor between them, float32 (rows, features); may be an input of the model
    front: tuple[onnx.NodeProto, ...]
    back: tuple[onnx.NodeProto, ...]


def count_trees(model: onnx.ModelProto) -> int:
    """How many trees the tree nodes of the main graph have together."""
    return sum(
        len(set(item.ints)) if item.name == "nodes_treeids" else len(item.ints)
        for node in model.graph.node
        if node.op_type in _TREES
        for item in node.attribute
        if item.name in {"nodes_treeids", "tree_roots"}
    )


def cut_at_features(model: onnx.ModelProto, feeds: Feeds) -> tuple[Cut, NDArray[np.float32]]:
    """Cut ``model`` as late as it can be, and the features (rows, features) that ``feeds`` have there.

    The tensor must be float32 with two dimensions, every tree must come after it, and nothing after it may read the
    model's inputs past it. Raises NotApplicable when the model has no trees or no such tensor.
    """
    nodes = list(model.graph.node)
    trees = [position for position, node in enumerate(nodes) if node.op_type in _TREES]
    if not trees:
        raise NotApplicable("the model has no tree ensemble")
    outputs = [output.name for output in model.graph.output]
    inputs = {value.name for value in model.graph.input}
    made = [name for node in reversed(nodes[: trees[0]]) for name in node.output]
    for features in [*made, *sorted(inputs)]:
        back = _needed(nodes, outputs, stop={features})
        reads = {name for position in back for name in nodes[position].input}
        if features not in reads or reads & (inputs - {features}) or not back.issuperset(trees):
            continue
        front = _needed(nodes, [features], stop=set())
        cut = Cut(
            features, tuple(nodes[i] for i in sorted(front)), tuple(nodes[i] for i in sorted(back))
        )
        x = (
            feeds[features]
            if features in feeds
            else run(part(model, cut.front, [features]), feeds)[0]
        )
        if x.dtype == np.float32 and x.ndim == _ROWS_BY_FEATURES:
            return cut, x
    raise NotApplicable(
        "no single float32 tensor (rows, features) leads to all tree ensembles of the model"
    )


def _needed(nodes: list[onnx.NodeProto], wanted: Iterable[str], stop: set[str]) -> set[int]:
    """Positions of the nodes that ``wanted`` tensors are computed from, without going past ``stop``."""
    waiting, found = set(wanted) - stop, set()
    for position in range(len(nodes) - 1, -1, -1):
        if waiting.intersection(nodes[position].output):
            found.add(position)
            waiting |= set(nodes[position].input) - stop
    return found


def part(
    model: onnx.ModelProto,
    nodes: Iterable[onnx.NodeProto],
    outputs: list[str],
    features: str | None = None,
) -> onnx.ModelProto:
    """A model of ``nodes`` alone, from the inputs of ``model`` (or the tensor ``features``) to ``outputs``."""
    nodes = list(nodes)
    result = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = result.graph
    graph.name = "part"
    graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    graph.initializer.extend(value for value in model.graph.initializer if value.name in read)
    if features is None:
        graph.input.extend(value for value in model.graph.input)
    else:
        graph.input.append(helper.make_tensor_value_info(features, TensorProto.FLOAT, None))
    known = {value.name: value for value in model.graph.output}
    graph.output.extend(
        known.get(name, helper.make_empty_tensor_value_info(name)) for name in outputs
    )
    return result


def run(model: onnx.ModelProto, feeds: Feeds) -> list[NDArray[Any]]:
    """All outputs of ``model`` for ``feeds``, computed by one thread so that sums have one order."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(
        session.run(None, {value.name: feeds[value.name] for value in session.get_inputs()})
    )
