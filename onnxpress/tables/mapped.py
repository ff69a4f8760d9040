"""Arrays of many rows, which lie in files that are mapped into memory, and work on their rows.

The kernel reads such a file as its values are needed, and drops them when memory is short. The file
has no name, so it is gone with the array, however the process ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from onnxpress.errors import UserError

PIECE_ROWS = 2**16
"""Rows that are read, predicted or compared at a time where there are many."""

Array = NDArray[Any]

_folder: ContextVar[Path | None] = ContextVar("folder", default=None)


@contextmanager
def arrays_in(folder: Path) -> Iterator[None]:
    """Keep arrays of more than :data:`PIECE_ROWS` rows on the disk of a folder, in the block.

    Without it they are in memory.
    """
    before = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(before)


def room(shape: tuple[int, ...], kind: DTypeLike) -> Array:
    """Return an array to be filled, on the disk where :func:`arrays_in` says so.

    Texts as objects are always in memory.

    Raises:
        UserError: the disk is full.
    """
    folder, dtype = _folder.get(), np.dtype(kind)
    size = prod(shape) * dtype.itemsize
    if folder is None or shape[0] <= PIECE_ROWS or dtype.hasobject or not size:
        return np.empty(shape, dtype)
    try:
        with TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # a full disk would end with SIGBUS later
                os.posix_fallocate(file.fileno(), 0, size)
            return np.asarray(np.memmap(file, dtype, "w+", shape=shape))
    except OSError as error:
        raise UserError(
            f"{folder}/ should have {size / 2**20:.0f} MB of room while rows are predicted "
            f"({error.strerror or error}); free the disk and run again"
        ) from error


def unset(rows: int) -> NDArray[np.bool_]:
    """Return flags for so many rows, of which none is set."""
    found = room((rows,), np.bool_)
    found[:] = False
    return found


def spans(rows: int) -> Iterator[slice]:
    """Yield the pieces of so many rows: :data:`PIECE_ROWS` each, or all if they are no more.

    The last piece is never one row alone beside others: onnxruntime multiplies a lone row in
    another order than the rows of a batch, which can change the last bit.
    """
    for first, last in pairwise([*range(0, max(1, rows - 1), PIECE_ROWS), rows]):
        yield slice(first, last)


class Joined:
    """An array whose rows come in pieces."""

    def __init__(self, rows: int, first: Array) -> None:
        """``rows`` is how many will come, beginning with those of ``first``."""
        self.array = room((rows, *first.shape[1:]), first.dtype)
        self._filled = 0
        self.add(first)

    def add(self, part: Array) -> None:
        """Add rows; texts may be longer than those before."""
        kind = np.promote_types(self.array.dtype, part.dtype)
        if kind != self.array.dtype:
            before, self.array = self.array, room(self.array.shape, kind)
            self.array[: self._filled] = before[: self._filled]
        self.array[self._filled : self._filled + len(part)] = part
        self._filled += len(part)


def joined(parts: Iterable[Sequence[Array]], rows: int) -> list[Array]:
    """Return arrays of ``rows`` rows, of which some come at a time, of all arrays together.

    Raises:
        ValueError: there are no parts.
    """
    found: list[Joined] = []
    for part in parts:
        if found:
            for array, more in zip(found, part, strict=True):
                array.add(more)
        else:
            found = [Joined(rows, array) for array in part]
    if not found:
        raise ValueError("there should be rows to join, got none")
    return [each.array for each in found]


def copy_of(values: Array) -> Array:
    """Return a copy that may be changed."""
    found = room(values.shape, values.dtype)
    found[:] = values
    return found


def where(values: Array, flags: NDArray[np.bool_]) -> Array:
    """Return the rows that are flagged, as ``values[flags]`` does."""
    parts = ([values[span][flags[span]]] for span in spans(len(values)))
    return joined(parts, int(np.count_nonzero(flags)))[0]


def finite(values: Array) -> bool:
    """Whether no value is NaN or infinite."""
    return all(np.isfinite(values[span]).all() for span in spans(len(values)))


def in_order(values: Array) -> Array:
    """Return the values of an array (rows,) from the lowest up, which numpy sorts in place."""
    found = copy_of(values)
    found.sort()
    return found


def changes(ordered: Array) -> NDArray[np.bool_]:
    """Flag the values of a sorted array, (rows,), that differ from the one before them."""
    found = room(ordered.shape, np.bool_)
    found[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=found[1:])
    return found


def numbered(values: Array) -> tuple[NDArray[np.int64], int]:
    """Return each value's number, (rows,), from the lowest value up, and how many there are.

    Values 7, 3, 7 have the numbers 1, 0, 1. As ``np.unique`` with ``return_inverse``.
    """
    ordered = in_order(values)
    found = where(ordered, changes(ordered))
    return row_by_row(lambda part: np.asarray(np.searchsorted(found, part)), values), len(found)


def different(*arrays: Array) -> Array:
    """Return the different values of arrays (rows,), sorted."""
    parts = [np.unique(each[span]) for each in arrays for span in spans(len(each))]
    return np.unique(np.concatenate(parts))


def shuffled(rows: int, seed: int) -> NDArray[np.int64]:
    """Return the numbers of so many rows in an order that the seed decides."""
    found = room((rows,), np.int64)
    for span in spans(rows):
        found[span] = np.arange(span.start, span.stop)
    np.random.default_rng(seed).shuffle(found)
    return found


def row_by_row(function: Callable[..., Array], *arrays: Array) -> Array:
    """Return what ``function`` makes of arrays of the same rows, where each row is on its own.

    Of many rows it is given a piece at a time, so that what it needs meanwhile is small.
    """
    rows = len(arrays[0])
    if rows <= PIECE_ROWS:
        return function(*arrays)
    parts = ([function(*(each[span] for each in arrays))] for span in spans(rows))
    return joined(parts, rows)[0]
