"""Probe rows: where two models that agree on a few test rows would part ways, if they ever do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stages.common.table import Feeds, take
from stages.evaluate.thresholds import Thresholds

UNSEEN_CATEGORY = "a category never seen"
UNUSUAL_SHARE = 0.05
"""Share of missing numbers and unseen categories in the mixed rows."""


def accepts_missing(ask: Callable[[Feeds], object], feeds: Feeds) -> bool:
    """Whether the original answers a row whose numbers are all missing."""
    return _answers(ask, feeds, np.nan, numeric=True)


def accepts_unseen(ask: Callable[[Feeds], object], feeds: Feeds) -> bool:
    """Whether the original answers a row whose categories were never seen; one with a OneHotEncoder by default does not."""
    return _answers(ask, feeds, UNSEEN_CATEGORY, numeric=False)


def _answers(ask: Callable[[Feeds], object], feeds: Feeds, value: float | str, *, numeric: bool) -> bool:
    """Whether ``ask`` takes the first row with ``value`` in all numeric columns, or in all others."""
    first = {name: values[:1] for name, values in feeds.items()}
    try:
        ask({name: np.full_like(row, value) if _is_numeric(row) == numeric else row for name, row in first.items()})
    except ValueError:  # scikit-learn's refusal
        return False
    return True


def _is_numeric(values: NDArray[np.generic]) -> bool:
    return values.dtype.kind == "f"


def probe_rows(feeds: Feeds, thresholds: Thresholds, rows: int, *, missing: bool, unseen: bool, seed: int) -> Feeds:
    """Seeded probe rows, made from the rows in ``feeds``.

    Each distinct threshold gives three: a row with exactly that value in its column, one with the float32 neighbour
    below, one with the neighbour above. The thresholds themselves come first, so that each has a probe as long as
    ``rows`` allows; beyond that a random choice of them is made. Rows that are left mix two sampled rows; if
    ``unseen``, with unseen categories, and if ``missing``, with missing numbers among them.
    """
    rng = np.random.default_rng(seed)
    size = len(next(iter(feeds.values())))
    probes = {name: values.copy() for name, values in take(feeds, rng.integers(0, size, rows)).items()}
    at = _values_at_splits(thresholds, rows, rng)
    for row, (name, column, value) in enumerate(at):
        probes[name][row, column] = value
    _mix(probes, take(feeds, rng.integers(0, size, rows)), len(at), rng, missing=missing, unseen=unseen)
    return probes


def _values_at_splits(thresholds: Thresholds, rows: int, rng: np.random.Generator) -> list[tuple[str, int, np.float32]]:
    exact = [(name, column, value) for name, column, values in thresholds for value in values]
    order = [exact[i] for i in rng.permutation(len(exact))]
    down, up = np.float32(-np.inf), np.float32(np.inf)
    beside = [(name, column, np.nextafter(value, side)) for side in (down, up) for name, column, value in order]
    return [*order, *beside][:rows]


def _mix(probes: Feeds, others: Feeds, start: int, rng: np.random.Generator, *, missing: bool, unseen: bool) -> None:
    """Swap half of the values from row ``start`` on with those of other rows, and make a few of them unusual."""
    for name, values in probes.items():
        swap, unusual = _chances(values, start, rng, 0.5), _chances(values, start, rng, UNUSUAL_SHARE)
        mixed = np.where(swap, others[name], values)
        if _is_numeric(values):
            probes[name] = np.where(unusual & missing, np.float32(np.nan), mixed)
        else:
            probes[name] = np.where(unusual & unseen, UNSEEN_CATEGORY, mixed)


def _chances(values: NDArray[np.generic], start: int, rng: np.random.Generator, share: float) -> NDArray[np.bool_]:
    chance = rng.random(values.shape) < share
    chance[:start] = False
    return chance
