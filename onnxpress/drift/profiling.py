"""The drift profile of a model: bins, and how many training rows lie in each."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.drift.counting import LENGTH, NUMBER, TEXT, counted
from onnxpress.drift.cut_points import CutPoints, cut_points
from onnxpress.drift.merging import MOST_NAMES, grouped, kept_cuts
from onnxpress.drift.traces import as_traced
from onnxpress.drift.window import UNUSED
from onnxpress.evaluate.probes.raw_columns import RawColumn, raw_columns
from onnxpress.runtime.sessions import open_session, run
from onnxpress.tables.names import (
    NUMERIC_INPUT,
    PREDICTION,
    PROBABILITIES,
    SCORES,
    column_name,
)
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema

LIMIT = 0.2
"""From this index on, credit scoring calls a shift significant (Siddiqi, 2006: 0.1 is small)."""
LEVEL = 0.01
"""How often at most any entry may exceed what chance gives, if nothing has drifted."""
QUANTILES = 10
"""Bins of numbers that the model computes with, and of what it predicts."""
PREDICTED_ROWS = 4096
"""Rows of a call while predicting."""

SPLITS, KNOWN, QUANTILE = "splits", "known texts", "quantiles"
"""Where the bins of an entry come from."""

Profile = dict[str, Any]


def drift_profile(model: bytes, schema: Schema, training: Feeds, held_out: Feeds) -> Profile:
    """Return the profile as plain JSON values; the same arguments give the same.

    The features are counted in the ``training`` rows; of tensors there are none. The predictions
    are counted in the ``held_out`` rows, because most models are surer of rows that they have
    learnt. Without such rows they are counted in the training rows, and how sure the model is does
    not count.
    """
    points = cut_points(onnx.load_from_string(model), training)
    columns = [] if schema.has_tensors else raw_columns(training)
    features = [_feature(column, points, training, schema) for column in columns]
    session = open_session(model)
    outputs = predicted(session, held_out)
    if not outputs:
        every = predicted(session, training)
        outputs = {name: every[name] for name in every if name not in (PROBABILITIES, SCORES)}
    return {
        "form": 1,
        "model": sha256(model).hexdigest(),
        "level": LEVEL,
        "limit": LIMIT,
        "features": features,
        "predictions": _predictions(outputs, schema.targets),
    }


def predicted(session: Any, feeds: Feeds) -> dict[str, NDArray[Any]]:
    """Return what is profiled of the predictions, each (rows,): label, top score, prediction.

    Of probabilities and scores, that is the highest of each row. Predictions of several targets are
    (rows, targets), and each target has an entry of its own in the profile.
    """
    names = [output.name for output in session.get_outputs()]
    rows = len(next(iter(feeds.values())))
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for start in range(0, rows, PREDICTED_ROWS):
        part = {name: values[start : start + PREDICTED_ROWS] for name, values in feeds.items()}
        for name, values in zip(names, run(session, names, part), strict=True):
            found = np.asarray(values)
            several = name == PREDICTION and found.ndim == 2 and found.shape[1] > 1
            parts[name].append(found if several else summarised(found))
    return {name: np.concatenate(arrays) for name, arrays in parts.items() if arrays}


def summarised(values: NDArray[Any]) -> NDArray[Any]:
    """Return one value per row: of several columns the highest."""
    return values.reshape(len(values), -1).max(axis=1) if values.size else values.reshape(-1)


def _predictions(outputs: Mapping[str, NDArray[Any]], targets: tuple[str, ...]) -> list[Profile]:
    """Return an entry for each output, or for each of several targets: ``prediction price``."""
    found = []
    for name, values in outputs.items():
        if values.ndim == 1:
            found.append(_prediction(name, values))
            continue
        for position, (target, column) in enumerate(zip(targets, values.T, strict=True)):
            where = {"output": name, "position": position}
            found.append(_prediction(f"{name} {target}", column) | where)
    return found


def _feature(column: RawColumn, points: CutPoints, feeds: Feeds, schema: Schema) -> Profile:
    values = feeds[column.name][:, column.position]
    matrix = schema.all_numeric and column.name == NUMERIC_INPUT
    name = schema.columns[column.position].name if matrix else column_name(column.name)
    entry: Profile = {"name": name, "input": column.name, "position": column.position}
    if column in points.numbers:
        entry |= _by_splits(points.numbers[column], values)
    elif column in points.texts:
        entry |= _by_texts(points.texts[column], values)
    elif values.dtype.kind == "f":
        entry |= _by_quantiles(NUMBER, values)
    else:
        entry |= _of_text(values)
    return entry | _counts(entry, values)


def _counts(entry: Profile, values: NDArray[Any]) -> Profile:
    """Return the counts, and apart those of the values as traces have them, if they differ.

    A cut is often a value of many rows, such as 2/3, which 0.666667 is above.
    """
    counts, traced = counted(entry, values).tolist(), counted(entry, as_traced(values)).tolist()
    return {"counts": counts} if traced == counts else {"counts": counts, "traced": traced}


def _by_splits(cuts: NDArray[np.float32], values: NDArray[Any]) -> Profile:
    cells = counted({"kind": NUMBER, "cuts": cuts}, values)[:-1]
    kept = cuts[kept_cuts(cells)]
    return {
        "kind": NUMBER,
        "rule": SPLITS if len(cuts) else UNUSED,
        "thresholds": len(cuts),
        "exact": len(kept) == len(cuts),
        "cuts": _shortest(kept),
    }


def _by_quantiles(kind: str, values: NDArray[Any]) -> Profile:
    present = np.sort(values[np.isfinite(values)].astype(np.float32))
    at = np.arange(1, QUANTILES) * len(present) // QUANTILES
    cuts = np.unique(present[at]) if len(present) else present
    cells = counted({"kind": NUMBER, "cuts": cuts}, values)[:-1]
    kept = cuts[kept_cuts(cells)]
    return {"kind": kind, "rule": QUANTILE, "exact": False, "cuts": _shortest(kept)}


def _by_texts(known: set[str], values: NDArray[Any]) -> Profile:
    """Return groups of the texts that the model knows; all others are one to it."""
    texts, sizes = np.unique(values.astype(str), return_counts=True)
    found = dict(zip(texts.tolist(), sizes.tolist(), strict=True))
    groups = grouped({text: found.get(text, 0) for text in known - {""}}, len(values))
    exact = len(known) <= MOST_NAMES and all(len(group) == 1 for group in groups)
    return {"kind": TEXT, "rule": KNOWN, "exact": exact, "groups": groups}


def _of_text(values: NDArray[Any]) -> Profile:
    """Return bins of a column that the model reads in another way, such as words.

    Few distinct texts are bins of their own; of many, the length is.
    """
    texts, sizes = np.unique(values.astype(str), return_counts=True)
    if len(texts) > MOST_NAMES:
        lengths = np.array([len(text) or np.nan for text in values.astype(str)], np.float32)
        return _by_quantiles(LENGTH, lengths)
    found = dict(zip(texts.tolist(), sizes.tolist(), strict=True))
    found.pop("", None)
    return {"kind": TEXT, "rule": KNOWN, "exact": False, "groups": grouped(found, len(values))}


def _prediction(name: str, values: NDArray[Any]) -> Profile:
    entry: Profile = {"name": name}
    if values.dtype.kind == "f":
        entry |= _by_quantiles(NUMBER, values)
    else:
        texts, sizes = np.unique(values.astype(str), return_counts=True)
        found = dict(zip(texts.tolist(), sizes.tolist(), strict=True))
        entry |= {"kind": TEXT, "rule": "labels", "groups": grouped(found, len(values))}
        entry["exact"] = all(len(group) == 1 for group in entry["groups"])
    return entry | _counts(entry, values)


def _shortest(cuts: NDArray[np.float32]) -> list[float]:
    """Return the shortest decimals that give the same float32."""
    return [float(str(cut)) for cut in cuts]
