"""Redaction: what may leave the process is text without secrets, known ones or likely ones.

Three ways to use it, from lenient to strict:

- :func:`redacted` masks secrets in a text that is shown; every line of a stage passes it.
- :func:`repeats_secret` says whether a foreign text (a server's response, a library's error)
  repeats a secret in any form. Such a text is not shown at all.
- :func:`secret_in` says what secret a text of a user's file seems to hold. Such a file is refused.

A known secret of 8 characters or more is masked wherever it occurs, one of 4 to 7 where it is a
word of its own. A shorter one, or one of :data:`WORDS`, is masked only where its place shows what
it is (``://user:a@host``, ``password=a``): masked everywhere, it would spoil every line and could
be guessed from the gaps.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from onnxpress.credentials import sources as credentials
from onnxpress.credentials.addresses import HIDDEN, NAMED, TOKEN, public

LONG, SHORT = 8, 4
"""Characters of a secret; see above."""
LONGEST_READ = 100_000
"""Characters of a foreign text that is searched; a longer one is taken to repeat a secret."""
_GUESSED = (
    "admin anonymous changeme default false local localhost minio minioadmin mlflow model mysql "
    "none null password postgres private public publish root secret test token true user username"
)
WORDS = set(_GUESSED.split())
"""Secrets that everybody guesses and that lines often contain."""

_NAME = credentials.SECRET_NAME.pattern
_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])([A-Za-z0-9+.-]{1,40}):/{1,3}[^\s\"'<>`\\]*[^\s\"'<>`\\.,;:)\]}]"
)
_LOGIN = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,200}:[^\s@/\"'\\]{1,200}@(?=[\w.-])")
_QUERY = re.compile(r"\?[\w.~%-]{1,100}=[^\s\"'<>\\)]*")
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization[\"']?\s*(?:[:=]|%3[ad])\s*)"
    r"(\"[^\"\\\n]*\"|'[^'\\\n]*'|[^\n\"'\\]+)",
    re.IGNORECASE,
)
_SCHEME = re.compile(
    r"\b((?:basic|bearer|negotiate)(?:\s+|%20|[+_])|(?:token|aws4-hmac-sha256)\s+)"
    r"([\w+/=.~%:-]{6,}(?:,\s*\w+=[^\s,\"'\\]+)*)",
    re.IGNORECASE,
)
_PAIR = re.compile(
    rf"(?<![\w.-])((?:{_NAME}|x-amz-credential|(?:x-(?:amz|goog)-)?signature|sig)"
    r"(?:\"\s*:\s*(?=\")|['\"]?\s*(?:=|%3[ad])\s*|'?\s*:\s+|:(?=[^\s/])))"
    r"(\"[^\"\\\n]*\"|'[^'\\\n]*'|[^\s\"'<>&,;)\]}\\]+)",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"(?<![\w.-])(?:{_NAME}|sig|x-amz-[\w-]+)\s*(?:=|%3d)\s*[^\s=]", re.IGNORECASE)
_ELEMENT = re.compile(
    r"(<\w*(?:accesskey(?:id)?|signature|stringtosign|canonicalrequest|token|password)\w*>)[^<]*",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?<![\w+.-])[A-Za-z][\w+.-]{0,40}:/")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{12,}(?:={1,2}|(?:%3[Dd]){1,2})?")


def redacted(text: str) -> str:
    """Return ``text`` with a mask instead of each secret, and addresses without login and query."""
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    if pattern := _pattern(credentials.known()):
        text = pattern.sub(HIDDEN, text)
    text = _URL.sub(_public, text)
    text = _LOGIN.sub(f"{HIDDEN}@", text)
    text = _QUERY.sub(f"?{HIDDEN}", text)
    text = _HEADER.sub(_masked, text)
    text = _SCHEME.sub(_masked_scheme, text)
    text = _PAIR.sub(_masked, text)
    text = _ELEMENT.sub(rf"\1{HIDDEN}", text)
    text = TOKEN.sub(HIDDEN, text)
    return _BASE64.sub(lambda found: HIDDEN if _holds_login(found[0]) else found[0], text)


def redacted_data(value: Any) -> Any:
    """Return JSON data with every text redacted, keys too."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {redacted(str(key)): redacted_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted_data(item) for item in value]
    return value


def repeats_secret(text: str) -> bool:
    """Whether a text repeats a known secret, or eight characters of one.

    Any encoding counts, any letter case, line breaks inside, and the text backwards. It may be
    wrong about a harmless text: then an error is shown by its type alone.
    """
    if len(text) > LONGEST_READ:
        return bool(credentials.known())
    plain = re.sub(r"\\[nrtu]|[\s\\]", "", text).lower()
    readings = {plain, unquote(plain), unquote(plain, errors="ignore").replace("+", "")}
    readings |= {reading[::-1] for reading in readings}
    return any(_repeats(secret, text, readings) for secret in credentials.known())


def _repeats(secret: str, text: str, readings: set[str]) -> bool:
    word = re.compile(rf"(?<!\w){re.escape(secret)}(?!\w)", re.IGNORECASE)
    if 1 < len(secret) < LONG and any(map(word.search, (text, unquote(text), text[::-1]))):
        return True
    for form in credentials.encodings(secret):
        letters = re.sub(r"\s", "", form).lower()
        windows = {letters[start : start + LONG] for start in range(len(letters) - LONG + 1)}
        windows |= {letters} if LONG > len(letters) >= SHORT and form == secret else set()
        if any(window in reading for window in windows for reading in readings):
            return True
    return False


def secret_in(text: str) -> str | None:
    """Return what secret a text of a params file seems to hold, in words that do not repeat it.

    None if it seems to hold none.
    """
    return next((what for what, found in _SIGNS.items() if found(text)), None)


def _holds_known(text: str) -> bool:
    """Whether a text holds a known secret that is long enough not to be there by chance."""
    for secret in credentials.known():
        if len(secret) >= LONG and secret.lower() not in WORDS and secret in text:
            return True
    return False


@lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds each secret in each form, in any letter case and broken by any line."""
    anywhere: set[str] = set()
    words: set[str] = set()
    for secret in secrets:
        if len(secret.strip()) < SHORT or secret.lower() in WORDS:
            continue
        for form in credentials.encodings(secret):
            if len(form) >= LONG and form.lower() not in WORDS:
                letters = map(re.escape, re.sub(r"\s", "", form))
                anywhere.add(r"\s*".join(letters) + "(?:={1,2}|(?:%3D){1,2})?")
            elif form == secret:
                words.add(rf"(?<![^\W_]){re.escape(form)}(?![^\W_])")
    forms = sorted(anywhere, key=len, reverse=True) + sorted(words)
    return re.compile("|".join(forms), re.IGNORECASE) if forms else None


def _masked(found: re.Match[str]) -> str:
    """Return the name and the mask, in the quotes of what it replaces."""
    quote = found[2][0] if found[2][0] in "\"'" else ""
    return f"{found[1]}{quote}{HIDDEN}{quote}"


def _masked_scheme(found: re.Match[str]) -> str:
    """Mask what follows ``Basic`` or ``Bearer`` if it is a secret."""
    return _masked(found) if _holds_secret(found[2]) else found[0]


def _public(found: re.Match[str]) -> str:
    """Return what may be shown of an address; a word before a colon and a path is not one."""
    named = found[1].lower().partition("+")[0] in NAMED
    return public(found[0]) if named or "://" in found[0] else found[0]


def _holds_secret(word: str) -> bool:
    """Whether what follows ``Basic`` or ``Bearer`` is a secret, not a word of a sentence."""
    return bool(re.search(r"\d|[a-z][A-Z]|[=+/]", word)) or len(word) >= 20 or _holds_login(word)


def _holds_login(letters: str) -> bool:
    """Whether base64 letters are those of a ``user:password``."""
    plain = unquote(letters).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return ":" in decoded and decoded.isprintable()


_SIGNS: dict[str, Callable[[str], object]] = {
    "an address with user info": lambda text: _ADDRESS.search(text[: text.rfind("@") + 1]),
    "a private key": _PRIVATE_KEY.search,
    "an access key or token": TOKEN.search,
    "a password or token after its name": _NAMED.search,
    "an Authorization header": _HEADER.search,
    "a login or token": lambda text: any(_holds_secret(word) for _, word in _SCHEME.findall(text)),
    "user and password in base64": lambda text: any(map(_holds_login, _BASE64.findall(text))),
    "a secret of this process's environment": _holds_known,
}
"""Kinds of secrets, and what finds each in a text."""
