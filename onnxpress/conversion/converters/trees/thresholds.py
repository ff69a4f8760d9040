"""Round the float64 thresholds of fitted trees to float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def float32_below(values: Array) -> Array:
    """Return the largest float32 not above each float64, float32 of the same shape.

    scikit-learn compares float32 features with float64 thresholds, ``x <= threshold``. With the
    nearest float32 the comparison would change for an x just above the threshold; with this one it
    stays the same for each float32 ``x``:

        threshold  0.1                      0.5  0.7
        nearest    0.100000001 (above it)   0.5  0.699999988
        result     0.099999994              0.5  0.699999988
    """
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
        return np.where(nearest > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)
