"""The path of a file that a held process was handed.

Shown as the user wrote it, opened by its descriptor.
"""

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
    """Return the path ``name`` for the file of ``descriptor``.

    Its ``real`` path is used where descriptors have no path.
    """
    path = GivenFile(name)
    path.opened_as = f"/proc/self/fd/{descriptor}" if LINUX else real
    return path
