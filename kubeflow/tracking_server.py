"""Where a step finds the MLflow server."""

from __future__ import annotations

import os
import re
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.tracking.store import Store, resolve_store


def tracking_server(tracking_uri: str) -> Store:
    """Return the store ``tracking_uri``, or if it is empty that of ``MLFLOW_TRACKING_URI``.

    The processes that this one starts use the same store.

    Raises:
        UserError: neither is set, or the address cannot be used.
    """
    address = tracking_uri.strip() or os.environ.get("MLFLOW_TRACKING_URI", "")
    relative = re.match(r"sqlite:/{0,3}(?!/)", address)
    if not address or relative:
        came = f"got {address}, which would end with the step" if relative else "got neither"
        raise UserError(
            "tracking_uri, or MLFLOW_TRACKING_URI in the step's environment, should be the address "
            f"of an MLflow server, {came}; set one"
        )
    os.environ["MLFLOW_TRACKING_URI"] = address
    return resolve_store(None, Path("/"))
