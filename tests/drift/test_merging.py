"""Which cuts and texts a profile keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.drift.merging import (
    LEAST_ROWS,
    LEAST_SHARE,
    MOST_BINS,
    MOST_NAMES,
    grouped,
    kept_cuts,
)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=200))
def test_every_bin_holds_enough_rows_and_there_are_few(cells: list[int]) -> None:
    kept = kept_cuts(np.array(cells))
    bins = [part.sum() for part in np.split(np.array(cells), kept + 1)]
    assert len(bins) <= MOST_BINS
    least = max(LEAST_ROWS, LEAST_SHARE * sum(cells))
    assert len(bins) == 1 or min(bins) >= least


@given(st.lists(st.integers(20, 29), min_size=1, max_size=MOST_BINS))
def test_cells_with_enough_rows_stay_as_they_are(cells: list[int]) -> None:
    assert kept_cuts(np.array(cells)).tolist() == list(range(len(cells) - 1))


@pytest.mark.parametrize(
    ("cells", "kept"),
    [([50, 0, 3, 60], [2]), ([0, 0], []), ([0, 50, 50], [1]), ([50, 50, 0], [0]), ([7], [])],
)
def test_a_small_cell_joins_the_smaller_neighbour(cells: list[int], kept: list[int]) -> None:
    assert kept_cuts(np.array(cells)).tolist() == kept


def test_frequent_texts_stay_alone_and_the_rest_are_one_group() -> None:
    assert grouped({"b": 60, "a": 30, "rare": 1, "never": 0}, 91) == [
        ["a"],
        ["b"],
        ["never", "rare"],
    ]
    assert grouped({}, 10) == []


def test_a_profile_lists_so_many_texts_only() -> None:
    groups = grouped({str(number): number for number in range(5000)}, 10**6)
    assert sum(map(len, groups)) == MOST_NAMES
    assert "4999" in {text for group in groups for text in group}
