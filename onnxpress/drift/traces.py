"""Triton's trace files of level TENSORS: inputs and outputs of a share of the requests.

The form is what src/tracer.cc of triton-inference-server/server writes: a JSON list, its numbers
with six significant digits, its texts in quotes and not escaped. This file travels with a served
model and runs where the rest of the project is not installed. It imports numpy only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]
DIGITS = 6
"""Significant digits of a number in a trace."""
EXACT = 10_000
"""Distinct numbers that are written one by one; of more, a few may differ in the last digit."""


def requests_in(text: str) -> list[tuple[Tensors, Tensors]]:
    """Return inputs and outputs of each request in a trace file.

    Raises:
        ValueError: it is not such a file.
    """
    found: dict[Any, tuple[Tensors, Tensors]] = {}
    try:
        for event in json.loads(text):
            sides = {"TENSOR_QUEUE_INPUT": 0, "TENSOR_BACKEND_OUTPUT": 1}
            side = sides.get(event.get("activity"))
            if side is not None:
                tensors = found.setdefault(event["id"], ({}, {}))[side]
                tensors[event["tensor"]["name"]] = _values(event["tensor"])
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(repr(error)) from error
    return list(found.values())


def _values(tensor: Mapping[str, str]) -> NDArray[Any]:
    """Return the array of a tensor; its elements are text if they are BYTES or whole numbers."""
    shape = [int(size) for size in tensor["shape"].split(",")]
    if tensor["dtype"] == "BYTES":
        parts = tensor["data"][1:-1].split('","')
        return np.array(parts, object).reshape(shape)
    parts = tensor["data"].split(",")
    kind = np.float32 if tensor["dtype"].startswith("FP") else np.int64
    return np.array(parts).astype(kind).reshape(shape)


def as_traced(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers (rows,) as a trace has them; texts and whole numbers stay as they are."""
    if values.dtype.kind != "f":
        return values
    distinct, place = np.unique(values.astype(np.float32), return_inverse=True)
    if len(distinct) <= EXACT:
        written = [float(f"{number:.{DIGITS}g}") for number in distinct.tolist()]
        return np.array(written, np.float32)[place]
    numbers = values.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = 10.0 ** (np.floor(np.log10(np.abs(numbers))) - DIGITS + 1)
        rounded = np.round(numbers / unit) * unit
    return np.where(np.isfinite(rounded), rounded, numbers).astype(np.float32)
