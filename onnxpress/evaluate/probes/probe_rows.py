"""Probe rows: where two models that agree on a few test rows would differ, if they ever do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.evaluate.probes.raw_columns import RawColumn, is_number, raw_columns
from onnxpress.evaluate.probes.row_sets import count, joined, recombined
from onnxpress.evaluate.probes.threshold_rows import ThresholdRows, threshold_rows
from onnxpress.evaluate.relative_differences import numbers
from onnxpress.runtime.predictions import Predict
from onnxpress.tables.rows import Feeds, take

UNSEEN_CATEGORY = "a category never seen"
UNUSUAL_SHARE = 0.05
"""Share of missing numbers, and of unseen and rare categories, in the mixed rows."""

PROBED_VALUES = 2**26
"""Upper bound on the values of all probe rows: 445 of colour images of 224 x 224."""

Columns = frozenset[RawColumn]


@dataclass(frozen=True)
class Probes:
    """Rows at the thresholds of a model, followed by mixed rows."""

    feeds: Feeds
    at_thresholds: ThresholdRows

    def __len__(self) -> int:
        return count(self.feeds)

    def column(self, row: int) -> RawColumn | None:
        """Return the column in which a row lies at a threshold; None for a mixed one."""
        return self.at_thresholds.columns[row] if row < len(self.at_thresholds) else None


def probe_rows(
    model: onnx.ModelProto, feeds: Feeds, predict: Predict, rows: int, seed: int
) -> Probes:
    """Make ``rows`` probe rows from the rows in ``feeds``; a ``seed`` always gives the same.

    The first lie at the thresholds of the trees of ``model`` (see :func:`threshold_rows`). The
    rest mix two rows each, with a few unseen and rare categories, and missing numbers. Columns hold
    missing or unseen values only if the original, called by ``predict``, takes them there. Of large
    tensors there are fewer rows: ``PROBED_VALUES`` values in all.
    """
    row = sum(values[:1].size for values in feeds.values())
    rows = min(rows, max(1, PROBED_VALUES // max(1, row))) if rows else 0
    rng = np.random.default_rng(seed)
    at_thresholds = threshold_rows(model, feeds, rows, rng)
    unusual = accepted_missing(predict, feeds) | accepted_unseen(predict, feeds)
    mixed = _mixed(feeds, rows - len(at_thresholds), unusual, rng)
    return Probes(joined(at_thresholds.feeds, mixed), at_thresholds)


def accepted_missing(predict: Predict, feeds: Feeds) -> Columns:
    """Return the columns of numbers in which the original takes a missing one.

    These are all of them if it takes a row of nothing but missing numbers; else the columns in
    which ``feeds`` has missing numbers and it takes them.
    """
    columns = [column for column in raw_columns(feeds) if is_number(feeds[column.name])]
    if _takes(predict, feeds, columns):
        return frozenset(columns)
    return _accepted(predict, feeds, [each for each in columns if _has_missing(feeds, each)])


def _has_missing(feeds: Feeds, column: RawColumn) -> bool:
    return bool(np.isnan(feeds[column.name][:, column.position]).any())


def accepted_unseen(predict: Predict, feeds: Feeds) -> Columns:
    """Return the columns of text in which the original takes a category that it has not seen."""
    texts = [column for column in raw_columns(feeds) if not is_number(feeds[column.name])]
    return _accepted(predict, feeds, texts)


def _accepted(predict: Predict, feeds: Feeds, columns: list[RawColumn]) -> Columns:
    """Halve the columns until the original takes each half, or one refused column is left."""
    if not columns or _takes(predict, feeds, columns):
        return frozenset(columns)
    if len(columns) == 1:
        return frozenset()
    half = len(columns) // 2
    first, second = columns[:half], columns[half:]
    return _accepted(predict, feeds, first) | _accepted(predict, feeds, second)


def _takes(predict: Predict, feeds: Feeds, columns: Iterable[RawColumn]) -> bool:
    """Return whether the first row is predicted, and not as NaN, with unusual values in columns."""
    row = {name: values[:1].astype(_roomy(values)) for name, values in feeds.items()}
    for column in columns:
        unusual = np.nan if is_number(row[column.name]) else UNSEEN_CATEGORY
        row[column.name][:, column.position] = unusual
    try:
        predictions = predict(row)
    except Exception:  # a refusal: each library has its own
        return False
    return not np.isnan(numbers(predictions)).any()


def _roomy(values: NDArray[Any]) -> np.dtype[Any]:
    """Return a type that also holds the unseen category."""
    if is_number(values):
        return values.dtype
    return np.result_type(values.dtype, np.array(UNSEEN_CATEGORY).dtype)


def _mixed(feeds: Feeds, rows: int, accepted: Columns, rng: np.random.Generator) -> Feeds:
    """Return rows with each value from one of two sampled rows, and a few of them unusual."""
    mixed = recombined(take(feeds, rng.integers(0, count(feeds), rows)), rng)
    for name in {column.name: None for column in raw_columns(feeds)}:
        values = mixed[name]
        unusual = rng.random(values.shape) < UNUSUAL_SHARE
        accepts = np.array([RawColumn(name, i) in accepted for i in range(values.shape[1])])
        if is_number(values):
            values[unusual & accepts] = np.nan
        else:
            rare = rng.choice(np.unique(feeds[name]), values.shape)
            unseen = accepts & (rng.random(values.shape) < 0.5)
            strange = np.where(unseen, UNSEEN_CATEGORY, rare)
            mixed[name] = np.where(unusual, strange, values)
    return mixed
