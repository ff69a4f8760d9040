"""Which forest candidates are worth trying at each level of loss."""

from __future__ import annotations

from functools import partial

import onnx

from onnxpress.engine.said import warn_once
from onnxpress.graph.trees.graphs import ml_opset_of
from onnxpress.quantize.candidates import Candidate, Form, Method
from onnxpress.quantize.forest.lossless.rewrite import (
    ML_TREE_ENSEMBLE,
    has_trees,
    rewrite_trees,
)
from onnxpress.quantize.forest.lossless.slowdown import slowdown
from onnxpress.quantize.options import BATCH_ROWS, Options
from onnxpress.tables.rows import Rows

SLOWER = 1.05
"""Above this share of the plain model's time a lossless model is slower."""


def forest_candidates(model: onnx.ModelProto, options: Options) -> list[Candidate]:
    """What is worth trying on ``model``: nothing if it has no trees.

    ``options.level`` is

    * ``lossless``: labels equal, scores within 1e-6 on every input;
    * ``faithful``: that, and forests that keep nearly all answers;
    * ``refined``: small forests that keep the score;
    * ``auto``: all of them.
    """
    if not has_trees(model):
        return []
    found = []
    if options.level != "refined":
        found.append(_lossless(options))
    if options.level in ("auto", "refined"):
        from onnxpress.quantize.forest.refined.ladder import refined_candidates  # imports scipy

        found += refined_candidates(
            model, objective=options.objective, seed=options.seed, tiny=bool(options.device)
        )
    if options.level in ("auto", "faithful"):
        from onnxpress.quantize.forest.faithful.ladder import faithful_candidates  # imports scipy

        smaller = (Method.FOREST, Form.REFINED) if options.level == "auto" else None
        found += faithful_candidates(ml_opset=options.ml_opset, seed=options.seed, unless=smaller)
    return found


def _lossless(options: Options) -> Candidate:
    rows = BATCH_ROWS[options.objective]
    rewrite = partial(_rewritten, ml_opset=options.ml_opset, batch_rows=rows)
    return Candidate(Method.FOREST, rewrite, form=Form.LOSSLESS)


def _rewritten(
    model: onnx.ModelProto, _rows: Rows, *, ml_opset: int, batch_rows: int
) -> onnx.ModelProto:
    """The smallest encoding that is not predicted to be slower than ``model`` on such batches.

    1. Trees without flags for missing values, if one row takes no longer either.
    2. Trees as they are.
    3. The same in older operators, if those of version 5 are slower: they take as long as before.
    """
    mirrored = rewrite_trees(model, ml_opset=ml_opset, mirrored=True)
    if all(slowdown(model, mirrored, rows) <= SLOWER for rows in {1, batch_rows}):
        return mirrored
    result = rewrite_trees(model, ml_opset=ml_opset)
    ratio = slowdown(model, result, batch_rows)
    if ratio <= SLOWER or ml_opset_of(model) >= ML_TREE_ENSEMBLE:
        return result
    warn_once(f"forest: in ai.onnx.ml 5 it is predicted to take {ratio:.2f} of the time; kept in 3")
    return rewrite_trees(model, ml_opset=ml_opset_of(model))
