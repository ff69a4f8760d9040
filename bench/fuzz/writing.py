"""Descriptions written as pickles again, with random opcodes among those that say the same."""

from __future__ import annotations

import pickle
import struct
from random import Random
from typing import Any

from onnxpress.estimators.stored.nodes import Array, Global, List, Made, Mapping, Set, Tuple

JOBLIB_ALIGNMENT = 16
DEEPEST = 100
"""Levels that are written; what lies deeper becomes None."""


def write(node: Any, random: Random, protocol: int) -> bytes:
    """The description as a pickle of that protocol; arrays as joblib writes them."""
    return _Writer(random, protocol).stream(node)


class _Writer:
    def __init__(self, random: Random, protocol: int) -> None:
        self.random, self.protocol = random, protocol
        self.out = bytearray(b"\x80" + bytes([protocol])) if protocol > 1 else bytearray()
        self.memo: dict[int, int] = {}
        self.kept: list[Any] = []  # alive as long as the writer, so that no id is used twice
        self.open: set[int] = set()
        """What is being written and not remembered yet: within itself it becomes None."""
        self.depth = 0

    def stream(self, node: Any) -> bytes:
        self.node(node)
        return bytes(self.out + b".")

    def node(self, node: Any) -> None:
        if id(node) in self.memo:
            self.get(self.memo[id(node)])
            return
        if self.depth > DEEPEST or id(node) in self.open:
            self.out += b"N"
            return
        inner = isinstance(node, Tuple | Set | Made | Array)
        self.depth += 1
        if inner:
            self.open.add(id(node))
        self.fresh(node)
        self.depth -= 1
        if inner:
            self.open.discard(id(node))

    def fresh(self, node: Any) -> None:  # noqa: C901, PLR0912 # a table of kinds
        match node:
            case None:
                self.out += b"N"
            case bool():
                self.flag(node)
            case int():
                self.number(node)
            case float():
                self.real(node)
            case str():
                self.text(node)
            case bytes() | bytearray():
                self.data(bytes(node))
            case Global():
                self.name(node)
            case Tuple():
                self.sequence(node.items)
                self.remember(node)
            case List():
                self.out += b"]"
                self.remember(node)
                self.fill(node.items, b"a", b"e")
            case Mapping():
                self.out += b"}"
                self.remember(node)
                self.fill_pairs(node.pairs)
            case Set():
                self.set(node)
            case Made():
                self.made(node)
            case Array():
                self.array(node)
            case _:
                raise TypeError(f"no node: {type(node).__name__}")

    def flag(self, value: bool) -> None:
        old = b"I01\n" if value else b"I00\n"
        self.out += self.random.choice([old, b"\x88" if value else b"\x89"])

    def number(self, value: int) -> None:
        forms = [b"I%d\n" % value, b"L%dL\n" % value] if abs(value) < 10**300 else []
        if 0 <= value < 256:
            forms.append(b"K" + bytes([value]))
        if -(2**31) <= value < 2**31:
            forms.append(b"J" + struct.pack("<i", value))
        encoded = pickle.encode_long(value)
        forms.append(b"\x8b" + struct.pack("<i", len(encoded)) + encoded)
        self.out += self.random.choice(forms)

    def real(self, value: float) -> None:
        self.out += self.random.choice(
            [b"F" + repr(value).encode() + b"\n", b"G" + struct.pack(">d", value)]
        )

    def text(self, value: str) -> None:
        encoded = value.encode("utf-8", "surrogatepass")
        forms = [
            b"X" + struct.pack("<I", len(encoded)) + encoded,
            b"\x8d" + struct.pack("<Q", len(encoded)) + encoded,
        ]
        if len(encoded) < 256:
            forms.append(b"\x8c" + bytes([len(encoded)]) + encoded)
        if value.isascii() and value.isprintable() and "\\" not in value:
            forms += [b"S" + repr(value).encode() + b"\n", b"V" + encoded + b"\n"]
        self.out += self.random.choice(forms)

    def data(self, value: bytes) -> None:
        forms = [
            b"B" + struct.pack("<I", len(value)) + value,
            b"\x8e" + struct.pack("<Q", len(value)) + value,
        ]
        if len(value) < 256:
            forms.append(b"C" + bytes([len(value)]) + value)
        if self.random.random() < 0.2:
            self.node(Global("_codecs", "encode"))
            self.sequence([value.decode("latin-1"), "latin-1"])
            self.out += b"R"
            return
        self.out += self.random.choice(forms)

    def name(self, node: Global) -> None:
        plain = "\n" not in node.path
        if plain and self.random.random() < 0.5:
            self.out += (
                b"c"
                + node.module.encode("utf-8", "replace")
                + b"\n"
                + node.name.encode("utf-8", "replace")
                + b"\n"
            )
        else:
            self.text(node.module)
            self.text(node.name)
            self.out += b"\x93"
        self.remember(node)

    def sequence(self, items: list[Any]) -> None:
        if len(items) < 4 and self.random.random() < 0.7:
            for item in items:
                self.node(item)
            self.out += b")\x85\x86\x87"[len(items) : len(items) + 1]
            return
        self.out += b"("
        for item in items:
            self.node(item)
        self.out += b"t"

    def set(self, node: Set) -> None:
        if node.frozen:
            self.out += b"("
            for item in node.items:
                self.node(item)
            self.out += b"\x91"
            self.remember(node)
            return
        self.out += b"\x8f"
        self.remember(node)
        self.fill(node.items, b"\x90", b"\x90")

    def fill(self, items: list[Any], one: bytes, many: bytes) -> None:
        if one != many and (len(items) == 1 or self.random.random() < 0.1):
            for item in items:
                self.node(item)
                self.out += one
            return
        self.out += b"("
        for item in items:
            self.node(item)
        self.out += many

    def fill_pairs(self, pairs: list[tuple[Any, Any]]) -> None:
        self.out += b"("
        for key, value in pairs:
            self.node(key)
            self.node(value)
        self.out += b"u"

    def made(self, node: Made) -> None:
        self.node(node.maker)
        self.sequence(node.arguments)
        if node.keywords:
            self.fresh(Mapping(node.keywords))
            self.out += b"\x92"
        else:
            self.out += b"R" if node.how == "call" else b"\x81"
        self.remember(node)
        if node.items:
            self.fill(node.items, b"a", b"e")
        if node.pairs:
            self.fill_pairs(node.pairs)
        for state in node.states:
            self.node(state)
            self.out += b"b"

    def array(self, node: Array) -> None:
        """What joblib writes: a wrapper with its attributes, then padding and the bytes."""
        self.node(Global("joblib.numpy_pickle", "NumpyArrayWrapper"))
        self.out += b")\x81"
        attributes = {
            "subclass": Global("numpy", "ndarray"),
            "shape": Tuple(list(node.shape)),
            "order": node.order,
            "dtype": node.dtype,
            "allow_mmap": True,
            "numpy_array_alignment_bytes": JOBLIB_ALIGNMENT,
        }
        self.fresh(Mapping(list(attributes.items())))
        self.out += b"b"
        padding = JOBLIB_ALIGNMENT - (len(self.out) + 1) % JOBLIB_ALIGNMENT
        self.out += bytes([padding]) + b"\xff" * padding + bytes(node.data)
        self.remember(node)

    def remember(self, node: Any) -> None:
        number = len(self.memo)
        self.memo[id(node)] = number
        self.kept.append(node)
        forms = [b"p%d\n" % number, b"r" + struct.pack("<I", number)]
        if number < 256:
            forms.append(b"q" + bytes([number]))
        if self.protocol >= 4 and number == len(self.memo) - 1:
            forms.append(b"\x94")
        self.out += self.random.choice(forms)

    def get(self, number: int) -> None:
        forms = [b"g%d\n" % number, b"j" + struct.pack("<I", number)]
        if number < 256:
            forms.append(b"h" + bytes([number]))
        self.out += self.random.choice(forms)
