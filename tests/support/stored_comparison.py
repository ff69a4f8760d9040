"""Whether two objects are the same all the way down, for tests of how estimators are stored.

Types, values, order, layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

import numpy as np
from scipy import sparse

PLAIN = (
    bool,
    int,
    str,
    bytes,
    bytearray,
    type(None),
    slice,
    range,
    type,
    FunctionType,
    np.dtype,
    np.ufunc,
)
ASKED = slice(7, 11)
"""Counters of how often a KD tree was asked, which are no part of it."""


def differences(first: Any, second: Any) -> list[str]:
    """Where they differ, as attribute paths; empty if nowhere."""
    return list(_differences(first, second, "", set()))


def _differences(first: Any, second: Any, path: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    if type(first) is not type(second):
        yield f"{path}: {type(first).__name__} and {type(second).__name__}"
    elif isinstance(first, PLAIN):
        if first != second and not _same_code(first, second):
            yield f"{path}: {first!r:.60} and {second!r:.60}"
    elif isinstance(first, float | complex | np.generic):
        if (
            np.asarray(first).tobytes() != np.asarray(second).tobytes()
            or first.__class__ is not second.__class__
        ):
            yield f"{path}: {first!r} and {second!r}"
    elif (id(first), id(second)) not in seen:
        seen.add((id(first), id(second)))
        yield from _parts(first, second, path, seen)


def _same_code(first: Any, second: Any) -> bool:
    """Whether they are the same function, made twice.

    An isotonic regression makes one when it is loaded.
    """
    return isinstance(first, FunctionType) and first.__code__ is second.__code__


def _parts(first: Any, second: Any, path: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    if isinstance(first, np.ndarray):
        yield from _array(first, second, path, seen)
    elif isinstance(first, set | frozenset):
        if first != second or {type(item) for item in first} != {type(item) for item in second}:
            yield f"{path}: {first} and {second}"
    elif isinstance(first, list | tuple):
        yield from _items(list(first), list(second), path, seen)
    elif isinstance(first, dict):
        yield from _items(list(first), list(second), f"{path} keys", seen)
        for key in first:
            if key in second:
                yield from _differences(first[key], second[key], f"{path}[{key!r}]", seen)
    else:
        yield from _differences(_state(first), _state(second), path, seen)


def _array(first: Any, second: Any, path: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    if (first.dtype, first.shape) != (second.dtype, second.shape):
        yield f"{path}: {first.dtype}{first.shape} and {second.dtype}{second.shape}"
    elif first.dtype == object:
        yield from _items(first.ravel().tolist(), second.ravel().tolist(), path, seen)
    elif first.dtype.names is not None:
        for name in first.dtype.names:
            yield from _array(first[name], second[name], f"{path}.{name}", seen)
    elif first.tobytes() != second.tobytes():
        yield f"{path}: other numbers"
    elif first.flags.fnc != second.flags.fnc and min(first.flags.forc, second.flags.forc):
        yield f"{path}: another order in memory"
    elif isinstance(first, np.ma.MaskedArray) and not np.array_equal(
        np.ma.getmaskarray(first), np.ma.getmaskarray(second)
    ):
        yield f"{path}: another mask"


def _items(
    first: list[Any], second: list[Any], path: str, seen: set[tuple[int, int]]
) -> Iterator[str]:
    if len(first) != len(second):
        yield f"{path}: {len(first)} and {len(second)} items"
        return
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        yield from _differences(one, other, f"{path}[{number}]", seen)


def _state(item: Any) -> Any:
    """What an object is made of."""
    if isinstance(item, np.random.RandomState):
        return item.get_state(legacy=False)
    if isinstance(item, np.random.Generator):
        return item.bit_generator.state
    if isinstance(item, MethodType):
        return item.__self__, item.__func__
    return _stats_apart(item) if hasattr(item, "get_tree_stats") else _attributes(item)


def _stats_apart(item: Any) -> list[Any]:
    state = list(item.__getstate__())
    del state[ASKED]
    return state


def _attributes(item: Any) -> Any:
    if not hasattr(item, "__dict__"):
        return [part for part in item.__reduce__()[1:] if part is not None]
    state = dict(sorted(vars(item).items()))
    if sparse.issparse(item):  # scipy makes the indices of small ones narrower when it reads them
        return {
            key: value.astype(int) if key.startswith("ind") else value
            for key, value in state.items()
        }
    return state
