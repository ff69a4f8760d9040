"""Forest quantisation: tree ensembles in a smaller encoding that any ONNX runtime computes the same with."""

from __future__ import annotations

from functools import partial

import onnx

from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.forest.lossless.rewrite import has_trees, rewrite_trees
from onnxpress.tables.rows import Rows


def candidates(
    model: onnx.ModelProto, *, level: str, objective: str, ml_opset: int, seed: int
) -> list[Candidate]:
    """What is worth trying on ``model``: nothing if it has no trees.

    ``level`` is ``lossless`` (labels equal, scores within 1e-6 on every input), ``refined`` (smaller, within a budget
    of accuracy) or ``auto`` (both). ``objective`` is what the best is chosen by. ``ml_opset`` is 5, or 3 for runtimes
    without TreeEnsemble.
    """
    if not has_trees(model):
        return []
    found = (
        [Candidate("forest/lossless", partial(_lossless, ml_opset=ml_opset))]
        if level != "refined"
        else []
    )
    if level != "lossless":
        from onnxpress.quantize.forest.refined import refined_candidates

        found += refined_candidates(model, objective=objective, seed=seed)
    return found


def _lossless(model: onnx.ModelProto, rows: Rows, *, ml_opset: int) -> onnx.ModelProto:
    """The model's trees in a smaller encoding; ``rows`` are not needed."""
    del rows
    return rewrite_trees(model, ml_opset=ml_opset)
