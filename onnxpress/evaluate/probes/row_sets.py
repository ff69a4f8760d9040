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
    """Return every row with about half of its values from another row."""
    other = take(feeds, rng.permutation(count(feeds)))
    swaps = {name: rng.random(values.shape) < 0.5 for name, values in feeds.items()}
    return {name: np.where(swaps[name], other[name], values) for name, values in feeds.items()}
