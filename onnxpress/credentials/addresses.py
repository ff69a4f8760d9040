"""Addresses of stores and servers: one strict grammar, and what may be shown of an address.

The grammar is that of RFC 3986 without its ambiguities. Where parsers disagree about what is the
password and what is the host (``http://me:pa/ss@host``), the address is not read at all: a wrong
guess would print half of a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from onnxpress.errors import UserError

SERVERS = {"http", "https"}
DATABASES = {"postgresql", "mysql", "mssql"}
FILES = {"file", "sqlite"}
"""Schemes of paths on this machine's disk, in which an @ is an ordinary character."""
PATHS = {*FILES, "dbfs", "hdfs", "mlflow-artifacts", "models", "runs"}
"""Schemes that need no host."""
HOSTLESS = {"databricks"}
"""Schemes before a name that is not a host; some users put a login there."""
OTHERS = {
    "abfss",
    "ftp",
    "grpc",
    "grpcs",
    "gs",
    "oracle",
    "postgres",
    "s3",
    "sftp",
    "socks5",
    "wasb",
    "wasbs",
}
NAMED = {*SERVERS, *DATABASES, *PATHS, *HOSTLESS, *OTHERS}
"""Schemes that may be shown. Any other word before a colon may be the user of a login."""

HIDDEN = "***"
"""What is shown instead of a secret."""

_ESCAPED = "%[0-9A-Fa-f]{2}"
_PASSWORD = rf"(?:[^/?#@\[\]\\%\s\x00-\x1f\x7f]|{_ESCAPED})*"
_USER = rf"(?:[^/?#@\[\]\\%\s\x00-\x1f\x7f:]|{_ESCAPED})*"
_GRAMMAR = re.compile(
    rf"""(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):
    (?P<authority>//
        (?:(?P<user>{_USER})(?P<password>:{_PASSWORD})?@)?
        (?P<host>[\w.-]*|\[[0-9A-Fa-f:.]+\])
        (?P<port>:[0-9]{{1,5}})?
    )?
    (?P<path>(?:/[^?#@\\\x00-\x1f\x7f]*)?)
    (?P<query>\?[^#@\\\s]*)?
    (?P<fragment>\#[^@\\\s]*)?
    """,
    re.VERBOSE,
)
_FILE = re.compile(
    r"[A-Za-z0-9+.-]+:(?P<authority>//)?+(?P<path>/[^?\x00-\x1f\x7f]*)(?P<query>\?.*)?", re.DOTALL
)

TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"AKIA[A-Z0-9]{8,}|ASIA[A-Z0-9]{16}"  # AWS
    r"|gh[a-z]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"  # GitHub, GitLab
    r"|dapi[0-9a-f]{16,}|hf_[A-Za-z0-9]{16,}"  # Databricks, Hugging Face
    r"|xox[a-z]-[\w-]{8,}|sk-[\w-]{16,}"  # Slack, OpenAI
    r"|AIza[\w-]{20,}|ya29\.[\w.-]{8,}"  # Google
    r"|eyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?"  # JSON web tokens
    r")"
)
"""Forms of the tokens of well-known services."""
_RANDOM = re.compile(
    r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[\w.~-]{20,}|(?=.*[a-f])(?=.*[0-9])[0-9a-f]{32,}"
)
_BEFORE_SECRET = re.compile(r"(?i)(?:access|auth|api-?key|key|password|secret|token)s?")


class Unreadable(ValueError):
    """An address that can be read in two ways, or not at all; the message does not repeat it."""


@dataclass(frozen=True)
class Address:
    """The parts of an address as they were written; the ``repr`` leaves out what may be secret."""

    scheme: str
    """In lower case, with the driver of a database: ``mysql+pymysql``."""
    host: str
    """With brackets where it is an IPv6 address; empty for a path."""
    port: str
    path: str
    authority: bool
    """Whether the path came after ``//``."""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    query: str = field(default="", repr=False)
    fragment: str = field(default="", repr=False)

    @property
    def kind(self) -> str:
        """Return the scheme without a driver."""
        return self.scheme.partition("+")[0]

    @property
    def login(self) -> tuple[str, str] | None:
        """Return user and password in plain text; None if the address has neither."""
        if self.user is None:
            return None
        return unquote(self.user), unquote(self.password or "")

    @property
    def place(self) -> str:
        """Return port and path, as a client needs them."""
        return (f":{self.port}" if self.port else "") + self.path

    @property
    def public(self) -> str:
        """Return scheme, host, port and path; segments that look like tokens are masked."""
        if self.kind in HOSTLESS:
            return f"{self.scheme}:"
        port = f":{self.port}" if self.port else ""
        hidden = self.hidden
        segments = [HIDDEN if part in hidden else part for part in self.path.split("/")]
        slashes = "//" if self.authority else ""
        return f"{self.scheme}:{slashes}{self.host}{port}{'/'.join(segments)}"

    @property
    def hidden(self) -> set[str]:
        """Return the segments of the path that look like tokens; none of a path on the disk."""
        if self.kind in FILES:
            return set()
        segments = self.path.split("/")
        found = {later for name, later in pairwise(segments) if _BEFORE_SECRET.fullmatch(name)}
        for segment in segments:
            random = self.kind in SERVERS and _RANDOM.fullmatch(segment)
            if random or TOKEN.search(segment):
                found.add(segment)
        return found - {""}


def read(text: str) -> Address:
    """Split an address into its parts.

    Raises:
        Unreadable: it is not an address, or an ambiguous one.
    """
    scheme = text.partition(":")[0].lower()
    if scheme.partition("+")[0] in FILES and (found := _FILE.fullmatch(text)):
        if re.search(r":.*@", found["path"]):  # a login, where there cannot be one
            raise Unreadable(_named(scheme))
        query = (found["query"] or "")[1:]
        return Address(
            scheme, "", "", found["path"], authority=bool(found["authority"]), query=query
        )
    found = _GRAMMAR.fullmatch(text)
    if found is None or not _whole(scheme.partition("+")[0], found):
        raise Unreadable(_named(scheme))
    password = found["password"]
    return Address(
        scheme,
        found["host"] or "",
        (found["port"] or "")[1:],
        found["path"],
        authority=bool(found["authority"]),
        user=found["user"],
        password=password and password[1:],
        query=(found["query"] or "")[1:],
        fragment=(found["fragment"] or "")[1:],
    )


def public(text: str) -> str:
    """Return what may be shown of an address: its scheme, host, port and path.

    Of an address that cannot be read, only the scheme is shown, if it is a known one.
    """
    try:
        return read(text).public
    except Unreadable as error:
        return str(error)


def local_path(address: str) -> Path | None:
    """Return the path of a ``file:`` address or of a plain path; None for any other address."""
    if re.match(r"file:(?://)?/", address):
        return Path(unquote(re.sub(r"^file:(?://)?", "", address)))
    return None if re.match(r"[A-Za-z][\w+.-]*:", address) else Path(address)


def refuse_unaddressable(database: Path) -> None:
    """Refuse an SQLite file that MLflow would look for elsewhere, or wait for without end.

    Raises:
        UserError: naming the path and what it must not contain.
    """
    if re.search(r"[?\t\r\n]|%[0-9A-Fa-f]{2}", str(database)):
        raise UserError(
            f"the store {str(database)!r} cannot be opened: in MLflow's addresses a path has no ?, "
            "no line breaks and nothing like %20; move the repository or name another store "
            "(publish.tracking_uri)"
        )


def _named(scheme: str) -> str:
    """Return what may be shown of an address that cannot be read."""
    return f"{scheme}:{HIDDEN}" if scheme.partition("+")[0] in NAMED else HIDDEN


def _whole(kind: str, found: re.Match[str]) -> bool:
    """Whether the grammar found all that an address of this kind needs."""
    if kind in FILES or not (found["authority"] or kind in PATHS):
        return False
    if kind in DATABASES and found["fragment"]:  # to SQLAlchemy a part of what is before it
        return False
    return bool(found["host"]) or (kind in PATHS and not found["user"])
