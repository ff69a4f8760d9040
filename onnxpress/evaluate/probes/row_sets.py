"""Rows as ONNX inputs: count them, join them, and mix them."""

from __future__ import annotations

import numpy as np

from onnxpress.tables.rows import Feeds, take


def count(feeds: Feeds) -> int:
    """Return how many rows there are."""
    return len(next(iter(feeds.values())))


def joined(one: Feeds, other: Feeds) -> Feeds:
    """Return the rows of both, in this order."""
    return {name: np.concatenate([values, other[name]]) for name, values in one.items()}


def recombined(feeds: Feeds, rng: np.random.Generator) -> Feeds:
    """Return every row with about half of its values from another row.

    Of int64, which are places in a table, words of a text for instance, a row has all or none.
    """
    other = take(feeds, rng.permutation(count(feeds)))
    swaps = {}
    for name, values in feeds.items():
        whole = values.dtype.kind == "i"
        shape = (len(values), *(1,) * (values.ndim - 1)) if whole else values.shape
        swaps[name] = rng.random(shape) < 0.5
    return {name: np.where(swaps[name], other[name], values) for name, values in feeds.items()}
