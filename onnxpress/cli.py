"""The process of the `onnxpress` command: signals, memory, one-line errors and exit codes.

What can be typed is in :mod:`onnxpress.commands.line`, which is imported once signals are handled.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from onnxpress.pipeline.starting import begin_command

PROGRAM = "onnxpress"


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line ``words`` (default: those of this process) and leave with its exit code.

    0 done, 1 a bug, 2 wrong input, 3 a gate or a limit is broken, 4 a server fails,
    5 not reproducible, 130 interrupted, 143 terminated.
    """
    words = sys.argv[1:] if words is None else words
    begin_command(PROGRAM)

    from onnxpress.commands.line.group import KEPT, NOTHING_KEPT, WAITING_FOR_OTHERS, onnxpress, run
    from onnxpress.pipeline.running import run_stage

    name = words[0] if words and words[0] in onnxpress.commands else PROGRAM
    kept = KEPT.get(name, NOTHING_KEPT)
    run_stage(name, lambda: run(words), kept, enforce_end=name not in WAITING_FOR_OTHERS)
