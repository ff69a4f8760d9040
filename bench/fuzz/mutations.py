"""Real files damaged: bits, blocks, lengths, ends, opcodes, and skops descriptions."""

from __future__ import annotations

import io
import json
import pickletools
import zipfile
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from bench.fuzz.descriptions import HOSTILE, INTEGERS, KEYS, REALS, TEXTS
from bench.fuzz.estimators import files

Change = Callable[[Random, bytearray], None]


def damaged(random: Random) -> tuple[str, bytes]:
    """A joblib, pickle or skops file with one to four changes of its bytes, and its name."""
    name, data = random.choice(_listed())
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if changed:
            random.choice(CHANGES)(random, changed)
    return name, bytes(changed)


def opcodes_changed(random: Random) -> tuple[str, bytes]:
    """A plain pickle in which opcodes are dropped, doubled, swapped, or taken from another one."""
    name, opcodes = random.choice(_opcodes())
    changed = list(opcodes)
    for _ in range(random.choice((1, 1, 2, 3))):
        here = random.randrange(len(changed))
        there = random.randrange(len(changed))
        action = random.randrange(5)
        if action == 0:
            del changed[here]
        elif action == 1:
            changed.insert(here, changed[there])
        elif action == 2:
            changed[here], changed[there] = changed[there], changed[here]
        elif action == 3:
            changed.insert(here, random.choice(random.choice(_opcodes())[1]))
        else:
            opcode = bytearray(changed[here])
            _flip(random, opcode)
            changed[here] = bytes(opcode)
        changed = changed or [b"."]
    return name, b"".join(changed)


def skops_changed(random: Random) -> tuple[str, bytes]:
    """A skops file whose description, or one of whose arrays, is changed, in a whole archive."""
    name, members = random.choice(_archives())
    changed = dict(members)
    if random.random() < 0.75:
        root = json.loads(changed["schema.json"])
        for _ in range(random.choice((1, 1, 2, 3))):
            _change_json(random, root)
        changed["schema.json"] = json.dumps(root).encode()
    else:
        member = random.choice(list(changed))
        data = bytearray(changed[member])
        random.choice(CHANGES)(random, data)
        changed[member] = bytes(data)
    if random.random() < 0.1:
        changed.pop(random.choice(list(changed)))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in changed.items():
            archive.writestr(member, content)
    return name, file.getvalue()


@cache
def _listed() -> list[tuple[str, bytes]]:
    return sorted(files().items())


@cache
def _opcodes() -> list[tuple[str, list[bytes]]]:
    """The opcodes of each plain pickle, with their arguments."""
    found = []
    for name, data in _listed():
        if name.endswith(".pkl"):
            starts = [position or 0 for _, _, position in pickletools.genops(data)]
            found.append(
                (
                    name,
                    [
                        data[start:end]
                        for start, end in zip(starts, [*starts[1:], len(data)], strict=True)
                    ],
                )
            )
    return found


@cache
def _archives() -> list[tuple[str, dict[str, bytes]]]:
    found = []
    for name, data in _listed():
        if name.endswith(".skops"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                found.append(
                    (name, {member: archive.read(member) for member in archive.namelist()})
                )
    return found


# --- changes of bytes -----------------------------------------------------------------------------


def _flip(random: Random, data: bytearray) -> None:
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set_byte(random: Random, data: bytearray) -> None:
    data[random.randrange(len(data))] = random.choice((0, 1, 255, 127, 128, random.randrange(256)))


def _set_length(random: Random, data: bytearray) -> None:
    """Four or eight bytes as a length might be."""
    width = random.choice((2, 4, 8))
    start = random.randrange(len(data))
    data[start : start + width] = (random.choice(INTEGERS) & (256**width - 1)).to_bytes(
        width, "little"
    )


def _cut(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data)) :]


def _drop_block(random: Random, data: bytearray) -> None:
    start = random.randrange(len(data))
    del data[start : start + random.choice((1, 2, 4, 8, 64, 512))]


def _swap_blocks(random: Random, data: bytearray) -> None:
    size = random.choice((1, 4, 8, 64, 256))
    here, there = random.randrange(len(data)), random.randrange(len(data))
    first, second = data[here : here + size], data[there : there + size]
    data[here : here + size] = second
    data[there : there + size] = first


def _repeat_block(random: Random, data: bytearray) -> None:
    start = random.randrange(len(data))
    block = data[start : start + random.choice((1, 8, 64, 512))]
    data[start:start] = block * random.choice((1, 2, 10))


def _splice(random: Random, data: bytearray) -> None:
    """The rest, or a block, of another file."""
    other = random.choice(_listed())[1]
    start, from_ = random.randrange(len(data)), random.randrange(len(other))
    size = random.choice((8, 64, 512, len(other)))
    data[start : start + size] = other[from_ : from_ + size]


def _name(random: Random, data: bytearray) -> None:
    """A name of another length where a name was, without its length."""
    word = random.choice(
        (b"sklearn", b"numpy", b"Classifier", b"_state", b"dtype", b"shape", b"Tree")
    )
    at = data.find(word, random.randrange(len(data)))
    if at >= 0:
        data[at : at + len(word)] = (
            random.choice((*HOSTILE, *KEYS)).encode()[: len(word)].ljust(len(word), b"_")
        )


CHANGES: tuple[Change, ...] = (
    *(_flip,) * 5,
    *(_set_byte,) * 3,
    *(_set_length,) * 3,
    *(_cut, _drop_block, _swap_blocks, _repeat_block, _splice, _name),
)


# --- changes of JSON ------------------------------------------------------------------------------


def _change_json(random: Random, root: Any) -> None:
    """A value, a key or a node of the description."""
    places = []
    todo = [root]
    while todo:
        node = todo.pop()
        items = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
        for key, value in items:
            places.append((node, key))
            if isinstance(value, dict | list):
                todo.append(value)
    node, key = random.choice(places)
    action = random.randrange(8)
    if action == 0 and isinstance(node, dict):
        node.pop(key)
    elif action == 1 and isinstance(node, dict):
        node[random.choice(KEYS)] = node.pop(key)
    elif action == 2:
        other, other_key = random.choice(places)
        if not (isinstance(other, dict) and other_key not in other) and not (
            isinstance(other, list) and other_key >= len(other)
        ):
            node[key] = json.loads(json.dumps(other[other_key]))
    elif (
        action == 3
        and isinstance(node, dict)
        and key in {"__class__", "__module__", "__loader__", "content"}
    ):
        module, name = random.choice(HOSTILE).split(":")
        node.update({"__module__": module, "__class__": name})
    elif isinstance(node[key], str):
        node[key] = _other_text(random, node[key])
    else:
        node[key] = random.choice((*INTEGERS, *REALS, *TEXTS, None, True, [], {}))


def _other_text(random: Random, value: str) -> str:
    choices = [
        value + "_",
        value[:-1],
        *TEXTS,
        json.dumps(random.choice(INTEGERS)),
        json.dumps(random.choice(REALS)),
        "[]",
        "{}",
    ]
    choices += [
        "NdArrayNode",
        "ObjectNode",
        "FunctionNode",
        "ConstructorFromReduceNode",
        "TreeNode",
        "CachedNode",
        "numpy",
        "sklearn",
    ]
    return random.choice(choices)
