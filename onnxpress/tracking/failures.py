"""Failures of tracking and artefact stores in one clear line: what failed, why, what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from onnxpress.credentials.redaction import redacted, repeats_secret
from onnxpress.errors import ServerError, UserError
from onnxpress.tracking.s3 import CONFIGURE
from onnxpress.tracking.store import Store

FOREIGN = {
    "azure",
    "boto3",
    "botocore",
    "google",
    "mlflow",
    "requests",
    "sqlalchemy",
    "sqlite3",
    "urllib3",
}
"""Packages whose exceptions are a failure of the store, not a bug of ours."""
TRANSPORTS = {"botocore", "requests", "sqlalchemy", "urllib3"}
"""Packages in which a plain ValueError means an address or a header that cannot be sent."""

CREDENTIALS = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


class Cause(NamedTuple):
    """A known failure: what its message contains, what the store did, and the cure."""

    pattern: str
    what: str
    cure: str


CAUSES = (
    Cause(
        r"NoSuchBucket|specified bucket does not exist",
        "names a bucket that does not exist",
        "create it or name another",
    ),
    Cause(
        r"NoCredentialsError|Unable to locate credentials",
        "needs S3 credentials, and this machine has none",
        CONFIGURE,
    ),
    Cause(
        r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|\w+Token",
        "refuses the S3 credentials",
        "check them",
    ),
    Cause(
        r"No module named '(?P<module>[\w.]+)'",
        "needs the Python package {module}",
        "install it",
    ),
    Cause(
        r"certificate verify failed|SSLError",
        "has a certificate that cannot be verified",
        "set MLFLOW_TRACKING_SERVER_CERT_PATH",
    ),
    Cause(
        r"Name or service not known|NameResolution|resolve host|getaddrinfo",
        "has an unknown host name",
        "check its spelling",
    ),
    Cause(
        r"Connection refused|No route to host|Network is unreachable",
        "cannot be reached",
        "start it or correct the address",
    ),
    Cause(r"timed? ?out|Timeout", "does not answer in time", "check the server and the network"),
    Cause(
        r"Connection ?(reset|aborted)|RemoteDisconnected|IncompleteRead|BrokenPipe",
        "cut the connection",
        "check its log",
    ),
    Cause(r"\b401\b|Unauthorized|UNAUTHENTICATED", "refuses the credentials", CREDENTIALS),
    Cause(
        r"\b403\b|PERMISSION_DENIED|Forbidden",
        "does not permit this",
        "ask for write access to the experiment",
    ),
    Cause(
        r"\b50[0-4]\b|INTERNAL_ERROR|too many .* error",
        "failed (server error)",
        "its log says why, often S3 credentials or bucket",
    ),
    Cause(
        r"error code 404|ENDPOINT_NOT_FOUND",
        "is not an MLflow server (404)",
        "correct the address",
    ),
    Cause(
        r"out-of-date database schema",
        "was made by an older MLflow",
        "back it up and run `mlflow db upgrade`",
    ),
    Cause(r"database is locked", "is locked by another program", "close it"),
    Cause(r"No space left", "is on a full disk", "free some space"),
)
"""Known failures; the first whose pattern is found is the one that is reported."""


@contextmanager
def server_errors(store: Store, kept: str) -> Iterator[None]:
    """Turn what a store or its client raises into one :class:`ServerError`; bugs pass.

    ``kept`` says at the end of the line what is kept, or how to go on.
    """
    try:
        yield
    except ServerError as error:
        raise ServerError(f"{error}; {kept}") from error
    except UserError:
        raise
    except Exception as error:
        if not is_foreign(error):
            raise
        raise ServerError(f"{explain(error, store)}; {kept}") from error


def is_foreign(error: BaseException) -> bool:
    """Whether a store or its client library raised ``error``."""
    packages = {base.__module__.partition(".")[0] for base in type(error).__mro__}
    if packages & FOREIGN or isinstance(error, (OSError, ImportError)):
        return True
    return isinstance(error, ValueError) and bool(_passed_through(error) & TRANSPORTS)


def _passed_through(error: BaseException) -> set[str]:
    """Return the packages whose functions ``error`` has passed through."""
    frames = traceback.walk_tb(error.__traceback__)
    return {str(frame.f_globals.get("__name__")).partition(".")[0] for frame, _ in frames}


def explain(error: BaseException, store: Store, part: str = "") -> str:
    """Return one line: the store (or a part of it), what it did, and the cure.

    The line has no credentials in it.
    """
    text = f"{type(error).__name__} {error}"
    subject = f"{part}{store.public_uri}"
    for cause in CAUSES:
        if found := re.search(cause.pattern, text):
            return f"{subject} {cause.what.format(**found.groupdict())}; {cause.cure}"
    if repeats_secret(text):
        kind = type(error).__name__
        return f"{subject} failed ({kind}); its message repeats a secret, so it is not shown"
    first_line = redacted(str(error)).strip().partition("\n")[0] or type(error).__name__
    return f"{subject} failed: {first_line[:300]}"
