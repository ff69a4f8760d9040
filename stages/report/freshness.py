"""Which stages are not up to date, as DVC knows it."""

from __future__ import annotations

import json
import subprocess

from stages.common.errors import UserError


def stale_stages() -> list[str]:
    """The stages whose outputs do not belong to the code, parameters and data that stand here, in the order of their names.

    Raises:
        UserError: this is no DVC repository, or dvc is at work in it.
    """
    told = _dvc("status", "--json")
    return sorted(json.loads(told))


def draw_pictures() -> None:
    """Run the plot stage alone, on the outputs that are there.

    Raises:
        UserError: it fails; its own words are in the message.
    """
    _dvc("repro", "--quiet", "--single-item", "plot")


def _dvc(*arguments: str) -> str:
    done = subprocess.run(["dvc", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " | ".join(line.strip() for line in done.stderr.splitlines() if line.strip()) or f"exit code {done.returncode}"
        raise UserError(f"`dvc {' '.join(arguments)}` fails: {reason}; run `dvc repro`")
    return done.stdout
