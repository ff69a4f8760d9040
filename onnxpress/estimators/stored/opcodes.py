"""What each opcode of protocols 0 to 5 does to the machine that reads a pickle."""

from __future__ import annotations

import codecs
import struct
import warnings
from collections.abc import Callable
from typing import Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, List, Made, Mapping, Set, Tuple
from onnxpress.estimators.stored.pickle_machine import Machine
from onnxpress.estimators.stored.spelling import called, items_of, keywords_of

HIGHEST_PROTOCOL = 5
LONGEST_INTEGER = 1000
"""Bytes, and digits, of an integer: random states have 16 of them."""

Step = Callable[[Machine], None]

_U1, _U2, _U4, _U8 = (
    struct.Struct("<B"),
    struct.Struct("<H"),
    struct.Struct("<I"),
    struct.Struct("<Q"),
)
_I4, _F8 = struct.Struct("<i"), struct.Struct(">d")


def _text(raw: bytes | memoryview, encoding: str = "utf-8") -> str:
    try:
        return str(raw, encoding)
    except UnicodeDecodeError as error:
        raise Damaged("a text that is not Unicode") from error


def _sized_text(form: struct.Struct) -> Step:
    return lambda machine: machine.push(_text(machine.take(machine.number(form))))


def _sized_ascii(form: struct.Struct) -> Step:
    return lambda machine: machine.push(_text(machine.take(machine.number(form)), "ascii"))


def _sized_bytes(form: struct.Struct) -> Step:
    return lambda machine: machine.push(bytes(machine.take(machine.number(form))))


def _bytearray(machine: Machine) -> None:
    content = bytes(machine.take(machine.number(_U8)))
    machine.push(Made(Global("builtins", "bytearray"), "call", [content]))


def _long(form: struct.Struct) -> Step:
    def step(machine: Machine) -> None:
        size = machine.number(form)
        if not 0 <= size <= LONGEST_INTEGER:
            raise Damaged("an integer is too long")
        machine.push(int.from_bytes(machine.take(size), "little", signed=True))

    return step


def _number_line(machine: Machine, kind: Callable[[str], Any]) -> Any:
    raw = machine.line()
    if len(raw) > LONGEST_INTEGER:
        raise Damaged("a number is too long")
    try:
        return kind(_text(raw, "ascii"))
    except ValueError as error:
        raise Damaged("a number that is none") from error


def _int_line(machine: Machine) -> None:
    """An integer; protocol 0 has no other way to write a bool."""
    if bytes(machine.view[machine.at : machine.at + 3]) in (b"00\n", b"01\n"):
        machine.push(machine.line() == b"01")
    else:
        machine.push(_number_line(machine, int))


def _long_line(machine: Machine) -> None:
    machine.push(_number_line(machine, lambda text: int(text.removesuffix("L"))))


def _string_line(machine: Machine) -> None:
    """A text of Python 2, quoted and escaped."""
    raw = machine.line()
    if len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in (b'"', b"'"):
        raise Damaged("a text without quotes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of escapes that mean themselves
        try:
            content = codecs.escape_decode(raw[1:-1])[0]  # as pickle does
        except ValueError as error:
            raise Damaged("a text with a wrong escape") from error
    machine.push(_text(content, "ascii"))


def _unicode_line(machine: Machine) -> None:
    text = _text(machine.line(), "raw-unicode-escape")
    machine.push(_text(text.encode("utf-8", "surrogatepass")))


def _key_line(machine: Machine) -> int:
    key: int = _number_line(machine, int)
    if not 0 <= key < 1 << 32:
        raise Damaged("a part with a number that is none")
    return key


def _tuple(count: int) -> Step:
    def step(machine: Machine) -> None:
        if len(machine.stack) < count:
            raise IndexError
        items = machine.stack[len(machine.stack) - count :]
        del machine.stack[len(machine.stack) - count :]
        machine.push(Tuple(items))

    return step


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _drop_to_mark(machine: Machine) -> None:
    machine.pop_mark()


def _dict(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.push(Mapping())
    machine.fill_pairs(items)


def _set_item(machine: Machine) -> None:
    value = machine.stack.pop()
    key = machine.stack.pop()
    machine.fill_pairs([key, value])


def _append(machine: Machine) -> None:
    item = machine.stack.pop()
    machine.fill([item])


def _global_line(machine: Machine) -> None:
    module = _text(machine.line())
    machine.name(module, _text(machine.line()))


def _stack_global(machine: Machine) -> None:
    name = machine.stack.pop()
    machine.name(machine.stack.pop(), name)


def _reduce(machine: Machine) -> None:
    arguments = machine.stack.pop()
    machine.stack[-1] = called(machine.stack[-1], arguments, machine.encoded)


def _new(machine: Machine) -> None:
    arguments = machine.stack.pop()
    machine.stack[-1] = Made(machine.stack[-1], "new", items_of(arguments))


def _new_with_keywords(machine: Machine) -> None:
    keywords, arguments = machine.stack.pop(), machine.stack.pop()
    machine.stack[-1] = Made(machine.stack[-1], "new", items_of(arguments), keywords_of(keywords))


def _object(machine: Machine) -> None:
    """A call written as mark, callable, arguments."""
    items = machine.pop_mark()
    machine.push(called(items[0], Tuple(items[1:]), machine.encoded))


def _instance(machine: Machine) -> None:
    """A call written as mark, arguments, and the callable's name."""
    _global_line(machine)
    maker = machine.stack.pop()
    machine.push(called(maker, Tuple(machine.pop_mark()), machine.encoded))


def _protocol(machine: Machine) -> None:
    machine.protocol = machine.number(_U1)
    if machine.protocol > HIGHEST_PROTOCOL:
        raise Damaged(f"pickle protocol {machine.protocol} is not known")


def _frame(machine: Machine) -> None:
    """A frame only says that so many bytes follow."""
    if machine.number(_U8) > len(machine.view) - machine.at:
        raise Damaged("its end is missing")


def _no_part(machine: Machine) -> None:
    raise Damaged(f"byte {machine.at - 1} refers to something outside the file")


OPCODES: dict[int, Step] = {
    opcode[0]: step
    for opcode, step in {
        b"\x80": _protocol,
        b"\x95": _frame,
        b"(": Machine.mark,
        b"0": _pop,
        b"1": _drop_to_mark,
        b"2": lambda machine: machine.push(machine.stack[-1]),
        # constants and numbers
        b"N": lambda machine: machine.push(None),
        b"\x88": lambda machine: machine.push(True),
        b"\x89": lambda machine: machine.push(False),
        b"I": _int_line,
        b"L": _long_line,
        b"J": lambda machine: machine.push(machine.number(_I4)),
        b"K": lambda machine: machine.push(machine.number(_U1)),
        b"M": lambda machine: machine.push(machine.number(_U2)),
        b"\x8a": _long(_U1),
        b"\x8b": _long(_I4),
        b"F": lambda machine: machine.push(_number_line(machine, float)),
        b"G": lambda machine: machine.push(machine.number(_F8)),
        # text and bytes
        b"S": _string_line,
        b"T": _sized_ascii(_I4),
        b"U": _sized_ascii(_U1),
        b"V": _unicode_line,
        b"\x8c": _sized_text(_U1),
        b"X": _sized_text(_U4),
        b"\x8d": _sized_text(_U8),
        b"C": _sized_bytes(_U1),
        b"B": _sized_bytes(_U4),
        b"\x8e": _sized_bytes(_U8),
        b"\x96": _bytearray,
        # containers
        b")": lambda machine: machine.push(Tuple()),
        b"\x85": _tuple(1),
        b"\x86": _tuple(2),
        b"\x87": _tuple(3),
        b"t": lambda machine: machine.push(Tuple(machine.pop_mark())),
        b"]": lambda machine: machine.push(List()),
        b"l": lambda machine: machine.push(List(machine.pop_mark())),
        b"a": _append,
        b"e": lambda machine: machine.fill(machine.pop_mark()),
        b"}": lambda machine: machine.push(Mapping()),
        b"d": _dict,
        b"s": _set_item,
        b"u": lambda machine: machine.fill_pairs(machine.pop_mark()),
        b"\x8f": lambda machine: machine.push(Set()),
        b"\x90": lambda machine: machine.add(machine.pop_mark()),
        b"\x91": lambda machine: machine.push(Set(machine.pop_mark(), frozen=True)),
        # memo
        b"p": lambda machine: machine.remember(_key_line(machine)),
        b"q": lambda machine: machine.remember(machine.number(_U1)),
        b"r": lambda machine: machine.remember(machine.number(_U4)),
        b"\x94": lambda machine: machine.remember(len(machine.memo)),
        b"g": lambda machine: machine.recall(_key_line(machine)),
        b"h": lambda machine: machine.recall(machine.number(_U1)),
        b"j": lambda machine: machine.recall(machine.number(_U4)),
        # names, calls and state
        b"c": _global_line,
        b"\x93": _stack_global,
        b"R": _reduce,
        b"\x81": _new,
        b"\x92": _new_with_keywords,
        b"o": _object,
        b"i": _instance,
        b"b": lambda machine: machine.build(),
        # persistent ids, the extension registry and buffers beside the file
        **dict.fromkeys((b"P", b"Q", b"\x82", b"\x83", b"\x84", b"\x97", b"\x98"), _no_part),
    }.items()
}
"""What each opcode does, by its byte; the names of the opcodes are in the module pickle."""
