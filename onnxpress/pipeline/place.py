"""Where the repository lies: paths that DVC or MLflow cannot handle are refused by the first stage, not by the last."""

from __future__ import annotations

import os
import re
from pathlib import Path

from onnxpress.credentials.addresses import refuse_unaddressable
from onnxpress.errors import UserError


def repository_root() -> Path:
    """The user's repository: DVC names it even while an experiment runs in a temporary copy of it."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def refuse_place(root: Path, tracking_uri: str | None) -> None:
    """Refuse a repository whose path DVC cannot handle, or MLflow where the store is to lie in it.

    Raises:
        UserError: naming the path and what it may not have.
    """
    if re.search(
        r"[{}\ud800-\udfff]", str(root)
    ):  # dvc takes it for a format, and hashes paths as UTF-8
        raise UserError(
            f"the repository's path {str(root)!r} has a {{, a }} or bytes that are no UTF-8; DVC needs another path"
        )
    uri = os.environ.get("MLFLOW_TRACKING_URI") or tracking_uri
    if not uri:
        refuse_unaddressable(root / "mlflow.db")
