"""What differs inside two files that should be equal: a key, a field, a column, an attribute."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SHOWN = 60
"""Characters of a value that are shown."""


def difference(one: Path, other: Path) -> str:
    """Return the first difference in words, with both values.

    Of two models it also says whether their predictions differ.
    """
    if one.is_dir():
        return _folder(one, other)
    found = (
        FINDERS.get(one.suffix, _lines)(one, other) or "the bytes differ, what they hold does not"
    )
    return "; ".join(filter(None, [found, _predictions(one, other)]))


def _folder(one: Path, other: Path) -> str:
    names, others = ({*_files_in(folder)} for folder in (one, other))
    if names != others:
        return f"files in one of them only: {', '.join(sorted(names ^ others))}"
    return next(
        f"{name}: {difference(one / name, other / name)}"
        for name in sorted(names)
        if (one / name).read_bytes() != (other / name).read_bytes()
    )


def _files_in(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def parts_of(value: Any) -> dict[str, Any]:
    """Return the parts of a value by how each is reached; empty for a value without parts."""
    if isinstance(value, dict):
        return {f".{key}": value[key] for key in sorted(value, key=str)}
    is_array = isinstance(value, np.ndarray) and value.dtype == object
    if isinstance(value, (list, tuple)) or is_array:
        return {f"[{position}]": part for position, part in enumerate(value)}
    if type(value).__module__.partition(".")[0] in {"numpy", "builtins"} or isinstance(value, type):
        return {}
    state = value.__getstate__()
    if not isinstance(state, dict):
        return {}
    return {f".{key}": part for key, part in sorted(state.items())}


def _first_in(one: Any, other: Any, name: str) -> str:
    """The first place where two nested values differ, and both values there."""
    parts, others = parts_of(one), parts_of(other)
    if type(one) is type(other) and parts and parts.keys() == others.keys():
        for key, part in parts.items():
            if found := _first_in(part, others[key], name + key):
                return found
        return ""
    if isinstance(one, dict) and isinstance(other, dict):
        one, other = ([key[1:] for key in keys] for keys in (parts, others))
        name += " (keys)"
    if np.array_equal(one, other) or (_is_nan(one) and _is_nan(other)):
        return ""
    return f"{name.lstrip('.')}: {_shown(one)} and {_shown(other)}"


def _is_nan(value: Any) -> bool:
    return np.isscalar(value) and value != value  # noqa: PLR0124 - NaN alone differs from itself


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _json(one: Path, other: Path) -> str:
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in (one, other))
    return f"key {found}" if (found := _first_in(first, second, "")) else ""


def _joblib(one: Path, other: Path) -> str:
    from onnxpress.estimators.loading import load_original
    from onnxpress.pipeline.params import load_params

    trusted = load_params().train.trusted
    found = _first_in(load_original(one, trusted), load_original(other, trusted), "")
    return f"attribute {found}" if found else ""


def _onnx(one: Path, other: Path) -> str:
    import onnx

    first, second = (onnx.load(path, load_external_data=False) for path in (one, other))
    return _first_field(first, second, "model")


def _first_field(one: Any, other: Any, name: str) -> str:
    """The first field of two protobuf messages that differs, by its path."""
    for field in one.DESCRIPTOR.fields:
        a, b, path = getattr(one, field.name), getattr(other, field.name), f"{name}.{field.name}"
        if a == b:
            continue
        if field.is_repeated and len(a) == len(b):
            position = next(
                i for i, pair in enumerate(zip(a, b, strict=True)) if pair[0] != pair[1]
            )
            a, b = a[position], b[position]
            label = getattr(a, "op_type", "") or getattr(a, "name", "")
            path = f"{path}[{position}]" + (f"({label})" if label else "")
        if hasattr(a, "DESCRIPTOR"):
            return _first_field(a, b, path)
        return f"field {path}: {_shown(a)} and {_shown(b)}"
    return ""


def _parquet(one: Path, other: Path) -> str:
    from pyarrow import parquet

    first, second = (parquet.read_table(path) for path in (one, other))
    if first.schema != second.schema:
        return f"columns {first.column_names} and {second.column_names}, or their types"
    for name in first.column_names:
        if found := _first_in(first[name].to_pylist(), second[name].to_pylist(), name):
            return f"column {found}"
    return ""


def _lines(one: Path, other: Path) -> str:
    first, second = (path.read_text(encoding="utf-8").splitlines() for path in (one, other))
    for number, (a, b) in enumerate(zip(first, second, strict=False), 1):
        if a != b:
            return f"line {number}: {a!r} and {b!r}"
    return "the number of lines"


def _predictions(one: Path, other: Path) -> str:
    """Whether two models predict the same for the training rows, to the last bit."""
    from onnxpress.estimators.loading import load_original
    from onnxpress.estimators.predicting import predict_original
    from onnxpress.pipeline.inputs import read_rows, read_schema
    from onnxpress.pipeline.outputs import SCHEMA, TRAIN
    from onnxpress.pipeline.params import load_params
    from onnxpress.runtime.predictions import Predictions
    from onnxpress.runtime.sessions import load_session, predict_onnx

    if one.suffix not in {".onnx", ".joblib"} or not (one.parent / TRAIN.name).exists():
        return ""
    schema = read_schema(one.parent / SCHEMA.name)
    feeds = read_rows(one.parent / TRAIN.name, schema).feeds
    ask: dict[str, Callable[[Path], Predictions]] = {
        ".onnx": lambda path: predict_onnx(load_session(path), feeds),
        ".joblib": lambda path: predict_original(
            load_original(path, load_params().train.trusted), feeds, schema
        ),
    }
    first, second = (ask[path.suffix](path) for path in (one, other))
    same = np.array_equal(first.values, second.values) and np.array_equal(
        np.asarray(first.scores), np.asarray(second.scores)
    )
    return f"predictions on the training rows are {'the same' if same else 'not the same'}"


FINDERS: dict[str, Callable[[Path, Path], str]] = {
    ".json": _json,
    ".onnx": _onnx,
    ".parquet": _parquet,
    ".joblib": _joblib,
}
"""By the suffix of two files, what finds their first difference; others are text."""
