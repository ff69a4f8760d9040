"""Sparse matrices and arrays of scipy.

Their parts are checked, for scipy's C code follows every index in them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.estimators.stored.arrays import OBJECTS
from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.joblib_arrays import LARGEST_DIMENSION
from onnxpress.estimators.stored.nodes import Made
from onnxpress.estimators.stored.rules import Build, Rule

WIDEST_PRINT = 1 << 31
_FLAGS = ("_has_sorted_indices", "_has_canonical_format")


def _state(made: Made, build: Build) -> dict[str, Any]:
    """The attributes of a matrix that is made without arguments."""
    extra = made.arguments or made.keywords or made.items or made.pairs
    state = build(made.states[0]) if len(made.states) == 1 else None
    if made.how != "new" or extra or type(state) is not dict:
        raise Damaged("a sparse matrix that scipy does not write so")
    shape, width = state.get("_shape"), state.get("maxprint", 50)
    if type(shape) is not tuple or not all(
        type(size) is int and 0 <= size <= LARGEST_DIMENSION for size in shape
    ):
        raise Damaged("a sparse matrix whose shape is none")
    if type(width) is not int or not 0 <= width <= WIDEST_PRINT or len(shape) not in (1, 2):
        raise Damaged("a sparse matrix whose shape is none")
    data = _vector(state.get("data"))
    if data.dtype == OBJECTS or data.dtype.kind not in "biufc":
        raise Damaged("a sparse matrix of something else than numbers")
    return dict(state)


def _vector(vector: Any) -> Any:
    if type(vector) is not np.ndarray or vector.ndim != 1:
        raise Damaged("a sparse matrix whose parts are not vectors")
    return vector


def _check_keys(state: dict[str, Any], required: set[str], optional: tuple[str, ...] = ()) -> None:
    if not required <= state.keys() <= required | {"maxprint", *optional}:
        raise Damaged("a sparse matrix with other attributes than scipy writes")


def _check_indices(indices: Any, count: int, size: int) -> None:
    """Raise Damaged unless there are ``count`` indices below ``size``."""
    if indices.dtype not in (np.int32, np.int64) or len(indices) != count:
        raise Damaged("a sparse matrix with fewer indices than numbers")
    if count and not (indices.min() >= 0 and indices.max() < size):
        raise Damaged("a sparse matrix with an index beyond its shape")


def _compressed(made: Made, build: Build) -> Any:
    """A matrix of compressed rows or columns."""
    from scipy import sparse

    state = _state(made, build)
    _check_keys(state, {"_shape", "data", "indices", "indptr"}, _FLAGS)
    name = made.maker.name
    lines, size = state["_shape"] if len(state["_shape"]) == 2 else (1, *state["_shape"])
    if name.startswith("csc"):
        lines, size = size, lines
    indices, starts = _vector(state["indices"]), _vector(state["indptr"])
    _check_indices(indices, len(state["data"]), size)
    if starts.dtype != indices.dtype or len(starts) != lines + 1 or starts[0] != 0:
        raise Damaged("a sparse matrix with other rows than its shape has")
    if starts[-1] > len(indices) or (np.diff(starts) < 0).any():
        raise Damaged("a sparse matrix whose rows overlap")
    _check_flags(state, indices[: starts[-1]], starts)
    return _with(getattr(sparse, name), state)


def _check_flags(state: dict[str, Any], indices: Any, starts: Any) -> None:
    """Raise Damaged if it is said to be sorted, or free of duplicates, and is not.

    Indices 2, 5 | 1, 1 of two rows have the steps 3, -4, 0: the -4 lies between rows, the 0 is a
    duplicate.
    """
    steps = np.diff(indices)
    inside = np.ones(len(steps), bool)
    between = starts[1:-1]
    inside[between[(between > 0) & (between < len(indices))] - 1] = False
    least = steps[inside].min(initial=1)
    for flag, smallest in zip(_FLAGS, (0, 1), strict=True):
        said = state.get(flag, False)
        if type(said) not in (bool, np.bool_) or (said and least < smallest):
            raise Damaged("a sparse matrix that is not sorted as it says")


def _coordinates(made: Made, build: Build) -> Any:
    """A matrix of coordinates; older scipy kept them as row and col."""
    from scipy import sparse

    state = _state(made, build)
    if "row" in state and "col" in state:
        state["coords"] = (state.pop("row"), state.pop("col"))
    _check_keys(state, {"_shape", "data", "coords"}, ("has_canonical_format",))
    shape, coords = state["_shape"], state["coords"]
    if (
        type(coords) is not tuple
        or len(coords) != len(shape)
        or type(state.get("has_canonical_format", False)) is not bool
    ):
        raise Damaged("a sparse matrix with other coordinates than its shape has")
    for axis, size in zip(coords, shape, strict=True):
        _check_indices(_vector(axis), len(state["data"]), size)
    return _with(getattr(sparse, made.maker.name), state)


def _with(found: Any, state: dict[str, Any]) -> Any:
    matrix = found.__new__(found)
    matrix.__dict__.update(state)
    return matrix


RULES: dict[str, Rule] = {
    f"scipy.sparse._{kind}.{kind}_{form}": rule
    for kind, rule in {"csr": _compressed, "csc": _compressed, "coo": _coordinates}.items()
    for form in ("matrix", "array")
}
