"""Run one soak or all.

``python -m bench.soak [chain|publish|cluster] --kills 200`` kills and counts what was recovered
from.
``python -m bench.soak fuzz --cases 100000`` reads made and damaged model files and counts what they
did. ``python -m bench.soak serving --requests 100000`` sends requests to a real server with the
packaged model and looks at its memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench.fuzz import report
from bench.fuzz.run import fuzz
from bench.soak import chain, cluster, publish, serving, serving_report
from bench.soak.kills import Soak, commit, markdown, write
from onnxpress.errors import UserError
from onnxpress.pipeline.console import say
from onnxpress.pipeline.running import run_stage

FUZZ, SERVING = "fuzz", "serving"
SOAKS = {"chain": chain.soak, "publish": publish.soak, "cluster": cluster.soak}
"""By name: a function from the number of kills and a seed to what became of each kill."""


def fuzzed(cases: int, seed: int, output: Path | None) -> None:
    """Read so many made and damaged files.

    Raises:
        UserError: one of them did what it must not.
    """
    start, source = time.monotonic(), commit()
    outcomes = []
    for outcome in fuzz(cases, seed):
        outcomes.append(outcome)
        if outcome.finding:
            say(f"{outcome.kind} {outcome.number}: {outcome.finding}")
    found = report.Fuzz(outcomes, seed, source, (time.monotonic() - start) / 60)
    sys.stdout.write(report.markdown(found))
    if output:
        report.write(found, output)
    if found.findings:
        raise UserError(
            f"{found.verdict}, first: {found.findings[0].finding}; "
            "the same --seed makes the same cases again"
        )


def served(requests: int, seed: int, output: Path | None) -> None:
    """Send so many requests to the server.

    Raises:
        UserError: an answer was wrong, or the server's memory has grown too much.
    """
    start, source = time.monotonic(), commit()
    name, sent, memory, findings = serving.soak_of(Path.cwd(), requests, seed)
    minutes = (time.monotonic() - start) / 60
    found = serving_report.Requests(name, sent, memory, findings, seed, source, minutes)
    sys.stdout.write(serving_report.markdown(found))
    if output:
        serving_report.write(found, output)
    if findings or found.growth > serving_report.MOST_GROWTH:
        raise UserError(f"{found.verdict}, first: {[*findings, 'memory'][0]}")


def main() -> None:
    """Kills in, exit code 2 and the first loss if not all of them were recovered from."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak",
        description="kill at random points and recover, read hostile files, answer requests",
    )
    parser.add_argument("soak", nargs="?", choices=[*SOAKS, FUZZ, SERVING], help="default: all")
    parser.add_argument("--kills", type=int, default=200, help="of the others; default 200")
    parser.add_argument("--cases", type=int, default=100_000, help="of fuzz; default 100,000")
    parser.add_argument("--requests", type=int, default=100_000, help="of serving; default 100,000")
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="of the points where it kills, the cases or the requests; default 1",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for soak_<name>.md, fuzz.md and .json; default: print only",
    )
    asked = parser.parse_args()
    if asked.soak in {None, FUZZ}:
        fuzzed(asked.cases, asked.seed, asked.output)
    if asked.soak in {None, SERVING}:
        served(asked.requests, asked.seed, asked.output)
    for name in SOAKS if asked.soak is None else SOAKS.keys() & {asked.soak}:
        start, source = time.monotonic(), commit()
        kills = SOAKS[name](asked.kills, asked.seed)
        soak = Soak(name, kills, asked.seed, source, (time.monotonic() - start) / 60)
        sys.stdout.write(markdown(soak))
        if asked.output:
            write(soak, asked.output)
        if lost := [kill for kill in kills if kill.finding]:
            raise UserError(
                f"{soak.verdict}, first lost: {lost[0].finding}; "
                "the same --seed kills at the same points again"
            )


if __name__ == "__main__":
    run_stage("soak", main)
