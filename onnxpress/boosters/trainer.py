"""What a trainer of a library's own classes is given, and what it must do.

A trainer is called with a :class:`Training`; it returns the bytes of a native file, and for a
classifier the classes in the order of the file's. Rows are a float32 matrix, or a frame of float32
numbers and pandas categories, whose columns have plain names. A trainer uses one thread, prints
nothing and writes no file, and gives the same bytes again for the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Training:
    """What a library is fitted to."""

    name: str
    """The path of its class, ``package.Class``."""
    parameters: Mapping[str, Any]
    """Arguments of the class."""
    rows: Any
    target: NDArray[Any]
    groups: NDArray[np.int64] | None = None
    """The number of each row's group, (rows,), ascending; of rankers only."""


@dataclass(frozen=True)
class Trainer:
    """How the classes of a library are fitted."""

    defaults: Callable[[str], dict[str, Any]]
    """From the name of a class to all its arguments, with those that keep it quiet and the same."""
    known: Callable[[str], set[str]]
    """From the name of a class to the names of the arguments that it takes."""
    kept: frozenset[str]
    """Names of further arguments, which are set here or not used."""
    fit: Callable[[Training], tuple[bytes, tuple[Any, ...] | None]]


def plain_frame(rows: Any) -> Any:
    """Return a frame whose columns are column0 and so on, texts as sorted pandas categories.

    An empty text is missing. A matrix comes back as float32.
    """
    if not hasattr(rows, "columns"):
        rows = rows.toarray() if hasattr(rows, "toarray") else rows
        return np.ascontiguousarray(rows, np.float32)
    import pandas as pd

    columns = {}
    for place, name in enumerate(rows.columns):
        values = rows[name]
        if values.dtype.kind in "fiub":
            columns[f"column{place}"] = values.astype(np.float32)
            continue
        texts = values.astype(object).where(values.notna() & (values != ""), None)
        known = sorted({str(one) for one in texts if one is not None})
        columns[f"column{place}"] = pd.Categorical(texts, known)
    return pd.DataFrame(columns)
