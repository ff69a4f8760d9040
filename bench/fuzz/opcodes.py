"""Streams of random opcodes in any protocol, mostly with the stack that each needs."""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from random import Random

from bench.fuzz.descriptions import ADMITTED, HOSTILE, INTEGERS, TEXTS

Encode = Callable[[Random], bytes]

PUSHES = b"NIJKMLF]})(" + b"\x88\x89\x8a\x8bGXVSTUBC\x8c\x8d\x8e\x8f\x96c"
ENDS = b"tle\x90\x91uddoi0120ahgjs\x93\x85\x86\x87R\x81\x92b\x94pqrQP\x82\x97\x98\x95"
NEEDS = {
    **dict.fromkeys(b"\x85a0p\x94qr2bQ", 1),
    **dict.fromkeys(b"\x86R\x81\x93b", 2),
    **dict.fromkeys(b"\x87s\x92", 3),
}
"""Items that an opcode takes from the stack; others take none, or all since the mark."""

CODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}


def stream(random: Random) -> bytes:
    """A stream of up to 80 opcodes."""
    protocol = random.randrange(6)
    out = bytearray(b"\x80" + bytes([protocol])) if protocol > 1 else bytearray()
    depth, marks = 0, 0
    for _ in range(random.randint(1, 80)):
        code = random.choice(PUSHES if depth < 2 or random.random() < 0.55 else ENDS)
        if NEEDS.get(code, 0) > depth and random.random() < 0.95:
            continue
        if code in b"tleu\x90\x91doi1" and not marks and random.random() < 0.95:
            continue
        out += bytes([code]) + _argument(random, code)
        depth += 1 if code in PUSHES else -NEEDS.get(code, 1) + 1
        marks += (code == ord("(")) - (code in b"tleu\x90\x91doi1")
    return bytes(out + b"." if random.random() < 0.95 else out)


def _argument(random: Random, code: int) -> bytes:
    kind = CODES[code].arg
    if code == ord("c") or code == ord("i"):
        module, name = random.choice(HOSTILE if random.random() < 0.05 else ADMITTED).split(":")
        return f"{module}\n{name}\n".encode()
    return bytes(_ARGUMENTS[kind.name](random)) if kind else b""


def _text(random: Random) -> bytes:
    if random.random() < 0.7:
        return random.choice(random.choice(ADMITTED).split(":")).encode()
    return random.choice(TEXTS).encode("utf-8", "surrogatepass")


def _sized(form: str, content: Callable[[Random], bytes]) -> Encode:
    """A length and the bytes; sometimes another length."""
    width = struct.calcsize(form)

    def encode(random: Random) -> bytes:
        data = content(random)
        size = (
            len(data)
            if random.random() < 0.99
            else random.choice((0, 1, 2**31 - 1, 2**31, 2**62, 255))
        )
        length: int = size & ((1 << 8 * width) - 1)
        return length.to_bytes(width, "little") + data[: 255 if width == 1 else None]

    return encode


def _line(random: Random) -> bytes:
    return _text(random).replace(b"\n", b"") + b"\n"


def _decimal(random: Random) -> bytes:
    return (
        random.choice(
            (b"%d" % random.choice(INTEGERS), b"01", b"00", b"-", b"1_0", b"0x1f", b"9" * 5000)
        )
        + b"\n"
    )


def _bytes(random: Random) -> bytes:
    return random.randbytes(random.choice((0, 1, 3, 8, 40, 200)))


_ARGUMENTS: dict[str, Encode] = {
    "uint1": lambda random: bytes([random.choice((0, 1, 2, random.randrange(256)))]),
    "uint2": lambda random: random.randbytes(2),
    "int4": lambda random: struct.pack("<i", random.choice(INTEGERS) % 2**32 - 2**31),
    "uint4": lambda random: struct.pack("<I", random.choice((0, 1, 2, 3, random.randrange(2**32)))),
    "uint8": lambda random: struct.pack("<Q", random.choice((0, 8, 100, 2**62))),
    "stringnl": lambda random: (
        random.choice(
            (repr(random.choice(TEXTS)).encode("ascii", "replace"), _text(random))
        ).replace(b"\n", b"")
        + b"\n"
    ),
    "stringnl_noescape": _line,
    "unicodestringnl": _line,
    "decimalnl_short": _decimal,
    "decimalnl_long": lambda random: _decimal(random)[:-1] + random.choice((b"L\n", b"\n")),
    "floatnl": lambda random: (
        random.choice((b"1.5", b"nan", b"-inf", b"1e999", b"x", b"1_0.0")) + b"\n"
    ),
    "float8": lambda random: random.randbytes(8),
    "string1": _sized("<B", _bytes),
    "string4": _sized("<I", _bytes),
    "bytes1": _sized("<B", _bytes),
    "bytes4": _sized("<I", _bytes),
    "bytes8": _sized("<Q", _bytes),
    "bytearray8": _sized("<Q", _bytes),
    "unicodestring1": _sized("<B", _text),
    "unicodestring4": _sized("<I", _text),
    "unicodestring8": _sized("<Q", _text),
    "long1": _sized("<B", _bytes),
    "long4": _sized("<I", _bytes),
}
