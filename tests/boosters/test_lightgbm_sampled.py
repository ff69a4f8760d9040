"""Configurations of LightGBM by a seeded sampler, on rows at their own thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from onnxpress.boosters.readers import read_booster
from tests.boosters.compared import BAR, compared
from tests.boosters.lightgbm_sampler import OBJECTIVES, sampled
from tests.boosters.probes import limits, probes


@pytest.mark.parametrize("seed", range(3 * len(OBJECTIVES)))
def test_onnx_predicts_what_the_library_does(seed: int) -> None:
    one = sampled(seed)
    model = read_booster("lightgbm", one.data)
    rows = probes(model, one.rows)
    found = compared("lightgbm", one.data, rows, one.classes)
    native = np.asarray(one.booster.predict(one.typed(rows)), np.float64)
    library = found.library[:, -1] if native.ndim == 1 else found.library
    assert np.array_equal(native, library), one.name
    allowed = limits(model, rows, found.library, BAR)
    beyond = np.abs(found.onnx - found.library) - allowed
    assert beyond.max() <= 0, f"{one.name}: {beyond.max():.3g} beyond"
    if found.labels is not None:
        ordered = np.sort(found.library, axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > 2 * np.broadcast_to(allowed, ordered.shape)[:, 0]
        assert np.array_equal(found.labels[clear], found.library.argmax(axis=1)[clear]), one.name
        assert clear.any()
