"""Arrays on the disk: what is computed a piece at a time is what numpy computes of all rows."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from onnxpress.errors import UserError
from onnxpress.tables import mapped
from onnxpress.tables.mapped import (
    arrays_in,
    copy_of,
    different,
    joined,
    room,
    row_by_row,
    shuffled,
    where,
)

VALUES = np.random.default_rng(0).normal(size=100)


@pytest.fixture(params=["disk", "memory"], autouse=True)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Pieces of seven rows, on the disk or in memory."""
    monkeypatch.setattr(mapped, "PIECE_ROWS", 7)
    if request.param == "memory":
        yield
        return
    with arrays_in(tmp_path):
        yield
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 14, 15, 100])
def test_pieces_of_rows_make_what_all_rows_do(rows: int) -> None:
    values = VALUES[:rows]
    flags = values > 0
    np.testing.assert_array_equal(row_by_row(np.square, values), np.square(values))
    np.testing.assert_array_equal(row_by_row(np.add, values, values), values + values)
    np.testing.assert_array_equal(where(values, flags), values[flags])
    np.testing.assert_array_equal(different(flags), np.unique(flags))
    np.testing.assert_array_equal(shuffled(rows, 3), np.random.default_rng(3).permutation(rows))
    changed = copy_of(values)
    changed[:] = 0
    np.testing.assert_array_equal(values, VALUES[:rows])


def test_texts_of_later_pieces_may_be_longer() -> None:
    parts = [np.array(["a"] * 7), np.array(["", "bcd"]), np.array(["ef"])]
    (found,) = joined(([part] for part in parts), 10)
    np.testing.assert_array_equal(found, np.concatenate(parts))


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with arrays_in(tmp_path), pytest.raises(UserError, match="should have 8 MB of room"):
            room((2**20,), np.float64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
