"""Probe rows: where two models that agree on a few test rows would part ways, if they ever do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.evaluate.probes.raw_columns import RawColumn, is_number, raw_columns
from onnxpress.evaluate.probes.row_sets import count, joined, recombined
from onnxpress.evaluate.probes.threshold_rows import ThresholdRows, threshold_rows
from onnxpress.evaluate.score_differences import numbers
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.rows import Feeds, take

UNSEEN_CATEGORY = "a category never seen"
UNUSUAL_SHARE = 0.05
"""Share of missing numbers, and of unseen and rare categories, in the mixed rows."""

Columns = frozenset[RawColumn]
Ask = Callable[[Feeds], Predictions]


@dataclass(frozen=True)
class Probes:
    """Rows at the thresholds of a model, followed by mixed rows."""

    feeds: Feeds
    at_thresholds: ThresholdRows

    def __len__(self) -> int:
        return count(self.feeds)

    def column(self, row: int) -> RawColumn | None:
        """The column in which a row lies at a threshold; None for a mixed one."""
        return self.at_thresholds.columns[row] if row < len(self.at_thresholds) else None


def probe_rows(model: onnx.ModelProto, feeds: Feeds, ask: Ask, rows: int, seed: int) -> Probes:
    """Seeded probe rows, made from the rows in ``feeds``.

    The first lie at the thresholds of the trees of ``model`` (see :func:`threshold_rows`). The
    rest mix two rows each, with a few unseen and rare categories, and missing numbers. What is
    missing or unseen stands only in columns where ``ask``, the original, answers it.
    """
    rng = np.random.default_rng(seed)
    at_thresholds = threshold_rows(model, feeds, rows, rng)
    odd = accepted_missing(ask, feeds) | accepted_unseen(ask, feeds)
    mixed = _mixed(feeds, rows - len(at_thresholds), odd, rng)
    return Probes(joined(at_thresholds.feeds, mixed), at_thresholds)


def accepted_missing(ask: Ask, feeds: Feeds) -> Columns:
    """The columns of numbers where the original answers a missing one.

    That is all of them for a model that answers a row of missing numbers, else those where the
    data itself has some, as far as the model takes them.
    """
    columns = [column for column in raw_columns(feeds) if is_number(feeds[column.name])]
    if _answers(ask, feeds, columns):
        return frozenset(columns)
    blank = [np.isnan(feeds[each.name][:, each.position]).any() for each in columns]
    return _accepted(ask, feeds, [each for each, some in zip(columns, blank, strict=True) if some])


def accepted_unseen(ask: Ask, feeds: Feeds) -> Columns:
    """The columns of text where the original answers what was never seen."""
    texts = [column for column in raw_columns(feeds) if not is_number(feeds[column.name])]
    return _accepted(ask, feeds, texts)


def _accepted(ask: Ask, feeds: Feeds, columns: list[RawColumn]) -> Columns:
    """Halve the columns until each half is answered, or is a single refused column."""
    if not columns or _answers(ask, feeds, columns):
        return frozenset(columns)
    if len(columns) == 1:
        return frozenset()
    half = len(columns) // 2
    return _accepted(ask, feeds, columns[:half]) | _accepted(ask, feeds, columns[half:])


def _answers(ask: Ask, feeds: Feeds, columns: Iterable[RawColumn]) -> bool:
    """Whether ``ask`` answers the first row with odd values in ``columns``, and not by NaN."""
    row = {name: values[:1].astype(_roomy(values)) for name, values in feeds.items()}
    for column in columns:
        odd = np.nan if is_number(row[column.name]) else UNSEEN_CATEGORY
        row[column.name][:, column.position] = odd
    try:
        answer = ask(row)
    except Exception:  # a refusal: each library has its own
        return False
    return not np.isnan(numbers(answer)).any()


def _roomy(values: NDArray[Any]) -> np.dtype[Any]:
    """A type that also holds the unseen category."""
    if is_number(values):
        return values.dtype
    return np.result_type(values.dtype, np.array(UNSEEN_CATEGORY).dtype)


def _mixed(feeds: Feeds, rows: int, odd: Columns, rng: np.random.Generator) -> Feeds:
    """Rows with each value from one of two sampled rows, and a few of them unusual."""
    mixed = recombined(take(feeds, rng.integers(0, count(feeds), rows)), rng)
    for name, values in mixed.items():
        unusual = rng.random(values.shape) < UNUSUAL_SHARE
        accepts = np.array([RawColumn(name, i) in odd for i in range(values.shape[1])])
        if is_number(values):
            values[unusual & accepts] = np.nan
        else:
            rare = rng.choice(np.unique(feeds[name]), values.shape)
            unseen = accepts & (rng.random(values.shape) < 0.5)
            strange = np.where(unseen, UNSEEN_CATEGORY, rare)
            mixed[name] = np.where(unusual, strange, values)
    return mixed
