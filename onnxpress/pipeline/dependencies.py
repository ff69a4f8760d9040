"""What a stage depends on must not change while it runs.

DVC records the state of params, code and inputs *after* a stage has run: what is edited meanwhile
would be recorded as what ran. So each stage compares at its end, and fails if anything changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PIPELINE, PARAMS = Path("dvc.yaml"), Path("params.yaml")
HASHED_BYTES = 1_000_000
"""Larger files are compared by size, time and inode only: some have gigabytes."""
CODE = (".py", ".jinja")
_begun: dict[str, Reading] = {}


@dataclass(frozen=True)
class File:
    """The state of a file. Equal stamps mean equal content; if they differ, the digests decide."""

    stamp: tuple[int, ...]
    digest: bytes | None

    def same(self, other: File) -> bool:
        """Whether the two states surely have the same content."""
        if self.stamp == other.stamp:
            return True
        return self.digest is not None and self.digest == other.digest


@dataclass(frozen=True)
class Reading:
    """What a stage of dvc.yaml depends on, as it was when the stage began."""

    deps: tuple[str, ...]
    keys: tuple[str, ...]
    """Of params.yaml, sections or dotted."""
    files: Mapping[str, File]
    params: Mapping[str, Any]

    def changes(self) -> list[str]:
        """Return files and keys of params.yaml that differ now.

        Of new files only code counts, because it may have been imported.
        """
        now = {path: found for dep in self.deps for path, found in _files(dep, self.files)}
        gone = [path for path in self.files if path not in now]
        new = [path for path in now if path not in self.files and path.endswith(CODE)]
        kept = [path for path in self.files if path in now]
        edited = [path for path in kept if not self.files[path].same(now[path])]
        params = _params(self.keys)
        keys = [key for key in {**self.params, **params} if self.params.get(key) != params.get(key)]
        return [f"{PARAMS}: {key}" for key in sorted(keys)] + sorted(gone + new + edited)


def begin(stage: str) -> None:
    """Record what a stage depends on, before its code is imported."""
    if reading := _reading_of(stage):
        _begun[stage] = reading


def begun(stage: str) -> bool:
    """Whether the state at the beginning of the stage was recorded."""
    return stage in _begun


def changes(stage: str) -> list[str]:
    """Return what has changed since the stage began; nothing if it is not a stage of dvc.yaml."""
    return _begun[stage].changes() if stage in _begun else []


def _reading_of(stage: str) -> Reading | None:
    try:
        entry = _loaded(PIPELINE)["stages"][stage]
        deps = tuple(entry.get("deps", []))
        keys = tuple(entry.get("params", []))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None  # not in a project, or not a stage
    files = {path: file for dep in deps for path, file in _files(dep)}
    return Reading(deps, keys, files, _params(keys))


def _files(dep: str, known: Mapping[str, File] | None = None) -> Iterator[tuple[str, File]]:
    """Yield the files of a dependency with their states.

    A file that has the stamp it has in ``known`` is not read again.
    """
    for path in _paths(dep):
        with suppress(OSError):  # removed meanwhile
            status = Path(path).stat()
            stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
            before = (known or {}).get(path)
            if before and before.stamp == stamp:
                yield path, before
            else:
                small = status.st_size <= HASHED_BYTES
                yield path, File(stamp, _digest(path) if small else None)


def _paths(dep: str) -> Iterator[str]:
    """Yield the dependency itself, or the files below it without byte code and editors' files."""
    if not Path(dep).is_dir():
        yield dep
        return
    for folder, folders, names in os.walk(dep):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        for name in names:
            if not name.startswith(".") and not name.endswith((".pyc", "~")):
                yield str(Path(folder, name))


def _digest(path: str) -> bytes:
    import hashlib  # loads OpenSSL, which would count in a measurement of memory

    return hashlib.blake2b(Path(path).read_bytes()).digest()


def _loaded(path: Path) -> Any:
    """Read a YAML file, with the C parser if there is one: it is 20 times as fast.

    Raises:
        ValueError: it cannot be read.
    """
    import yaml  # 40 ms that only a stage needs

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_bytes(), loader)  # noqa: S506 - both loaders are safe
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(str(error)) from error


def _params(keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the values below ``keys`` in params.yaml by dotted key; none if it cannot be read."""
    try:
        content = _loaded(PARAMS)
    except ValueError:
        return {}
    found: dict[str, Any] = {}
    for key in keys:
        value = content
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        found.update(_leaves(key, value))
    return found


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(f"{key}.{name}", item)
    else:
        yield key, repr(value)  # tells 1 from 1.0 and from true
