"""Run one soak or all, and print what became of each kill: ``python -m bench.soak [chain|publish] --kills 200``."""

from __future__ import annotations

import argparse
import sys

from bench.soak import chain, publish
from stages.common.errors import UserError, run_stage

SOAKS = {"chain": chain.soak, "publish": publish.soak}
"""By name: a function from the number of kills and a seed to one finding per kill; an empty finding is a recovery."""


def main() -> None:
    """Kills in, exit code 2 and the first loss if not all of them were recovered from."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="kill at random points, and recover")
    parser.add_argument("soak", nargs="?", choices=SOAKS, help="default: all")
    parser.add_argument("--kills", type=int, default=200, help="default 200")
    parser.add_argument("--seed", type=int, default=1, help="of the points where it kills; default 1")
    asked = parser.parse_args()
    for name in [asked.soak] if asked.soak else SOAKS:
        findings = SOAKS[name](asked.kills, asked.seed)
        lost = [finding for finding in findings if finding]
        sys.stdout.write(f"{name}: {len(findings) - len(lost)} of {len(findings)} kills recovered (seed {asked.seed})\n")
        if lost:
            raise UserError(f"the {name} soak lost something: {lost[0]}; the same --seed kills at the same points again")


if __name__ == "__main__":
    run_stage("soak", main)
