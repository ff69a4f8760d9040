"""The variables that name another S3 or STS than Amazon's."""

from __future__ import annotations

import os

from onnxpress.credentials.addresses import SERVERS, Unreadable, read
from onnxpress.errors import UserError

OTHER_STS = "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"
"""Variables that name another STS than Amazon's."""
S3_COMPATIBLE = "MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"
"""Variables that name another S3 than Amazon's."""


def refuse_endpoints() -> None:
    """Check that the variables that name another S3 or STS hold plain addresses.

    A login in such an address is refused: S3 does not use it.

    Raises:
        UserError: naming the variable, and nothing of an address that cannot be read.
    """
    for name in (*S3_COMPATIBLE, *OTHER_STS):
        if text := os.environ.get(name, "").strip():
            _refuse_endpoint(name, text)


def _refuse_endpoint(name: str, text: str) -> None:
    try:
        address = read(text)
    except Unreadable as error:
        raise UserError(
            f"{name} should be the address of an S3 store, got one that cannot be read ({error})"
        ) from error
    more = address.login or address.query or address.fragment
    if address.scheme not in SERVERS or more:
        raise UserError(
            f"{name} should be the plain address of an S3 store such as https://s3.example.org, "
            f"got {address.public} with more to it; "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for a login"
        )
