"""What became of requests to the server, and its memory: printed, and stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.soak.serving import CLIENTS, LOOKS
from onnxpress.pipeline.files import write_bytes, write_json

MOST_GROWTH = 0.1


@dataclass(frozen=True)
class Requests:
    """A whole run: enough to repeat it."""

    model: str
    sent: dict[str, int]
    """How many requests of each kind."""
    memory_mb: Sequence[float]
    """Resident memory of all processes of the server: after the warm-up, then at each look."""
    findings: Sequence[str]
    seed: int
    commit: str
    minutes: float

    @property
    def growth(self) -> float:
        """The change of memory from the first look to the last, as a share."""
        return self.memory_mb[-1] / self.memory_mb[0] - 1

    @property
    def verdict(self) -> str:
        """The outcome in a line."""
        return (
            f"{sum(self.sent.values()):,} requests, {len(self.findings)} findings, memory "
            f"{self.memory_mb[0]:.1f} -> {self.memory_mb[-1]:.1f} MB ({self.growth:+.1%}, "
            f"limit {MOST_GROWTH:.0%}; seed {self.seed})"
        )


def markdown(found: Requests) -> str:
    """Return the run as Markdown."""
    total = sum(found.sent.values())
    command = f"python -m bench.soak serving --requests {total} --seed {found.seed}"
    begun, *looks = found.memory_mb
    lines = [
        "# Requests to the real server",
        "",
        f"Written by `{command} --output bench/results` at commit {found.commit}, in",
        f"{found.minutes:.0f} minutes. The server is that of `make serve`, with `{found.model}`",
        f"of `outputs/`. {CLIENTS} clients send right requests, each answer to which must be the",
        "model's to the last bit, and wrong ones, each of which must be refused with a line.",
        "Memory is the resident memory of the server's processes.",
        "",
        f"**{found.verdict}.**",
        "",
        "| requests | MB |",
        "|---:|---:|",
        f"| after the warm-up | {begun:.1f} |",
    ]
    for number, look in enumerate(looks, 1):
        lines.append(f"| {total * number // LOOKS:,} | {look:.1f} |")
    lines += ["", "| kind of request | sent |", "|---|---:|"]
    lines += [f"| {kind} | {count:,} |" for kind, count in found.sent.items()]
    lines += ["", *(f"- {finding}" for finding in found.findings[:20])]
    return "\n".join(lines).rstrip() + "\n"


def write(found: Requests, folder: Path) -> None:
    """Store ``soak_serving.md`` and ``soak_serving.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "soak_serving.md", markdown(found).encode())
    write_json(folder / "soak_serving.json", asdict(found))
