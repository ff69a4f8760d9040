"""``groups`` as callers pass them: which rows belong together, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from onnxpress.errors import UserError

Numbers = NDArray[np.int64]


def group_numbers(groups: Any, rows: int, name: str = "groups") -> Numbers | None:
    """Return the number of each row's group, (rows,), from 0; None for ``groups`` of None.

    Raises:
        UserError: there is not one group for each of the ``rows``.
    """
    return None if groups is None else pd.factorize(_checked(groups, rows, name))[0]


def numbers_of_both(
    groups: Any, rows: int, calibration: Any, calibration_rows: int
) -> tuple[Numbers, Numbers]:
    """Return the numbers of the groups of two sets of rows; a group of both has one number.

    Raises:
        UserError: there is not one group for each row.
    """
    first = _checked(groups, rows, "groups")
    second = _checked(calibration, calibration_rows, "calibration's groups")
    found = pd.factorize(np.concatenate([first.astype(object), second.astype(object)]))[0]
    return found[:rows], found[rows:]


def _checked(groups: Any, rows: int, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(groups)
    except ValueError as error:  # of rows of several lengths
        raise UserError(
            f"{name} should have one value for each of {rows} rows ({error})"
        ) from error
    if array.shape != (rows,):
        raise UserError(
            f"{name} should have one value for each of {rows} rows, got shape {array.shape}"
        )
    gaps = np.flatnonzero(pd.isna(array))
    if len(gaps):
        raise UserError(f"{name}: row {gaps[0] + 1} has no value; every row belongs to a group")
    return array
