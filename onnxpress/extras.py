"""The optional parts of onnxpress, and the line to show where one is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from onnxpress.errors import UserError

EXTRAS = {
    "cluster": {"dask", "distributed"},
    "grpc": {"grpc", "tritonclient"},
    "pipeline": {"dvc", "filelock", "pydantic", "pydantic_core", "requests", "ruamel", "yaml"},
    "report": {"jinja2", "matplotlib"},
    "torch": {"onnxscript", "torch"},
    "tracking": {"boto3", "botocore", "mlflow"},
}
"""By extra of pyproject.toml, the modules that it brings."""


@contextmanager
def naming_extras() -> Iterator[None]:
    """Say which extra is missing where the block imports a module of one.

    Raises:
        UserError: a module is missing that an extra brings; other imports fail as they do.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        extra = next((name for name, modules in EXTRAS.items() if missing in modules), None)
        if extra is None:
            raise
        raise UserError(
            f"this needs {missing}, which is not installed: pip install 'onnxpress[{extra}]'"
        ) from error
