"""Folders and globs: which files of tables they name, and what the paths say about the rows."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

MAGIC = "*?["
HIDDEN = (".", "_")
"""First letters of files and folders that are no data, such as _SUCCESS and unfinished outputs."""

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and Spark call the folder of rows without a value."""


def names_several(table: str) -> bool:
    """Whether a name is that of a folder, or a glob, and so of any number of files."""
    # unlike Path, os.path knows of no name that is too long
    if os.path.isfile(table):  # noqa: PTH113
        return False
    return bool(set(table) & set(MAGIC)) or os.path.isdir(table)  # noqa: PTH112


def folder_of(table: str) -> tuple[Path, str]:
    """Return the folder in which the files of a folder or a glob lie, and the pattern of the rest.

    The folder of a glob is the one above its first part with a wildcard.
    """
    path = Path(table)
    if path.is_dir():
        return path, "**/*"
    parts = path.parts
    fixed = next((at for at, part in enumerate(parts) if set(part) & set(MAGIC)), len(parts) - 1)
    return Path(*parts[:fixed]), "/".join(parts[fixed:])


def files_in(table: str) -> tuple[Path, list[Path]]:
    """Return the folder of a folder or a glob, and the files that it names, sorted.

    Hidden files are left out.
    """
    folder, pattern = folder_of(table)
    return folder, _seen(folder, pattern)


def _seen(folder: Path, pattern: str) -> list[Path]:
    """Return the files in a folder that match and are not hidden."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if not path.is_dir()
        and not any(part.startswith(HIDDEN) for part in path.relative_to(folder).parts)
    )


def partition_values(path: Path, folder: Path) -> dict[str, str | None]:
    """Return the columns that the folders above a file name, as Hive writes them.

    >>> partition_values(Path("rows/year=2024/city=New%20York/a.parquet"), Path("rows"))
    {'year': '2024', 'city': 'New York'}
    """
    pairs = [part.split("=", 1) for part in path.relative_to(folder).parts[:-1] if "=" in part]
    return {unquote(name): None if value == NO_VALUE else unquote(value) for name, value in pairs}
