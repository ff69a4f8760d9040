"""The finite float32 numbers in their order: a rank for each, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LAST = int(np.finfo(np.float32).max.view(np.int32))
"""The rank of the greatest finite number; that of the least is ``-LAST``."""


def rank(values: NDArray[Any]) -> NDArray[np.int64]:
    """The place of each float32 among all, (n,) int64; both zeros are 0, neighbours differ by 1."""
    bits = np.asarray(values, np.float32).view(np.int32).astype(np.int64)
    return np.clip(np.where(bits >= 0, bits, -(bits & 0x7FFFFFFF)), -LAST, LAST)


def number(ranks: NDArray[np.int64]) -> NDArray[np.float32]:
    """The float32 at each rank, (n,); ranks beyond the last finite number are that number's."""
    size = np.minimum(np.abs(ranks), LAST).astype(np.int32).view(np.float32)
    return np.where(ranks < 0, -size, size)
