"""Fail if dvc.lock does not belong to the code, params and data here; run nothing."""

from __future__ import annotations

from onnxpress.errors import UserError
from onnxpress.pipeline.freshness import stale_in_lock

SHOWN = 3


def main() -> None:
    """Name the stale stages and what makes them so.

    Raises:
        UserError: there are some.
    """
    stale = [f"{stage} ({_shown(differing)})" for stage, differing in stale_in_lock().items()]
    if stale:
        listed = "; ".join(stale)
        raise UserError(f"dvc.lock is stale: {listed} differ; run `dvc repro` and commit dvc.lock")


def _shown(names: list[str]) -> str:
    """The first few of the names, each once."""
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
