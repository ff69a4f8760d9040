"""What the libraries themselves predict from their native bytes; only this module imports them.

An opened booster is a function from rows to predictions. It takes float64 or float32 rows
(rows, features), with the codes of categories where the file lists categories, and a number of
threads; it returns (rows, outputs) float64 behind the library's own link: for two classes of one
output the probability of the second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError

Opened = Callable[[NDArray[Any], int], NDArray[np.float64]]


def open_booster(library: str, data: bytes) -> Opened:
    """Load native bytes, which a reader has taken before, into their library.

    Raises:
        UserError: the library is not installed, or refuses the bytes.
    """
    try:
        return OPENERS[library](data)
    except ModuleNotFoundError as error:
        line = f"this needs {library}, which is not installed: pip install 'onnxpress[boosters]'"
        raise UserError(line) from error


def _lightgbm(data: bytes) -> Opened:
    import lightgbm

    try:
        booster = lightgbm.Booster(model_str=data.decode())
    except lightgbm.basic.LightGBMError as error:
        raise UserError(f"LightGBM refuses the model: {error}") from error

    def predict(rows: NDArray[Any], threads: int) -> NDArray[np.float64]:
        if len(rows) == 0:
            rows = np.zeros((1, rows.shape[1]), rows.dtype)
            return predict(rows, threads)[:0]
        found = booster.predict(np.ascontiguousarray(rows), num_threads=threads)
        return np.asarray(found, np.float64).reshape(len(rows), -1)

    return predict


OPENERS: dict[str, Callable[[bytes], Opened]] = {
    "lightgbm": _lightgbm,
}
"""By the names of the libraries."""
