"""Run one soak or all, and print what became of the kills: ``python -m bench.soak [chain|publish] --kills 200``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench.soak import chain, publish
from bench.soak.kills import Soak, commit, markdown, write
from stages.common.errors import UserError, run_stage

SOAKS = {"chain": chain.soak, "publish": publish.soak}
"""By name: a function from the number of kills and a seed to what became of each kill."""


def main() -> None:
    """Kills in, exit code 2 and the first loss if not all of them were recovered from."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="kill at random points, and recover")
    parser.add_argument("soak", nargs="?", choices=SOAKS, help="default: all")
    parser.add_argument("--kills", type=int, default=200, help="default 200")
    parser.add_argument("--seed", type=int, default=1, help="of the points where it kills; default 1")
    parser.add_argument("--output", type=Path, help="folder for soak_<name>.md and .json; default: print only")
    asked = parser.parse_args()
    for name in [asked.soak] if asked.soak else SOAKS:
        start, source = time.monotonic(), commit()
        kills = SOAKS[name](asked.kills, asked.seed)
        soak = Soak(name, kills, asked.seed, source, (time.monotonic() - start) / 60)
        sys.stdout.write(markdown(soak))
        if asked.output:
            write(soak, asked.output)
        if lost := [kill for kill in kills if kill.finding]:
            raise UserError(f"{soak.verdict}, first lost: {lost[0].finding}; the same --seed kills at the same points again")


if __name__ == "__main__":
    run_stage("soak", main)
