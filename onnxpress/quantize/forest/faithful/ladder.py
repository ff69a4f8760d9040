"""The ladder of faithful forests: much smaller than the original, with nearly all of its answers.

A rung keeps a share of the original's own splits, those that tell most apart where the answer is a
near thing, and fits all leaves again to the original's scores. The trees of a small rung are fewer
as well. Every tree is part of one of the original and is read by the same operator, so that no rung
is slower on large batches.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
import onnx
from threadpoolctl import threadpool_limits

from onnxpress.graph.trees.forest import Forest
from onnxpress.graph.trees.reader import is_tree
from onnxpress.quantize.candidates import Candidate, Form, Ladder, Method, NotApplicable, Share
from onnxpress.quantize.forest.faithful.fitting import fitted
from onnxpress.quantize.forest.faithful.originals import Originals, originals
from onnxpress.quantize.forest.faithful.pruning import prune
from onnxpress.quantize.forest.faithful.rounding import (
    in_range,
    rounded,
    without_negative_leaves,
)
from onnxpress.quantize.forest.lossless.lowering import TWO
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.task import Task
from onnxpress.tables.rows import Rows

LADDER = (64, 32, 16, 8, 6, 4, 3, 2)
"""One split of so many is kept: the sizes of the candidates, ascending."""

_TREES = 8
"""A tree of so many times its share of the splits: rungs below one split in 8 have fewer trees."""

_FEWEST = 8
"""Splits that a rung must keep at least."""


def faithful_candidates(
    *, ml_opset: int, seed: int, unless: Ladder | None = None
) -> list[Candidate]:
    """All rungs, smallest first; none is tried if the ladder ``unless`` has a good one."""
    found = []
    for share in map(Share, LADDER):
        apply = partial(faithful, share=share, ml_opset=ml_opset, seed=seed)
        made = Candidate(Method.FOREST, apply, form=Form.FAITHFUL, rung=share, unless=unless)
        found.append(made)
    return found


def faithful(
    model: onnx.ModelProto, rows: Rows, *, share: Share, ml_opset: int, seed: int
) -> onnx.ModelProto:
    """``model`` with a share of its splits, fitted to its answers on rows like ``rows``.

    Raises:
        NotApplicable: the model has no such trees, or too few splits.
    """
    with threadpool_limits(limits=1):  # so that sums have one order
        before = _originals(Task(model, rows, seed))
        pruned = pruned_forest(before, share)
    result = rewrite_trees(model, ml_opset=ml_opset, change=lambda _: pruned)
    return in_range(result, _scores_of(model), before)


def _scores_of(model: onnx.ModelProto) -> str:
    """The name of the scores that the only tree ensemble returns; empty if nothing reads them."""
    node = next(node for node in model.graph.node if is_tree(node))
    position = int(node.op_type == "TreeEnsembleClassifier")
    return node.output[position] if position < len(node.output) else ""


def pruned_forest(before: Originals, share: Share) -> Forest:
    """The forest of one rung.

    Raises:
        NotApplicable: too few splits are left.
    """
    forest = before.forest
    splits = forest.n_splits // share.of
    if splits < _FEWEST:
        raise NotApplicable(f"one of {share.of} splits leaves {splits}, fewer than {_FEWEST}")
    trees = min(forest.n_trees, -(-forest.n_trees * _TREES // share.of))
    pruned = prune(before, splits, trees)
    values = rounded(fitted(before, pruned), units=forest.labels is None)
    result = pruned.forest.with_leaf_values(values)
    if forest.binary == "probability":
        return without_negative_leaves(result)
    if forest.n_targets > TWO and forest.labels is not None and not len(forest.base_values):
        # A class with a base value has a score even where no tree adds to it.
        return replace(result, base_values=np.zeros(forest.n_targets, np.float32))
    return result


@lru_cache(maxsize=8)  # the rungs of a ladder share a model and its rows, and those of a fold
def _originals(task: Task) -> Originals:
    return originals(task)
