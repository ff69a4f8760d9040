"""The finite float32 numbers in their order: a rank for each, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LAST = int(np.finfo(np.float32).max.view(np.int32))
"""The rank of the greatest finite number; that of the least is ``-LAST``."""

# The bits of a float32 are its sign, then its size: read as a whole number, positive ones are in
# order already, and the others only need their sign back (IEEE 754-2019, 3.4).
#
#   number     bits        rank
#   1e-45      0x00000001  1         the least positive number
#   -1e-45     0x80000001  -1
#   1.5        0x3fc00000  1069547520


def rank(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the place of each float32 among all, (n,) int64.

    Both zeros have rank 0, neighbours differ by 1, and infinities count as the last finite number.
    """
    bits = np.asarray(values, np.float32).view(np.int32).astype(np.int64)
    return np.clip(np.where(bits >= 0, bits, -(bits & 0x7FFFFFFF)), -LAST, LAST)


def number(ranks: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the float32 at each rank, (n,); ranks beyond the last finite number give that."""
    size = np.minimum(np.abs(ranks), LAST).astype(np.int32).view(np.float32)
    return np.where(ranks < 0, -size, size)
