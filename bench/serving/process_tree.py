"""What a server has cost so far: CPU time and memory of its process and those below it."""

from __future__ import annotations

import re
from pathlib import Path

import psutil


def cpu_seconds(process: int) -> float:
    """Return the CPU time that the tree has used, in user and kernel mode."""
    times = [each.cpu_times() for each in _tree(process)]
    return float(sum(each.user + each.system for each in times))


def peak_mb(process: int) -> float:
    """Return the sum of the peaks of resident memory of each process.

    Memory that processes share counts for each of them.
    """
    status = [Path(f"/proc/{each.pid}/status").read_text() for each in _tree(process)]
    peaks = [re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE) for text in status]
    return sum(int(peak[1]) for peak in peaks if peak) / 1024


def _tree(process: int) -> list[psutil.Process]:
    root = psutil.Process(process)
    return [root, *root.children(recursive=True)]
