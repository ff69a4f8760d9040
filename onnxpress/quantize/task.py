"""What a candidate learns from, as a key of caches."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.tables.rows import Rows


class Task:
    """A model and its training rows, equal to another when their contents are."""

    def __init__(self, model: onnx.ModelProto, rows: Rows, seed: int) -> None:
        """Take the digest of everything that a candidate depends on."""
        self.model, self.rows, self.seed = model, rows, seed
        digest = hashlib.sha256(model.SerializeToString(deterministic=True))
        for name, values in (*sorted(rows.feeds.items()), ("", rows.target)):
            digest.update(f"{name} {values.dtype} {values.shape} {seed}".encode())
            digest.update(_content(values))
        self._digest = digest.digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)


def _content(values: NDArray[Any]) -> bytes:
    if values.dtype == object:
        return repr(values.tolist()).encode()
    return np.ascontiguousarray(values).tobytes()
