"""Latencies that are drawn instead of measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def noisy(seed: int, rounds: int, loops: int = 1) -> NDArray[np.float64]:
    """Latencies around 1 ms with the long right tail of a busy machine."""
    return np.random.default_rng(seed).lognormal(0, 0.1, (rounds, loops))
