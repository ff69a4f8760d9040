"""The fields of an exported program: ``models/model.json`` and the lists of its weights.

They are those of ``torch/_export/serde/schema.py`` (version 8). Where the code came from, names of
modules and the like are left out, and so is what a node may not have: other graphs, objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from onnxpress.torch_program.expressions import NAME, SYMBOL, expression, nesting
from onnxpress.torch_program.fields import (
    BadProgram,
    left_out,
    listed,
    mapping,
    matching,
    number,
    one_of,
    optional,
    record,
    text,
    truth,
    union,
    whole,
)
from onnxpress.torch_program.operators import operator

VERSION = 8

CURE_OF_ROWS = (
    "export it with torch.export.export(model, (rows,), "
    "dynamic_shapes=({0: torch.export.Dim('rows')},))"
)

ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 12: 1, 13: 2}
"""Bytes of a number, by torch's numbers of types: those that a program may have."""

NUMPY_TYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    12: "bool",
}
"""Types of inputs, by torch's numbers."""

name = matching(NAME)
path = matching(r"[A-Za-z0-9_.]{1,300}")
"""Of a weight, such as ``layers.0.weight``."""

kind = one_of(*ITEM_BYTES)


def device(value: Any) -> dict[str, Any]:
    """Take the CPU."""
    where = value.get("type") if isinstance(value, dict) else value
    if where != "cpu":
        raise BadProgram(
            f"has tensors on {str(where)[:20]!r}; move the model to the CPU, model.cpu(), and "
            "export it again"
        )
    return {"type": "cpu", "index": None}


computed = record(
    expr_str=expression,
    hint=optional(union(as_int=whole, as_bool=truth, as_float=number)),
)
size = union(as_int=whole, as_expr=computed)
tensor_meta = record(
    dtype=kind,
    sizes=listed(size),
    requires_grad=truth,
    device=device,
    strides=listed(size),
    storage_offset=size,
    layout=one_of(7),
)
tensor = record(name=name)
size_argument = union(as_name=name, as_int=whole)
float_argument = union(as_name=name, as_float=number)
truth_argument = union(as_name=name, as_bool=truth)
optional_tensor = union(as_tensor=tensor, as_none=truth)
argument = union(
    as_none=truth,
    as_tensor=tensor,
    as_tensors=listed(tensor),
    as_int=whole,
    as_ints=listed(whole),
    as_float=number,
    as_floats=listed(number),
    as_string=text,
    as_sym_int=size_argument,
    as_sym_ints=listed(size_argument),
    as_scalar_type=kind,
    as_memory_format=one_of(1, 2, 3, 4),
    as_layout=one_of(7),
    as_device=device,
    as_bool=truth,
    as_bools=listed(truth),
    as_sym_bool=truth_argument,
    as_sym_float=float_argument,
    as_optional_tensors=listed(optional_tensor),
    as_optional_tensor=optional_tensor,
)


def _object(value: Any) -> Any:
    raise BadProgram(f"holds an object of its own, {value!r:.60}")


node = record(
    target=operator,
    inputs=listed(record(name=name, arg=argument, kind=optional(one_of(1, 2)))),
    outputs=listed(argument),
    metadata=left_out({}),
    is_hop_single_tensor_return=left_out(None),
    name=optional(name),
)
graph = record(
    inputs=listed(argument),
    outputs=listed(argument),
    nodes=listed(node),
    tensor_values=mapping(name, tensor_meta),
    sym_int_values=mapping(name, size),
    sym_bool_values=mapping(name, union(as_bool=truth, as_expr=computed)),
    sym_float_values=mapping(name, union(as_float=number, as_expr=computed)),
    is_single_tensor_return=one_of(False),
    custom_obj_values=mapping(name, _object),
)
only_tensors = union(as_tensor=tensor)


def _mutation(_: Any) -> Any:
    raise BadProgram(
        "changes its own weights at each call; call model.eval() before torch.export.export"
    )


input_spec = union(
    user_input=record(arg=only_tensors),
    parameter=record(arg=tensor, parameter_name=path),
    buffer=record(arg=tensor, buffer_name=path, persistent=truth),
    tensor_constant=record(arg=tensor, tensor_constant_name=path),
)
output_spec = union(
    user_output=record(arg=only_tensors),
    buffer_mutation=_mutation,
    parameter_mutation=_mutation,
    user_input_mutation=_mutation,
)
call = record(
    fqn=one_of(""),
    signature=record(
        inputs=left_out([]),
        outputs=left_out([]),
        in_spec=nesting,
        out_spec=nesting,
        forward_arg_names=optional(listed(name)),
    ),
)


def calls(value: Any) -> list[Any]:
    """Take how the whole is called, and leave out its modules."""
    whole_program = [item for item in value or () if isinstance(item, dict) and item["fqn"] == ""]
    if len(whole_program) != 1:
        raise BadProgram("is damaged: it does not say how it is called")
    return [call(whole_program[0])]


exported_program = record(
    graph_module=record(
        graph=graph,
        signature=record(input_specs=listed(input_spec), output_specs=listed(output_spec)),
        module_call_graph=calls,
        metadata=left_out({}),
        treespec_namedtuple_fields=left_out({}),
    ),
    opset_version=mapping(name, whole),
    range_constraints=mapping(
        matching(SYMBOL), record(min_val=optional(whole), max_val=optional(whole))
    ),
    schema_version=record(major=one_of(VERSION), minor=whole),
    verifiers=listed(one_of("ATEN", "TRAINING")),
    torch_version=text,
    guards_code=left_out([]),
)


def _not_pickled(value: Any) -> bool:
    if value is not False:
        raise BadProgram("keeps weights as a pickle, which runs code when it is opened")
    return False


weights = record(
    config=mapping(
        path,
        record(
            path_name=matching(r"(weight|tensor)_\d{1,9}"),
            is_param=truth,
            use_pickle=_not_pickled,
            tensor_meta=tensor_meta,
        ),
    )
)


@dataclass(frozen=True)
class TensorInput:
    """An input of a program."""

    name: str
    dtype: str
    """Of numpy."""
    shape: tuple[int | None, ...]
    """None where any number goes, as of the rows."""


@dataclass(frozen=True)
class Interface:
    """What a program takes and gives."""

    inputs: tuple[TensorInput, ...]
    outputs: tuple[str, ...]


def interface(program: dict[str, Any]) -> Interface:
    """Return what a checked program takes and gives.

    Raises:
        BadProgram: it does not take any number of rows, or takes what is no tensor of numbers.
    """
    module = program["graph_module"]
    values, specs = module["graph"]["tensor_values"], module["signature"]
    inputs = []
    for spec in specs["input_specs"]:
        if "user_input" in spec:
            taken = spec["user_input"]["arg"]["as_tensor"]["name"]
            inputs.append(_input(taken, values.get(taken), program["range_constraints"]))
    outputs = [spec["user_output"]["arg"]["as_tensor"]["name"] for spec in specs["output_specs"]]
    if not inputs or not outputs:
        raise BadProgram("takes or gives no tensor")
    if len({*outputs, *(each.name for each in inputs)}) < len(inputs) + len(outputs):
        raise BadProgram("gives a tensor twice, or one that it takes; give the others alone")
    return Interface(tuple(inputs), tuple(outputs))


def _input(taken: str, meta: dict[str, Any] | None, ranges: dict[str, Any]) -> TensorInput:
    if meta is None or meta["dtype"] not in NUMPY_TYPES:
        raise BadProgram(f"takes {taken!r}, which is no tensor of numbers")
    sizes = meta["sizes"]
    if not sizes or "as_int" in sizes[0]:
        came = f"{sizes[0]['as_int']} rows" if sizes else "no rows"
        raise BadProgram(f"takes {came} a call for {taken!r}, and no other number; {CURE_OF_ROWS}")
    for symbol, limits in ranges.items():
        if f"'{symbol}'" in sizes[0]["as_expr"]["expr_str"] and _narrow(limits):
            least, most = limits["min_val"], limits["max_val"]
            came = f"{least} rows or more" if most is None else f"{least} to {most} rows"
            raise BadProgram(f"takes {came} a call for {taken!r}; {CURE_OF_ROWS}")
    shape = (None, *(each.get("as_int") for each in sizes[1:]))
    return TensorInput(taken, NUMPY_TYPES[meta["dtype"]], shape)


def _narrow(limits: dict[str, Any]) -> bool:
    """Whether it takes less than one row to any number."""
    return (limits["min_val"] or 0) > 1 or limits["max_val"] is not None


def payloads(listed_weights: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the member of the archive and the tensor of each entry of a checked list."""
    for entry in listed_weights["config"].values():
        yield entry["path_name"], entry["tensor_meta"]


def check_within(member: str, meta: dict[str, Any], length: int) -> None:
    """See that a tensor lies within the bytes of its member, of which there are ``length``.

    Raises:
        BadProgram: it does not.
    """
    sizes, strides, offset = (_plain(meta[key]) for key in ("sizes", "strides", "storage_offset"))
    if len(sizes) != len(strides) or min([*sizes, *strides, *offset], default=0) < 0:
        raise BadProgram(f"is damaged: the shape of {member!r} is none")
    needed = 0
    if prod(sizes):
        last = sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        needed = (offset[0] + last + 1) * ITEM_BYTES[meta["dtype"]]
    if needed > length:
        raise BadProgram(f"is damaged: {member!r} should have {needed} bytes, and has {length}")


def _plain(sizes: Any) -> list[int]:
    """Return sizes that are all numbers.

    Raises:
        BadProgram: one is computed.
    """
    values = [each.get("as_int") for each in (sizes if isinstance(sizes, list) else [sizes])]
    if None in values:
        raise BadProgram("is damaged: the size of a weight is not a number")
    return values
