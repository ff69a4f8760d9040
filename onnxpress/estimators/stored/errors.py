"""Why a stored estimator was not loaded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any


class Refused(Exception):
    """A file names something that no fitted estimator holds.

    ``names`` are those found, ``package.module.name``, sorted.
    """

    def __init__(self, names: Collection[str], what: str = "names") -> None:
        """``what`` the file does with them: "names" them, or "calls" them."""
        self.names, self.what = sorted(names), what
        super().__init__(", ".join(self.names))


class Damaged(Exception):
    """A file that is cut, changed or made by hand.

    Its data do not fit together. The message says which, in one clause.

    ``names`` are the :class:`nodes.Global` read so far, if a reader raised this.
    """

    names: Sequence[Any] = ()


class OtherVersion(Exception):
    """An estimator of another scikit-learn; ``version`` is that."""

    def __init__(self, version: str) -> None:
        """Keep the version."""
        self.version = version
        super().__init__(version)
