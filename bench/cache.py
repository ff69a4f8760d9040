"""Finished records, a line of JSON each, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path

from bench.suite import Record, Settings

ROOT = Path(__file__).parents[1]
SOURCES = ("onnxpress", "bench")
AFTERWARDS = {"__main__.py", "cache.py", "table.py", "bars.py", "report.py"}
"""Files of bench/ that only present what the records hold."""

Key = tuple[str, str, int]


def key(record: Record) -> Key:
    """What a record is about: data set, estimator, split."""
    return record["data"], record["estimator"], record["split"]


def fingerprint(settings: Settings) -> str:
    """A digest of all that a record depends on: sources, settings, and installed packages."""
    digest = hashlib.sha256(json.dumps(asdict(settings)).encode())
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if folder != "bench" or path.name not in AFTERWARDS:
                digest.update(path.read_bytes())
    for package in sorted({f"{found.name} {found.version}" for found in distributions()}):
        digest.update(package.encode())
    return digest.hexdigest()[:16]


def read(path: Path, mark: str) -> dict[Key, Record]:
    """The records made under the fingerprint ``mark``, without a last line that was cut short."""
    records = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if record.pop("fingerprint") == mark:
            records[key(record)] = record
    return records


def append(path: Path, record: Record, mark: str) -> None:
    """Add a record at the end of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"fingerprint": mark, **record}) + "\n")
