"""Change a number, a size or a part of real estimators' files, and load each in its own process.

``python -m tests.support.stored_mutations SEED EACH [name ...]`` changes each case of
:mod:`tests.support.stored_cases`, or those named, ``EACH`` times, and prints what became of them
as JSON: "damaged", "refused", "asked", or the signal that a process died of.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
import os
import pickle
import resource
import signal
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from onnxpress.estimators import stored
from onnxpress.estimators.stored import budget, grammar
from onnxpress.estimators.stored.nodes import Global, List, Made, Mapping, Tuple
from onnxpress.estimators.stored.pickle_reader import read
from tests.support.stored_cases import answers, fitted

EXTREMES = (
    0,
    1,
    -1,
    2,
    3,
    7,
    100,
    255,
    256,
    2**15,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**62,
    2**63 - 1,
    -(2**63),
)
REALS = (math.nan, math.inf, 1e300, -1.0)
OTHERS = (
    None,
    True,
    False,
    0,
    -1,
    2**40,
    math.nan,
    -0.5,
    "",
    "x",
    "zero",
    "precomputed",
    b"",
    bytes(64),
)
SECONDS = 20
BYTES = 6 << 30
LARGEST = 10**7
REFUSED, DAMAGED, MEMORY, ODD = 2, 3, 4, 5
ENDS = {
    0: "asked",
    REFUSED: "refused",
    DAMAGED: "damaged",
    MEMORY: "memory",
    ODD: "another exception",
}
Slot = tuple[list[Any], int]


def main() -> None:
    """Change, load, ask; print the counts and the cases of each signal."""
    seed, each, *names = sys.argv[1:]
    counts: Counter[str] = Counter()
    notes = []
    for name, estimator, rows in fitted(*names):
        whole = read(pickle.dumps(estimator, 4))
        for number in range(int(each)):
            changed = copy.deepcopy(whole)
            change(changed, Random(f"{seed} {name} {number}"))  # noqa: S311 - not for secrets
            end = _end_of(changed, rows)
            counts[end] += 1
            if end.startswith(("signal", "another")):
                notes.append(f"{name} {number}: {end}")
    print(json.dumps({"counts": counts, "notes": notes}))  # noqa: T201 - what the test reads


def _end_of(root: Any, rows: Any) -> str:
    """Load and ask in a child, which may die of it."""
    child = os.fork()
    if child == 0:
        os._exit(_load_and_ask(root, rows))
    _, status = os.waitpid(child, 0)
    return (
        f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else ENDS[os.WEXITSTATUS(status)]
    )


def _load_and_ask(root: Any, rows: Any) -> int:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    signal.alarm(SECONDS)
    with (
        Path(os.devnull).open("w") as nothing,
        contextlib.redirect_stderr(nothing),
        contextlib.redirect_stdout(nothing),
    ):
        try:
            grammar.judge(root)
            answers(grammar.build(root), rows)
        except stored.Refused:
            return REFUSED
        except (stored.Damaged, stored.OtherVersion):
            return DAMAGED
        except MemoryError:
            return MEMORY
        except BaseException:
            return ODD
    return 0


def change(root: Any, random: Random) -> None:
    """One change: most of them to an array that stays whole in itself."""
    arrays = [node.states[0].items for node in _nodes(root) if _is_array(node)]
    kinds = [_size, _size, _size, _element, _element, _element, _number, _number, _part, _other]
    kind = random.choice(kinds)
    if kind in (_size, _element) and arrays:
        kind(random.choice(arrays), random)
    else:
        (kind if kind not in (_size, _element) else _part)(list(_slots(root)), random)


def _nodes(root: Any) -> Iterator[Any]:
    seen: set[int] = set()
    work = [root]
    while work:
        node = work.pop()
        if isinstance(node, List | Tuple | Mapping | Made) and id(node) not in seen:
            seen.add(id(node))
            yield node
            work.extend(budget.children(node))


def _slots(root: Any) -> Iterator[Slot]:
    for node in _nodes(root):
        if isinstance(node, Made):
            lists = [node.arguments, node.states]
        else:
            lists = [node.pairs if isinstance(node, Mapping) else node.items]
        for items in lists:
            yield from ((items, place) for place in range(len(items)))


def _get(slot: Slot) -> Any:
    found = slot[0][slot[1]]
    return found[1] if isinstance(found, tuple) else found


def _set(slot: Slot, value: Any) -> None:
    found = slot[0][slot[1]]
    slot[0][slot[1]] = (found[0], value) if isinstance(found, tuple) else value


def _is_array(node: Any) -> bool:
    if not (
        isinstance(node, Made)
        and isinstance(node.maker, Global)
        and node.maker.name == "_reconstruct"
    ):
        return False
    state = node.states[0].items if node.states and isinstance(node.states[0], Tuple) else []
    return len(state) == 5 and isinstance(state[4], bytes | memoryview)


def _item_size(state: list[Any]) -> int:
    return max(1, len(state[4]) // (math.prod(state[1].items) or 1))


def _size(state: list[Any], random: Random) -> None:
    """Another shape, and as many bytes as that needs."""
    shape, width, data = list(state[1].items), _item_size(state), bytes(state[4])
    if not shape:
        return
    place = random.randrange(len(shape))
    now = shape[place]
    shape[place] = max(0, random.choice([0, 1, now - 1, now + 1, 2 * now, now // 2]))
    if random.random() < 0.1:
        shape.reverse()
    size = math.prod(shape) * width
    if size < LARGEST:
        state[1] = Tuple(list(shape))
        state[4] = (data * (size // max(1, len(data)) + 1))[:size] if data else bytes(size)


def _element(state: list[Any], random: Random) -> None:
    """Another number in one place; in a record, in any of its fields."""
    data, width = bytearray(state[4]), _item_size(state)
    if len(data) < width or not data:
        return
    place = random.randrange(len(data) // width) * width
    if width > 8:
        place += random.randrange(width // 4) * 4
    number = struct.pack("<q", random.choice(EXTREMES))
    if width == 8 and random.random() < 0.3:
        number = struct.pack("<d", random.choice(REALS))
    length = min(width, random.choice([4, 8]) if width > 8 else width)
    data[place : place + length] = number[:length]
    state[4] = bytes(data[: len(state[4])])


def _number(slots: list[Slot], random: Random) -> None:
    """Another number in place of one."""
    numbers = [slot for slot in slots if type(_get(slot)) in (int, float)]
    slot = random.choice(numbers or slots)
    now = _get(slot)
    near = isinstance(now, int) and random.random() < 0.5
    _set(slot, now + random.choice([-2, -1, 1, 2, 10]) if near else random.choice(EXTREMES))


def _part(slots: list[Slot], random: Random) -> None:
    """Another part of the same file in place of one."""
    _set(random.choice(slots), _get(random.choice(slots)))


def _other(slots: list[Slot], random: Random) -> None:
    """Something plain in place of a part, or the part gone."""
    slot = random.choice(slots)
    if random.random() < 0.3:
        del slot[0][slot[1]]
    else:
        _set(slot, random.choice(OTHERS))


if __name__ == "__main__":
    main()
