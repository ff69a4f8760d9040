"""Refined forests: much smaller and faster than the original, within a budget of accuracy.

The trees of a model, and all that is computed from them, are replaced by a small forest that has learned from the
original: oblivious trees grown and refitted on training rows and on rows generated from them, with an int8 leaf table.

How a setting is meant to be chosen: ``refined_candidates`` is a short ladder from small to large, each rung about twice
the size of the one before. Score every rung on calibration rows or by cross-fitting, and keep the smallest that meets
the budget; scores rise along the ladder only on average, so compare paired differences, not single splits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import onnx
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stages.common.table import Rows
from stages.quantize.candidates import Candidate

from .cut import Cut, cut_at_features, part, run
from .graft import graft
from .grow import Growth, binned, cut_points, grow
from .lesson import Lesson, lesson
from .oblivious import ObliviousForest, quantised
from .refit import refit

LADDER = ((8, 3), (8, 4), (16, 4), (16, 5), (32, 5), (32, 6), (64, 6), (64, 7), (128, 7))
"""(trees, depth) of the candidates, ascending in size."""


@dataclass(frozen=True)
class Settings:
    """One rung of the ladder. ``generated`` rows per training row, within ``rows``."""

    trees: int
    depth: int
    generated: int = 20
    rows: tuple[int, int] = (8_000, 14_000)


def refined_candidates(model: onnx.ModelProto, *, seed: int, max_accuracy_drop: float) -> list[Candidate]:
    """The ladder for ``model``, smallest first. ``max_accuracy_drop`` does not change it: the caller selects."""
    del model, max_accuracy_drop
    return [Candidate(f"forest/refined-{t}x{d}", partial(refined, settings=Settings(t, d), seed=seed)) for t, d in LADDER]


def refined(model: onnx.ModelProto, rows: Rows, *, settings: Settings, seed: int) -> onnx.ModelProto:
    """``model`` with its trees replaced by a refined forest fitted to ``rows``. Raises NotApplicable."""
    cut, x = cut_at_features(model, rows.feeds)
    back = part(model, cut.back, [value.name for value in model.graph.output], cut.features)
    wanted = int(np.clip(len(x) * (1 + settings.generated), *settings.rows))
    wanted = max(wanted, min(2 * len(x), 40000))
    taught = lesson(lambda batch: run(back, {cut.features: batch}), x, rows.target, rows=wanted, seed=seed)
    return graft(model, cut, learned(taught, x, settings, seed=seed), taught.labels)


def learned(taught: Lesson, x: NDArray[np.float32], settings: Settings, *, seed: int) -> ObliviousForest:
    """A forest fitted to ``taught``, its thresholds between values of the training rows ``x``."""
    with threadpool_limits(limits=1):
        bins = binned(taught.x, tuple(cut_points(column) for column in x.T))
        questions, values, offset = grow(bins, taught.target, taught.loss, Growth(settings.trees, settings.depth), seed)
        values = refit(questions.leaves(taught.x), values, offset, taught.target, taught.loss)
    if taught.labels is not None:  # a classifier's offset is shared out over the trees
        values, offset = values + offset / settings.trees, np.zeros_like(offset)
    return quantised(questions, values * taught.spread, offset * taught.spread + taught.center)
