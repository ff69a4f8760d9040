"""Which files are scored, and the file that each becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.tables.pieces import SUFFIXES

MAGIC = "*?["
HIDDEN = (".", "_")
"""First letters of files and folders that are no data, such as _SUCCESS and unfinished outputs."""


@dataclass(frozen=True)
class ScoredFile:
    """A file of rows, and the Parquet file of their predictions."""

    rows: Path
    predictions: Path


def files_of(table: str, output: Path) -> list[ScoredFile]:
    """Return the files that ``table`` names, a file, a folder or a glob, in the order of names.

    The predictions of a file lie in ``output`` where it lies in the folder: under its name, with
    the suffix .parquet. The folder of a glob is the one above its first part with a wildcard.

    Raises:
        UserError: there is no such file, one is no table, two would have the same predictions, or
            the output would be among the rows.
    """
    folder, found = _found(table)
    files = [
        ScoredFile(path, output / path.relative_to(folder).with_suffix(".parquet"))
        for path in sorted(found)
    ]
    if not files:
        raise UserError(f"{table!r} should be {_EXPECTED}, and there is none; correct the path")
    _refuse_among(output, Path(table), files)
    sources: dict[Path, Path] = {}
    for file in files:
        if file.rows.suffix not in SUFFIXES:
            raise UserError(f"{file.rows} should be {_EXPECTED}; name a glob that leaves it out")
        other = sources.setdefault(file.predictions, file.rows)
        if other != file.rows:
            raise UserError(
                f"{other} and {file.rows} would both become {file.predictions}; rename one"
            )
    return files


_EXPECTED = f"a {' or '.join(SUFFIXES)} file, or a folder or glob of such files"


def _found(table: str) -> tuple[Path, list[Path]]:
    """Return the folder that paths are relative to, and the files."""
    path = Path(table)
    if path.is_file():
        return path.parent, [path]
    if path.is_dir():
        return path, [each for each in _seen(path, "**/*") if each.suffix in SUFFIXES]
    parts = path.parts
    fixed = next((at for at, part in enumerate(parts) if set(part) & set(MAGIC)), len(parts) - 1)
    folder = Path(*parts[:fixed])
    return folder, _seen(folder, "/".join(parts[fixed:]))


def _seen(folder: Path, pattern: str) -> list[Path]:
    """Return the files in a folder that match and are not hidden."""
    return [
        path
        for path in folder.glob(pattern)
        if path.is_file()
        and not any(part.startswith(HIDDEN) for part in path.relative_to(folder).parts)
    ]


def _refuse_among(output: Path, folder: Path, files: list[ScoredFile]) -> None:
    """See that no prediction would be taken for rows in the next run.

    Raises:
        UserError: the output is in the folder of rows, or rows are in the output.
    """
    place = output.resolve()
    inside = any(file.rows.resolve().is_relative_to(place) for file in files)
    if inside or (folder.is_dir() and place.is_relative_to(folder.resolve())):
        raise UserError(f"--output {output} should be apart from the rows; name another folder")
