r"""CountVectorizer, TfidfVectorizer and TfidfTransformer, for what onnxruntime's Tokenizer splits as scikit-learn does.

skl2onnx 1.20 writes options that it cannot express (characters, stop words between the words of a pair, logarithms of
counts, patterns of Python's) as if they were not there. Here they are written in full, or refused.

onnxruntime's ``Tokenizer`` (com.microsoft) reads RE2, takes the longest match, and has no word boundary of all scripts. So a
pattern is translated if it is one set of characters, repeated: its longest and its first match are the same. Lower case is
asked for in the locale C, which every system has, or in C.UTF-8 where words have other letters than ASCII.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from re import _constants as codes  # type: ignore[attr-defined] # the parser of Python's patterns has no public name
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter

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

LONGEST = 1 << 40
"""More words than a text has."""


class CannotTokenize(Exception):
    """onnxruntime cannot split texts as this vectoriser does; the message says which option it is."""


@dataclass(frozen=True)
class Pattern:
    """A token pattern: a set of characters in RE2, at least ``least`` of them; ``words`` if it stands between boundaries."""

    characters: str
    least: int
    words: bool

    @property
    def re2(self) -> str:
        """The pattern as the Tokenizer reads it."""
        return f"{self.characters}{{{self.least},}}" if self.least > 1 else f"{self.characters}+"


@cache
def register() -> None:
    """Put the converters in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer

    update_registered_converter(CountVectorizer, "SklearnCountVectorizer", _shape, _convert_counts)
    update_registered_converter(
        TfidfVectorizer, "SklearnTfidfVectorizer", _shape, _convert_weighted_counts
    )
    update_registered_converter(
        TfidfTransformer, "SklearnTfidfTransformer", _same_shape, _convert_weights
    )


def _shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType([None, len(operator.raw_operator.vocabulary_)])


def _same_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType(operator.inputs[0].type.shape)


def _convert_counts(scope: Any, operator: Any, container: Any) -> None:
    writer = ContainerWriter(scope, container)
    counts = _counts(operator.raw_operator, _texts(operator), writer)
    writer.add("Identity", counts, output=operator.outputs[0].full_name)


def _convert_weighted_counts(scope: Any, operator: Any, container: Any) -> None:
    writer, model = ContainerWriter(scope, container), operator.raw_operator
    weighted = _weighted(model, _counts(model, _texts(operator), writer), writer)
    writer.add("Identity", weighted, output=operator.outputs[0].full_name)


def _convert_weights(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    writer, counts = ContainerWriter(scope, container), operator.inputs[0].full_name
    if not isinstance(operator.inputs[0].type, FloatTensorType):
        counts = writer.add("Cast", counts, to=TensorProto.FLOAT)
    weighted = _weighted(operator.raw_operator, counts, writer)
    writer.add("Identity", weighted, output=operator.outputs[0].full_name)


def _texts(operator: Any) -> str:
    if len(operator.inputs) != 1:
        raise CannotTokenize(
            f"a vectoriser takes one column of text, {len(operator.inputs)} reach it"
        )
    return str(operator.inputs[0].full_name)


def _weighted(model: Any, counts: str, writer: ContainerWriter) -> str:
    """Counts as TF-IDF: logarithms if they are sublinear, times the inverse document frequencies, rows of norm 1."""
    if model.sublinear_tf:  # 1 + log(count), and 0 of 0
        one = writer.constant(np.ones(1, np.float32))
        logarithms = writer.add("Log", writer.add("Max", counts, one))
        counts = writer.add("Add", logarithms, writer.add("Min", counts, one))
    if model.use_idf:
        counts = writer.add(
            "Mul", counts, writer.constant(np.asarray(model.idf_, np.float32).ravel())
        )
    return writer.add_ml("Normalizer", counts, norm=model.norm.upper()) if model.norm else counts


def _counts(model: Any, texts: str, writer: ContainerWriter) -> str:
    """How often each term of the vocabulary is in each text, (rows, terms), float32; 0 or 1 if the model is binary."""
    pattern = checked_pattern(model)
    lines = writer.add("Reshape", texts, writer.constant(np.array([-1], np.int64)))
    if model.lowercase:
        plain = all(word.isascii() for word in model.vocabulary_)
        locale = "C" if plain else "C.UTF-8"
        lines = writer.add("StringNormalizer", lines, case_change_action="LOWER", locale=locale)
    terms = _terms(model)
    pad = "#"
    while any(pad in term for term in terms):
        pad += "#"
    tokens = writer.name("v")
    splitting = {"mark": 0, "pad_value": pad, "mincharnum": 1, "tokenexp": pattern.re2}
    writer.write("Tokenizer", [lines], [tokens], splitting, "com.microsoft", 1)
    stops = sorted(model.get_stop_words() or ())
    pool: dict[str, Any] = {"pool_strings": [token for term in _by_length(terms) for token in term]}
    if stops and model.ngram_range[1] > 1:
        numbers = {
            token: number
            for number, token in enumerate(dict.fromkeys(pool["pool_strings"]), start=1)
        }
        pool = {"pool_int64s": [numbers[token] for token in pool["pool_strings"]]}
        tokens = _without_stops(tokens, numbers, stops, writer)
    counts = _counted(tokens, terms, model, pool, writer)
    return (
        writer.add("Min", counts, writer.constant(np.ones(1, np.float32)))
        if model.binary
        else counts
    )


def _counted(
    tokens: str,
    terms: list[tuple[str, ...]],
    model: Any,
    pool: dict[str, Any],
    writer: ContainerWriter,
) -> str:
    least, most = model.ngram_range
    lengths = [len(term) for term in terms]
    starts = [sum(length for length in lengths if length < size) for size in range(1, most + 1)]
    return writer.add(
        "TfIdfVectorizer",
        tokens,
        mode="TF",
        min_gram_length=least,
        max_gram_length=most,
        max_skip_count=0,
        ngram_counts=starts,
        ngram_indexes=sorted(range(len(terms)), key=lambda place: (lengths[place], terms[place])),
        weights=[1.0] * len(terms),
        **pool,
    )


def _by_length(terms: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return sorted(terms, key=lambda term: (len(term), term))


def _terms(model: Any) -> list[tuple[str, ...]]:
    """The tokens of each term, by its column; a term that no text can have becomes tokens that no text has."""
    least, most = model.ngram_range
    pattern, stops = re.compile(model.token_pattern), model.get_stop_words() or ()
    terms: list[tuple[str, ...]] = [()] * len(model.vocabulary_)
    for word, column in model.vocabulary_.items():
        term = (word,) if most == 1 else tuple(word.split(" "))
        possible = least <= len(term) <= most and all(
            pattern.fullmatch(token) and token not in stops for token in term
        )
        terms[column] = term if possible else (f" {column}",) * least
    return terms


def _without_stops(
    tokens: str, numbers: dict[str, int], stops: list[str], writer: ContainerWriter
) -> str:
    """Numbers for tokens, with the stop words behind the others of each row: what is beside each other becomes a pair.

    ["the", "cat", "of", "w"] -> [0, 5, 0, 9] -> sorted by [1 + LONGEST, 2, 3 + LONGEST, 4] -> [5, 9, 0, 0]
    """
    unknown = len(numbers) + 1
    keys = {**numbers, **dict.fromkeys(stops, 0)}
    tokens = writer.add(
        "Cast", tokens, to=TensorProto.STRING
    )  # onnx crashes where a LabelEncoder's input has no type
    found = writer.add_ml(
        "LabelEncoder",
        tokens,
        version=2,
        keys_strings=list(keys),
        values_int64s=list(keys.values()),
        default_int64=unknown,
    )
    zero, one, far = (writer.constant(np.array([[number]], np.int64)) for number in (0, 1, LONGEST))
    found = writer.add("Reshape", found, writer.constant(np.array([0, -1], np.int64)))
    ones = writer.add("Add", writer.add("Mul", found, zero), one)
    places = writer.add("CumSum", ones, writer.constant(np.array(1, np.int64)))
    stopped = writer.add("Cast", writer.add("Equal", found, zero), to=TensorProto.INT64)
    order = writer.add("Add", places, writer.add("Mul", stopped, far))
    size = writer.add(
        "Gather", writer.add("Shape", found), writer.constant(np.array([1], np.int64)), axis=0
    )
    _, index = writer.add_pair("TopK", order, size, axis=1, largest=0, sorted=1)
    return writer.add("GatherElements", found, index, axis=1)


def checked_pattern(model: Any) -> Pattern:
    """The token pattern of a fitted vectoriser.

    Raises:
        CannotTokenize: it has an option that onnxruntime cannot follow.
    """
    name = type(model).__name__
    if model.analyzer != "word":
        raise CannotTokenize(
            f"{name}(analyzer={model.analyzer!r}) has no equal in onnxruntime; only analyzer='word' has"
        )
    for option in ("preprocessor", "tokenizer", "strip_accents"):
        if getattr(model, option) is not None:
            raise CannotTokenize(
                f"{name}({option}={getattr(model, option)!r}) has no equal in onnxruntime; only None has"
            )
    pattern = translated(model.token_pattern)
    if pattern is None or (
        pattern.words and pattern.characters != f"[{WORD}]" and model.ngram_range[1] > 1
    ):
        raise CannotTokenize(
            f"{name}(token_pattern={model.token_pattern!r}) has no equal in onnxruntime; a set of characters, repeated, has, "
            r"such as '\\b\\w\\w+\\b' or '[a-z]+'"
        )
    if (
        pattern.words and pattern.characters != f"[{WORD}]"
    ):  # whole words, of which the vocabulary has those that match
        pattern = Pattern(f"[{WORD}]", pattern.least, words=True)
    if model.ngram_range[1] > 1 and re.search(model.token_pattern, " " * 99):
        raise CannotTokenize(
            f"{name}(token_pattern={model.token_pattern!r}) has tokens with spaces in pairs of words"
        )
    return pattern


def translated(pattern: str) -> Pattern | None:
    r"""A pattern of Python's for RE2; None unless it is one set of characters, repeated, perhaps between two ``\b``."""
    parsed = parser.parse(pattern)
    if parsed.state.groups > 1 or parsed.state.flags != re.UNICODE:
        return None
    items = list(parsed)
    boundary = (codes.AT, codes.AT_BOUNDARY)
    words = len(items) > 2 and items[0] == boundary and items[-1] == boundary
    atoms = [_atom(*item) for item in (items[1:-1] if words else items)]
    if not atoms or None in atoms:
        return None
    found = [atom for atom in atoms if atom is not None]
    characters, least, endless = (
        found[0][0],
        sum(atom[1] for atom in found),
        any(atom[2] for atom in found),
    )
    if any(atom[0] != characters for atom in found) or not endless or not least:
        return None
    if words and not all(_is_word(item) for item in items[1:-1]):
        return None
    return Pattern(characters, least, words)


def _atom(kind: Any, value: Any) -> tuple[str, int, bool] | None:
    """A set of characters in RE2, how many at least, and whether any number of them."""
    if kind is codes.MAX_REPEAT:
        least, most, inner = value
        one = _atom(*inner[0]) if len(inner) == 1 else None
        if one is None or one[1:] != (1, False) or (most is not codes.MAXREPEAT and most != least):
            return None
        return one[0], least, most is codes.MAXREPEAT
    if kind is codes.LITERAL:
        return f"[{_character(value)}]", 1, False
    if kind is codes.NOT_LITERAL:
        return f"[^{_character(value)}]", 1, False
    if kind is codes.IN:
        characters = _set(value)
        return (characters, 1, False) if characters else None
    return None


def _set(items: list[tuple[Any, Any]]) -> str | None:
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
    return chr(code) if chr(code).isalnum() and code < 128 else f"\\x{{{code:x}}}"  # ASCII


def _is_word(item: tuple[Any, Any]) -> bool:
    r"""Whether an atom has characters of ``\w`` alone."""
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
