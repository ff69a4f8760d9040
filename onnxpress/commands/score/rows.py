"""Where the rows that are scored lie: in files of this machine, or in objects in S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from os import stat_result
from pathlib import Path
from typing import Protocol

from onnxpress.commands.score.files import ScoredFile, files_of
from onnxpress.commands.score.stamp import OBJECT, ROWS, Stamp, digest
from onnxpress.errors import UserError
from onnxpress.pipeline.bucket import S3, Objects, objects_one_by_one
from onnxpress.pipeline.outputs import TEST


class Source(Protocol):
    """Where rows lie."""

    files: list[ScoredFile]

    def size(self, file: ScoredFile) -> int:
        """Return how many bytes the rows of a file have."""

    def reading(self, file: ScoredFile) -> AbstractContextManager[None]:
        """Have the rows at their path in the block."""

    def made_from(self, file: ScoredFile) -> Stamp:
        """Return by which content the rows are known."""

    def refuse_changed(self, file: ScoredFile) -> None:
        """See that rows are still those that were scored.

        Raises:
            UserError: their file has changed.
        """


@contextmanager
def source_of(table: str, output: Path) -> Iterator[Source]:
    """Yield the rows that ``table`` names in the block: a file, a folder, a glob, or an address.

    Raises:
        UserError: there are none, or as :func:`.files_of`.
        ServerError: S3 does not answer, or refuses.
    """
    if not table.startswith(S3):
        yield Here(table, output)
        return
    with objects_one_by_one(table, TEST.parent) as objects:
        yield There(objects, output)


class Here:
    """Files of this machine, known by the digests of their content."""

    def __init__(self, table: str, output: Path) -> None:
        """Find the files."""
        self.files = files_of(table, output)
        self._before: dict[ScoredFile, stat_result] = {}

    def size(self, file: ScoredFile) -> int:
        """Return how many bytes a file has, and remember its state."""
        self._before[file] = file.rows.stat()
        return self._before[file].st_size

    def reading(self, _file: ScoredFile) -> AbstractContextManager[None]:
        """The rows are there."""
        return nullcontext()

    def made_from(self, file: ScoredFile) -> Stamp:
        """Return the digest of a file."""
        return {ROWS: digest(file.rows)}

    def refuse_changed(self, file: ScoredFile) -> None:
        """See that a file is as it was when its size was asked."""
        before, after = self._before[file], file.rows.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise UserError(f"{file.rows} changed while it was scored; run again")


class There:
    """Objects in S3, known by their tags; each is copied when its rows are read."""

    def __init__(self, objects: Objects, output: Path) -> None:
        """Find the objects."""
        self.objects = objects
        self.files = files_of(objects.table, output, copied=True)

    def size(self, file: ScoredFile) -> int:
        """Return how many bytes an object has."""
        return self.objects.files[file.rows].size

    def reading(self, file: ScoredFile) -> AbstractContextManager[None]:
        """Have a copy of an object in the block."""
        return self.objects.reading(file.rows)

    def made_from(self, file: ScoredFile) -> Stamp:
        """Return the tag that S3 gives the content of an object."""
        return {OBJECT: self.objects.files[file.rows].tag}

    def refuse_changed(self, _file: ScoredFile) -> None:
        """S3 gave the object in the state in which it was listed."""
