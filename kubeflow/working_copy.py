"""A clone of the repository for one step: the image's own files are read-only."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from onnxpress.pipeline.external import git


@contextlib.contextmanager
def working_copy() -> Iterator[None]:
    """Enter a temporary clone of the commit that is checked out in the current folder.

    Raises:
        UserError: the current folder is not a git repository.
    """
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder:
        cure = "build the image from a clone of the repository, with its .git"
        git("clone", "--quiet", str(Path.cwd()), f"{folder}/onnxpress", cure=cure)
        with contextlib.chdir(f"{folder}/onnxpress"):
            yield
