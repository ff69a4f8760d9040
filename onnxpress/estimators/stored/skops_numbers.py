"""Arrays, scalars, random states and sparse matrices of skops files.

They become the nodes that a pickle has for them.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Array, Global, List, Made, Mapping, Tuple
from onnxpress.estimators.stored.npy import dtype_node
from onnxpress.estimators.stored.skops_entry import SCHEMA, Entry
from onnxpress.estimators.stored.skops_keys import NUMPY_SCALARS

if TYPE_CHECKING:
    from onnxpress.estimators.stored.skops_reading import Reader

RANDOM = "numpy.random._pickle"
MULTIARRAY = "numpy._core.multiarray"
RECONSTRUCT = f"{MULTIARRAY}._reconstruct"
ARRAYS = {"numpy.ndarray", "numpy.memmap"}
"""What was mapped into memory is an array to whom loads it."""

DIMENSIONS = 32
NOT_MASKED = b"\0"
ARRAY_STATE = 5
"""Items of the state of an array.

Version, shape, dtype, whether in Fortran's order, and its bytes or objects.
"""

RANDOM_STATES = {"numpy.random.mtrand.RandomState", "numpy.random.RandomState"}
SPARSE_PARTS = {
    "bsr": ("indptr", "indices", "data"),
    "coo": ("row", "col", "data"),
    "csc": ("indptr", "indices", "data"),
    "csr": ("indptr", "indices", "data"),
    "dia": ("data", "offsets"),
}
"""The arrays of each format of sparse matrix, in the order of scipy's state."""

SPARSE_MEMBERS = (
    "format",
    "shape",
    "_is_array",
    *sorted({part for parts in SPARSE_PARTS.values() for part in parts}),
)


def of_array(reader: Reader, entry: Entry) -> Any:
    """An array or a scalar of numbers or text, which lies in a member, or an array of objects."""
    named, kind = entry.named(), entry.text("type")
    if kind == "json":
        return _of_objects(reader, entry, named)
    if kind != "numpy":
        raise Damaged(f"{SCHEMA} has an array of the type {kind[:40]!a}")
    array = reader.array(entry.text("file"))
    if named.path in ARRAYS:
        return array
    if array.shape == () and named.module == "numpy" and named.name in NUMPY_SCALARS:
        return Made(Global(MULTIARRAY, "scalar"), "call", [array.dtype, reader.copied(array.data)])
    return Made(named, "call", [array])


def _of_objects(reader: Reader, entry: Entry, named: Global) -> Made:
    """An array of objects, which lie in lists of lists as its shape says."""
    state = Tuple()
    node = Made(
        Global(MULTIARRAY, "_reconstruct"), "call", [named, Tuple([0]), b"b"], states=[state]
    )
    reader.keep(entry, node)
    shape, rows = reader.items(entry.get("shape")), List()
    if any(type(size) is not int or size < 0 for size in shape) or len(shape) > DIMENSIONS:
        raise Damaged("an array of objects of no shape")
    reader.fill(rows.items, entry.get("content"))
    flat: list[Any] = [rows]
    for size in shape:
        if any(not isinstance(part, List) or len(part.items) != size for part in flat):
            raise Damaged("an array of objects does not have its shape")
        reader.check_count(len(flat) * size)
        flat = [item for part in flat for item in part.items]
    state.items.extend([1, Tuple(shape), dtype_node("O8"), False, List(flat)])
    return node


def of_masked_array(reader: Reader, entry: Entry) -> Any:
    """A masked array. skops does not keep its fill value."""
    arguments = [entry.named(), Global("numpy", "ndarray"), Tuple([0]), b"b"]
    node = reader.keep(entry, Made(Global("numpy.ma.core", "_mareconstruct"), "call", arguments))
    content = entry.inner("content")
    data, mask = reader.node(content.get("data")), reader.node(content.get("mask"))
    parts = _parts(reader, data)
    node.states = [
        Tuple([*parts, _masked(reader, mask, parts[1].items, "F" if parts[3] else "C"), None])
    ]
    return node


def _masked(reader: Reader, mask: Any, shape: list[Any], order: Literal["C", "F"]) -> bytes:
    """A byte for each value of an array of that shape, in the order of its values.

    Whether it is masked.
    """
    if isinstance(mask, Array) and list(mask.shape) == shape:
        try:
            return (
                np.frombuffer(reader.copied(mask.data), np.uint8)
                .reshape(mask.shape, order=mask.order)
                .tobytes(order)
            )
        except ValueError as error:
            raise Damaged("a masked array whose mask has another size") from error
    if mask is False or (isinstance(mask, Made) and mask.arguments[1:] == [NOT_MASKED]):
        count = math.prod(size if type(size) is int and size > 0 else 0 for size in shape)
        reader.spend(count)
        return NOT_MASKED * count
    raise Damaged("a masked array whose mask has another shape")


def _parts(reader: Reader, data: Any) -> list[Any]:
    """The items of the state of an array."""
    if isinstance(data, Array):
        return [1, Tuple(list(data.shape)), data.dtype, data.order == "F", reader.copied(data.data)]
    state = data.states[0] if isinstance(data, Made) and len(data.states) == 1 else None
    if (
        isinstance(state, Tuple)
        and len(state.items) == ARRAY_STATE
        and isinstance(state.items[1], Tuple)
    ):
        return list(state.items)
    raise Damaged("a masked array of no array")


def of_random_state(reader: Reader, entry: Entry) -> Any:
    """A random state."""
    node = reader.keep(entry, Made(Global(RANDOM, "__randomstate_ctor"), "call", ["MT19937"]))
    if entry.named().path not in RANDOM_STATES:
        raise Damaged(f"{SCHEMA} has a random state of another class")
    node.states = [reader.node(entry.get("content"))]
    return node


def of_generator(reader: Reader, entry: Entry) -> Any:
    """A generator with the state of its bit generator.

    That which would seed other generators by it is not kept.
    """
    node = reader.keep(entry, Made(Global(RANDOM, "__generator_ctor"), "call", []))
    bits = reader.node(entry.inner("content").get("bit_generator"))
    names = (
        [value for key, value in bits.pairs if key == "bit_generator"]
        if isinstance(bits, Mapping)
        else []
    )
    if len(names) != 1 or not isinstance(names[0], str):
        raise Damaged(f"{SCHEMA} has a generator without a name")
    node.arguments = [Made(Global(RANDOM, "__bit_generator_ctor"), "call", names, states=[bits])]
    return node


def of_dtype(reader: Reader, entry: Entry) -> Any:
    """A type of numbers: that of an empty array."""
    content = reader.node(entry.get("content"))
    if isinstance(content, Array):
        return content.dtype
    if (
        isinstance(content, Made)
        and isinstance(content.maker, Global)
        and content.maker.path == RECONSTRUCT
    ):
        return dtype_node("O8")
    raise Damaged(f"{SCHEMA} has a type of numbers of no array")


def of_sparse(reader: Reader, entry: Entry) -> Any:
    """A sparse matrix or array, which lies in a member of arrays."""
    if entry.text("type") != "scipy":
        raise Damaged(f"{SCHEMA} has a sparse matrix of the type {entry.text('type')[:40]!a}")
    arrays = reader.arrays(entry.text("file"), SPARSE_MEMBERS)
    form = bytes(arrays["format"].data[:3]).decode("latin-1") if "format" in arrays else ""
    parts = SPARSE_PARTS.get(form, ("format",))
    if not {"shape", *parts} <= arrays.keys():
        raise Damaged(f"a sparse matrix without its arrays {', '.join(parts)}")
    named = entry.named()
    if not named.name.startswith(f"{form}_"):
        raise Damaged(f"a sparse matrix of the format {form} as a {named.name[:40]}")
    state: list[tuple[Any, Any]] = [
        ("_shape", Tuple(_whole_numbers(arrays["shape"]))),
        ("maxprint", 50),
    ]
    if form == "coo":
        state += [("coords", Tuple([arrays["row"], arrays["col"]])), ("data", arrays["data"])]
        state += [("has_canonical_format", False)]
    else:
        state += [(part, arrays[part]) for part in parts]
    return Made(named, "new", [], states=[Mapping(state)])


def _whole_numbers(array: Array) -> list[int]:
    """The numbers of a short array."""
    code = {"<i8": "q", "<i4": "i"}.get(
        array.dtype.arguments[0] if isinstance(array.dtype, Made) else ""
    )
    if code is None or len(array.shape) != 1 or not 1 <= array.shape[0] <= 2:
        raise Damaged("a sparse matrix of no shape")
    form = struct.Struct(f"<{array.shape[0]}{code}")
    if len(array.data) < form.size:
        raise Damaged("a sparse matrix of no shape")
    return list(form.unpack(array.data[: form.size]))
