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

from onnxpress.boosters.catboost_categories import split_categories
from onnxpress.boosters.library_errors import first_line
from onnxpress.boosters.model import TWO
from onnxpress.boosters.readers import read_booster
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


def _catboost(data: bytes) -> Opened:
    import catboost
    import pandas as pd

    model = read_booster("catboost", data)
    categories, file = split_categories(data)
    booster = catboost.CatBoost()
    try:
        booster.load_model(blob=file)
    except catboost.CatBoostError as error:
        raise UserError(f"CatBoost refuses the model: {first_line(error)}") from error
    names = booster.feature_names_
    texts = {place: [str(one) for one in listed] for place, listed in categories.items()}
    kind = (
        "Probability" if model.classes else "Exponent" if model.link == "exp" else "RawFormulaVal"
    )

    def pool(rows: NDArray[Any], threads: int) -> Any:
        if not texts:
            return catboost.Pool(np.ascontiguousarray(rows, np.float32), thread_count=threads)
        columns: dict[str, Any] = {}
        for place, name in enumerate(names):
            values: Any = rows[:, place].astype(np.float32)
            if place in texts:
                known = [*texts[place], unlisted(texts[place])]
                coded = np.where(np.isnan(values), len(known) - 1, values).astype(np.int64)
                values = pd.Categorical.from_codes(coded, pd.Index(known))
            columns[name] = values
        return catboost.Pool(
            pd.DataFrame(columns), cat_features=sorted(texts), thread_count=threads
        )

    def predict(rows: NDArray[Any], threads: int) -> NDArray[np.float64]:
        if len(rows) == 0:
            return predict(np.zeros((1, rows.shape[1])), threads)[:0]
        try:
            found = booster.predict(pool(rows, threads), kind, thread_count=threads)
        except catboost.CatBoostError as error:
            raise UserError(f"CatBoost refuses the rows: {first_line(error)}") from error
        values = np.asarray(found, np.float64).reshape(len(rows), -1)
        return values[:, 1:] if model.classes == TWO and model.outputs == 1 else values

    return predict


def unlisted(categories: list[str]) -> str:
    """Return a text that is none of ``categories``."""
    text = "never seen"
    while text in categories:
        text += "."
    return text


def _xgboost(data: bytes) -> Opened:
    import xgboost

    try:
        booster = xgboost.Booster()
        booster.load_model(bytearray(data))
    except xgboost.core.XGBoostError as error:
        raise UserError(f"XGBoost refuses the model: {first_line(error)}") from error
    known: dict[str, Any] = booster.attributes()
    counted = booster.num_boosted_rounds()
    if "scikit_learn" in known and "best_iteration" in known:
        counted = min(int(known["best_iteration"]) + 1, counted)
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]

    def predict(rows: NDArray[Any], threads: int) -> NDArray[np.float64]:
        if len(rows) == 0:
            rows = np.zeros((1, rows.shape[1]), np.float32)
            return predict(rows, threads)[:0]
        with np.errstate(over="ignore"):
            if np.isinf(rows.astype(np.float32)).any():
                raise UserError("XGBoost takes no infinite number, and a row has one")
        booster.set_param({"nthread": threads})
        try:
            found = booster.predict(
                xgboost.DMatrix(rows, nthread=threads),
                output_margin=objective == "multi:softmax",
                iteration_range=(0, counted),
                validate_features=False,
            )
        except xgboost.core.XGBoostError as error:
            raise UserError(f"XGBoost refuses the rows: {first_line(error)}") from error
        values = np.asarray(found, np.float64).reshape(len(rows), -1)
        return softmax(values, axis=1) if objective == "multi:softmax" else values

    return predict


OPENERS: dict[str, Callable[[bytes], Opened]] = {
    "catboost": _catboost,
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
}
"""By the names of the libraries."""
