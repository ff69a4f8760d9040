"""The path of a file that a held process was handed: shown as the user wrote it, opened by its descriptor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.held.kernel import LINUX

if TYPE_CHECKING:
    Base = Path
else:
    Base = type(Path())  # before Python 3.12 Path itself has no subclasses that work


class GivenFile(Base):
    """A path whose name need not lead anywhere: a held process sees no folder of the user's."""

    opened_as = ""

    def __fspath__(self) -> str:
        """What is opened."""
        return self.opened_as or str(self)


def given_file(name: str, descriptor: int, real: str) -> GivenFile:
    """The path ``name`` for the file of ``descriptor``, whose ``real`` path serves where descriptors have none."""
    path = GivenFile(name)
    path.opened_as = f"/proc/self/fd/{descriptor}" if LINUX else real
    return path
