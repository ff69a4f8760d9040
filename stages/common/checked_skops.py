"""skops files, loaded so that nothing is made of them but what is admitted (:mod:`stages.common.admitted`).

A skops file is a description of objects, which skops audits before it makes any of them. What skops knows to hold state
only, it trusts itself; every other name must be admitted here.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from stages.common.admitted import RefusedGlobals, admit


def load_checked(path: Path, trusted: Collection[str]) -> Any:
    """The object in a skops file.

    Raises:
        RefusedGlobals: it names something that is not admitted; nothing of that has been imported or called.
        OSError: the file cannot be read.
        Exception: whatever a damaged file leads to.
    """
    from skops import io  # 0.5 s that other files need not pay

    data = path.read_bytes()
    unknown = io.get_untrusted_types(data=data)
    if refused := [name for name in unknown if admit(*_split(name), trusted) is None]:
        raise RefusedGlobals(refused)
    return io.loads(data, trusted=unknown)


def _split(name: str) -> tuple[str, str]:
    module, _, inner = name.rpartition(".")
    return module, inner
