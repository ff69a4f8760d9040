"""What is watched, and how often."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Watched:
    """A model that one or more Tritons serve."""

    name: str
    """On the servers, and that of its InferenceService on KServe."""
    p99_ms: int
    """How long 99 of 100 requests may take inside a server, in milliseconds."""
    on_kserve: bool
    """Whether its servers are pods of KServe, or one Triton on the machine of Prometheus."""
    drift: bool = False
    """Whether the drift component is served beside it."""

    @property
    def job(self) -> str:
        """The name of its servers in Prometheus, label ``job``."""
        return f"triton-{self.name}"

    @property
    def labels(self) -> str:
        """The labels that select its series."""
        return f'job="{self.job}",model="{self.name}"'


@dataclass(frozen=True)
class Timing:
    """How often servers are asked, and for how long a state must last: durations of Prometheus."""

    scrape: str = "15s"
    window: str = "5m"
    """Over which rates are taken."""
    down: str = "1m"
    """How long a server may be away before an alert fires."""
    trouble: str = "5m"
    """How long any other state may last before an alert fires."""
