"""Containers and small values of the standard library, and scikit-learn's Bunch, made by us."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Any

import numpy as np

from onnxpress.estimators.stored.arrays import names, only_called
from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, List, Made, Mapping, Set, Tuple
from onnxpress.estimators.stored.rules import Build, Rule

MOST_TUPLE_KEYS = 1000
LONGEST_TUPLE_KEY = 20
SMALL = 1 << 64
"""Large integers, complex numbers and nested tuples can be chosen to have equal hashes."""

_FACTORIES: dict[str, Any] = {
    "builtins.list": list,
    "builtins.int": int,
    "builtins.dict": dict,
    "builtins.float": float,
    "builtins.set": set,
    "collections.OrderedDict": collections.OrderedDict,
}


def check_keys(keys: Iterable[Any]) -> None:
    """Raise Damaged unless the keys are text, numbers, None, or a few tuples of those."""
    tuples = 0
    for key in keys:
        if type(key) is tuple:
            tuples += 1
            if (
                tuples > MOST_TUPLE_KEYS
                or len(key) > LONGEST_TUPLE_KEY
                or not all(map(_is_key, key))
            ):
                raise Damaged("keys that no fitted estimator has")
        elif not _is_key(key):
            raise Damaged(f"a key that is a {type(key).__name__[:40]}")


def _is_key(key: Any) -> bool:
    if type(key) is int:
        return -SMALL < key < SMALL
    plain = key is None or type(key) in (str, bool, float, bytes)
    return plain or (isinstance(key, np.generic) and key.dtype.kind in "biufUS")


def fill_pairs(target: Any, pairs: Iterable[tuple[Any, Any]], build: Build) -> None:
    """Set built pairs of a dict.

    Raises:
        Damaged: as :func:`check_keys`.
    """
    built = [(build(key), build(value)) for key, value in pairs]
    check_keys(key for key, _ in built)
    target.update(built)


def build_set(node: Set, build: Build) -> Any:
    """A set or frozenset.

    Raises:
        Damaged: as :func:`check_keys`.
    """
    items = [build(item) for item in node.items]
    check_keys(items)
    return frozenset(items) if node.frozen else set(items)


def _content(node: Any) -> list[Any]:
    """The nodes in a list or tuple."""
    if not isinstance(node, List | Tuple):
        raise Damaged("a container whose content is not a list")
    return node.items


def _list(made: Made, build: Build) -> Any:
    arguments = only_called(made, 0, 1)
    return [build(item) for item in _content(arguments[0])] if arguments else []


def _tuple(made: Made, build: Build) -> Any:
    return tuple(_list(made, build))


def _dict(made: Made, build: Build) -> Any:
    arguments = only_called(made, 0, 1)
    found: dict[Any, Any] = {}
    if arguments:
        fill_pairs(found, _pairs(arguments[0]), build)
    return found


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    if isinstance(node, Mapping):
        return node.pairs
    pairs = [_content(pair) for pair in _content(node)]
    if not all(len(pair) == 2 for pair in pairs):
        raise Damaged("a dict whose content is not pairs")
    return [(pair[0], pair[1]) for pair in pairs]


def _set(made: Made, build: Build) -> Any:
    arguments = only_called(made, 0, 1)
    frozen = names(made.maker, "builtins.frozenset")
    return build_set(Set(_content(arguments[0]) if arguments else [], frozen), build)


def _bytearray(made: Made, _build: Build) -> Any:
    """``bytearray(b"…")``, or of Latin-1 text and its encoding in protocols 0 to 2."""
    arguments = only_called(made, 0, 2)
    if not arguments:
        return bytearray()
    content = arguments[0]
    if len(arguments) == 1 and isinstance(content, bytes):
        return bytearray(content)
    if len(arguments) == 2 and isinstance(content, str) and arguments[1] in ("latin-1", "latin1"):
        return bytearray(content.encode("latin-1"))
    raise Damaged("a bytearray of something else")


def _numbers(made: Made, least: int, most: int, *kinds: type) -> list[Any]:
    arguments = only_called(made, least, most)
    if not all(type(argument) in kinds for argument in arguments):
        raise Damaged("arguments that the original does not write")
    return arguments


def _complex(made: Made, _build: Build) -> Any:
    return complex(*_numbers(made, 2, 2, float))


def _slice(made: Made, _build: Build) -> Any:
    return slice(*_numbers(made, 3, 3, int, str, type(None)))


def _range(made: Made, _build: Build) -> Any:
    return range(*_numbers(made, 3, 3, int))


def _ordered(made: Made, build: Build) -> Any:
    """``OrderedDict()`` and pairs, or a list of pairs in protocol 0 and 1."""
    if made.how != "call" or made.keywords or made.items or made.states or len(made.arguments) > 1:
        raise Damaged("an OrderedDict that is not written so")
    found: collections.OrderedDict[Any, Any] = collections.OrderedDict()
    fill_pairs(found, [*(_pairs(made.arguments[0]) if made.arguments else []), *made.pairs], build)
    return found


def _default(made: Made, build: Build) -> Any:
    """``defaultdict(factory)`` and pairs."""
    factory = made.arguments[0] if made.arguments else None
    known = factory is None or (isinstance(factory, Global) and factory.path in _FACTORIES)
    if (
        made.how != "call"
        or made.keywords
        or made.items
        or made.states
        or len(made.arguments) > 1
        or not known
    ):
        raise Damaged("a defaultdict with a factory that no fitted estimator has")
    made_by = _FACTORIES[factory.path] if isinstance(factory, Global) else None
    found: collections.defaultdict[Any, Any] = collections.defaultdict(made_by)
    fill_pairs(found, made.pairs, build)
    return found


def _counter(made: Made, build: Build) -> Any:
    found: collections.Counter[Any] = collections.Counter()
    arguments = only_called(made, 1)
    pairs = _pairs(arguments[0])
    if not all(type(build(count)) in (int, float) for _, count in pairs):
        raise Damaged("a Counter of something else")
    built = [(build(key), build(count)) for key, count in pairs]
    check_keys(key for key, _ in built)
    for key, count in built:
        found[key] = count
    return found


def _deque(made: Made, build: Build) -> Any:
    """``deque()`` or ``deque((), maxlen)``, and items."""
    if made.how != "call" or made.keywords or made.pairs or made.states or len(made.arguments) > 2:
        raise Damaged("a deque that is not written so")
    longest = made.arguments[1] if len(made.arguments) == 2 else None
    if longest is not None and (type(longest) is not int or not 0 <= longest < SMALL):
        raise Damaged("a deque with a length that is none")
    before = _content(made.arguments[0]) if made.arguments else []
    return collections.deque([build(item) for item in [*before, *made.items]], longest)


def _bunch(made: Made, build: Build) -> Any:
    """``Bunch.__new__(Bunch)`` and pairs; of its state it keeps nothing."""
    from sklearn.utils import Bunch

    if (
        made.how != "new"
        or made.arguments
        or made.keywords
        or made.items
        or not all(map(_says_nothing, made.states))
    ):
        raise Damaged("a Bunch that is not written so")
    found = Bunch()
    fill_pairs(found, made.pairs, build)
    if not all(type(key) is str and not key.startswith("__") for key in found):
        # its keys are attributes too, and numpy takes __array_interface__ for an address
        raise Damaged("a Bunch with a key that is not a name")
    if any(map(callable, found.values())):
        raise Damaged(
            "a Bunch with something that can be called, which its keys would be methods by"
        )
    return found


def _says_nothing(state: Any) -> bool:
    pairs = state.pairs if isinstance(state, Mapping) else [(None, None)]
    return len(pairs) <= 1 and all(
        key == "_deprecated_key_to_warnings" and isinstance(value, Mapping) and not value.pairs
        for key, value in pairs
    )


RULES: dict[str, Rule] = {
    "builtins.list": _list,
    "builtins.tuple": _tuple,
    "builtins.dict": _dict,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "builtins.bytearray": _bytearray,
    "builtins.complex": _complex,
    "builtins.slice": _slice,
    "builtins.range": _range,
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _default,
    "collections.Counter": _counter,
    "collections.deque": _deque,
    "sklearn.utils._bunch.Bunch": _bunch,
}
NAMED = tuple(_FACTORIES)
"""Names that these rules take as arguments."""
