"""Refuse secrets in params and sweep files, because git, DVC and MLflow keep those files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from onnxpress.credentials.addresses import DATABASES, FILES, HIDDEN, Unreadable, read
from onnxpress.credentials.redaction import secret_in
from onnxpress.credentials.sources import SECRET_NAME
from onnxpress.errors import UserError

STORE = "publish.tracking_uri"


def refuse_secrets(content: Any, origin: Path) -> None:
    """Check every key and value of a YAML file, before anything of it is shown.

    ``origin`` is the file, for the line.

    Raises:
        UserError: one seems to hold a secret; the line names the key and nothing of the value.
    """
    for key, value in _leaves(content):
        kind = _kind_of_secret(key, value)
        if kind and key.endswith(STORE):
            raise UserError(
                f"{origin}: {STORE} should hold no password, because git and dvc.lock keep it, "
                f"got {kind}; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead "
                "(for a database MLFLOW_TRACKING_URI)"
            )
        if kind:
            raise UserError(
                f"{origin}: {key} should hold no secret, because git, dvc.lock and MLflow keep it, "
                f"got {kind}; take it out, and renew it if it was committed"
            )


def without_snippet(error: yaml.YAMLError) -> str:
    """Return what is wrong with a YAML file, and where.

    The words of the line are left out, because they may be a password.
    """
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    problem = re.sub(r"'[^'<]{2,}'", "a word", error.problem or "its form")
    return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {problem}"


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every scalar below ``value`` with its dotted key.

    Every key is also yielded, as a value of the section that it is in.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            yield key or "its top", str(name)
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _leaves(item, key)
    else:
        yield key, value


def _kind_of_secret(key: str, value: Any) -> str | None:
    """Return in words what secret a value seems to hold, without repeating it."""
    if isinstance(value, bytes):  # !!binary
        value = value.decode(errors="replace")
    if key.endswith(STORE) and isinstance(value, str):
        return _secret_in_address(value)
    named = SECRET_NAME.fullmatch(key.rpartition(".")[2])
    if named and not isinstance(value, bool) and value not in (None, ""):
        return "a password or token"
    return secret_in(value) if isinstance(value, str) else None


def _secret_in_address(text: str) -> str | None:
    try:
        address = read(text)
    except Unreadable:
        return "an address that cannot be read, so it may hold one"
    if address.user is not None:
        return "an address with user info"
    if address.kind in FILES:
        return None
    if address.fragment or (address.query and address.kind not in DATABASES):
        return "an address with a query"
    return "an address with a token in its path" if HIDDEN in address.public else secret_in(text)
