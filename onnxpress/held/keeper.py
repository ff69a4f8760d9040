"""The keeper's own process.

Imports what is heavy once, then forks a locked child for each order that comes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onnxpress.held import answers
from onnxpress.held.given_file import GivenFile, given_file
from onnxpress.held.kernel import LINUX, die_with
from onnxpress.held.locks import lock
from onnxpress.held.settings import Settings

Task = Callable[[GivenFile, Any], tuple[dict[str, Any], Sequence[bytes]]]
"""Takes the file and the order's arguments; returns an answer's content and blobs."""

DESCRIPTORS, MOST_DESCRIPTORS = 3, 65_536
"""Limits of open files: of an order, and of a keeper.

A keeper's own limit may be a thousand million, which an old kernel would close one by one.
"""
PROBE_MB = 1024
EXIT_SECONDS, POLL_SECONDS = 5, 0.001
"""How long to wait for a process that has closed its files to end, and how often to look."""


def main(settings: Settings, control: socket.socket, parent: int) -> None:
    """Say hello through ``control`` once all is imported, and serve until its other end is closed.

    ``parent`` is the id of the process that must not be outlived, 0 if something else sees to that.
    """
    if parent:
        die_with(parent)
    for module in settings.preload:
        importlib.import_module(module)
    held = _probe(settings)
    gc.collect()
    gc.freeze()  # children share the memory of what is imported
    _send(control, {"locks": held})
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, DESCRIPTORS)
        if not message:
            return
        _send(control, _served(settings, held, control, descriptors))


def _probe(settings: Settings) -> list[str]:
    """Which locks can be set here, tried in a child."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        with contextlib.suppress(BaseException):
            os.write(
                writer, json.dumps(lock(settings.locks, settings.readable, [], PROBE_MB)).encode()
            )
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        text = file.read()
    os.waitpid(child, 0)
    return list(json.loads(text or "[]"))


def _served(
    settings: Settings, held: list[str], control: socket.socket, descriptors: Sequence[int]
) -> dict[str, Any]:
    """Have a child carry an order out; how it ended."""
    file, ordered, answer = descriptors
    order = answers.take(ordered)
    os.close(ordered)
    keeper, (ended, alive) = os.getpid(), os.pipe()
    if (child := os.fork()) == 0:
        code = 1
        with contextlib.suppress(BaseException):  # whatever happens, a child never serves
            die_with(keeper)
            _close_all_but(file, answer, alive)
            code = _worked(settings, held, order, file, answer)
        os._exit(code)
    for descriptor in (file, answer, alive):
        os.close(descriptor)
    waited_for: list[Any] = [ended, control]
    due = select.select(waited_for, [], [], order.seconds)[0]
    os.close(ended)
    if due == [ended]:
        return _ended_by_itself(child)
    _killed(child)
    if due:  # nobody waits any longer
        os._exit(0)
    return {"ended": "time", "number": 0, "grown_mb": 0}


def _ended_by_itself(child: int) -> dict[str, Any]:
    """Return how a child ended, and the memory that it took beyond what it began with.

    It ended with an exit code or a signal.

    One that has only closed its end of the pipe is killed, and counts as ended with code 1.
    """
    end = time.monotonic() + EXIT_SECONDS
    while time.monotonic() < end:
        found, status, used = os.wait4(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            grown = used.ru_maxrss // 1024 - _own_mb()
            return {
                "ended": "code" if code >= 0 else "signal",
                "number": abs(code),
                "grown_mb": grown,
            }
        time.sleep(POLL_SECONDS)
    _killed(child)
    return {"ended": "code", "number": 1, "grown_mb": 0}


def _own_mb() -> int:
    """Memory of this process alone, with which a child begins too."""
    if not LINUX:
        return 0
    _, resident, shared, *_ = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") // 1024**2


def _killed(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _worked(
    settings: Settings, held: list[str], order: answers.Order, file: int, answer: int
) -> int:
    """In the child: import, lock, work, answer; the exit code."""
    module, _, name = dict(settings.tasks)[order.task].partition(":")
    task: Task = getattr(importlib.import_module(module), name)
    for own in order.imports:
        with contextlib.suppress(Exception):  # the task says so, if it matters
            importlib.import_module(own)
    if lock(settings.locks, settings.readable, [file], order.memory_mb) != held:
        return 1
    answers.write(
        answer, *_answered(task, given_file(order.name, file, order.real), order.arguments)
    )
    return 0


def _answered(
    task: Task, path: GivenFile, arguments: Any
) -> tuple[dict[str, Any], Sequence[bytes]]:
    try:
        return task(path, arguments)
    except MemoryError:
        return {"lost": "memory"}, ()
    except BaseException as error:  # also SystemExit, which a file may raise
        return {"lost": "error", "why": f"{type(error).__name__}: {error}"}, ()


def _close_all_but(*kept: int) -> None:
    """Close every descriptor above stderr but these."""
    below = 2
    for descriptor in sorted(kept):
        os.closerange(below + 1, descriptor)
        below = descriptor
    os.closerange(below + 1, MOST_DESCRIPTORS)


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    control.sendall(json.dumps(message).encode() + b"\n")


def start(arguments: Sequence[str]) -> None:
    """What the bootstrap calls.

    Settings as JSON, the descriptor of the control socket, and the parent's id.
    """
    given = {key: tuple(map(_tupled, value)) for key, value in json.loads(arguments[0]).items()}
    control = socket.socket(fileno=int(arguments[1]))
    try:
        main(Settings(**given), control, int(arguments[2]))
    except Exception as error:  # of an import, most likely
        with contextlib.suppress(OSError):
            _send(control, {"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


def _tupled(item: Any) -> Any:
    return tuple(item) if isinstance(item, list) else item
