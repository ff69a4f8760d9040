"""What of a graph decides whether a release of onnxruntime computes it.

The versions of its format and of its operator sets, every operator in the version that these mean,
and forms of trees that some releases misread.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.graph.binary_trees import is_misread
from onnxpress.graph.trees.attributes import TreeAttributes
from onnxpress.graph.trees.forest import Floats, Mode
from onnxpress.graph.trees.graphs import element_types, graphs
from onnxpress.graph.trees.reader import Untreatable, is_tree, read

STANDARD = "ai.onnx"
"""The name of the domain that ONNX writes as an empty text."""

ALWAYS_READ = {"", "ai.onnx.ml"}
"""Domains of which onnxruntime refuses a version that is too new, whether it is used or not."""

MASKED, MASKED_DOUBLE = 32, 64
"""Releases that keep codes in a mask hold whole numbers from 1 to this, and of a double input."""


def features(model: onnx.ModelProto) -> set[str]:
    """Return the features of a graph, such as ``ir 7``, ``ai.onnx 12`` and ``Gemm-11 double``."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    used = {node.domain for graph in graphs(model.graph) for node in graph.node}
    found = {f"ir {model.ir_version}"}
    found |= {
        f"{domain or STANDARD} {version}"
        for domain, version in versions.items()
        if domain in used | ALWAYS_READ
    }
    types = element_types(model)
    for graph in graphs(model.graph):
        for node in graph.node:
            found.add(_operator(node, versions, types))
            if is_tree(node):
                found |= {name for name, has in FORMS.items() if has(node, types)}
    return found


def _operator(node: onnx.NodeProto, versions: dict[str, int], types: dict[str, int]) -> str:
    """Return an operator with its version; with the type of its first input if that is unusual."""
    domain = f"{node.domain}." if node.domain else ""
    try:
        schema = onnx.defs.get_schema(node.op_type, versions.get(node.domain, 1), node.domain)
    except onnx.defs.SchemaError:
        return f"{domain}{node.op_type}"
    name = f"{domain}{node.op_type}-{schema.since_version}"
    kind = types.get(node.input[0], 0) if node.input else 0
    return f"{name} {UNUSUAL[kind]}" if kind in UNUSUAL else name


UNUSUAL: dict[int, str] = {
    TensorProto.DOUBLE: "double",
    TensorProto.FLOAT16: "float16",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
}
"""Types of a first input that not every release has a kernel for."""


def _holds_one_class(node: onnx.NodeProto, _: dict[str, int]) -> bool:
    """Whether it holds the scores of one class of two, none of them negative."""
    return is_misread(node) and not _skips_logistic(node, _)


def _skips_logistic(node: onnx.NodeProto, _: dict[str, int]) -> bool:
    """Whether it has LOGISTIC behind such scores."""
    attributes = TreeAttributes(node, np.dtype(np.float32))
    return is_misread(node) and attributes.text("post_transform", "NONE") == "LOGISTIC"


def _has_equal_children(node: onnx.NodeProto, _: dict[str, int]) -> bool:
    """Whether a root's children have one number, both being leaves or one of them."""
    if node.op_type != "TreeEnsemble":
        return False
    attributes = TreeAttributes(node, np.dtype(np.float32))
    roots = attributes.ints("tree_roots")
    true_id, false_id = (attributes.ints(f"nodes_{side}nodeids") for side in ("true", "false"))
    return bool((true_id[roots] == false_id[roots]).any())


def _mixes_codes(node: onnx.NodeProto, types: dict[str, int]) -> bool:
    """Whether it has sets, or all splits compare codes of which some releases mask some."""
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
    double = types.get(node.input[0]) == TensorProto.DOUBLE
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


FORMS: dict[str, Callable[[onnx.NodeProto, dict[str, int]], bool]] = {
    "trees with the scores of one class of two": _holds_one_class,
    "trees with LOGISTIC behind the scores of one class of two": _skips_logistic,
    "trees with a root of equal children": _has_equal_children,
    "trees that compare codes or sets of codes": _mixes_codes,
}
"""Forms of trees that some releases misread: onnxruntime's issues 27533, 24679 and 24636."""
