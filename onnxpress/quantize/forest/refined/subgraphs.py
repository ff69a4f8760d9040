"""Splitting a model where its trees read their features.

The front prepares the features, the back predicts from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from onnxpress.graph.trees.forest import Forest, Mode
from onnxpress.graph.trees.reader import TREE_OPS, Untreatable, is_tree, read
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.tables.rows import Feeds

_ROWS_BY_FEATURES = 2  # dimensions


@dataclass(frozen=True)
class Subgraphs:
    """A model as ``front`` (its inputs to features) and ``back`` (features to its outputs)."""

    features: str  # the tensor between them, float32 (rows, columns); may be an input of the model
    columns: int
    front: tuple[onnx.NodeProto, ...]
    back: tuple[onnx.NodeProto, ...]


def split_at_features(
    model: onnx.ModelProto, feeds: Feeds
) -> tuple[Subgraphs, NDArray[np.float32]]:
    """Split ``model`` as late as possible; also the features (rows, features) of ``feeds`` there.

    The tensor at the split must satisfy these rules:

    1. The back reads it, and no input of the model besides it.
    2. Every tree ensemble is in the back.
    3. It is float32 with two dimensions.

    Raises:
        NotApplicable: the model has no trees or no such tensor.
    """
    nodes = list(model.graph.node)
    trees = [place for place, node in enumerate(nodes) if node.op_type in TREE_OPS]
    if not trees:
        raise NotApplicable("the model has no tree ensemble")
    outputs = [output.name for output in model.graph.output]
    inputs = {value.name for value in model.graph.input}
    made = [name for node in reversed(nodes[: trees[0]]) for name in node.output]
    for features in [*made, *sorted(inputs)]:
        back = _needed(nodes, outputs, stop={features})
        reads = {name for place in back for name in nodes[place].input}
        if features not in reads or reads & (inputs - {features}) or not back.issuperset(trees):
            continue
        front = _needed(nodes, [features], stop=set())
        x = _value(model, features, _at(nodes, front), feeds)
        if x.dtype == np.float32 and x.ndim == _ROWS_BY_FEATURES:
            return Subgraphs(features, x.shape[1], _at(nodes, front), _at(nodes, back)), x
    raise NotApplicable(
        "no single float32 tensor (rows, features) leads to all tree ensembles of the model"
    )


def _needed(nodes: list[onnx.NodeProto], wanted: Iterable[str], stop: set[str]) -> set[int]:
    """Positions of the nodes that compute ``wanted`` tensors, from those in ``stop`` onwards."""
    waiting, found = set(wanted) - stop, set()
    for place in range(len(nodes) - 1, -1, -1):
        if waiting.intersection(nodes[place].output):
            found.add(place)
            waiting |= set(nodes[place].input) - stop
    return found


def _at(nodes: list[onnx.NodeProto], places: set[int]) -> tuple[onnx.NodeProto, ...]:
    return tuple(nodes[place] for place in sorted(places))


def _value(
    model: onnx.ModelProto, features: str, front: tuple[onnx.NodeProto, ...], feeds: Feeds
) -> NDArray[Any]:
    """The tensor ``features`` that ``front`` computes."""
    if features in feeds:
        return feeds[features]
    (value,) = run(subgraph(model, front, [features]), feeds)
    return value


def split_places(parts: Subgraphs) -> list[NDArray[np.float32]]:
    """Where the trees that read the features split: for each feature ascending, with repeats.

    Left of a place ``t`` is ``x < t``, so a split by ``x <= t`` is one at the next float32 number.
    """
    features, places = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for forest in _forests(parts):
        after = np.isin(forest.mode, (Mode.LEQ, Mode.GT))
        up = np.nextafter(forest.threshold, np.float32(np.inf))
        place = np.where(after, up, forest.threshold).astype(np.float32)
        ordered = after | np.isin(forest.mode, (Mode.LT, Mode.GTE))
        kept = ordered & np.isfinite(place)
        features.append(forest.feature[kept])
        places.append(place[kept])
    feature, place = np.concatenate(features), np.concatenate(places)
    order = np.lexsort((place, feature))
    starts = np.searchsorted(feature[order], np.arange(1, parts.columns))
    return np.split(place[order], starts)


def _forests(parts: Subgraphs) -> Iterator[Forest]:
    """The trees that read the features themselves, as far as they can be read."""
    for node in parts.back:
        if is_tree(node) and node.input[0] == parts.features:
            with suppress(Untreatable):
                yield read(node)


def subgraph(
    model: onnx.ModelProto,
    nodes: Iterable[onnx.NodeProto],
    outputs: list[str],
    features: str | None = None,
) -> onnx.ModelProto:
    """A model of ``nodes`` alone, with ``outputs``.

    Its inputs are those of ``model``, or the tensor ``features`` alone.
    """
    nodes = list(nodes)
    result = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = result.graph
    graph.name = "part"
    graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    graph.initializer.extend(value for value in model.graph.initializer if value.name in read)
    if features is None:
        graph.input.extend(model.graph.input)
    else:
        graph.input.append(helper.make_tensor_value_info(features, TensorProto.FLOAT, None))
    known = {value.name: value for value in model.graph.output}
    for name in outputs:
        graph.output.append(known.get(name) or helper.make_empty_tensor_value_info(name))
    return result


def single_numbers(model: onnx.ModelProto) -> list[float]:
    """The float constants of ``model`` that are one number each, in their order."""
    single: tuple[list[int], ...] = ([], [1], [1, 1])
    floats = [each for each in model.graph.initializer if each.data_type == TensorProto.FLOAT]
    tensors = [numpy_helper.to_array(each) for each in floats if list(each.dims) in single]
    return [float(each.item()) for each in tensors]


def run(model: onnx.ModelProto, feeds: Feeds) -> list[NDArray[Any]]:
    """All outputs of ``model`` for ``feeds``, by one thread so that sums have one order."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    session = ort.InferenceSession(model.SerializeToString(), options, providers=providers)
    inputs = {value.name: feeds[value.name] for value in session.get_inputs()}
    return list(session.run(None, inputs))
