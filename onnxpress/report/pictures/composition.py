"""What an ONNX file is made of, in bytes by kind and in counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx

from onnxpress.graph.canonical import message_of

BYTES = ("tree ensembles", "other attributes", "initializers", "names, types, structure")
COUNTS = ("tree splits", "tree leaves", "numbers in initializers", "operators")


def bytes_by_kind(data: bytes) -> dict[str, int]:
    """The bytes of a model file by kind; together they are its length.

    Attributes of tree ensembles, those of all other operators (support vectors, linear models of ai.onnx.ml), and
    initializers, each as they stand in the file; the rest is what names, types and structure need.
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
    """How much of what a model holds: splits and leaves of its tree ensembles, numbers in initializers, operators."""
    graph = onnx.load_from_string(data).graph
    ensembles = list(_ensembles(graph))
    numbers = sum(_product(tensor.dims) for tensor in graph.initializer)
    found = (
        sum(splits for splits, _ in ensembles),
        sum(leaves for _, leaves in ensembles),
        numbers,
        len(graph.node),
    )
    return dict(zip(COUNTS, found, strict=True))


def _ensembles(graph: onnx.GraphProto) -> Iterator[tuple[int, int]]:
    """Splits and leaves of each tree ensemble, in the encoding of ai.onnx.ml 1 and 3 and in that of 5."""
    for node in graph.node:
        fields = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "TreeEnsemble":
            yield len(fields["nodes_featureids"].ints), len(fields["leaf_targetids"].ints)
        elif node.op_type.startswith("TreeEnsemble"):
            modes = list(fields["nodes_modes"].strings)
            yield len(modes) - modes.count(b"LEAF"), modes.count(b"LEAF")


def _product(dims: Any) -> int:
    total = 1
    for dim in dims:
        total *= dim
    return total
