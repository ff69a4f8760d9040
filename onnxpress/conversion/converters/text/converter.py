r"""Convert CountVectorizer, TfidfVectorizer and TfidfTransformer.

skl2onnx 1.20 writes options that it cannot express (characters, stop words between the words of a
pair, logarithms of counts, patterns of Python's) as if they were not there. Here they are written
in full, or refused.

onnxruntime's ``Tokenizer`` (com.microsoft) splits the texts. Lower case is asked for in the locale
C, which every system has, or in C.UTF-8 where words have other letters than ASCII.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.converters.text.patterns import CannotTokenize, checked_pattern

LONGEST = 1 << 40
"""More words than a text has."""


@cache
def register() -> None:
    """Replace skl2onnx's converters, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer

    for model, shape, convert in (
        (CountVectorizer, _shape, _convert_counts),
        (TfidfVectorizer, _shape, _convert_weighted_counts),
        (TfidfTransformer, _same_shape, _convert_weights),
    ):
        update_registered_converter(model, f"Sklearn{model.__name__}", shape, convert)


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
    count = len(operator.inputs)
    if count != 1:
        raise CannotTokenize(f"a vectoriser takes one column of text, {count} reach it")
    return str(operator.inputs[0].full_name)


def _weighted(model: Any, counts: str, writer: ContainerWriter) -> str:
    """Write counts as TF-IDF, (rows, terms).

    1. Sublinear counts become 1 + log(count), and 0 of 0.
    2. They are multiplied by the inverse document frequencies.
    3. Rows get the norm 1.
    """
    if model.sublinear_tf:
        one = writer.constant(np.ones(1, np.float32))
        logarithms = writer.add("Log", writer.add("Max", counts, one))
        counts = writer.add("Add", logarithms, writer.add("Min", counts, one))
    if model.use_idf:
        frequencies = writer.constant(np.asarray(model.idf_, np.float32).ravel())
        counts = writer.add("Mul", counts, frequencies)
    return writer.add_ml("Normalizer", counts, norm=model.norm.upper()) if model.norm else counts


def _counts(model: Any, texts: str, writer: ContainerWriter) -> str:
    """Count each term of the vocabulary in each text, float32 (rows, terms).

    A binary model counts 0 or 1.
    """
    pattern = checked_pattern(model)
    lines = writer.add("Reshape", texts, writer.constant(np.array([-1], np.int64)))
    if model.lowercase:
        plain = all(word.isascii() for word in model.vocabulary_)
        locale = "C" if plain else "C.UTF-8"
        lines = writer.add("StringNormalizer", lines, case_change_action="LOWER", locale=locale)
    terms = _terms(model)
    tokens = _tokens(lines, terms, pattern.re2, writer)
    stops = sorted(model.get_stop_words() or ())
    names = [token for term in _by_length(terms) for token in term]
    pool: dict[str, Any] = {"pool_strings": names}
    if stops and model.ngram_range[1] > 1:
        numbers = {token: number for number, token in enumerate(dict.fromkeys(names), start=1)}
        pool = {"pool_int64s": [numbers[token] for token in names]}
        tokens = _without_stops(tokens, numbers, stops, writer)
    counts = _counted(tokens, terms, model, pool, writer)
    if not model.binary:
        return counts
    return writer.add("Min", counts, writer.constant(np.ones(1, np.float32)))


def _tokens(lines: str, terms: list[tuple[str, ...]], pattern: str, writer: ContainerWriter) -> str:
    """Split texts into tokens; shorter texts are padded with a token that is in no term."""
    pad = "#"
    while any(pad in term for term in terms):
        pad += "#"
    tokens = writer.name("v")
    splitting = {"mark": 0, "pad_value": pad, "mincharnum": 1, "tokenexp": pattern}
    writer.write("Tokenizer", [lines], [tokens], splitting, "com.microsoft", 1)
    return tokens


def _counted(
    tokens: str,
    terms: list[tuple[str, ...]],
    model: Any,
    pool: dict[str, Any],
    writer: ContainerWriter,
) -> str:
    """Count terms among tokens; the operator wants the terms by length, each in one pool of tokens.

    The terms ("b",), ("a", "c"), ("a",), in the order of their columns:

        pool_strings    a  b  a  c       by length, then by text
        ngram_counts    0  2             where the terms of one token start, and those of two
        ngram_indexes   2  0  1          the columns of ("a",), ("b",) and ("a", "c")
    """
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
    """List the tokens of each term, by its column.

    A term that no text can have becomes tokens that no text has.
    """
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
    """Number the tokens and move the stop words of each row behind the others.

    What is then side by side becomes a pair, as in scikit-learn:

        ["the", "cat", "of", "w"]     tokens, of which "the" and "of" are stop words
        [0, 5, 0, 9]                  their numbers
        [1 + LONGEST, 2, 3 + LONGEST, 4]   what they are sorted by
        [5, 9, 0, 0]
    """
    unknown = len(numbers) + 1
    keys = {**numbers, **dict.fromkeys(stops, 0)}
    # without the Cast onnx crashes: the input of a LabelEncoder has no type behind a Tokenizer
    tokens = writer.add("Cast", tokens, to=TensorProto.STRING)
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
    shape = writer.add("Shape", found)
    size = writer.add("Gather", shape, writer.constant(np.array([1], np.int64)), axis=0)
    _, index = writer.add_pair("TopK", order, size, axis=1, largest=0, sorted=1)
    return writer.add("GatherElements", found, index, axis=1)
