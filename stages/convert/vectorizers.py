r"""Bags of words as skl2onnx writes them, with two settings of its own that would give other words than scikit-learn.

Its tokens are ASCII and may have one letter, where scikit-learn's default ``token_pattern`` asks for two or more letters of
any script; onnxruntime's ``Tokenizer`` (com.microsoft) reads RE2, which has no word class of all scripts. And lower case is
asked for in the locale en_US.UTF-8, without which onnxruntime does not load the model: the locale C, which every system has,
does for words in ASCII.
"""

from __future__ import annotations

from typing import Any

import onnx
from onnx import helper

from stages.common.parts import parts_of

WORD = r"(?u)\b\w\w+\b"
"""scikit-learn's default ``token_pattern``."""
RE2_WORD = r"[\p{L}\p{N}_]{2,}"


def vectorizers(estimator: Any) -> list[Any]:
    """The fitted CountVectorizers and TfidfVectorizers in an estimator."""
    from sklearn.feature_extraction.text import CountVectorizer

    return [part for part in parts_of(estimator) if isinstance(part, CountVectorizer) and hasattr(part, "vocabulary_")]


def conversion_options(estimator: Any) -> dict[Any, Any]:
    """skl2onnx's options for the vectorizers in an estimator."""
    return {id(part): {"tokenexp": RE2_WORD} for part in vectorizers(estimator) if part.token_pattern == WORD}


def set_locale(model: onnx.ModelProto, estimator: Any) -> None:
    """Give each StringNormalizer the locale C, in place, or C.UTF-8 where words have other letters than ASCII."""
    plain = all(word.isascii() for part in vectorizers(estimator) for word in part.vocabulary_)
    for node in model.graph.node:
        if node.op_type == "StringNormalizer":
            kept = [item for item in node.attribute if item.name != "locale"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("locale", "C" if plain else "C.UTF-8")])
