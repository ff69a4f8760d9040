"""What became of the cases: printed, and stored as Markdown and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.fuzz.cases import ONNX, STORED
from bench.fuzz.workers import Outcome
from onnxpress.pipeline.files import write_bytes, write_json

SHOWN_NAMES = 40
KINDS: Mapping[str, str] = {kind: what for kind, (what, _) in {**STORED, **ONNX}.items()}


@dataclass(frozen=True)
class Fuzz:
    """A whole run: enough to repeat it."""

    outcomes: Sequence[Outcome]
    seed: int
    commit: str
    minutes: float

    @property
    def findings(self) -> list[Outcome]:
        """The cases that did what they must not."""
        return [outcome for outcome in self.outcomes if outcome.finding]

    @property
    def verdict(self) -> str:
        """The outcome in a line."""
        return f"{len(self.outcomes)} cases, {len(self.findings)} findings (seed {self.seed})"


def counts(fuzz: Fuzz) -> dict[str, Counter[str]]:
    """How often each outcome came, by kind."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for outcome in fuzz.outcomes:
        found[outcome.kind][outcome.outcome] += 1
    return {kind: counted for kind, counted in found.items() if counted}


def names(fuzz: Fuzz) -> Counter[str]:
    """The names that were refused, and in how many cases."""
    return Counter(name for outcome in fuzz.outcomes for name in outcome.names)


def markdown(fuzz: Fuzz) -> str:
    """The run as Markdown."""
    command = f"python -m bench.soak fuzz --cases {len(fuzz.outcomes)} --seed {fuzz.seed}"
    lines = [
        "# Made and damaged model files",
        "",
        f"Written by `{command} --output bench/results` at commit {fuzz.commit}, in",
        f"{fuzz.minutes:.0f} minutes.",
        "",
        "Each case is read in a fork, under an audit hook that sees every program, import,",
        "file, socket and compiled code that is asked for. What can be read must be dumped",
        "and read again with equal bytes, and answer rows without a crash. A *finding* is",
        "anything run, imported, opened or written, an undocumented exception, a signal, or",
        "20 s of work.",
        "",
        f"**{fuzz.verdict}.**",
        "",
    ]
    for kind, counted in counts(fuzz).items():
        lines += [
            f"## {KINDS[kind][0].upper()}{KINDS[kind][1:]} (`{kind}`)",
            "",
            "| outcome | cases |",
            "|---|---:|",
        ]
        lines += [f"| {outcome} | {number:,} |" for outcome, number in counted.most_common()]
        lines.append("")
    refused = names(fuzz)
    if refused:
        shown = ", ".join(
            f"`{_plain(name)}` {number:,}" for name, number in refused.most_common(SHOWN_NAMES)
        )
        lines += [
            "## Names that were refused",
            "",
            f"{len(refused):,} names in all, of at most three counted a case: {shown}",
            "",
        ]
    if fuzz.findings:
        lines += ["## Findings", ""]
        lines += [f"- {item.kind} {item.number}: {_plain(item.finding)}" for item in fuzz.findings]
        lines.append("")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that does nothing in Markdown or a terminal."""
    return ascii(text)[1:-1].replace("`", "'").replace("|", "/")


def write(fuzz: Fuzz, folder: Path) -> None:
    """Store ``fuzz.md`` and ``fuzz.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "fuzz.md", markdown(fuzz).encode())
    content = {
        "seed": fuzz.seed,
        "commit": fuzz.commit,
        "minutes": round(fuzz.minutes, 1),
        "cases": len(fuzz.outcomes),
        "outcomes": counts(fuzz),
        "refused_names": dict(names(fuzz).most_common()),
        "findings": [
            {"kind": item.kind, "number": item.number, "finding": item.finding}
            for item in fuzz.findings
        ],
    }
    write_json(folder / "fuzz.json", content)
