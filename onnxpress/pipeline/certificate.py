"""What ``onnxpress certify`` has found of the models that lie in outputs/ now."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from onnxpress.pipeline.files import read_bytes, read_json
from onnxpress.pipeline.outputs import ONNX_MODEL, QUANTIZED_MODEL, RUNTIMES


def read_certificate() -> dict[str, Any] | None:
    """Return the content of runtimes.json; None if there is none, or it is of other models.

    Raises:
        UserError: it is not what ``onnxpress certify`` writes, or a model is missing.
    """
    if not RUNTIMES.exists():
        return None
    found = read_json(RUNTIMES, "models", "runtimes", "rows", "times", "compared_with")
    models = {path.name: _sha256(path) for path in (ONNX_MODEL, QUANTIZED_MODEL)}
    return found if found["models"] == models else None


def _sha256(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()
