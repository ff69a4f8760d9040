"""The oldest onnxruntime that loads a model, and the releases that answer it wrongly, known before it is deployed.

From onnxruntime's compatibility table (onnxruntime.ai/docs/reference/compatibility.html); from 1.18 on checked by loading
models in every minor release up to 1.32: 1.21 is the first with a kernel of TreeEnsemble (ai.onnx.ml 5).
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.graph.binary_trees import BAD_RELEASES, is_answered_badly
from stages.quantize.forest.forest import Floats, Forest, Mode
from stages.quantize.forest.graphs import graphs
from stages.quantize.forest.reader import Untreatable, is_tree, read

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
"""By domain, the newest version that a release takes; the versions between two belong to the later one."""
IR_VERSIONS: dict[int, Release] = {7: (1, 3), 8: (1, 10), 9: (1, 15), 10: (1, 18), 11: (1, 23), 13: (1, 24), 14: (1, 32)}
UNKNOWN = "unknown"

BAD_FOR_CHAINS = ("1.21.0", "1.21.1", "1.22.0", "1.22.1")
"""These mix up the codes of a chain of ``x == a``, else ``x == b``, ... where only some are whole numbers from 1 to 32."""
MASKED = 32


def min_onnxruntime(model: onnx.ModelProto) -> str:
    """The oldest onnxruntime release, as ``major.minor``, that takes the model's opsets and IR version.

    ``unknown`` for a version that is newer than the tables here.
    """
    needed = [_first(IR_VERSIONS, model.ir_version)]
    needed += [_first(OPSETS[opset.domain], opset.version) for opset in model.opset_import if opset.domain in OPSETS]
    found = [release for release in needed if release is not None]
    return "{}.{}".format(*max(found)) if len(found) == len(needed) else UNKNOWN


def _first(releases: dict[int, Release], version: int) -> Release | None:
    """The release that brought ``version``; None for a version newer than the table."""
    return min((release for known, release in releases.items() if known >= version), default=None)


def bad_onnxruntime(model: onnx.ModelProto) -> list[str]:
    """Releases, as ``major.minor.patch``, that load the model and give wrong answers (measured in the releases themselves)."""
    nodes = [node for graph in graphs(model.graph) for node in graph.node if is_tree(node)]
    bad = set(BAD_RELEASES) if any(is_answered_badly(node) for node in nodes) else set()
    if any(_has_mixed_chain(node) for node in nodes):
        bad |= set(BAD_FOR_CHAINS)
    return sorted(bad)


def _has_mixed_chain(node: onnx.NodeProto) -> bool:
    """Whether a chain of equal comparisons, or a set, holds codes that those releases keep in a mask and others."""
    try:
        forest = read(node) if _compares_codes(node) else None
    except Untreatable:
        return True
    return forest is not None and (_chains_differ(forest) or any(_differ(codes) for codes in forest.member_sets))


def _compares_codes(node: onnx.NodeProto) -> bool:
    modes = next((item for item in node.attribute if item.name == "nodes_modes"), onnx.AttributeProto())
    if modes.HasField("t"):
        return bool(np.isin(onnx.numpy_helper.to_array(modes.t), (Mode.EQ, Mode.MEMBER)).any())
    return b"BRANCH_EQ" in modes.strings


def _chains_differ(forest: Forest) -> bool:
    """Whether an equal comparison is followed, where it fails, by one of the same feature and the other kind of code."""
    first = np.flatnonzero((forest.mode == Mode.EQ) & (forest.false_child >= 0))
    second = forest.false_child[first]
    kept = (forest.mode[second] == Mode.EQ) & (forest.feature[second] == forest.feature[first])
    masked = _masked(forest.threshold)
    return bool((masked[first[kept]] != masked[second[kept]]).any())


def _differ(codes: Floats) -> bool:
    masked = _masked(codes)
    return bool(masked.any() and not masked.all())


def _masked(codes: Floats) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (codes >= 1) & (codes <= MASKED) & (codes == np.round(codes))
    return found
