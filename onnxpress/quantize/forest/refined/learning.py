"""Learning a refined forest of one size, and all settings of it.

``python -m bench.learning`` compares other settings with these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from threadpoolctl import threadpool_limits

from onnxpress.quantize.candidates import Rung
from onnxpress.quantize.forest.refined.bins import MOST_CUTS, Bins, Column, binned, cut_points
from onnxpress.quantize.forest.refined.distillation import Distillation, Features
from onnxpress.quantize.forest.refined.grow import Growth, grow
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest, quantised
from onnxpress.quantize.forest.refined.refit import refit


@dataclass(frozen=True)
class Learning:
    """How a forest is learned from a distillation."""

    cuts: tuple[int, int] = (32, MOST_CUTS)
    """Cut points of a feature, at most: so many on small tables, and so many on large ones;"""
    rows_per_cut: int = 50
    """in between one for so many training rows. Few rows do not tell close cuts apart."""
    rate: float = 1.6
    """Share of a Newton step that each tree takes: this over the square root of their number,"""
    most_rate: float = 0.25
    """and no more than this."""
    ridge: float = 5.0
    """Rows of data that a leaf's ridge is worth while trees grow."""
    max_features: int = 32
    """Features among which a split is chosen."""
    max_rows: int = 40_000
    """Rows by which a split is chosen."""
    refit_steps: int = 40
    """Steps in which all leaves are fitted together; 0: they stay as they grew."""

    def most_cuts(self, rows: int) -> int:
        """How many cut points a feature of a table with so many training rows may have.

        >>> [Learning().most_cuts(rows) for rows in (300, 5_000, 50_000)]
        [32, 100, 254]
        """
        least, most = self.cuts
        return min(max(rows // self.rows_per_cut, least), most)

    def growth(self, rung: Rung) -> Growth:
        """How a forest of this size is grown.

        >>> [round(Learning().growth(Rung(trees, 6)).rate, 2) for trees in (8, 16, 64, 256)]
        [0.25, 0.25, 0.2, 0.1]
        """
        return Growth(
            rung.trees,
            rung.depth,
            rate=min(self.most_rate, self.rate / math.sqrt(rung.trees)),
            ridge=self.ridge,
            max_features=self.max_features,
            max_rows=self.max_rows,
        )


LEARNING = Learning()
"""The settings of the product."""


def bins_of(
    distilled: Distillation,
    x: Features,
    used: Sequence[Column] = (),
    *,
    learning: Learning = LEARNING,
) -> Bins:
    """The rows of ``distilled`` as bins with cuts between training rows ``x`` (rows, features).

    ``used`` says where the original splits, if it is known: for each feature, ascending.
    """
    limit = learning.most_cuts(len(x))
    pairs = zip_longest(x.T, used)
    return binned(distilled.x, tuple(cut_points(column, limit, own) for column, own in pairs))


def learned(
    distilled: Distillation, bins: Bins, rung: Rung, *, seed: int, learning: Learning = LEARNING
) -> ObliviousForest:
    """A forest of the size ``rung`` fitted to ``distilled``, whose rows are ``bins``."""
    target, loss = distilled.target, distilled.loss
    with threadpool_limits(limits=1):  # so that sums have one order
        questions, values, offset = grow(bins, target, loss, learning.growth(rung), seed)
        leaves = questions.leaves(distilled.x)
        values = refit(leaves, values, offset, target, loss, steps=learning.refit_steps)
    if distilled.answers.labels is not None:  # a classifier's offset is shared out over the trees
        values, offset = values + offset / rung.trees, np.zeros_like(offset)
    offset = offset * distilled.spread + distilled.center
    return quantised(questions, values * distilled.spread, offset)
