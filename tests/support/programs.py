"""The modules that stages and commands run as, and how to run one in this process."""

from __future__ import annotations

import runpy
import sys
import warnings

from onnxpress import cli
from tests.conftest import ROOT

SHOWN_BY_DEFAULT = (UserWarning, RuntimeWarning, FutureWarning, SyntaxWarning)


def program(name: str) -> str:
    """Return what ``python -m`` takes to run the stage or command ``name``."""
    stage = ROOT / "stages" / f"{name}.py"
    return f"stages.{name}" if stage.exists() else f"onnxpress.commands.{name}"


def run(stage: str) -> int:
    """Run a stage or command in this process; Python's warnings are printed on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            start(stage)
            code = 0
        except SystemExit as end:
            code = int(str(end.code))
    for warning in caught:
        if issubclass(warning.category, SHOWN_BY_DEFAULT):
            sys.stderr.write(f"{warning.category.__name__}: {warning.message}\n")
    return code


def start(name: str) -> None:
    """Run a stage as ``python -m`` does, a command as ``onnxpress`` does."""
    module = f"stages.{name}"
    if not (ROOT / "stages" / f"{name}.py").exists():
        cli.main([name])
        return
    sys.modules.pop(module, None)  # other tests import it, which runpy would warn about
    runpy.run_module(module, run_name="__main__", alter_sys=True)
