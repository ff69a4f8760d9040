"""Ranks follow the order of float32 numbers."""

from __future__ import annotations

import numpy as np
import pytest

from onnxpress.evaluate.probes.float_order import number, rank
from tests.support.probed_models import float32


@pytest.mark.parametrize("value", [0.0, 1.0, -1.5, 1e-45, -1e-45, 3.4028235e38, -3.4028235e38])
def test_ranks_follow_the_order_of_floats_and_end_at_the_greatest(value: float) -> None:
    exact = float32([value])
    assert number(rank(exact)) == exact
    with np.errstate(over="ignore"):
        above = np.nextafter(exact, np.float32(np.inf))
    assert number(rank(exact) + 1) == (above if np.isfinite(above) else exact)
