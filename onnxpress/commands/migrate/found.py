"""What a step of the migration has done, and what it leaves to the user."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Found:
    """Lines that each begin with the file that they are about."""

    changed: list[str] = field(default_factory=list)
    """What was changed."""

    left: list[str] = field(default_factory=list)
    """What cannot be changed here, and what to do about it."""
