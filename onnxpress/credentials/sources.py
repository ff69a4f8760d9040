"""The secrets that this process knows, from wherever, and every form they may be repeated in.

They are not stored: they are looked up again whenever a text is shown.
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
"""Names of parameters in the query of an address that hold a secret."""
SECRET_VARIABLE = re.compile(
    r".*(?:passw(?:or)?d|passphrase|secret|token|credentials?"
    r"|_key(?:_?id)?|_pass|_pwd|_sas|connection_string)\d*",
    re.IGNORECASE,
)
"""Names of environment variables that hold a secret."""
ADDRESS_VARIABLE = re.compile(r".*(?:uri|url|proxy|endpoint|dsn)", re.IGNORECASE)
LONG_USER = 16
"""A user's name of so many characters or more may be a token."""

_remembered: set[str] = set()


def remember(*secrets: str | None) -> None:
    """Remember secrets that were not in the environment or a file."""
    _remembered.update(filter(None, secrets))


def known() -> frozenset[str]:
    """Return every secret of the environment and of files, and every remembered one."""
    files = tuple(_stamped(path) for path in _files())
    return _of_environment(tuple(os.environ.items())) | _of_files(files) | _remembered


@lru_cache(maxsize=256)
def encodings(secret: str) -> frozenset[str]:
    """Return every form in which a secret may be repeated.

    As it is, quoted for URLs, HTML, JSON and Python, in hex, and in base64, alone or inside a
    longer text.
    """
    raw = secret.encode(errors="surrogatepass")
    found = {
        secret,
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        secret.encode("unicode_escape", "surrogatepass").decode(),
        raw.hex(),
    }
    for letters in _base64(raw):
        found |= {letters, letters.replace("+", "-").replace("/", "_"), quote(letters, safe="")}
    return frozenset(found)


def _base64(raw: bytes) -> Iterator[str]:
    """Yield the base64 letters that depend on ``raw`` alone, wherever in a text it is encoded.

    Three bytes become four letters, so there are three alignments, each also at the end of a text:

    bytes before "abc"   0      1      2
    inside a text        YWJj   FiY    hYm
    at its end           YWJj   FiYw   hYmM
    """
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
    """Yield the user info and tokens of an address.

    Of one that cannot be read, yield the pieces of what may be its user info.
    """
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
    """Yield the values in queries and connection strings whose names are those of secrets."""
    for name, value in re.findall(r"(?:^|[?&;\s])([\w.-]+)=([^&;\s#]+)", text):
        if SECRET_PARAMETER.fullmatch(name):
            yield from (value, unquote(value))


def _is_path(value: str) -> bool:
    """Whether a value names a file that holds the secret; an AWS key may begin with a slash too."""
    if not value.startswith(("/", "~")):
        return False
    return re.search(r"\.\w{2,5}$", value) is not None or os.path.exists(value)  # noqa: PTH110 - never raises


def _of_login(user: str, password: str) -> Iterator[str]:
    """Yield the secrets of a login; the user's name alone counts if it may be a token."""
    if password:
        yield password
        yield f"{user}:{password}"
    if user and (not password or len(user) >= LONG_USER):
        yield user


def _files() -> Iterator[Path]:
    """Yield the files in which MLflow and requests look for logins."""
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
    """Return the secrets in the files; ``files`` has the time of each one's last change."""
    found: set[str] = set()
    for path, changed in files:
        if not changed:
            continue
        with suppress(OSError, ValueError, netrc.NetrcParseError, configparser.Error):
            logins = _of_mlflow(path) if path.name == "credentials" else _of_netrc(path)
            for user, password in logins:
                found.update(_of_login(user, password))
    return frozenset(found)


def _of_mlflow(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the logins of MLflow's credentials file."""
    sections = configparser.ConfigParser(interpolation=None)
    sections.read(path, encoding="utf-8")
    for section in sections.values():
        yield (
            section.get("mlflow_tracking_username", ""),
            section.get("mlflow_tracking_password", ""),
        )


def _of_netrc(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the logins of a netrc file."""
    for user, _, password in netrc.netrc(path).hosts.values():
        yield user, password
