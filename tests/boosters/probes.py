"""Rows at a booster's own thresholds and categories, and how exact a prediction has to be there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from onnxpress.boosters.model import BoosterModel, Crossing
from onnxpress.estimators.booster_estimator import codes

ODD = (np.nan, 0.0, -0.0, 1e-35, -1e-35, 2.7, -0.5, -1.0, 3e9, np.inf, -np.inf, 3e38)
"""Numbers that libraries treat in ways of their own."""


def probes(
    model: BoosterModel, rows: pd.DataFrame, count: int = 1500, seed: int = 0
) -> pd.DataFrame:
    """Rows whose values are one of ``rows``, at a threshold, a float32 step beside it, or odd."""
    random = np.random.default_rng(seed)
    result = {}
    for place, name in enumerate(rows):
        values = rows[name].to_numpy()
        if values.dtype.kind == "f":
            at = [tree.threshold[tree.split & (tree.feature == place)] for tree in model.trees]
            with np.errstate(over="ignore"):
                near = np.unique(np.concatenate(at).astype(np.float32))
            near = near[np.isfinite(near)]
            up, down = (np.nextafter(near, np.float32(end)) for end in (np.inf, -np.inf))
            sets = [one.categories for one in model.memberships if one.feature == place]
            whole = [one.astype(np.float32) for one in sets]
            odd = np.array(ODD, np.float32)
            if model.linear:  # 0 times infinity
                odd = odd[(np.abs(odd) < 100) | np.isnan(odd)]
            pool = np.concatenate([near, up, down, odd, *whole, *(one + 0.5 for one in whole)])
        else:
            pool = np.array([*np.unique(values.astype(str)), "", "never seen"], object)
        chosen = random.random(count) < 0.5
        result[name] = np.where(
            chosen, random.choice(values, count), random.choice(pool, count)
        ).astype(values.dtype if values.dtype.kind == "f" else object)
    frame = pd.DataFrame(result)
    return frame.astype({name: object for name in rows if rows[name].dtype.kind != "f"})


def absolute_sums(model: BoosterModel, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Sums (rows, outputs) of the absolute values of the leaves that the rows reach, and the base.

    Linear leaves add the absolute values of their products.
    """
    columns = [
        codes(feature, rows[name].to_numpy())
        for feature, name in zip(model.features, rows, strict=True)
    ]
    matrix = np.stack(columns, axis=1)
    read = matrix.copy()
    for feature in model.zero_as_missing:
        read[np.abs(read[:, feature]) <= np.float32(1e-35), feature] = np.nan
    parts = [read]
    for one in model.memberships:
        value = read[:, one.feature]
        value = np.trunc(value) if model.truncated else value
        same = value[:, None] == one.categories.astype(np.float64)
        position = np.where(same.any(axis=1), 1 + same.argmax(axis=1), 0)
        parts.append(one.right[position].astype(np.float64))
    parts += [_crossed(crossing, matrix) for crossing in model.crossings]
    read = np.concatenate(parts, axis=1)
    factors = np.ones((len(matrix), 1 + len(model.linear)))
    factors[:, 1:] = np.nan_to_num(matrix[:, list(model.linear)], nan=0.0)
    result = np.tile(np.abs(model.base), (len(rows), 1))
    for tree in model.trees:
        row = np.zeros(len(rows), np.int64)
        while (inner := tree.split[row]).any():
            value = read[np.arange(len(rows)), tree.feature[row] * inner]
            left = np.where(np.isnan(value), tree.missing_left[row], value <= tree.threshold[row])
            row = np.where(inner, np.where(left, tree.left[row], tree.right[row]), row)
        values = tree.value[row]
        for column in range(values.shape[1]):
            output = tree.first_id + column // factors.shape[1]
            product = values[:, column] * factors[:, column % factors.shape[1]]
            result[:, output] += np.abs(product * model.scale)
    return result


def _crossed(crossing: Crossing, matrix: NDArray[Any]) -> NDArray[np.float64]:
    """The columns of a crossing (rows, splits)."""
    number = np.zeros(len(matrix), np.int64)
    for digit in crossing.digits:
        value = matrix[:, digit.feature]
        own = value + 1
        if digit.borders is not None:
            own = (value[:, None] > digit.borders).sum(axis=1)
        number = number * digit.size + np.where(np.isnan(value), digit.missing, own).astype(int)
    return crossing.right[crossing.pattern[number]].astype(np.float64)


def limits(model: BoosterModel, rows: pd.DataFrame, library: Any, bar: float) -> Any:
    """How far a prediction (rows, outputs) may be from the ``library``'s: ``bar`` of the sums."""
    allowed = bar * absolute_sums(model, rows)
    if model.link == "identity":
        return allowed
    allowed = np.maximum(allowed, bar)
    if model.link == "exp":
        return allowed * np.abs(library)
    if model.link == "signed_square":
        return 2 * allowed * np.sqrt(np.abs(library)) + allowed**2
    return allowed.max(axis=1, keepdims=True)
