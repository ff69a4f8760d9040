"""Which raw column moves which column of the tensors that trees read, found by trying it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.tensors import Tensors, Values
from stages.common.table import Feeds, take

TRIED_ROWS = 2
TRIED_VALUES = 256
TRIED_CELLS = 20_000_000
"""Upper bound on the cells computed for all raw columns together: wide tables are tried with fewer values."""


@dataclass(frozen=True)
class RawColumn:
    """A column of the data: the model's input and the position within it."""

    name: str
    position: int


@dataclass(frozen=True)
class Source:
    """The raw column that moves a tensor's column the most, and how: ``response[i]`` at ``tried[i]``, both (values,)."""

    column: RawColumn
    tried: NDArray[Any]
    response: NDArray[Any]


def raw_columns(feeds: Feeds) -> list[RawColumn]:
    """All columns of the data, in the order of the inputs."""
    return [RawColumn(name, position) for name, values in feeds.items() for position in range(values.shape[1])]


def is_number(values: NDArray[Any]) -> bool:
    """Whether an input holds numbers; all others hold text."""
    return values.dtype.kind == "f"


def find_sources(
    inputs: Tensors, feeds: Feeds, wanted: Mapping[str, NDArray[np.int64]], rng: np.random.Generator
) -> dict[tuple[str, int], Source]:
    """The source of each wanted column of each tensor; those that no raw column moves are left out.

    A few rows are asked with the known values of one raw column after the other. So it does not matter by which operators
    a model scales, imputes, encodes or orders its columns.
    """
    found: dict[tuple[str, int], Source] = {}
    most: dict[tuple[str, int], float] = {}
    cells = sum(len(features) for features in wanted.values())
    limit = TRIED_CELLS // max(1, cells * TRIED_ROWS * len(raw_columns(feeds)))
    base = take(feeds, rng.integers(0, len(next(iter(feeds.values()))), TRIED_ROWS))
    for column in _in_question(inputs, feeds, wanted):
        tried = known_values(feeds, column, max(2, min(TRIED_VALUES, limit)))
        responses = inputs(_with_each(base, column, tried))
        for key, response in _responses(responses, wanted, len(tried)):
            spread = _spread(response)
            if spread > most.get(key, 0):
                most[key], found[key] = spread, Source(column, tried, response[0])
    return found


def _in_question(inputs: Tensors, feeds: Feeds, wanted: Mapping[str, NDArray[np.int64]]) -> list[RawColumn]:
    """Raw columns that may move a wanted one: if trees read the inputs themselves, only the columns that they name."""
    if inputs.computed:
        return raw_columns(feeds)
    return [RawColumn(name, int(feature)) for name, features in wanted.items() for feature in features]


def known_values(feeds: Feeds, column: RawColumn, limit: int) -> NDArray[Any]:
    """Up to ``limit`` distinct values of a raw column in rising order, from the least to the greatest (NaN)."""
    distinct = np.unique(feeds[column.name][:, column.position])
    if len(distinct) <= limit:
        return distinct
    return distinct[np.linspace(0, len(distinct) - 1, limit).astype(np.intp)]


def _with_each(base: Feeds, column: RawColumn, tried: NDArray[Any]) -> Feeds:
    """Each base row with each of the values: rows in blocks of ``len(tried)``."""
    rows = len(next(iter(base.values())))
    feeds = {name: np.repeat(values, len(tried), axis=0) for name, values in base.items()}
    feeds[column.name][:, column.position] = np.tile(tried, rows)
    return feeds


def _responses(
    responses: Values, wanted: Mapping[str, NDArray[np.int64]], tried: int
) -> Iterator[tuple[tuple[str, int], NDArray[np.float64]]]:
    """Per wanted column its values, (base rows, tried values)."""
    for name, features in wanted.items():
        block = responses[name][:, features].astype(np.float64).reshape(TRIED_ROWS, tried, len(features))
        for number, feature in enumerate(features):
            yield (name, int(feature)), block[:, :, number]


def _spread(response: NDArray[np.float64]) -> float:
    """How far a column moves, at most over the base rows; between a number and NaN counts as a little."""
    low, high = np.fmin.reduce(response, axis=1), np.fmax.reduce(response, axis=1)
    with np.errstate(invalid="ignore"):
        spread = np.nan_to_num(high - low, posinf=np.finfo(np.float64).max)
    missing = np.isnan(response)
    mixed = missing.any(axis=1) & ~missing.all(axis=1)
    return float(np.max(np.where(mixed, np.maximum(spread, np.finfo(np.float64).tiny), spread)))
