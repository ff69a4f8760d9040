"""Random states of numpy.

Made by name, and given a state whose parts are within what their C code reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.estimators.stored.arrays import names, only_called
from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, Made, Tuple
from onnxpress.estimators.stored.rules import Build, Rule

_GENERATORS: dict[str, Any] = {
    "MT19937": np.random.MT19937,
    "PCG64": np.random.PCG64,
    "PCG64DXSM": np.random.PCG64DXSM,
    "Philox": np.random.Philox,
    "SFC64": np.random.SFC64,
}
_CLASSES = {f"{made_by.__module__}.{name}": name for name, made_by in _GENERATORS.items()}
_SEEDS = "numpy.random.bit_generator.SeedSequence"
_GREATEST = {
    "pos": 624,
    "buffer_pos": 4,
    "has_uint32": 1,
    "has_gauss": 1,
    "uinteger": (1 << 32) - 1,
    "state": (1 << 128) - 1,
    "inc": (1 << 128) - 1,
}
"""The greatest integer of each name in a state; ``pos`` is an index that numpy does not check."""

LARGEST_POOL = 64


def _bit_generator(made: Made, build: Build) -> Any:
    """Make ``__bit_generator_ctor(class or name)``.

    It is given its state and, since numpy 2, what it was seeded by.
    """
    if (
        made.how != "call"
        or made.keywords
        or made.items
        or made.pairs
        or len(made.arguments) > 1
        or len(made.states) > 1
    ):
        raise Damaged("a random state that numpy does not write so")
    name = _name(made.arguments[0]) if made.arguments else "MT19937"
    state = made.states[0] if made.states else None
    seeds = None
    if isinstance(state, Tuple):
        state, seeds = state.items if len(state.items) == 2 else (None, None)
    given = build(seeds)
    if not isinstance(given, np.random.SeedSequence | None):
        raise Damaged("a random state seeded by something else")
    generator = _GENERATORS[name](np.random.SeedSequence(0) if given is None else given)
    _set(generator, build(state))
    return generator


def _name(node: Any) -> str:
    name = _CLASSES.get(node.path) if isinstance(node, Global) else node
    if not isinstance(name, str) or name not in _GENERATORS:
        raise Damaged("a random state of a kind that numpy does not have")
    return name


def _set(generator: Any, state: Any) -> None:
    if state is not None:
        _check_like(state, generator.state, "")
        generator.state = state


def _check_like(state: Any, own: Any, key: str) -> None:
    """Raise Damaged unless a state has the parts of one of numpy's own, within their limits."""
    if isinstance(own, dict):
        fits = type(state) is dict and state.keys() == own.keys()
        for part in own if fits else ():
            _check_like(state[part], own[part], part)
    elif isinstance(own, np.ndarray):
        fits = type(state) is np.ndarray and state.dtype == own.dtype and state.shape == own.shape
    elif isinstance(own, str):
        fits = type(state) is str and state == own
    elif isinstance(own, float):
        fits = type(state) is float
    else:
        fits = type(state) is int and 0 <= state <= _GREATEST.get(key, 0)
    if not fits:
        raise Damaged("a random state whose parts numpy does not write")


def _random_state(made: Made, build: Build) -> Any:
    """``__randomstate_ctor(bit generator or name)``, given its state."""
    if (
        made.how != "call"
        or made.keywords
        or made.items
        or made.pairs
        or len(made.arguments) > 1
        or len(made.states) > 1
    ):
        raise Damaged("a random state that numpy does not write so")
    found = np.random.RandomState(_bits(made, build, np.random.MT19937))
    if made.states:
        state = build(made.states[0])
        _check_like(state, found.get_state(legacy=False), "")
        found.set_state(state)
    return found


def _generator(made: Made, build: Build) -> Any:
    """``__generator_ctor(bit generator)``."""
    only_called(made, 1)
    return np.random.Generator(_bits(made, build, np.random.BitGenerator))


def _bits(made: Made, build: Build, kind: type) -> Any:
    """The bit generator that is the argument, or that the argument names."""
    argument = made.arguments[0] if made.arguments else "MT19937"
    bits = build(argument) if isinstance(argument, Made) else _GENERATORS[_name(argument)](0)
    if not isinstance(bits, kind):
        raise Damaged("a random state of something else")
    return bits


def _seeds(made: Made, build: Build) -> Any:
    """``__pyx_unpickle_SeedSequence(class, checksum, state)``.

    The state follows by itself when that is None.
    """
    arguments = made.arguments
    plain = made.how == "call" and not (made.keywords or made.items or made.pairs)
    if not plain or len(arguments) != 3 or not names(arguments[0], _SEEDS) or len(made.states) > 1:
        raise Damaged("a seed that numpy does not write so")
    state = arguments[2] if arguments[2] is not None else made.states[0] if made.states else None
    if not isinstance(state, Tuple) or len(state.items) != 5:
        raise Damaged("a seed without a state")
    entropy, children, pool, size, key = build(state)
    whole = [*(entropy if type(entropy) in (list, tuple) else [entropy]), children, size, *key]
    if (
        not all(_is_natural(number) for number in whole)
        or size > LARGEST_POOL
        or type(key) is not tuple
    ):
        raise Damaged("a seed of something else")
    found = np.random.SeedSequence(
        entropy, spawn_key=key, pool_size=size, n_children_spawned=children
    )
    if not np.array_equal(found.pool, pool):
        raise Damaged("a seed whose numbers do not belong together")
    return found


def _is_natural(number: Any) -> bool:
    return type(number) is not bool and isinstance(number, int | np.integer) and bool(number >= 0)


RULES: dict[str, Rule] = {
    "numpy.random._pickle.__bit_generator_ctor": _bit_generator,
    "numpy.random._pickle.__randomstate_ctor": _random_state,
    "numpy.random._pickle.__generator_ctor": _generator,
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": _seeds,
}
NAMED = (_SEEDS, *_CLASSES)
"""Names that these rules take as arguments."""
