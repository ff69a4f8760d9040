"""A small assembler of pickles, opcode by opcode, also such as no pickler would write."""

from __future__ import annotations

import pickle
import struct
from typing import Self


class Assembler:
    """Opcodes, appended one by one; each method returns the assembler, so calls can be chained."""

    def __init__(self, protocol: int = 4) -> None:
        """Begin a stream; protocols 0 and 1 have no header."""
        self.protocol = protocol
        self.bytes = bytearray(b"\x80" + bytes([protocol])) if protocol > 1 else bytearray()

    def raw(self, opcodes: bytes) -> Self:
        """Append bytes as they are."""
        self.bytes += opcodes
        return self

    def text(self, text: str) -> Self:
        """Push a str."""
        encoded = text.encode("utf-8", "surrogatepass")
        return self.raw(b"X" + struct.pack("<I", len(encoded)) + encoded)

    def data(self, data: bytes) -> Self:
        """Push bytes."""
        return self.raw(b"B" + struct.pack("<I", len(data)) + data)

    def number(self, value: int) -> Self:
        """Push an int of any size below 2**2000."""
        if -(2**31) <= value < 2**31:
            return self.raw(b"J" + struct.pack("<i", value))
        encoded = pickle.encode_long(value)
        return self.raw(b"\x8a" + bytes([len(encoded)]) + encoded)

    def real(self, value: float) -> Self:
        """Push a float."""
        return self.raw(b"G" + struct.pack(">d", value))

    def none(self) -> Self:
        """Push None."""
        return self.raw(b"N")

    def flag(self, value: bool) -> Self:
        """Push a bool."""
        return self.raw(b"\x88" if value else b"\x89")

    def name(self, module: str, name: str) -> Self:
        """Push a global, by the opcode that any protocol has."""
        return self.raw(b"c" + module.encode() + b"\n" + name.encode() + b"\n")

    def stack_name(self, module: str, name: str) -> Self:
        """Push a global by the opcode of protocol 4, which follows dots in the name."""
        return self.text(module).text(name).raw(b"\x93")

    def mark(self) -> Self:
        """Push a mark."""
        return self.raw(b"(")

    def tuple(self) -> Self:
        """Make a tuple of all since the mark."""
        return self.raw(b"t")

    def tuple_of(self, count: int) -> Self:
        """Make a tuple of the last 0, 1, 2 or 3."""
        return self.raw(b")\x85\x86\x87"[count : count + 1])

    def empty_dict(self) -> Self:
        """Push {}."""
        return self.raw(b"}")

    def empty_list(self) -> Self:
        """Push []."""
        return self.raw(b"]")

    def reduce(self) -> Self:
        """Call the last but one with the last."""
        return self.raw(b"R")

    def new(self) -> Self:
        """Make an object of a class without its ``__init__``."""
        return self.raw(b"\x81")

    def new_with_keywords(self) -> Self:
        """The same, of a class, arguments and keywords."""
        return self.raw(b"\x92")

    def build(self) -> Self:
        """Give the last but one the last as its state."""
        return self.raw(b"b")

    def set_item(self) -> Self:
        """Set a key and value of what lies below them."""
        return self.raw(b"s")

    def append(self) -> Self:
        """Append the last to what lies below."""
        return self.raw(b"a")

    def pop(self) -> Self:
        """Drop the last."""
        return self.raw(b"0")

    def put(self, number: int) -> Self:
        """Remember the last under a number."""
        return self.raw(b"r" + struct.pack("<I", number))

    def get(self, number: int) -> Self:
        """Push what is remembered."""
        return self.raw(b"j" + struct.pack("<I", number))

    def stop(self) -> bytes:
        """End the stream; returns it."""
        return bytes(self.bytes + b".")
