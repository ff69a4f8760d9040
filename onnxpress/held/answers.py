"""What goes into a held process and what comes out of it, each in a file without a name.

In goes an :class:`Order`, which the child may trust. Out come JSON and bytes, which the parent
must not: whatever is not exactly what :func:`write` makes is refused.
"""

from __future__ import annotations

import json
import mmap
import os
import pickle
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnxpress.held.errors import Died

HEADER_BYTES = 8
MOST_HEADER_BYTES = 1_000_000
NONE_OF_OURS = "gave an answer that is none of ours"


@dataclass(frozen=True)
class Order:
    """What a child is to do.

    ``task`` by its name in the keeper's table, with ``arguments``, about the file ``name``.

    ``real`` is the file's absolute path. ``imports`` are modules that are imported before the
    locks are set.
    """

    task: str
    arguments: Any
    name: str
    real: str
    imports: tuple[str, ...]
    seconds: float
    memory_mb: int


@dataclass(frozen=True)
class Answer:
    """What a task has returned.

    ``content`` of JSON's types, and ``blobs``. Both are whatever the child made of them.
    """

    content: dict[str, Any]
    blobs: Sequence[memoryview]


def nameless() -> int:
    """The descriptor of a new file that has no name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("held", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def put(order: Order) -> int:
    """A file with the order."""
    descriptor = nameless()
    with open(descriptor, "wb", closefd=False) as file:
        pickle.dump(order, file, protocol=5)
    return descriptor


def take(descriptor: int) -> Order:
    """The order in a file that our own parent has written."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", closefd=False) as file:
        order = pickle.load(file)  # noqa: S301 - our parent's
    assert isinstance(order, Order)  # noqa: S101 - for the type checker
    return order


def write(descriptor: int, content: dict[str, Any], blobs: Sequence[bytes]) -> None:
    """Write an answer: the length of its header, the header, the blobs."""
    header = json.dumps({"content": content, "sizes": [len(blob) for blob in blobs]}).encode()
    with open(descriptor, "wb", closefd=False) as file:
        file.write(len(header).to_bytes(HEADER_BYTES, "big"))
        file.write(header)
        file.writelines(blobs)


def read(descriptor: int) -> Answer:
    """Read the answer from the file that a child process wrote before it ended.

    The blobs are views of the file's own memory.

    Raises:
        Died: it holds anything else.
    """
    size = os.fstat(descriptor).st_size
    if size < HEADER_BYTES:
        raise Died("ended without an answer")
    whole = memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ))
    length = int.from_bytes(whole[:HEADER_BYTES], "big")
    if not 0 < length <= min(MOST_HEADER_BYTES, size - HEADER_BYTES):
        raise Died(NONE_OF_OURS)
    content, sizes = _parsed(bytes(whole[HEADER_BYTES : HEADER_BYTES + length]))
    rest = whole[HEADER_BYTES + length :]
    if sum(sizes) != len(rest):
        raise Died(NONE_OF_OURS)
    blobs = []
    for size in sizes:
        blobs.append(rest[:size])
        rest = rest[size:]
    return Answer(content, blobs)


def _parsed(header: bytes) -> tuple[dict[str, Any], list[int]]:
    try:
        parsed = json.loads(header)
        content, sizes = parsed["content"], parsed["sizes"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Died(NONE_OF_OURS) from error
    if not (
        isinstance(content, dict)
        and isinstance(sizes, list)
        and all(type(size) is int and size >= 0 for size in sizes)
    ):
        raise Died(NONE_OF_OURS)
    return content, sizes
