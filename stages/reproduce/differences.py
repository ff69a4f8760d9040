"""What differs inside two files that should be equal: a key of JSON, a field of ONNX, a column of a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def difference(one: Path, other: Path) -> str:
    """The first difference in words, with both values."""
    find = {".json": _json, ".onnx": _onnx, ".parquet": _parquet, ".joblib": _joblib, ".csv": _lines}[one.suffix]
    return find(one, other) or "the bytes differ, what they hold does not"


def _json(one: Path, other: Path) -> str:
    return _first_in(json.loads(one.read_text(encoding="utf-8")), json.loads(other.read_text(encoding="utf-8")), "")


def _first_in(one: Any, other: Any, key: str) -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = {f"{key}.{name}".lstrip("."): (one.get(name), other.get(name)) for name in sorted({*one, *other})}
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = {f"{key}[{position}]": pair for position, pair in enumerate(zip(one, other, strict=True))}
    else:
        return "" if one == other else f"key {key}: {one!r} and {other!r}"
    return next((found for name, (a, b) in pairs.items() if (found := _first_in(a, b, name))), "")


def _onnx(one: Path, other: Path) -> str:
    import onnx

    return _first_field(onnx.load(one), onnx.load(other), "model")


def _first_field(one: Any, other: Any, name: str) -> str:
    """The first field of two protobuf messages that differs, by its path."""
    for field in one.DESCRIPTOR.fields:
        a, b, path = getattr(one, field.name), getattr(other, field.name), f"{name}.{field.name}"
        if a == b:
            continue
        if field.is_repeated and len(a) == len(b):
            position = next(i for i, pair in enumerate(zip(a, b, strict=True)) if pair[0] != pair[1])
            a, b, path = a[position], b[position], f"{path}[{position}]"
        if hasattr(a, "DESCRIPTOR"):
            return _first_field(a, b, path)
        return f"field {path}: {str(a)[:60]!r} and {str(b)[:60]!r}"
    return ""


def _parquet(one: Path, other: Path) -> str:
    from pyarrow import parquet

    tables = [parquet.read_table(path) for path in (one, other)]
    if tables[0].schema != tables[1].schema:
        return f"columns {tables[0].column_names} and {tables[1].column_names}, or their types"
    return next((f"column {name}" for name in tables[0].column_names if tables[0][name] != tables[1][name]), "")


def _joblib(one: Path, other: Path) -> str:
    """Where two fitted estimators differ, and whether their predictions do."""
    import pandas as pd

    from stages.common.files import TRAIN
    from stages.common.models import load_original
    from stages.common.params import load_params

    estimators = [load_original(path, load_params().train.trusted) for path in (one, other)]
    states = [{key: repr(value) for key, value in vars(estimator).items()} for estimator in estimators]
    attribute = next((f"attribute {key}" for key in states[0] if states[0][key] != states[1].get(key)), "")
    rows = pd.read_parquet(one.parent / TRAIN.name).iloc[:, :-1]
    numeric = all(kind == np.float32 for kind in rows.dtypes)
    same = np.array_equal(*(estimator.predict(rows.to_numpy() if numeric else rows) for estimator in estimators))
    return f"{attribute or 'fitted state'}; predictions on the training rows are {'the same' if same else 'not the same'}"


def _lines(one: Path, other: Path) -> str:
    pairs = zip(one.read_text(encoding="utf-8").splitlines(), other.read_text(encoding="utf-8").splitlines(), strict=False)
    return next((f"line {number}: {a!r} and {b!r}" for number, (a, b) in enumerate(pairs, 1) if a != b), "the number of lines")
