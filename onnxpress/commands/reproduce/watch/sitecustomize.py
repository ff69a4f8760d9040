"""Notes which files of the project a DVC stage reads.

Each Python that starts with this folder on PYTHONPATH imports it. A line per fact goes to
``$REPRODUCE_NOTES/<stage>``: ``read <file>``, ``list <folder>``, or ``params <section or key>``.
The facts are audit events (PEP 578), so every import and every file that Python code opens is seen.
Files that C++ opens by itself are not: the chain passes bytes, not paths, to pyarrow and
onnxruntime.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

PARAMS_READERS = (
    os.path.join("onnxpress", "pipeline", "params.py"),
    os.path.join("onnxpress", "pipeline", "dependencies.py"),  # compares the declared sections
)
METADATA = tuple(
    os.path.join(*place, "__init__.py")
    for place in (("importlib", "metadata"), ("importlib_metadata",))
)
"""Of Python, and the package that dask has instead."""
PAST_THE_READER = "(by another way than load_params)"


class Watcher:
    """An audit hook that notes what this process reads below the current folder, the project's."""

    def __init__(self, folder: str, stage: str) -> None:
        """Notes go to the file ``stage`` in ``folder``, to which child processes add theirs."""
        self.root = os.path.join(os.path.realpath(os.curdir), "")
        self.notes = os.open(os.path.join(folder, stage), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.seen: set[tuple[str, str]] = set()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an audit event; called for every one, so the common ones fall through quickly."""
        if event == "open" and reads(arguments[2]) and not is_relative(*arguments[:2]):
            self.note_path("read", arguments[0])
        elif event in {"os.listdir", "os.scandir"} and not called_from(
            "<frozen importlib._bootstrap_external>", depth=3
        ):
            self.note_path("list", arguments[0])
        elif event == "onnxpress.params":
            self.note("params", arguments[0])

    def note_path(self, kind: str, path: Any) -> None:
        """Note a path of the project.

        Byte code counts as its source; params.yaml read by other code as all of its sections.
        """
        if isinstance(path, int):
            return
        full = os.path.abspath(os.fsdecode(path or os.curdir))
        if not os.path.join(full, "").startswith(self.root) or full.startswith(sys.prefix):
            return
        name = os.path.relpath(
            importlib.util.source_from_cache(full) if full.endswith(".pyc") else full, self.root
        )
        if name == "." and called_from(METADATA):
            return  # looks for installed packages wherever it may import from
        if name == "params.yaml" and not called_from(PARAMS_READERS):
            self.note("params", PAST_THE_READER)
        self.note(kind, name)

    def note(self, kind: str, what: str) -> None:
        """Write a fact down once."""
        if (kind, what) not in self.seen:
            self.seen.add((kind, what))
            os.write(self.notes, f"{kind} {what}\n".encode())


def reads(flags: int) -> bool:
    """Whether a file opened with these flags may give what it held before."""
    return not flags & (os.O_WRONLY | os.O_TRUNC | os.O_EXCL)


def is_relative(path: Any, mode: str | None) -> bool:
    """Whether a name is not here: it is relative to another folder, which is being cleared away.

    Only ``os.open`` can do so, whose events have no mode.
    """
    return mode is None and not os.path.exists(path)


def called_from(file: str | tuple[str, ...], depth: int = 50) -> bool:
    """Whether code of ``file``, or of one of them, is among the callers."""
    frame = sys._getframe(1)
    for _ in range(depth):
        if frame is None or frame.f_code.co_filename.endswith(file):
            break
        frame = frame.f_back  # type: ignore[assignment] # None ends the loop
    return frame is not None and frame.f_code.co_filename.endswith(file)


if "REPRODUCE_NOTES" in os.environ and "DVC_STAGE" in os.environ:
    sys.addaudithook(Watcher(os.environ["REPRODUCE_NOTES"], os.environ["DVC_STAGE"]))
