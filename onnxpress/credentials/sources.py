"""The secrets that this process was given, wherever it was given them, and every form in which they may come back.

They are never stored: they are looked up again whenever a text is to be shown.
"""

from __future__ import annotations

import base64
import configparser
import html
import json
import netrc
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

from onnxpress.credentials.addresses import Unreadable, read

_NAME = (
    r"(?:(?:[\w.-]{0,100}[_.-])?(?:passw(?:or)?d|passphrase|pwd|secret|credentials?|authorization"
    r"|(?:api|access|account|private|secret)[_-]?key(?:[_-]?id)?|(?:aws)?accesskeyid"
    r"|(?:x|auth|access|api|bearer|id|private|refresh|security|session|tracking)[_-]?token)|x-[\w-]+-token|token)"
)
SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
"""Names of keys that hold a secret."""
SECRET_PARAMETER = re.compile(
    rf"{_NAME}|sig|(?:[\w-]+-)?signature|auth|key|sas|x-amz-credential", re.IGNORECASE
)
"""Names of parameters in the query of an address that hold one."""
SECRET_VARIABLE = re.compile(
    r".*(?:passw(?:or)?d|passphrase|secret|token|credentials?|_key(?:_?id)?|_pass|_pwd|_sas|connection_string)\d*",
    re.IGNORECASE,
)
"""Names of environment variables that hold one."""
ADDRESS_VARIABLE = re.compile(r".*(?:uri|url|proxy|endpoint|dsn)", re.IGNORECASE)
LONG_USER = 16
"""A user's name of so many characters may be a token."""

_told: set[str] = set()


def remember(*secrets: str | None) -> None:
    """Take note of secrets that this process found elsewhere than in its environment."""
    _told.update(filter(None, secrets))


def known() -> frozenset[str]:
    """Every secret of this process: of its environment, its files, and what it was told to remember."""
    files = tuple(_stamped(path) for path in _files())
    return _of_environment(tuple(os.environ.items())) | _of_files(files) | _told


@lru_cache(maxsize=256)
def encodings(secret: str) -> frozenset[str]:
    """A secret as it may come back: as it is, quoted for URLs, JSON and HTML, in base64 (alone or inside), in hex."""
    raw = secret.encode(errors="surrogatepass")
    found = {
        secret,
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        html.escape(secret),
    }
    found |= {
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        raw.hex(),
    }
    found |= {secret.encode("unicode_escape", "surrogatepass").decode()}
    for letters in _base64(raw):
        found |= {letters, letters.replace("+", "-").replace("/", "_"), quote(letters, safe="")}
    return frozenset(found)


def _base64(raw: bytes) -> Iterator[str]:
    """The letters of base64 that follow from ``raw`` wherever it begins in what is encoded, and with its end at the end."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first = (8 * before + 5) // 6
        yield whole[first : 8 * (before + len(raw)) // 6]
        yield whole[first:]


@lru_cache(maxsize=8)
def _of_environment(variables: tuple[tuple[str, str], ...]) -> frozenset[str]:
    found: set[str] = set()
    environment = dict(variables)
    for name, value in variables:
        if SECRET_VARIABLE.fullmatch(name) and not _is_path(value):
            found.add(value)
        if ADDRESS_VARIABLE.fullmatch(name) or re.match(r"[A-Za-z][\w+.-]*://", value):
            found.update(_of_address(value))
        found.update(_of_pairs(value))
    user, password = (
        environment.get(f"MLFLOW_TRACKING_{part}", "") for part in ("USERNAME", "PASSWORD")
    )
    found.update(_of_login(user, password))
    return frozenset(filter(None, found))


def _of_address(text: str) -> Iterator[str]:
    """The user info and tokens of an address, and the pieces of what may be its user info where it cannot be read."""
    with suppress(Unreadable):
        address = read(text.strip())
        yield from address.hidden
        if address.login:
            yield from _of_login(*address.login)
            yield from filter(None, (address.password, f"{address.user}:{address.password}"))
        return
    info, at, _ = text.partition("//")[2].rpartition("@") if "//" in text else text.rpartition("@")
    if at:
        user, _, password = info.partition(":")
        yield from _of_login(user, password)
        yield from _of_login(unquote(user), unquote(password))
        yield from re.split(r"[/?#@\[\]\s]+", password)


def _of_pairs(text: str) -> Iterator[str]:
    """The values of ``name=value`` in queries and connection strings whose names are those of secrets."""
    for name, value in re.findall(r"(?:^|[?&;\s])([\w.-]+)=([^&;\s#]+)", text):
        if SECRET_PARAMETER.fullmatch(name):
            yield from (value, unquote(value))


def _is_path(value: str) -> bool:
    """Whether a value names a file that holds the secret; an AWS key may begin with a slash too."""
    return value.startswith(("/", "~")) and (
        re.search(r"\.\w{2,5}$", value) is not None or os.path.exists(value)
    )  # noqa: PTH110 - never raises


def _of_login(user: str, password: str) -> Iterator[str]:
    if password:
        yield password
        yield f"{user}:{password}"
    if user and (not password or len(user) >= LONG_USER):
        yield user


def _files() -> Iterator[Path]:
    """Where MLflow and requests look for logins."""
    with suppress(RuntimeError):  # no home
        yield Path.home() / ".mlflow" / "credentials"
        yield Path(os.environ.get("NETRC") or Path.home() / ".netrc")


def _stamped(path: Path) -> tuple[Path, float]:
    try:
        return path, path.stat().st_mtime
    except (OSError, ValueError):
        return path, 0.0


@lru_cache(maxsize=8)
def _of_files(files: tuple[tuple[Path, float], ...]) -> frozenset[str]:
    found: set[str] = set()
    for path, changed in files:
        if not changed:
            continue
        with suppress(OSError, ValueError, netrc.NetrcParseError, configparser.Error):
            if path.name == "credentials":
                entries = configparser.ConfigParser(interpolation=None)
                entries.read(path, encoding="utf-8")
                for entry in entries.values():
                    user, password = (
                        entry.get(f"mlflow_tracking_{part}", "")
                        for part in ("username", "password")
                    )
                    found.update(_of_login(user, password))
            else:
                for user, _, password in netrc.netrc(path).hosts.values():
                    found.update(_of_login(user, password))
    return frozenset(found)
