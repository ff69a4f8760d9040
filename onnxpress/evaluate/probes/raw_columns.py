"""Finds which raw column moves which column of the tensors that trees read, by trying it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.inner_tensors import InnerTensors, Values
from onnxpress.evaluate.probes.row_sets import count
from onnxpress.tables.rows import Feeds, take

Place = tuple[str, int]
"""A tensor and a column of it."""

Wanted = Mapping[str, NDArray[np.int64]]
"""Columns of tensors by the tensor's name."""

TRIED_ROWS = 2
"""Rows in which values are tried."""
TRIED_VALUES = 256
"""Most values of a raw column that are tried."""
TRIED_CELLS = 20_000_000
"""Upper bound on the cells computed for all raw columns: wide tables try fewer values."""


@dataclass(frozen=True)
class RawColumn:
    """A column of the data: the model's input and the position within it."""

    name: str
    position: int


@dataclass(frozen=True)
class MovingColumn:
    """The raw column that moves a tensor's column the most, and how.

    ``response[i]`` is what the tensor holds at ``tried[i]``, both (values,).
    """

    column: RawColumn
    tried: NDArray[Any]
    response: NDArray[Any]


def raw_columns(feeds: Feeds) -> list[RawColumn]:
    """Return all columns of the data, in the order of the inputs; a tensor has none.

    A tensor of two dimensions in float32 is like a matrix, and has them.
    """
    widths = {
        name: values.shape[1]
        for name, values in feeds.items()
        if values.ndim == 2 and values.dtype.kind not in "iu"
    }
    return [RawColumn(name, at) for name, width in widths.items() for at in range(width)]


def is_number(values: NDArray[Any]) -> bool:
    """Return whether an input holds numbers; all others hold text."""
    return values.dtype.kind in "fiu"


def find_sources(
    inputs: InnerTensors,
    feeds: Feeds,
    values: Values,
    wanted: Wanted,
    rng: np.random.Generator,
) -> dict[Place, MovingColumn]:
    """Return the source of each wanted column of each tensor; some may have none.

    ``values`` are what the trees read of ``feeds``. The known values of one raw column after the
    other are tried in a few rows. So it does not matter by which operators a model scales, imputes,
    encodes or orders its columns.
    """
    found: dict[Place, MovingColumn] = {}
    most: dict[Place, float] = {}
    cells = sum(len(features) for features in wanted.values())
    limit = TRIED_CELLS // max(1, cells * TRIED_ROWS * len(raw_columns(feeds)))
    base = take(feeds, rng.integers(0, count(feeds), TRIED_ROWS))
    extreme = _extreme_rows(values, wanted)
    for column in _candidates(inputs, feeds, wanted):
        tried = known_values(feeds, column, max(2, min(TRIED_VALUES, limit)))
        if not is_number(tried):
            tried = np.unique(np.r_[tried, feeds[column.name][extreme, column.position]])
        responses = inputs(_with_each(base, column, tried))
        for key, response in _responses(responses, wanted, len(tried)):
            spread = _spread(response)
            if spread > most.get(key, 0):
                most[key], found[key] = spread, MovingColumn(column, tried, response[0])
    return found


def _extreme_rows(values: Values, wanted: Wanted) -> NDArray[np.intp]:
    """Return a row with the least and one with the greatest value of each wanted column.

    Among them is the one text that holds a rare word.
    """
    found = [np.zeros(0, np.intp)]
    for name, features in wanted.items():
        columns = values[name][:, features]
        found += [columns.argmin(axis=0), columns.argmax(axis=0)]
    return np.unique(np.concatenate(found))


def _candidates(inputs: InnerTensors, feeds: Feeds, wanted: Wanted) -> list[RawColumn]:
    """Return the raw columns that may move a wanted one: itself, if trees read the inputs."""
    if inputs.computed:
        return raw_columns(feeds)
    return [RawColumn(name, int(at)) for name, features in wanted.items() for at in features]


def known_values(feeds: Feeds, column: RawColumn, limit: int) -> NDArray[Any]:
    """Return up to ``limit`` distinct values of a raw column, rising, with both ends."""
    distinct = np.unique(feeds[column.name][:, column.position])
    if len(distinct) <= limit:
        return distinct
    return distinct[np.linspace(0, len(distinct) - 1, limit).astype(np.intp)]


def _with_each(base: Feeds, column: RawColumn, tried: NDArray[Any]) -> Feeds:
    """Return each base row with each of the values, (base rows * values,)."""
    # base rows a, b and values 1, 2, 3 in the column: a1 a2 a3 b1 b2 b3
    feeds = {name: np.repeat(values, len(tried), axis=0) for name, values in base.items()}
    feeds[column.name][:, column.position] = np.tile(tried, count(base))
    return feeds


def _responses(
    responses: Values, wanted: Wanted, tried: int
) -> Iterator[tuple[Place, NDArray[np.float64]]]:
    """Yield what each wanted column holds, (base rows, tried values)."""
    for name, features in wanted.items():
        block = responses[name][:, features].astype(np.float64)
        block = block.reshape(TRIED_ROWS, tried, len(features))
        for number, feature in enumerate(features):
            yield (name, int(feature)), block[:, :, number]


def _spread(response: NDArray[np.float64]) -> float:
    """Return how far a column moves in one of the base rows; to or from NaN is a little.

    ``response`` is (base rows, tried values).
    """
    low, high = np.fmin.reduce(response, axis=1), np.fmax.reduce(response, axis=1)
    with np.errstate(invalid="ignore"):
        spread = np.nan_to_num(high - low, posinf=np.finfo(np.float64).max)
    missing = np.isnan(response)
    mixed = missing.any(axis=1) & ~missing.all(axis=1)
    # [[1, 4], [2, nan], [5, 5]]: spread [3, 0, 0], mixed [no, yes, no] -> [3, tiny, 0] -> 3
    little = np.maximum(spread, np.finfo(np.float64).tiny)
    return float(np.max(np.where(mixed, little, spread)))
