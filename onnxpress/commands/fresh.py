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
    stale = stale_in_lock()
    if stale:
        listed = "; ".join(
            f"{stage} ({_shown(list(dict.fromkeys(found)))})" for stage, found in stale.items()
        )
        raise UserError(f"dvc.lock is stale: {listed} differ; run `dvc repro` and commit dvc.lock")


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
