"""What a file says, as inert data: nothing here imports, calls or makes what the file names.

None, bool, int, float, str and bytes are themselves. Whatever else a file holds is one of
these nodes. A node that the file mentions twice is the same node twice, and a container may
contain itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True, eq=False)
class List:
    """A list."""

    items: list[Any] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Tuple:
    """A tuple."""

    items: list[Any] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping:
    """A dict, as pairs: nothing is hashed before it is judged."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Set:
    """A set or frozenset."""

    items: list[Any] = field(default_factory=list)
    frozen: bool = False


@dataclass(slots=True, eq=False)
class Global:
    """A class or function by its name, in today's spelling (``builtins``, ``numpy._core``)."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """``package.module.name``."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Made:
    """An object that the file wants made.

    ``how`` it would be, of which ``maker``, and what it is given afterwards.

    ``new`` is ``maker.__new__(maker, *arguments)``, which ``copyreg``'s helpers come down to as
    well; ``call`` is ``maker(*arguments)``. ``states``, ``items`` and ``pairs`` are for
    ``__setstate__``, ``append`` and ``__setitem__``.
    """

    maker: Any
    how: Literal["new", "call"]
    arguments: list[Any]
    keywords: list[tuple[Any, Any]] = field(default_factory=list)
    states: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Array:
    """Numbers or fixed-width text that are stored beside the description.

    Arrays of joblib and the .npy files of skops are stored this way.

    ``dtype`` is a ``numpy.dtype`` that we have looked up, its string, or its node, a
    :class:`Made`. ``data`` are bytes, at least ``shape`` times the item size of them.
    """

    shape: tuple[int, ...]
    dtype: Any
    order: Literal["C", "F"]
    data: memoryview
