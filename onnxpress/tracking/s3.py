"""Artefacts that this machine itself writes to S3: whose credentials, and how long it waits."""

from __future__ import annotations

import os
from typing import Any

from onnxpress.credentials.endpoints import OTHER_STS, S3_COMPATIBLE
from onnxpress.credentials.sources import remember
from onnxpress.errors import ServerError

CONNECT_SECONDS = 3
STS_SECONDS = 3
CONFIGURE = (
    "on Kubernetes annotate the service account with its role (IRSA: eks.amazonaws.com/role-arn), "
    "elsewhere set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
)


def limit_waiting(read_seconds: float) -> None:
    """Make every boto3 client of this process, also MLflow's, give up after one bounded attempt."""
    import boto3
    from botocore.config import Config
    from botocore.session import get_session

    session = get_session()
    attempts = {"total_max_attempts": 1}
    limits = Config(connect_timeout=CONNECT_SECONDS, read_timeout=read_seconds, retries=attempts)
    session.set_default_client_config(limits)
    boto3.setup_default_session(botocore_session=session)


def identity() -> str:
    """Return in words who this machine is to S3, as ``sts get-caller-identity`` says it.

    Where STS cannot be asked (an S3-compatible store, or a network that does not reach it), return
    the kind of credentials that were found.

    Raises:
        ServerError: no credentials are found; with what to configure.
        botocore.exceptions.ClientError: STS refuses the credentials.
    """
    import boto3

    credentials = boto3.DEFAULT_SESSION and boto3.DEFAULT_SESSION.get_credentials()
    if credentials is None:
        raise ServerError(
            f"artefacts are kept in S3, and this machine has no S3 credentials; {CONFIGURE}"
        )
    frozen: Any = credentials.get_frozen_credentials()
    remember(frozen.access_key, frozen.secret_key, frozen.token)
    if any(map(os.environ.get, S3_COMPATIBLE)) and not any(map(os.environ.get, OTHER_STS)):
        return f"credentials found ({credentials.method}); an S3-compatible store tells no identity"
    return _ask_sts(credentials.method)


def _ask_sts(method: str) -> str:
    """Return the identity that STS knows; ``method`` is how the credentials were found."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import HTTPClientError

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    limits = Config(connect_timeout=STS_SECONDS, read_timeout=STS_SECONDS)
    sts: Any = boto3.client("sts", region_name=region, config=limits)
    try:
        return f"{sts.get_caller_identity()['Arn']} ({method})"
    except HTTPClientError as error:
        why = f"STS does not tell the identity ({type(error).__name__})"
        return f"credentials found ({method}); {why}"
