"""joblib's arrays: a description in the pickle, and the raw bytes behind it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from onnxpress.estimators.stored.dtypes import dtype_of
from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Array, Global, Made, Mapping, Tuple

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
MOST_DIMENSIONS = 32
LARGEST_DIMENSION = 1 << 48
_KEYS = {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}
_RECORD = re.compile(r"V([1-9]\d{0,3})", re.ASCII)
_SUBCLASSES = ("numpy.ndarray", "numpy.memmap")


@dataclass(frozen=True)
class Announced:
    """An array that is to follow.

    ``padded`` says that its bytes are aligned, ``size`` is the bytes of a number.

    Objects, which have the size 0 here, follow as a pickle of their own.
    """

    shape: tuple[int, ...]
    dtype: Any
    size: int
    order: Literal["C", "F"]
    padded: bool


def is_wrapper(made: Made) -> bool:
    """Whether joblib's array wrapper is what the file makes."""
    return isinstance(made.maker, Global) and made.maker.path == WRAPPER


def wrapped(made: Made, types: Types) -> Announced:
    """What a wrapper announces.

    Raises:
        Damaged: joblib would not have written this of an array.
    """
    untouched = made.how == "new" and not (
        made.arguments or made.keywords or made.items or made.pairs
    )
    state = made.states[0]
    if (
        not untouched
        or len(made.states) != 1
        or not isinstance(state, Mapping)
        or len(state.pairs) > len(_KEYS)
    ):
        raise Damaged("an array that joblib does not announce so")
    values = {key: value for key, value in state.pairs if isinstance(key, str)}
    if not _KEYS - {"numpy_array_alignment_bytes"} <= values.keys() <= _KEYS or len(values) != len(
        state.pairs
    ):
        raise Damaged("an array with attributes that joblib does not write")
    subclass = values["subclass"]
    if not (isinstance(subclass, Global) and subclass.path in _SUBCLASSES):
        raise Damaged("an array of a class that is not numpy.ndarray")
    if values["order"] not in ("C", "F") or type(values["allow_mmap"]) is not bool:
        raise Damaged("an array in an order that is none")
    alignment = values.get("numpy_array_alignment_bytes")
    if alignment is not None and (type(alignment) is not int or not 0 < alignment < 256):
        raise Damaged("an array with an alignment that is none")
    dtype, size = types.of(values["dtype"])
    return Announced(shape_of(values["shape"]), dtype, size, values["order"], alignment is not None)


class Types:
    """The types that arrays of a file are announced with, each looked up once.

    Most arrays share one.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.found: dict[int, tuple[Any, Any, int]] = {}

    def of(self, node: Any) -> tuple[Any, int]:
        """The type of a node and the bytes of a number, 0 for objects.

        A record that is not known, which another scikit-learn may have had, stays a node.

        Raises:
            Damaged: no type that a fitted estimator has.
        """
        if id(node) not in self.found:
            self.found[id(node)] = (
                node,
                *_type_of(node),
            )  # with the node, so that no other gets its id
        return self.found[id(node)][1:]


def _type_of(node: Any) -> tuple[Any, int]:
    try:
        dtype = dtype_of(node)
    except Damaged:
        text = node.arguments[0] if isinstance(node, Made) and node.arguments else None
        record = _RECORD.fullmatch(text) if isinstance(text, str) else None
        if record is None:
            raise
        return node, int(record[1])
    return dtype, 0 if dtype.hasobject else dtype.itemsize


def shape_of(node: Any) -> tuple[int, ...]:
    """The shape of an array.

    Raises:
        Damaged: it is none.
    """
    items = node.items if isinstance(node, Tuple) else None
    if items is None or len(items) > MOST_DIMENSIONS:
        raise Damaged("an array whose shape is none")
    if not all(type(size) is int and 0 <= size <= LARGEST_DIMENSION for size in items):
        raise Damaged("an array whose shape is none")
    return tuple(items)


def raw_array(array: Announced, view: memoryview, at: int) -> tuple[Array, int]:
    """The array whose bytes, after their padding, begin at ``at``, and where they end.

    Raises:
        Damaged: there are fewer bytes.
    """
    if array.padded:
        if at >= len(view):
            raise Damaged("its end is missing")
        at += 1 + view[at]
    end = at + math.prod(array.shape) * array.size
    if end > len(view):
        raise Damaged("its end is missing")
    return Array(array.shape, array.dtype, array.order, view[at:end]), end
