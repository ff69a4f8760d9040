"""The processor: its name, and its instructions for products of whole numbers of 8 bits."""

from __future__ import annotations

import platform
from pathlib import Path

INFORMATION = Path("/proc/cpuinfo")

INT8 = {
    "amx_int8": "AMX",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "asimddp": "NEON dot product",
    "i8mm": "NEON matrix product",
}
"""Instructions that multiply and sum up int8 in one go, by Linux' names of them, fastest first."""


def cpu_model() -> str:
    """Return the CPU's name as the system gives it."""
    name = _field("model name", _information())
    return name or platform.processor() or platform.machine()


def int8_instructions(information: str | None = None) -> list[str] | None:
    """Return which of ``INT8`` this CPU has, by name; None where the system does not say.

    They decide how much faster a net in int8 is, and nothing else: no model depends on them.
    ``information`` is the text of /proc/cpuinfo, read by default.
    """
    text = _information() if information is None else information
    flags = (_field("flags", text) or _field("Features", text)).split()
    return [name for flag, name in INT8.items() if flag in flags] if flags else None


def int8_in_words(found: list[str] | None) -> str:
    """Say what the result of :func:`int8_instructions` means for nets in int8."""
    if found is None:
        return "this system does not say which instructions for int8 the CPU has"
    if not found:
        return "none: nets in int8 are as small here, and gain less time"
    return ", ".join(found)


def _information() -> str:
    return INFORMATION.read_text() if INFORMATION.exists() else ""


def _field(name: str, information: str) -> str:
    """The first value of a field; empty if there is none."""
    for line in information.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
