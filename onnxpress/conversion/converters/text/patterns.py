r"""Translate Python's token patterns to RE2, which onnxruntime's Tokenizer reads.

The Tokenizer takes the longest match, and has no word boundary of all scripts. So a pattern is
translated if it is one set of characters, repeated: its longest and its first match are the same.

    r"(?u)\b\w\w+\b"   [\p{L}\p{N}_]{2,}
    r"[a-z]+"          [a-z]+
    r"\w+@\w+"         cannot be translated: two sets
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import _constants as codes  # type: ignore[attr-defined] # Python's parser has no public name
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

WORD = r"\p{L}\p{N}_"
"""Python's ``\\w`` in RE2."""
DIGIT = r"\p{Nd}"
SPACE = (
    r"\t-\r\x{1c}-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
)
CLASSES = {codes.CATEGORY_WORD: WORD, codes.CATEGORY_DIGIT: DIGIT, codes.CATEGORY_SPACE: SPACE}
NEGATED = {
    codes.CATEGORY_NOT_WORD: WORD,
    codes.CATEGORY_NOT_DIGIT: DIGIT,
    codes.CATEGORY_NOT_SPACE: SPACE,
}


class CannotTokenize(Exception):
    """onnxruntime cannot split texts as this vectoriser does; the message names the option."""


@dataclass(frozen=True)
class Pattern:
    """A token pattern: at least ``least`` characters of one set."""

    characters: str
    """The set in RE2, such as ``[a-z]``."""
    least: int
    words: bool
    """The pattern lies between two word boundaries."""

    @property
    def re2(self) -> str:
        """The pattern as the Tokenizer reads it."""
        return f"{self.characters}{{{self.least},}}" if self.least > 1 else f"{self.characters}+"

    @property
    def is_of_all_words(self) -> bool:
        r"""Whether its characters are those of ``\w``."""
        return self.characters == f"[{WORD}]"


def checked_pattern(model: Any) -> Pattern:
    r"""Return the token pattern of a fitted vectoriser.

    1. Options that onnxruntime cannot follow are refused.
    2. A pattern between word boundaries matches whole words: the Tokenizer gives all words, of
       which the vocabulary has those that match. Pairs of words would join others: refused.
    3. A pattern that matches spaces is refused with pairs of words, which are joined by a space.

    Raises:
        CannotTokenize: it has an option that onnxruntime cannot follow.
    """
    name, pairs = type(model).__name__, model.ngram_range[1] > 1
    _refuse_options(model)
    pattern = translated(model.token_pattern)
    if pattern is None or (pattern.words and not pattern.is_of_all_words and pairs):
        raise CannotTokenize(
            f"onnxruntime cannot do {name}(token_pattern={model.token_pattern!r}); "
            r"it can do a set of characters, repeated, such as '\\b\\w\\w+\\b' or '[a-z]+'"
        )
    if pattern.words:
        pattern = Pattern(f"[{WORD}]", pattern.least, words=True)
    if pairs and re.search(model.token_pattern, " " * 99):
        option = f"{name}(token_pattern={model.token_pattern!r})"
        raise CannotTokenize(f"{option} has tokens with spaces in pairs of words")
    return pattern


def _refuse_options(model: Any) -> None:
    """Refuse a vectoriser that splits by more than a pattern."""
    name = type(model).__name__
    if model.analyzer != "word":
        raise CannotTokenize(
            f"onnxruntime cannot do {name}(analyzer={model.analyzer!r}); set analyzer='word'"
        )
    for option in ("preprocessor", "tokenizer", "strip_accents"):
        value = getattr(model, option)
        if value is not None:
            raise CannotTokenize(
                f"onnxruntime cannot do {name}({option}={value!r}); set {option}=None"
            )


def translated(pattern: str) -> Pattern | None:
    r"""Translate a pattern of Python's for RE2.

    Returns None unless it is one set of characters, repeated, perhaps between two ``\b``.
    """
    parsed = parser.parse(pattern)
    if parsed.state.groups > 1 or parsed.state.flags != re.UNICODE:
        return None
    items = list(parsed)
    boundary = (codes.AT, codes.AT_BOUNDARY)
    words = len(items) > 2 and items[0] == boundary and items[-1] == boundary
    inner = items[1:-1] if words else items
    atoms = []
    for item in inner:
        atom = _atom(*item)
        if atom is None:
            return None
        atoms.append(atom)
    if not atoms or any(atom.characters != atoms[0].characters for atom in atoms):
        return None
    least, endless = sum(atom.least for atom in atoms), any(atom.endless for atom in atoms)
    if not endless or not least:
        return None
    if words and not all(_is_word(item) for item in inner):
        return None
    return Pattern(atoms[0].characters, least, words)


@dataclass(frozen=True)
class _Atom:
    """A set of characters in RE2, at least how many, and whether there may be any number."""

    characters: str
    least: int = 1
    endless: bool = False


def _atom(kind: Any, value: Any) -> _Atom | None:
    """Translate one item of a parsed pattern; None unless it is a set of characters."""
    if kind is codes.MAX_REPEAT:
        return _repeated(*value)
    if kind is codes.LITERAL:
        return _Atom(f"[{_character(value)}]")
    if kind is codes.NOT_LITERAL:
        return _Atom(f"[^{_character(value)}]")
    characters = _set(value) if kind is codes.IN else None
    return _Atom(characters) if characters else None


def _repeated(least: int, most: Any, inner: Any) -> _Atom | None:
    """Translate a repetition: ``+``, ``*``, ``{3}`` or ``{3,}`` of one set."""
    one = _atom(*inner[0]) if len(inner) == 1 else None
    if one is None or one != _Atom(one.characters):
        return None
    if most is not codes.MAXREPEAT and most != least:
        return None
    return _Atom(one.characters, least, endless=most is codes.MAXREPEAT)


def _set(items: list[tuple[Any, Any]]) -> str | None:
    """Translate a set in brackets; None if a part of it has no name in RE2."""
    negate = bool(items) and items[0][0] is codes.NEGATE
    inner = items[1:] if negate else items
    if len(inner) == 1 and inner[0][0] is codes.CATEGORY and inner[0][1] in NEGATED:
        return f"[{'' if negate else '^'}{NEGATED[inner[0][1]]}]"
    parts = []
    for kind, value in inner:
        if kind is codes.LITERAL:
            parts.append(_character(value))
        elif kind is codes.RANGE:
            parts.append(f"{_character(value[0])}-{_character(value[1])}")
        elif kind is codes.CATEGORY and value in CLASSES:
            parts.append(CLASSES[value])
        else:
            return None
    return f"[{'^' if negate else ''}{''.join(parts)}]"


def _character(code: int) -> str:
    """Write one character for RE2: letters and digits of ASCII as they are, others by number."""
    return chr(code) if chr(code).isalnum() and code < 128 else f"\\x{{{code:x}}}"


def _is_word(item: tuple[Any, Any]) -> bool:
    r"""Whether an item has characters of ``\w`` alone."""
    kind, value = item
    if kind is codes.MAX_REPEAT:
        return all(_is_word(inner) for inner in value[2])
    if kind is codes.LITERAL:
        return re.match(r"\w", chr(value)) is not None
    if kind is codes.IN:
        return all(_is_word(inner) for inner in value)
    if kind is codes.RANGE:
        return all(re.match(r"\w", chr(code)) for code in range(value[0], value[1] + 1))
    return kind is codes.CATEGORY and value in (codes.CATEGORY_WORD, codes.CATEGORY_DIGIT)
