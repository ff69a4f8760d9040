"""Addresses of tables and caches, as a pipeline's arguments hold them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from onnxpress.credentials.addresses import Unreadable, read
from onnxpress.errors import UserError
from onnxpress.tables.sources import BUNDLED, SUFFIXES
from onnxpress.text import shortened

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def file_name(source: str) -> str:
    """Return the name of the file at an address.

    Raises:
        UserError: it is neither a CSV nor a Parquet file, or the address holds a login.
    """
    refuse_login("source", source)
    name = PurePosixPath(source.partition("?")[0]).name
    if not name.endswith(SUFFIXES):
        raise UserError(
            f"source should be one of {', '.join(BUNDLED)}, or the address of a .csv or .parquet "
            f"file, got {shortened(repr(source))}"
        )
    return name


def refuse_login(argument: str, address: str) -> None:
    """Refuse an address with a login: Kubeflow stores and shows the arguments of every run.

    Raises:
        UserError: it has one, or can be read in two ways. The message does not repeat it.
    """
    if not SCHEME.match(address):  # a path
        return
    try:
        login = read(address).login
    except Unreadable as error:
        raise UserError(f"{argument} should be an address, got one of {error}") from error
    if login:
        raise UserError(
            f"{argument} should hold no login, Kubeflow shows arguments to everybody; "
            "put it into a Secret, see docs/kubeflow.md"
        )
