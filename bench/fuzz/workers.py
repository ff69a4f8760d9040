"""Cases run in forks, so that a death or a hang is one case's outcome and the next goes on."""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from select import select
from typing import Any, BinaryIO

BATCH = 250
"""Cases of a fork.

A process that read damaged memory may die later: the batch is then run again, case by case.
"""
CPU_SECONDS = 20
QUIET_SECONDS = 180
"""A case that neither ends nor uses processor time for that long hangs."""
MEMORY = 6 << 30


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    kind: str
    number: int
    outcome: str
    """How it ended, as counted in the table."""
    finding: str = ""
    """What it did that it must not do; empty for nothing."""
    names: tuple[str, ...] = ()
    """The names that were refused."""


PHASES = ("making the case", "reading", "dumping again", "predicting", "running")
_phase = mmap.mmap(-1, 1)
"""Shared with the forks: what the present case is at, an index of ``PHASES``."""


def enter(phase: str) -> None:
    """Remember what the case is at, in case that it does not come back."""
    _phase[0] = PHASES.index(phase)


Try = Callable[[str, int], Outcome]
"""Makes and runs a case by its kind and number."""


def run(kind: str, numbers: Sequence[int], attempt: Try) -> Iterator[Outcome]:
    """The outcome of each case, in order; deaths are found again alone where that is possible."""
    for start in range(0, len(numbers), BATCH):
        rest = list(numbers[start : start + BATCH])
        while rest:
            done, death = _fork(kind, rest, attempt)
            yield from done
            rest = rest[len(done) :]
            if death:
                yield _alone(kind, rest[0], death, attempt)
                rest = rest[1:]


def _alone(kind: str, number: int, death: str, attempt: Try) -> Outcome:
    """What a case does that others died in: alone, or after those before it."""
    done, again = _fork(kind, [number], attempt)
    if again:
        return Outcome(kind, number, f"died {again.partition(' while ')[2]}", again)
    return Outcome(
        kind,
        number,
        "died",
        f"{death}, not alone but after the cases before it; alone: {done[0].outcome}",
    )


def _fork(kind: str, numbers: Sequence[int], attempt: Try) -> tuple[list[Outcome], str]:
    """The outcomes before the first death, and how that died."""
    read, write = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _work(kind, numbers, attempt, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        lines, hung = _lines(pipe, child)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    outcomes = [
        Outcome(kind, line["number"], line["outcome"], line["finding"], tuple(line["names"]))
        for line in lines
    ]
    if len(outcomes) == len(numbers):
        return outcomes, ""
    while_ = f"while {PHASES[_phase[0]]}"
    if hung or -code == signal.SIGPROF:
        return outcomes, f"takes more than {CPU_SECONDS} s {while_}"
    return (
        outcomes,
        f"died of {signal.Signals(-code).name} {while_}"
        if code < 0
        else f"left with exit code {code} {while_}",
    )


def _lines(pipe: BinaryIO, child: int) -> tuple[list[dict[str, Any]], bool]:
    """What the child has said, a line a case, and whether it went silent and was killed."""
    found: list[dict[str, Any]] = []
    buffer = b""
    while True:
        if not select([pipe], [], [], QUIET_SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
            return found, True
        part = os.read(pipe.fileno(), 1 << 16)
        if not part:
            return found, False
        *whole, buffer = (buffer + part).split(b"\n")
        found += [json.loads(line) for line in whole]


def _work(kind: str, numbers: Sequence[int], attempt: Try, pipe: int) -> None:
    """The child: a line a case; never returns."""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in numbers:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        enter(PHASES[0])
        try:
            outcome = attempt(kind, number)
        except BaseException as error:  # a bug of the bench, or an exit that a case has raised
            outcome = Outcome(kind, number, "raised", f"{type(error).__name__}: {error}")
        line = {
            "number": number,
            "outcome": outcome.outcome,
            "finding": outcome.finding,
            "names": outcome.names,
        }
        os.write(pipe, json.dumps(line).encode() + b"\n")
    os._exit(0)
