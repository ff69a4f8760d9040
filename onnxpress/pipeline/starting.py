"""What happens before anything else in the process of a stage or of a command."""

from __future__ import annotations

import atexit
import sys

from onnxpress.pipeline.signals import leave_at_once


def begin(package: str) -> None:
    """Prepare the process if it is ``python -m <package>.<name>``; do nothing otherwise.

    Signals then end it with one line, too little memory is refused, and what the stage depends on
    is remembered, so that a change under it can be found at its end.
    """
    if sys.argv[:1] != ["-m"]:  # what runpy sets while it looks for the module
        return
    leave_at_once()
    start = f"{package}."
    module = next((word for word in sys.orig_argv if word.startswith(start)), start)
    name = module.removeprefix(start)
    if not name or "." in name:  # others are helpers, some of whose memory is measured
        return
    from onnxpress.pipeline.memory import refuse_little

    refuse_little(name)
    from onnxpress.pipeline import copies, dependencies
    from onnxpress.pipeline.running import end_unchanged

    atexit.register(end_unchanged)  # before any library, so that it is called after all
    dependencies.begin(name)
    copies.explain_imports(name)


def begin_command(name: str) -> None:
    """Prepare the process of the command ``name``: signals and memory as for a stage.

    A command is not a stage of dvc.yaml, so nothing is recorded of what it depends on.
    """
    leave_at_once()
    from onnxpress.pipeline.memory import refuse_little

    refuse_little(name)
