"""The rows of a log of requests: a JSON object per line.

A line is a request of the Open Inference Protocol 2, or an object that holds one under ``data``
(a CloudEvent, as KServe's logger sends them), ``request`` or ``body``. Responses are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.drift.profiling import PREDICTED_ROWS
from onnxpress.errors import UserError
from onnxpress.reading import open_bytes
from onnxpress.tables.rows import Feeds, as_rows
from onnxpress.tables.schema import Schema

HOLDERS = ("data", "request", "body")


def rows_of_log(path: Path, schema: Schema) -> Iterator[Feeds]:
    """Yield the rows of all requests in a log, in its order, in pieces of whole calls of the model.

    Raises:
        UserError: a line is not JSON or not a request for this model, or there is no request.
    """
    expected = as_rows(_none(schema), np.zeros(0), schema).feeds
    held, rows, none_yet = [expected], 0, True
    for part in _requests(path, expected):
        held.append(part)
        rows += len(next(iter(part.values())))
        if rows >= PREDICTED_ROWS:
            joined, whole = _joined(held), rows - rows % PREDICTED_ROWS
            yield {name: values[:whole] for name, values in joined.items()}
            held = [{name: values[whole:] for name, values in joined.items()}]
            rows, none_yet = rows - whole, False
    if rows:
        yield _joined(held)
    elif none_yet:
        raise UserError(f"{path} holds no row of a request; expected a JSON object per line")


def _joined(parts: list[Feeds]) -> Feeds:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _requests(path: Path, expected: Feeds) -> Iterator[Feeds]:
    """Yield the rows of each request.

    Raises:
        UserError: a line is not JSON or not a request for this model.
    """
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            request = request_in(json.loads(line))
            if request is not None:
                yield _feeds(request, expected)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{path}, line {number}, should be a request of the Open Inference Protocol 2 with "
                f"the inputs {', '.join(expected)} ({type(error).__name__}: {str(error)[:200]})"
            ) from error


def _lines(path: Path) -> Iterator[str]:
    with open_bytes(path) as file:
        for line in file:
            yield from line.decode(errors="replace").splitlines()


def request_in(event: Any) -> dict[str, Any] | None:
    """Return the request in a line; None if it is a response or an error.

    Raises:
        ValueError: it is neither.
    """
    for _ in range(3):
        if isinstance(event, str):
            event = json.loads(event)
        if "inputs" in event:
            return dict(event)
        if str(event.get("type", "")).endswith(".response") or {"outputs", "error"} & set(event):
            return None
        event = next((event[key] for key in HOLDERS if key in event), {})
    raise ValueError("no inputs in it")


def _feeds(request: dict[str, Any], expected: Feeds) -> Feeds:
    tensors = {tensor["name"]: tensor for tensor in request["inputs"]}
    feeds = {name: _array(tensors[name], values) for name, values in expected.items()}
    if len({len(values) for values in feeds.values()}) > 1:
        raise ValueError("the inputs have different numbers of rows")
    return feeds


def _array(tensor: dict[str, Any], like: NDArray[Any]) -> NDArray[Any]:
    """Return an input as the model takes it; null is NaN, or the empty text."""
    if "data" not in tensor:
        raise ValueError(f"input {tensor['name']!r} has no data in JSON: log requests as JSON")
    values = np.array(tensor["data"], object).reshape(-1)
    shape = (-1, *like.shape[1:])
    if like.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(np.float64).astype(np.float32).reshape(shape)
    if like.dtype.kind in "iu":
        typed = values.astype(like.dtype)
        if (typed != values).any():
            raise ValueError(f"input {tensor['name']!r} should hold {like.dtype} numbers")
        return typed.reshape(shape)
    texts = ["" if value is None else str(value) for value in values]
    return np.array(texts, object).reshape(shape)


def _none(schema: Schema) -> dict[str, NDArray[Any]]:
    """Return columns without a row."""
    kinds = {"number": np.dtype(np.float32), "category": np.dtype(object), "text": np.dtype(object)}
    return {
        column.name: np.zeros((0, *column.shape), kinds.get(column.kind, np.dtype(column.dtype)))
        for column in schema.columns
    }
