"""The oldest onnxruntime that loads a model, and the releases that compute it wrongly.

From onnxruntime's compatibility table (onnxruntime.ai/docs/reference/compatibility.html). From 1.18
on it was checked by loading models in every minor release up to 1.32; 1.21 is the first with a
kernel of TreeEnsemble (ai.onnx.ml 5).
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.graph.binary_trees import BAD_RELEASES, is_misread
from onnxpress.graph.trees.attributes import TreeAttributes
from onnxpress.graph.trees.forest import Floats, Mode
from onnxpress.graph.trees.graphs import element_types, graphs
from onnxpress.graph.trees.reader import Untreatable, is_tree, read

Release = tuple[int, int]

OPSETS: dict[str, dict[int, Release]] = {
    "": {
        12: (1, 3),
        13: (1, 6),
        14: (1, 8),
        15: (1, 9),
        16: (1, 11),
        17: (1, 12),
        18: (1, 14),
        19: (1, 15),
        20: (1, 17),
        21: (1, 18),
        22: (1, 21),
        23: (1, 23),
        25: (1, 24),
        26: (1, 25),
        28: (1, 32),
    },
    "ai.onnx.ml": {2: (1, 3), 3: (1, 11), 4: (1, 17), 5: (1, 21)},
}
"""By domain, the newest version that a release loads; versions between two belong to the later."""
IR_VERSIONS: dict[int, Release] = {
    7: (1, 3),
    8: (1, 10),
    9: (1, 15),
    10: (1, 18),
    11: (1, 23),
    13: (1, 24),
    14: (1, 32),
}
UNKNOWN = "unknown"

BLOCK_PRODUCTS = (1, 17)
"""The first release with MatMulNBits of 4 bits."""
LOGISTIC_OF_ONE = (1, 28)
"""Older ones leave out LOGISTIC (onnxruntime's issue 27533), 1.26 and 1.27 give other labels."""
EQUAL_CHILDREN = (1, 30)
"""Older ones take some roots for leaves, and read other leaves (onnxruntime's issue 24679)."""

BAD_FOR_CODES = ("1.21.0", "1.21.1", "1.22.0", "1.22.1")
"""These mix up sets (onnxruntime's issue 24636).

Also codes where all splits are ``x == code`` and only some codes are in the mask.
"""
MASKED = 32
"""The mask holds whole numbers from 1 to this."""
MASKED_DOUBLE = 64
"""The same for a double input."""


def min_onnxruntime(model: onnx.ModelProto) -> str:
    """The oldest onnxruntime release, as ``major.minor``, that loads the model and reads its trees.

    ``unknown`` for a version that is newer than the tables here.
    """
    needed = [_first(IR_VERSIONS, model.ir_version)]
    needed += [
        _first(OPSETS[opset.domain], opset.version)
        for opset in model.opset_import
        if opset.domain in OPSETS
    ]
    if any(node.op_type == "MatMulNBits" for node in model.graph.node):
        needed.append(BLOCK_PRODUCTS)
    nodes = [node for graph in graphs(model.graph) for node in graph.node if is_tree(node)]
    needed += [LOGISTIC_OF_ONE for node in nodes if _skips_logistic(node)]
    needed += [EQUAL_CHILDREN for node in nodes if _has_equal_children(node)]
    found = [release for release in needed if release is not None]
    return "{}.{}".format(*max(found)) if len(found) == len(needed) else UNKNOWN


def _first(releases: dict[int, Release], version: int) -> Release | None:
    """The release that brought ``version``; None for a version newer than the table."""
    return min((release for known, release in releases.items() if known >= version), default=None)


def bad_onnxruntime(model: onnx.ModelProto) -> list[str]:
    """Releases, as ``major.minor.patch``, that load the model and give wrong results.

    Measured in the releases themselves.
    """
    nodes = [node for graph in graphs(model.graph) for node in graph.node if is_tree(node)]
    bad: set[str] = set()
    if any(is_misread(node) for node in nodes):
        bad.update(BAD_RELEASES)
    if any(_mixes_codes(node, model) for node in nodes):
        bad.update(BAD_FOR_CODES)
    return sorted(bad)


def _skips_logistic(node: onnx.NodeProto) -> bool:
    """Whether it has LOGISTIC behind the scores of one class of two, none of them negative."""
    attributes = TreeAttributes(node, np.dtype(np.float32))
    return is_misread(node) and attributes.text("post_transform", "NONE") == "LOGISTIC"


def _has_equal_children(node: onnx.NodeProto) -> bool:
    """Whether a root's children have one number, both being leaves or one of them."""
    if node.op_type != "TreeEnsemble":
        return False
    attributes = TreeAttributes(node, np.dtype(np.float32))
    roots = attributes.ints("tree_roots")
    true_id, false_id = (attributes.ints(f"nodes_{side}nodeids") for side in ("true", "false"))
    return bool((true_id[roots] == false_id[roots]).any())


def _mixes_codes(node: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    """Whether it has sets, or all splits compare codes of which those releases mask some."""
    attributes = TreeAttributes(node, np.dtype(np.float32))
    if len(attributes.tensor("membership_values")):
        return True
    if not _compares_codes_only(node):
        return False
    try:
        forest = read(node)
    except Untreatable:
        return True
    compared = forest.threshold[forest.mode == Mode.EQ]
    double = element_types(model).get(node.input[0]) == onnx.TensorProto.DOUBLE
    masked = _masked(compared, MASKED_DOUBLE if double else MASKED)
    return bool(masked.any() and not masked.all())


def _compares_codes_only(node: onnx.NodeProto) -> bool:
    attributes = TreeAttributes(node, np.dtype(np.float32))
    modes = attributes.by_name.get("nodes_modes", onnx.AttributeProto())
    if modes.HasField("t"):
        return bool((attributes.tensor("nodes_modes") == Mode.EQ).all())
    return b"BRANCH_EQ" in modes.strings and set(modes.strings) <= {b"BRANCH_EQ", b"LEAF"}


def _masked(codes: Floats, most: int) -> NDArray[np.bool_]:
    """Whether each code is a whole number that those releases keep in a mask."""
    whole: NDArray[np.bool_] = (codes >= 1) & (codes <= most) & (codes == np.round(codes))
    return whole
