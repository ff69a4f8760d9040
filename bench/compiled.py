"""A treelite model compiled to C by tl2cgen and gcc, in a process that can be ended.

Run as ``python -m bench.compiled <model.treelite> <library.so>``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

FLAGS = ["-O1"]  # as fast as -O3 for code that only branches, and half the time to compile
SOURCE_FILES = 100  # gcc's time grows faster than the length of a file


class TooSlow(Exception):
    """The compiler was ended before it was done."""


def compile_library(model: Path, library: Path, seconds: float) -> None:
    """Write ``library`` from the treelite checkpoint ``model``.

    Raises:
        TooSlow: it takes longer than ``seconds``.
        RuntimeError: it fails; the message is the last line that the compiler printed.
    """
    command = [sys.executable, "-m", "bench.compiled", str(model), str(library)]
    process = subprocess.Popen(  # noqa: S603 - our own module
        command,
        cwd=Path(__file__).parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, printed = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # gcc's processes as well
        process.communicate()
        raise TooSlow(f"gcc took more than {seconds:.0f} s") from None
    if process.returncode:
        raise RuntimeError((printed.strip() or f"exit code {process.returncode}").splitlines()[-1])


def main() -> None:
    """Compile the model named on the command line."""
    import tl2cgen
    import treelite

    model, library = sys.argv[1:]
    forest = treelite.Model.deserialize(model)
    params = {"parallel_comp": min(SOURCE_FILES, forest.num_tree)}
    tl2cgen.export_lib(
        forest,
        toolchain="gcc",
        libpath=library,
        params=params,
        options=FLAGS,
        nthread=os.cpu_count(),
    )


if __name__ == "__main__":
    main()
