"""What an ONNX file consists of, in bytes by kind and in counts."""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx

from onnxpress.graph.canonical import message_of

BYTES = ("tree ensembles", "other attributes", "initializers", "names, types, structure")
COUNTS = ("tree splits", "tree leaves", "numbers in initializers", "operators")


def bytes_by_kind(data: bytes) -> dict[str, int]:
    """Return the bytes of a model file by kind; they add up to its length.

    The kinds are the attributes of tree ensembles, those of all other operators (support vectors
    and linear models of ai.onnx.ml), initializers, and the rest: names, types and structure.
    """
    message = message_of(data)
    found = dict.fromkeys(BYTES, 0)
    for node in message.graph.node:
        kind = BYTES[0] if node.op_type.startswith("TreeEnsemble") else BYTES[1]
        found[kind] += sum(attribute.ByteSize() for attribute in node.attribute)
    found[BYTES[2]] = sum(tensor.ByteSize() for tensor in message.graph.initializer)
    found[BYTES[3]] = len(data) - sum(found.values())
    return found


def counts(data: bytes) -> dict[str, int]:
    """Count splits and leaves of tree ensembles, numbers in initializers, and operators."""
    graph = onnx.load_from_string(data).graph
    ensembles = list(_ensembles(graph))
    numbers = sum(math.prod(tensor.dims) for tensor in graph.initializer)
    found = (
        sum(splits for splits, _ in ensembles),
        sum(leaves for _, leaves in ensembles),
        numbers,
        len(graph.node),
    )
    return dict(zip(COUNTS, found, strict=True))


def _ensembles(graph: onnx.GraphProto) -> Iterator[tuple[int, int]]:
    """Yield splits and leaves of each tree ensemble, as ai.onnx.ml 1 and 3 or as 5 has them."""
    for node in graph.node:
        fields = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "TreeEnsemble":
            yield len(fields["nodes_featureids"].ints), len(fields["leaf_targetids"].ints)
        elif node.op_type.startswith("TreeEnsemble"):
            modes = list(fields["nodes_modes"].strings)
            yield len(modes) - modes.count(b"LEAF"), modes.count(b"LEAF")
