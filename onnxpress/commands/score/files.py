"""Which files are scored, and the file that each becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.tables.folders import files_in
from onnxpress.tables.pieces import SUFFIXES


@dataclass(frozen=True)
class ScoredFile:
    """A file of rows, and the Parquet file of their predictions."""

    rows: Path
    predictions: Path


def files_of(table: str, output: Path, *, copied: bool = False) -> list[ScoredFile]:
    """Return the files that ``table`` names, a file, a folder or a glob, in the order of names.

    The predictions of a file lie in ``output`` where it lies in the folder: under its name, with
    the suffix .parquet. The folder of a glob is the one above its first part with a wildcard.
    Rows that are ``copied`` are gone after this run.

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
    if not copied:
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
    folder, files = files_in(table)
    every = not path.is_dir()  # files that a glob names are meant
    return folder, [each for each in files if each.is_file() and (every or each.suffix in SUFFIXES)]


def _refuse_among(output: Path, folder: Path, files: list[ScoredFile]) -> None:
    """See that no prediction would be taken for rows in the next run.

    Raises:
        UserError: the output is in the folder of rows, or rows are in the output.
    """
    place = output.resolve()
    inside = any(file.rows.resolve().is_relative_to(place) for file in files)
    if inside or (folder.is_dir() and place.is_relative_to(folder.resolve())):
        raise UserError(f"--output {output} should be apart from the rows; name another folder")
