"""skops files, read into inert nodes: the same ones that a pickle of the same object is read into.

A skops file is a zip file of schema.json, a tree of entries that each name the ``__loader__``
which would make an object, and of arrays and bytes in members of their own. Files of skops 0.3 to
0.16 (protocols 0 to 2) are read, without skops.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from onnxpress.estimators.stored import skops_numbers, skops_objects
from onnxpress.estimators.stored.archive import Archive
from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global
from onnxpress.estimators.stored.skops_entry import SCHEMA, Entry, JsonObject, name_of, parsed
from onnxpress.estimators.stored.skops_reading import Loader, Reader

NEWEST_PROTOCOL = 2
LARGEST_SCHEMA = 256 << 20
"""Bytes of schema.json, which takes twenty times as much memory once it is read.

A vocabulary has 400 bytes a word.
"""

PLAIN = frozenset(
    f"{kind}Node"
    for kind in (
        *(
            "Bytearray",
            "Bytes",
            "DType",
            "DefaultDict",
            "Dict",
            "Json",
            "List",
            "MaskedArray",
            "Method",
            "NdArray",
        ),
        *("RandomGenerator", "RandomState", "Set", "Slice", "SparseMatrix", "Tuple"),
    )
)
"""Loaders whose ``__class__`` is the container or array itself."""


def read_skops(data: bytes | memoryview) -> Any:
    """The object in a skops file, as nodes.

    Raises:
        Damaged: the file is cut, changed, made by hand or by a newer skops.
    """
    archive = Archive(data)
    schema = parsed(archive.read(SCHEMA, LARGEST_SCHEMA))
    protocol = Entry(schema).get("protocol")
    if type(protocol) is not int or not 0 <= protocol <= NEWEST_PROTOCOL:
        raise Damaged(
            f"it has the skops protocol {protocol!r:.20}, and 0 to {NEWEST_PROTOCOL} are read"
        )
    try:
        return Reader(archive, LOADERS).node(schema)
    except RecursionError as error:
        raise Damaged("its objects are nested too deeply") from error
    except Damaged as error:
        error.names = _names(schema)
        raise


def _names(schema: Any) -> list[Global]:
    """Every class and function that a schema names, whatever else is wrong with it."""
    found, work = [], [schema]
    while work:
        part = work.pop()
        if isinstance(part, JsonObject):
            fields = dict(part)
            with suppress(Damaged, KeyError, TypeError):
                if fields["__loader__"] not in PLAIN:  # those name the containers that they are
                    found.append(name_of(fields["__module__"], fields["__class__"]))
            work.extend(fields.values())
        elif isinstance(part, list):
            work.extend(part)
    return found


LOADERS: dict[str, Loader] = {
    "BytearrayNode": skops_objects.of_bytearray,
    "BytesNode": skops_objects.of_bytes,
    "ConstructorFromReduceNode": skops_objects.of_call,
    "DTypeNode": skops_numbers.of_dtype,
    "DefaultDictNode": skops_objects.of_default_dict,
    "DictNode": skops_objects.of_dict,
    "FunctionNode": skops_objects.of_function,
    "JsonNode": skops_objects.of_json,
    "ListNode": skops_objects.of_list,
    "LossNode": skops_objects.of_reduced,
    "MaskedArrayNode": skops_numbers.of_masked_array,
    "MethodNode": skops_objects.of_method,
    "NdArrayNode": skops_numbers.of_array,
    "ObjectNode": skops_objects.of_object,
    "OperatorFuncNode": skops_objects.of_operator,
    "PartialNode": skops_objects.of_partial,
    "QuantileForestNode": skops_objects.of_reduced,
    "RandomGeneratorNode": skops_numbers.of_generator,
    "RandomStateNode": skops_numbers.of_random_state,
    "SGDNode": skops_objects.of_reduced,
    "SetNode": skops_objects.of_set,
    "SliceNode": skops_objects.of_slice,
    "SparseMatrixNode": skops_numbers.of_sparse,
    "TreeNode": skops_objects.of_reduced,
    "TupleNode": skops_objects.of_tuple,
    "TypeNode": skops_objects.of_type,
}
"""What each loader's entry is read by."""
