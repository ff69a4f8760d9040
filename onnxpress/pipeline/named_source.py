"""The rows that ``data.source`` names: bundled ones, files under data/, or objects in S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.pipeline.bucket import S3, copy_of_objects
from onnxpress.pipeline.console import say
from onnxpress.pipeline.named_file import named_file
from onnxpress.pipeline.outputs import PARAMS, TEST
from onnxpress.tables.folders import folder_of, names_several
from onnxpress.tables.sources import BUNDLED, INSTEAD, SUFFIXES

DATA = Path("data")
"""Where tables lie; DVC watches it."""


@dataclass(frozen=True)
class NamedSource:
    """Where the rows are read."""

    path: str
    """A bundled name, a file, a folder or a glob."""
    within: Path = DATA
    """The folder in which all files have to lie."""
    shown: Callable[[str], str] = str
    """Writes a line about the files as the user knows them."""

    @property
    def is_several(self) -> bool:
        """Whether it is a folder or a glob."""
        return self.path not in BUNDLED and names_several(self.path)


@contextmanager
def named_source(source: str) -> Iterator[NamedSource]:
    """Yield where to read ``data.source`` in the block; objects in S3 are copied for that long.

    Raises:
        UserError: it names nothing that can be read.
        ServerError: S3 does not answer, or refuses.
    """
    if source.startswith(S3):
        say(f"{source}: DVC does not see it change; `dvc repro --force prepare` reads it again")
        with local(source) as (path, shown):
            yield NamedSource(path, TEST.parent, shown)
        return
    if source not in BUNDLED and not names_several(source):
        named_file(source, "data.source", DATA, SUFFIXES, INSTEAD)
    elif source not in BUNDLED and not _folder_is_inside(source):
        raise UserError(
            f"{PARAMS}: data.source should lie under {DATA}/ so that DVC sees it change, "
            f"got {source!r}; move it there"
        )
    yield NamedSource(source)


def _folder_is_inside(source: str) -> bool:
    return folder_of(source)[0].resolve().is_relative_to(DATA.resolve())


@contextmanager
def local(table: str) -> Iterator[tuple[str, Callable[[str], str]]]:
    """Yield the path of a table, or of a copy of objects in S3, and what writes lines about it.

    Raises:
        UserError: it names no object in S3.
        ServerError: S3 does not answer, or refuses.
    """
    if not table.startswith(S3):
        yield table, str
        return
    with copy_of_objects(table, TEST.parent) as copy:
        yield copy
