"""What the libraries themselves predict from their native bytes; only this module imports them.

An opened booster is a function from rows to predictions. It takes float64 or float32 rows
(rows, features), with the codes of categories where the file lists categories, and a number of
threads; it returns (rows, outputs) float64 behind the library's own link: for two classes of one
output the probability of the second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

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


def _xgboost(data: bytes) -> Opened:
    import xgboost

    try:
        booster = xgboost.Booster()
        booster.load_model(bytearray(data))
    except xgboost.core.XGBoostError as error:
        raise UserError(f"XGBoost refuses the model: {_first_line(error)}") from error
    known: dict[str, Any] = booster.attributes()
    counted = booster.num_boosted_rounds()
    if "scikit_learn" in known and "best_iteration" in known:
        counted = min(int(known["best_iteration"]) + 1, counted)
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]

    def predict(rows: NDArray[Any], threads: int) -> NDArray[np.float64]:
        booster.set_param({"nthread": threads})
        try:
            found = booster.predict(
                xgboost.DMatrix(rows, nthread=threads),
                output_margin=objective == "multi:softmax",
                iteration_range=(0, counted),
                validate_features=False,
            )
        except xgboost.core.XGBoostError as error:
            raise UserError(f"XGBoost refuses the rows: {_first_line(error)}") from error
        values = np.asarray(found, np.float64).reshape(len(rows), -1)
        return softmax(values, axis=1) if objective == "multi:softmax" else values

    return predict


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


OPENERS: dict[str, Callable[[bytes], Opened]] = {
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
}
"""By the names of the libraries."""
