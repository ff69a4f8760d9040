"""Pickles of protocols 0 to 5, and joblib's files, read into nodes.

A machine of two stacks and a memo, as pickle's own, with one difference: nothing is imported, called or made. What a pickle
would call becomes a :class:`Made` that says so. joblib's arrays, which lie raw between the opcodes, become an
:class:`Array` of the bytes where they are.
"""

from __future__ import annotations

import codecs
import struct
import warnings
from collections.abc import Callable
from typing import Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.joblib_arrays import WRAPPER, Types, is_wrapper, raw_array, wrapped
from onnxpress.estimators.stored.nodes import Global, List, Made, Mapping, Set, Tuple
from onnxpress.estimators.stored.spelling import HELPERS, called, items_of, keywords_of, spelled
from onnxpress.estimators.stored.unpacking import LARGEST, unpacked

HIGHEST_PROTOCOL = 5
LONGEST_INTEGER = 1000
"""Bytes, and digits, of an integer: random states have 16 of them."""

LONGEST_LINE = 10_000_000
"""Bytes of a line of protocol 0, which holds a name or a text."""


def read(data: bytes | memoryview, largest: int = LARGEST) -> Any:
    """What the first pickle in ``data``, compressed or not, describes; ``largest`` bounds its bytes when unpacked.

    Raises:
        Damaged: cut, changed, or made by hand.
    """
    reader = _Reader(unpacked(data, largest), 0, inner=False)
    try:
        return reader.run()
    except Damaged as error:
        error.names = reader.names
        raise


class _Reader:
    def __init__(self, view: memoryview, at: int, *, inner: bool) -> None:
        """Read from byte ``at`` of ``view``; an ``inner`` pickle holds no arrays of joblib's."""
        self.view, self.at, self.inner = view, at, inner
        self.protocol = 0
        self.names: list[Global] = []  # for the line about a file that is not read to its end
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.types = Types()
        self.encoded: dict[int, tuple[str, bytes]] = {}

    def run(self) -> Any:
        """The described object; ``at`` is behind its last byte then."""
        view, size, opcodes = self.view, len(self.view), OPCODES
        while self.at < size:
            code = view[self.at]
            self.at += 1
            if code == STOP:
                return self._pop_last()
            step = opcodes.get(code)
            if step is None:
                raise Damaged(f"byte {self.at - 1} is {code}, which is no opcode that a stored estimator has")
            try:
                step(self)
            except IndexError as error:
                raise Damaged(f"byte {self.at - 1} takes from an empty stack") from error
        raise Damaged("its end is missing")

    # bytes

    def take(self, count: int) -> memoryview:
        """The next bytes.

        Raises:
            Damaged: there are fewer.
        """
        end = self.at + count
        if count < 0 or end > len(self.view):
            raise Damaged("its end is missing")
        piece = self.view[self.at : end]
        self.at = end
        return piece

    def number(self, form: struct.Struct) -> Any:
        """The next number of that form."""
        at = self.at
        self.at = at + form.size
        if self.at > len(self.view):
            raise Damaged("its end is missing")
        return form.unpack_from(self.view, at)[0]

    def line(self) -> bytes:
        """The rest of the line, without its end.

        Raises:
            Damaged: it has no end, or is too long.
        """
        start, size = self.at, 256
        while True:
            piece = bytes(self.view[start : start + size])
            end = piece.find(b"\n")
            if end >= 0:
                self.at = start + end + 1
                return piece[:end]
            if len(piece) < size or size > LONGEST_LINE:
                raise Damaged("a line has no end")
            size *= 4

    # the stack

    def push(self, item: Any) -> None:
        """Push onto the stack."""
        self.stack.append(item)

    def mark(self) -> None:
        """Begin a new stack above a mark."""
        self.marked.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Any]:
        """What lies above the mark; goes back below it.

        Raises:
            Damaged: there is no mark.
        """
        items = self.stack
        if not self.marked:
            raise Damaged("a mark is missing")
        self.stack = self.marked.pop()
        return items

    def _pop_last(self) -> Any:
        if not self.stack:
            raise Damaged("it holds nothing")
        return self.stack[-1]

    def remember(self, key: int) -> None:
        """Keep the top of the stack under a number."""
        self.memo[key] = self.stack[-1]

    def recall(self, key: int) -> None:
        """Push what was kept.

        Raises:
            Damaged: nothing was.
        """
        if key not in self.memo:
            raise Damaged("it refers to a part that is not there")
        self.stack.append(self.memo[key])

    # objects

    def name(self, module: Any, name: Any) -> None:
        """Push a global.

        Raises:
            Damaged: its name is no text.
        """
        if type(module) is not str or type(name) is not str:
            raise Damaged("a name that is no text")
        named = spelled(module, name, self.protocol)
        if named.path not in HELPERS and named.path != WRAPPER:
            self.names.append(named)
        self.push(named)

    def fill(self, items: list[Any]) -> None:
        """Append to the list, or what behaves like one, on top of the stack.

        Raises:
            Damaged: there is none.
        """
        target = self.stack[-1]
        if not isinstance(target, List | Made):
            raise Damaged("items for what is no list")
        target.items.extend(items)

    def fill_pairs(self, items: list[Any]) -> None:
        """Set pairs of the dict, or what behaves like one, on top of the stack.

        Raises:
            Damaged: there is none, or a key without a value.
        """
        target = self.stack[-1]
        if not isinstance(target, Mapping | Made) or len(items) % 2:
            raise Damaged("pairs for what is no dict")
        target.pairs.extend(zip(items[::2], items[1::2], strict=True))

    def add(self, items: list[Any]) -> None:
        """Add to the set on top of the stack.

        Raises:
            Damaged: there is none.
        """
        target = self.stack[-1]
        if not isinstance(target, Set) or target.frozen:
            raise Damaged("items for what is no set")
        target.items.extend(items)

    def build(self) -> None:
        """Give the object below the top the state on top; the array follows if it announces one of joblib's.

        Raises:
            Damaged: state for what is not made, or a made-up array.
        """
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, Made):
            raise Damaged("state for what is no object")
        target.states.append(state)
        if is_wrapper(target) and not self.inner:
            self.stack[-1] = self._array(target)

    def _array(self, wrapper: Made) -> Any:
        array = wrapped(wrapper, self.types)
        if array.size:
            node, self.at = raw_array(array, self.view, self.at)
            return node
        reader = _Reader(self.view, self.at, inner=True)
        reader.names = self.names
        found = reader.run()
        self.at = reader.at
        if not (isinstance(found, Made) and isinstance(found.maker, Global) and found.maker.path in OBJECT_ARRAYS):
            raise Damaged("an array of objects is something else")
        return found


OBJECT_ARRAYS = ("numpy._core.multiarray._reconstruct", "numpy._core.numeric._frombuffer")
Step = Callable[[_Reader], None]
STOP = ord(".")

_U1, _U2, _U4, _U8 = struct.Struct("<B"), struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")
_I4, _F8 = struct.Struct("<i"), struct.Struct(">d")


def _text(raw: bytes | memoryview, encoding: str = "utf-8") -> str:
    try:
        return str(raw, encoding)
    except UnicodeDecodeError as error:
        raise Damaged("a text that is not Unicode") from error


def _sized_text(form: struct.Struct) -> Step:
    return lambda reader: reader.push(_text(reader.take(reader.number(form))))


def _sized_ascii(form: struct.Struct) -> Step:
    return lambda reader: reader.push(_text(reader.take(reader.number(form)), "ascii"))


def _sized_bytes(form: struct.Struct) -> Step:
    return lambda reader: reader.push(bytes(reader.take(reader.number(form))))


def _bytearray(reader: _Reader) -> None:
    content = bytes(reader.take(reader.number(_U8)))
    reader.push(Made(Global("builtins", "bytearray"), "call", [content]))


def _long(form: struct.Struct) -> Step:
    def step(reader: _Reader) -> None:
        size = reader.number(form)
        if not 0 <= size <= LONGEST_INTEGER:
            raise Damaged("an integer is too long")
        reader.push(int.from_bytes(reader.take(size), "little", signed=True))

    return step


def _number_line(reader: _Reader, kind: Callable[[str], Any]) -> Any:
    raw = reader.line()
    if len(raw) > LONGEST_INTEGER:
        raise Damaged("a number is too long")
    try:
        return kind(_text(raw, "ascii"))
    except ValueError as error:
        raise Damaged("a number that is none") from error


def _int_line(reader: _Reader) -> None:
    """An integer; protocol 0 has no other way to write a bool."""
    if bytes(reader.view[reader.at : reader.at + 3]) in (b"00\n", b"01\n"):
        reader.push(reader.line() == b"01")
    else:
        reader.push(_number_line(reader, int))


def _long_line(reader: _Reader) -> None:
    reader.push(_number_line(reader, lambda text: int(text.removesuffix("L"))))


def _string_line(reader: _Reader) -> None:
    """A text of Python 2, quoted and escaped."""
    raw = reader.line()
    if len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in (b'"', b"'"):
        raise Damaged("a text without quotes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of escapes that mean themselves
        try:
            content = codecs.escape_decode(raw[1:-1])[0]  # as pickle does
        except ValueError as error:
            raise Damaged("a text with a wrong escape") from error
    reader.push(_text(content, "ascii"))


def _unicode_line(reader: _Reader) -> None:
    text = _text(reader.line(), "raw-unicode-escape")
    reader.push(_text(text.encode("utf-8", "surrogatepass")))


def _number_or_line(reader: _Reader) -> int:
    key: int = _number_line(reader, int)
    if not 0 <= key < 1 << 32:
        raise Damaged("a part with a number that is none")
    return key


def _tuple(count: int) -> Step:
    def step(reader: _Reader) -> None:
        if len(reader.stack) < count:
            raise IndexError
        items = reader.stack[len(reader.stack) - count :]
        del reader.stack[len(reader.stack) - count :]
        reader.push(Tuple(items))

    return step


def _pop(reader: _Reader) -> None:
    if reader.stack:
        reader.stack.pop()
    else:
        reader.pop_mark()


def _drop_to_mark(reader: _Reader) -> None:
    reader.pop_mark()


def _dict(reader: _Reader) -> None:
    items = reader.pop_mark()
    reader.push(Mapping())
    reader.fill_pairs(items)


def _set_item(reader: _Reader) -> None:
    value = reader.stack.pop()
    key = reader.stack.pop()
    reader.fill_pairs([key, value])


def _append(reader: _Reader) -> None:
    item = reader.stack.pop()
    reader.fill([item])


def _global_line(reader: _Reader) -> None:
    module = _text(reader.line())
    reader.name(module, _text(reader.line()))


def _stack_global(reader: _Reader) -> None:
    name = reader.stack.pop()
    reader.name(reader.stack.pop(), name)


def _reduce(reader: _Reader) -> None:
    arguments = reader.stack.pop()
    reader.stack[-1] = called(reader.stack[-1], arguments, reader.encoded)


def _new(reader: _Reader) -> None:
    arguments = reader.stack.pop()
    reader.stack[-1] = Made(reader.stack[-1], "new", items_of(arguments))


def _new_with_keywords(reader: _Reader) -> None:
    keywords, arguments = reader.stack.pop(), reader.stack.pop()
    reader.stack[-1] = Made(reader.stack[-1], "new", items_of(arguments), keywords_of(keywords))


def _object(reader: _Reader) -> None:
    """A call written as mark, callable, arguments."""
    items = reader.pop_mark()
    reader.push(called(items[0], Tuple(items[1:]), reader.encoded))


def _instance(reader: _Reader) -> None:
    """A call written as mark, arguments, and the callable's name."""
    _global_line(reader)
    maker = reader.stack.pop()
    reader.push(called(maker, Tuple(reader.pop_mark()), reader.encoded))


def _protocol(reader: _Reader) -> None:
    reader.protocol = reader.number(_U1)
    if reader.protocol > HIGHEST_PROTOCOL:
        raise Damaged(f"pickle protocol {reader.protocol} is not known")


def _frame(reader: _Reader) -> None:
    """A frame only says that so many bytes follow."""
    if reader.number(_U8) > len(reader.view) - reader.at:
        raise Damaged("its end is missing")


def _no_part(reader: _Reader) -> None:
    raise Damaged(f"byte {reader.at - 1} refers to something outside the file")


OPCODES: dict[int, Step] = {
    opcode[0]: step
    for opcode, step in {
        b"\x80": _protocol,
        b"\x95": _frame,
        b"(": _Reader.mark,
        b"0": _pop,
        b"1": _drop_to_mark,
        b"2": lambda reader: reader.push(reader.stack[-1]),
        # constants and numbers
        b"N": lambda reader: reader.push(None),
        b"\x88": lambda reader: reader.push(True),
        b"\x89": lambda reader: reader.push(False),
        b"I": _int_line,
        b"L": _long_line,
        b"J": lambda reader: reader.push(reader.number(_I4)),
        b"K": lambda reader: reader.push(reader.number(_U1)),
        b"M": lambda reader: reader.push(reader.number(_U2)),
        b"\x8a": _long(_U1),
        b"\x8b": _long(_I4),
        b"F": lambda reader: reader.push(_number_line(reader, float)),
        b"G": lambda reader: reader.push(reader.number(_F8)),
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
        b")": lambda reader: reader.push(Tuple()),
        b"\x85": _tuple(1),
        b"\x86": _tuple(2),
        b"\x87": _tuple(3),
        b"t": lambda reader: reader.push(Tuple(reader.pop_mark())),
        b"]": lambda reader: reader.push(List()),
        b"l": lambda reader: reader.push(List(reader.pop_mark())),
        b"a": _append,
        b"e": lambda reader: reader.fill(reader.pop_mark()),
        b"}": lambda reader: reader.push(Mapping()),
        b"d": _dict,
        b"s": _set_item,
        b"u": lambda reader: reader.fill_pairs(reader.pop_mark()),
        b"\x8f": lambda reader: reader.push(Set()),
        b"\x90": lambda reader: reader.add(reader.pop_mark()),
        b"\x91": lambda reader: reader.push(Set(reader.pop_mark(), frozen=True)),
        # memo
        b"p": lambda reader: reader.remember(_number_or_line(reader)),
        b"q": lambda reader: reader.remember(reader.number(_U1)),
        b"r": lambda reader: reader.remember(reader.number(_U4)),
        b"\x94": lambda reader: reader.remember(len(reader.memo)),
        b"g": lambda reader: reader.recall(_number_or_line(reader)),
        b"h": lambda reader: reader.recall(reader.number(_U1)),
        b"j": lambda reader: reader.recall(reader.number(_U4)),
        # names, calls and state
        b"c": _global_line,
        b"\x93": _stack_global,
        b"R": _reduce,
        b"\x81": _new,
        b"\x92": _new_with_keywords,
        b"o": _object,
        b"i": _instance,
        b"b": _Reader.build,
        # persistent ids, the extension registry and buffers beside the file
        **dict.fromkeys((b"P", b"Q", b"\x82", b"\x83", b"\x84", b"\x97", b"\x98"), _no_part),
    }.items()
}
"""What each opcode does, by its byte; the names of the opcodes are in the module pickle."""
