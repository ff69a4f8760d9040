"""Arrays and scalars of numpy.

Made by us, of a type that is looked up and bytes that are counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxpress.estimators.stored.dtypes import dtype_of
from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.joblib_arrays import LARGEST_DIMENSION, MOST_DIMENSIONS, shape_of
from onnxpress.estimators.stored.nodes import Array, Global, List, Made, Tuple
from onnxpress.estimators.stored.rules import Build, Rule

OBJECTS = np.dtype("O")
LAST_CODE_POINT = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)


def from_bytes(
    shape: tuple[int, ...], dtype: np.dtype[Any], order: str, data: bytes | memoryview
) -> Any:
    """An array of its own, in native byte order, of the first bytes of ``data``.

    Raises:
        Damaged: too few bytes, objects, or bytes that are no value of the type.
    """
    if dtype.hasobject:
        raise Damaged("an array of objects that is given as bytes")
    _check_shape(shape, dtype.itemsize)
    count = math.prod(shape)
    if count * dtype.itemsize > len(data):
        raise Damaged("an array with fewer bytes than its shape needs")
    flat = np.frombuffer(data, dtype, count) if count else np.empty(0, dtype)
    native = flat.astype(dtype.newbyteorder("="), copy=True)
    _check_values(native)
    return native.reshape(shape, order="F" if order == "F" else "C")


def of_objects(shape: tuple[int, ...], items: Sequence[Any], order: str = "C") -> Any:
    """An array of objects.

    Raises:
        Damaged: the shape has more or fewer items.
    """
    _check_shape(shape, OBJECTS.itemsize)
    if math.prod(shape) != len(items):
        raise Damaged("an array of objects with more or fewer items than its shape")
    return np.fromiter(items, OBJECTS, len(items)).reshape(
        shape, order="F" if order == "F" else "C"
    )


def build_array(array: Array) -> Any:
    """The array of raw bytes.

    Raises:
        Damaged: as :func:`from_bytes`.
    """
    return from_bytes(array.shape, dtype_of(array.dtype), array.order, array.data)


def seen(node: Any, build: Build) -> Any:
    """The array of a node to look at and to copy from.

    Raw bytes of numbers or records stay where they are.

    Raises:
        Damaged: as :func:`from_bytes`.
    """
    dtype = dtype_of(node.dtype) if isinstance(node, Array) else OBJECTS
    if not dtype.isnative or dtype.kind not in "iufcV" or 0 in node.shape or node.order != "C":
        return build(node)
    count = math.prod(node.shape)
    if count * dtype.itemsize > len(node.data):
        raise Damaged("an array with fewer bytes than its shape needs")
    return np.frombuffer(node.data, dtype, count).reshape(node.shape)


def _check_shape(shape: tuple[int, ...], item: int) -> None:
    sizes = [size for size in shape if size]
    if len(shape) > MOST_DIMENSIONS or math.prod(sizes) * item > LARGEST_DIMENSION:
        raise Damaged("an array whose shape is none")


def _check_values(array: Any) -> None:
    """Truth values are 0 or 1, and text is Unicode: numpy's own code relies on it."""
    if array.dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
        raise Damaged("an array of truth values with others in it")
    if array.dtype.kind == "U" and array.size:
        codes = array.view(np.uint32)
        if (
            codes.max() > LAST_CODE_POINT
            or ((codes >= SURROGATES[0]) & (codes <= SURROGATES[1])).any()
        ):
            raise Damaged("an array of text that is not Unicode")


def raw_bytes(node: Any) -> bytes | memoryview:
    """Bytes, or the bytes that a bytearray is made of.

    Raises:
        Damaged: it is neither.
    """
    if isinstance(node, bytes | memoryview):
        return node
    if (
        isinstance(node, Made)
        and isinstance(node.maker, Global)
        and node.maker.path == "builtins.bytearray"
    ):
        content = node.arguments[0] if len(node.arguments) == 1 else None
        if isinstance(content, bytes) and not (node.states or node.items or node.pairs):
            return content
    raise Damaged("an array whose content is not bytes")


def only_called(made: Made, least: int, most: int | None = None) -> list[Any]:
    """The arguments of a call with ``least`` to ``most`` of them and nothing else.

    Raises:
        Damaged: it is given more than that.
    """
    extra = made.keywords or made.states or made.items or made.pairs
    if (
        made.how != "call"
        or extra
        or not least <= len(made.arguments) <= (least if most is None else most)
    ):
        raise Damaged("arguments that the original does not write")
    return made.arguments


def names(node: Any, *paths: str) -> bool:
    """Whether a node is a global of one of these names."""
    return isinstance(node, Global) and node.path in paths


def _dtype(made: Made, _build: Build) -> Any:
    """``numpy.dtype("f8", False, True)`` and its state."""
    return dtype_of(made)


def _type(node: Any, build: Build) -> np.dtype[Any]:
    """The type of a node, looked up once for all arrays that share it."""
    return dtype_of(build(node) if isinstance(node, Made) else node)


def _scalar(made: Made, build: Build) -> Any:
    """``scalar(dtype, bytes)``."""
    kind, content = only_called(made, 2)
    dtype = _type(kind, build)
    if dtype.names is not None or not isinstance(content, bytes) or len(content) != dtype.itemsize:
        raise Damaged("a number whose bytes are not of its type")
    return from_bytes((1,), dtype, "C", content)[0]


def _from_buffer(made: Made, build: Build) -> Any:
    """``_frombuffer(bytes, dtype, shape, order)``, of order K with the order of the axes.

    An array in protocol 5.
    """
    content, kind, shape, order, *axes = only_called(made, 4, 5)
    turned = shape_of(axes[0]) if axes and axes[0] is not None else None
    if order not in (("C", "F") if turned is None else ("K",)):
        raise Damaged("an array in an order that is none")
    array = _exactly(shape_of(shape), _type(kind, build), order, raw_bytes(content))
    if turned is None:
        return array
    if sorted(turned) != list(range(array.ndim)):
        raise Damaged("an array in an order that is none")
    return array.transpose(turned)


def _exactly(
    shape: tuple[int, ...], dtype: np.dtype[Any], order: str, data: bytes | memoryview
) -> Any:
    array = from_bytes(shape, dtype, order, data)
    if array.nbytes != len(data):
        raise Damaged("an array with more bytes than its shape needs")
    return array


def _reconstruct(made: Made, build: Build) -> Any:
    """``_reconstruct(ndarray, (0,), b"b")``, given the state of an array."""
    _check_reconstruct(made.arguments, 1, made)
    return _of_state(made.states[0].items, build)


def _check_reconstruct(arguments: list[Any], classes: int, made: Made) -> None:
    """Raise Damaged unless an array is to be made of nothing, and is given one state."""
    shape = arguments[classes] if len(arguments) == classes + 2 else None
    empty = isinstance(shape, Tuple) and shape.items == [0] and arguments[-1] in (b"b", "b")
    plain = made.how == "call" and not (made.keywords or made.items or made.pairs)
    if not (empty and plain and names(arguments[classes - 1], "numpy.ndarray")):
        raise Damaged("an array that numpy does not write so")
    if len(made.states) != 1 or not isinstance(made.states[0], Tuple):
        raise Damaged("an array without a state")


def _of_state(state: list[Any], build: Build) -> Any:
    """The array of a state: version, shape, type, Fortran order, and bytes or a list of objects."""
    if len(state) != 5 or state[0] != 1 or type(state[3]) not in (bool, int):
        raise Damaged("an array whose state numpy does not write")
    _, shape, kind, fortran, content = state
    dtype, order = _type(kind, build), "F" if fortran else "C"
    if dtype == OBJECTS:
        if not isinstance(content, List):
            raise Damaged("an array of objects that is given as bytes")
        return of_objects(shape_of(shape), [build(item) for item in content.items], order)
    return _exactly(shape_of(shape), dtype, order, raw_bytes(content))


def _masked(made: Made, build: Build) -> Any:
    """Make ``_mareconstruct(MaskedArray, ndarray, (0,), "b")``.

    Its state is that of an array, its mask and its fill value.
    """
    arguments = made.arguments
    if not (arguments and names(arguments[0], "numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray")):
        raise Damaged("a masked array that numpy does not write so")
    _check_reconstruct(arguments, 2, made)
    state = made.states[0].items
    if len(state) != 7:
        raise Damaged("a masked array whose state numpy does not write")
    values = _of_state(state[:5], build)
    mask = _exactly(values.shape, np.dtype(bool), "F" if state[3] else "C", raw_bytes(state[5]))
    masked = np.ma.MaskedArray(values, mask)
    fill = build(state[6])
    if fill is not None:
        array = np.asarray(fill)
        if array.shape != () or array.dtype != values.dtype:
            raise Damaged("a masked array with a fill value of another type")
        vars(masked)["_fill_value"] = array
    return masked


RULES: dict[str, Rule] = {
    "numpy.dtype": _dtype,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy._core.numeric._frombuffer": _from_buffer,
    "numpy.ma.core._mareconstruct": _masked,
}
NAMED = ("numpy.ndarray", "numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray")
"""Names that these rules take as arguments and no file may have anywhere else."""
