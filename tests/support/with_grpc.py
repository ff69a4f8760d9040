"""The `onnxpress` command with the extra `grpc`, which .venv-serve and .venv-triton have."""

from __future__ import annotations

import sys

from tests.conftest import ROOT

_PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def with_grpc(environment: str) -> list[str]:
    """The words before a subcommand; packages of the main environment go before the others."""
    added = str(ROOT / environment / _PACKAGES)
    code = f"import sys; sys.path.append({added!r}); from onnxpress.cli import main; main()"
    return [sys.executable, "-c", code]
