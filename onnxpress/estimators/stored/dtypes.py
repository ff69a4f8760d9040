"""Types of numbers: looked up by what a file says of them, never made from it.

A state of ``numpy.dtype`` can lay an object over a number, so none reaches numpy: a file's type
is compared with those that numpy makes itself.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, Made, Mapping, Tuple

_PLAIN = re.compile(r"([<>=|])?(b1|[iu][1248]|f[248]|c8|c16|O8|O|[US][1-9]\d{0,6})", re.ASCII)
_TEXT_ITEM = {"U": 4, "S": 1}
_STATE_ITEMS = 8
"""Version, byte order, subtype, names, fields, item size, alignment and flags."""


def dtype_of(node: Any) -> np.dtype[Any]:
    """The type that a node describes; its byte order may be foreign.

    Raises:
        Damaged: it is none of plain numbers, text, objects and the records of scikit-learn.
    """
    if isinstance(node, np.dtype):
        return node
    if isinstance(node, str):
        return _plain(node)
    if isinstance(node, Made):
        if not (isinstance(node.maker, Global) and node.maker.path == "numpy.dtype"):
            raise Damaged("numbers of a type that the file makes itself")
        return _made(node)
    raise Damaged("numbers of no type")


@lru_cache(maxsize=1000)
def _plain(text: str) -> np.dtype[Any]:
    found = _PLAIN.fullmatch(text) if len(text) <= 12 else None
    if found is None:
        raise Damaged(f"numbers of the type {text[:20]!r}, which no fitted estimator has")
    return np.dtype("O" if found[2] == "O8" else text)


def _made(made: Made) -> np.dtype[Any]:
    """The type of ``numpy.dtype(text, False, True)`` and its state."""
    if made.how != "call" or made.keywords or made.items or made.pairs or len(made.states) > 1:
        raise Damaged("a type of numbers that numpy does not write so")
    if len(made.arguments) not in (1, 3) or not all(
        type(flag) in (bool, int) for flag in made.arguments[1:]
    ):
        raise Damaged("a type of numbers with arguments that numpy does not write")
    text = made.arguments[0]
    if not isinstance(text, str) or len(text) > 12:
        raise Damaged("a type of numbers without a name")
    if text.startswith("V"):
        return _record(made)
    plain = _plain(text)
    if not made.states:
        return plain
    state = _state(made)
    order = state[1] if state[1] in ("<", ">", "|", "=") else None
    names = state[3] if isinstance(state[3], Tuple) and state[3].items else None
    if order is None or state[2] is not None or names is not None or isinstance(state[4], Mapping):
        raise Damaged("a type of numbers that is laid over another")
    item = _TEXT_ITEM.get(plain.kind)
    if item is not None and state[5] != plain.itemsize:
        raise Damaged("text whose width is not its item size")
    return plain.newbyteorder(order)


def _state(made: Made) -> list[Any]:
    state = made.states[0]
    if not isinstance(state, Tuple) or len(state.items) != _STATE_ITEMS:
        raise Damaged("a type of numbers whose state numpy does not write")
    return state.items


def _record(made: Made) -> np.dtype[Any]:
    """The record of scikit-learn that the state describes."""
    if len(made.states) == 1:
        state = _state(made)
        for known in records():
            if _describes(state, known):
                return known
    raise Damaged("records that are not nodes of a tree")


def _describes(state: list[Any], known: np.dtype[Any]) -> bool:
    """Whether a state names the fields of a record with the same places, types and size."""
    names, fields, known_fields = state[3], state[4], dict(known.fields or {})
    if not (isinstance(names, Tuple) and isinstance(fields, Mapping)) or state[2] is not None:
        return False
    if not len(names.items) == len(fields.pairs) == len(known_fields) or state[5] != known.itemsize:
        return False
    return tuple(names.items) == known.names and all(
        _is_field(name, place, known_fields) for name, place in fields.pairs
    )


def _is_field(name: Any, place: Any, known: dict[str, Any]) -> bool:
    """Whether a field of that name has that type and offset."""
    if (
        not isinstance(name, str)
        or name not in known
        or not isinstance(place, Tuple)
        or len(place.items) != 2
    ):
        return False
    kind, offset = place.items
    return type(offset) is int and offset == known[name][1] and _field(kind) == known[name][0]


def _field(node: Any) -> np.dtype[Any]:
    """The type of a field: no record itself, or records could lie in records without end."""
    text = node.arguments[0] if isinstance(node, Made) and node.arguments else None
    if isinstance(text, str) and text.startswith("V"):
        raise Damaged("records in records")
    return dtype_of(node)


@cache
def records() -> tuple[np.dtype[Any], ...]:
    """The records that the arrays of fitted estimators have.

    Nodes of trees, of histogram trees and of neighbours' trees.
    """
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.tree._tree import NODE_DTYPE

    neighbors = np.dtype(
        [("idx_start", "<i8"), ("idx_end", "<i8"), ("is_leaf", "<i8"), ("radius", "<f8")]
    )
    return NODE_DTYPE, PREDICTOR_RECORD_DTYPE, neighbors
