"""What became of each kill of a soak, as a table of where the kills fell, printed and stored."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from onnxpress.pipeline.files import write_bytes, write_json


@dataclass(frozen=True)
class Kill:
    """One kill and what was wrong after the next run."""

    point: str
    """What was going on, or how far it had come."""
    share: float
    """When, as a share of what was to be done undisturbed."""
    finding: str
    """What was wrong in the end, empty if nothing was."""


@dataclass(frozen=True)
class Soak:
    """A whole soak: enough to run it again."""

    name: str
    kills: Sequence[Kill]
    seed: int
    commit: str
    minutes: float

    @property
    def verdict(self) -> str:
        """The outcome in a line."""
        recovered = sum(not kill.finding for kill in self.kills)
        return f"{self.name}: {recovered} of {len(self.kills)} kills recovered (seed {self.seed})"


def markdown(soak: Soak) -> str:
    """The soak as Markdown: where kills fell, how many were recovered from, and what went wrong."""
    command = f"python -m bench.soak {soak.name} --kills {len(soak.kills)} --seed {soak.seed}"
    lines = [
        f"# Kills of {soak.name} at random moments",
        "",
        f"Written by `{command} --output bench/results` at commit {soak.commit}, in",
        f"{soak.minutes:.0f} minutes. Every kill is a SIGKILL; then the same is run again and",
        "must end as if nothing had happened. *Moments* are shares of an undisturbed run.",
        "",
        "| what the kill hit | kills | recovered | moments |",
        "|---|---:|---:|---|",
    ]
    for point in sorted(
        {kill.point for kill in soak.kills}, key=lambda point: earliest(soak, point)
    ):
        there = [kill for kill in soak.kills if kill.point == point]
        recovered = sum(not kill.finding for kill in there)
        latest = max(kill.share for kill in there)
        moments = f"{earliest(soak, point):.0%} to {latest:.0%}"
        lines.append(f"| {point} | {len(there)} | {recovered} | {moments} |")
    lost = [
        f"- kill {number}, {kill.point}: {kill.finding}"
        for number, kill in enumerate(soak.kills, 1)
        if kill.finding
    ]
    return "\n".join([*lines, "", f"{soak.verdict}.", *lost, ""])


def earliest(soak: Soak, point: str) -> float:
    """The earliest moment at which a kill hit ``point``."""
    return min(kill.share for kill in soak.kills if kill.point == point)


def write(soak: Soak, folder: Path) -> None:
    """Store ``soak_<name>.md`` and, with every single kill, ``soak_<name>.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / f"soak_{soak.name}.md", markdown(soak).encode())
    write_json(folder / f"soak_{soak.name}.json", asdict(soak))


def commit() -> str:
    """The commit that is checked out, with a plus where files differ from it."""
    command = ["git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+"]
    here = Path(__file__).parent
    return subprocess.run(
        command, cwd=here, capture_output=True, text=True, check=True
    ).stdout.strip()
