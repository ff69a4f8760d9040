"""The oldest onnxruntime that loads a model, so that it is known before it is deployed.

From onnxruntime's compatibility table (onnxruntime.ai/docs/reference/compatibility.html); from 1.18 on checked by loading
models in 1.18, 1.19, 1.20, 1.21, 1.22 and 1.23: among those, 1.21 is the first with a kernel of TreeEnsemble (ai.onnx.ml 5).
"""

from __future__ import annotations

import onnx

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
    },
    "ai.onnx.ml": {2: (1, 3), 3: (1, 11), 4: (1, 17), 5: (1, 21)},
}
IR_VERSIONS: dict[int, Release] = {7: (1, 3), 8: (1, 10), 9: (1, 15), 10: (1, 18), 11: (1, 23)}
OLDEST: Release = (1, 3)


def min_onnxruntime(model: onnx.ModelProto) -> str:
    """The oldest onnxruntime release, as ``major.minor``, that accepts the model's opsets and IR version."""
    needed = [_first(IR_VERSIONS, model.ir_version)]
    needed += [_first(OPSETS[opset.domain], opset.version) for opset in model.opset_import if opset.domain in OPSETS]
    return "{}.{}".format(*max(needed))


def _first(releases: dict[int, Release], version: int) -> Release:
    """The release that brought ``version``; the newest known one for a version newer than the table."""
    later = [release for known, release in releases.items() if known <= version]
    return max(later, default=OLDEST)
