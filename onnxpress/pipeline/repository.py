"""Where the repository is, and the paths that DVC or MLflow cannot handle.

Such a path is refused by the first stage, not by the last one that meets it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from onnxpress.credentials.addresses import refuse_unaddressable
from onnxpress.errors import UserError


def repository_root() -> Path:
    """Return the user's repository, also while an experiment runs in a temporary copy of it."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def refuse_place(root: Path, tracking_uri: str | None) -> None:
    """Refuse a repository whose path DVC cannot handle, or MLflow if the store will be in it.

    Raises:
        UserError: naming the path and what it must not contain.
    """
    if re.search(r"[{}\ud800-\udfff]", str(root)):  # dvc formats paths, and hashes them as UTF-8
        raise UserError(
            f"the repository's path {str(root)!r} has a {{, a }} or bytes that are not UTF-8; "
            "DVC needs another path"
        )
    if not (os.environ.get("MLFLOW_TRACKING_URI") or tracking_uri):
        refuse_unaddressable(root / "mlflow.db")
