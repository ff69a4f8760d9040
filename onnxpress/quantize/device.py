"""What a model takes on the device that it is for, held against a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from onnxpress.quantize.candidates import NotApplicable

LIMITS = {
    "flash_kb": "KB of flash",
    "ram_kb": "KB of RAM",
    "row_us": "microseconds a row",
}
"""What may be limited, by key, with its words."""


@dataclass(frozen=True)
class Need:
    """What a model takes of one thing that has a limit."""

    key: str
    value: float | None
    """None if the model cannot run on the device at all."""
    limit: float

    @property
    def exceeded(self) -> bool:
        """Whether it is more than there is."""
        return self.value is None or self.value > self.limit

    def __str__(self) -> str:
        """``1.52 of 2 KB of flash``, or ``2.002 KB of flash where 2 is allowed``; rounded up."""
        value, unit = math.ceil((self.value or 0) * 1000) / 1000, LIMITS[self.key]
        if self.exceeded:
            return f"{value:,} {unit} where {self.limit:,g} is allowed"
        return f"{value:,} of {self.limit:,g} {unit}"

    def to_json(self) -> dict[str, Any]:
        """The entry in quantization.json."""
        spare = None if self.value is None else self.limit - self.value
        return {"value": self.value, "limit": self.limit, "spare": spare}


@dataclass(frozen=True)
class Device:
    """A budget, and how models are held against it."""

    limits: Mapping[str, float]
    """By key of ``LIMITS``."""
    measure: Callable[[bytes], Mapping[str, float]]
    """What a model takes, by key; raises NotApplicable if it cannot run on the device."""
    about: str
    """Where the figures come from, such as ``predicted for C on a Cortex-M4F``."""
    is_timed: bool = False
    """Whether they are measured in this process."""
    key: str = "device"
    """What errors call the budget."""
    losses: str = "budgets"
    """What they call the limits on losses."""

    def needs(self, model: bytes) -> tuple[tuple[Need, ...], str]:
        """Return what a model takes of each thing that is limited, and why it cannot run there."""
        try:
            found, reason = self.measure(model), ""
        except NotApplicable as error:
            found, reason = {}, str(error)
        needs = tuple(Need(key, found.get(key), limit) for key, limit in self.limits.items())
        return needs, reason

    def summary(self, needs: Iterable[Need]) -> str:
        """What the model that is passed on takes, in words."""
        return f"{', '.join(map(str, needs))}, {self.about}"

    def to_json(self, needs: Iterable[Need]) -> dict[str, Any]:
        """The same for quantization.json."""
        return {"about": self.about, **{need.key: need.to_json() for need in needs}}
