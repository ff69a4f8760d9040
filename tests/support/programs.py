"""The modules that stages and commands run as."""

from __future__ import annotations

from tests.conftest import ROOT


def program(name: str) -> str:
    """Return what ``python -m`` takes to run the stage or command ``name``."""
    stage = ROOT / "stages" / f"{name}.py"
    return f"stages.{name}" if stage.exists() else f"onnxpress.commands.{name}"
