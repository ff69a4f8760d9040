"""Take the parts of an XGBoost document by key, each checked for its type.

The document comes from JSON, where an array is a list, or from UBJSON, where it may be a numpy
array. Parameters are texts in both: "3", "5E-1", "[1E0,2E0]".
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxpress.boosters.model import Unreadable, Unsupported
from onnxpress.boosters.ubjson import read_ubjson

Array = npt.NDArray[Any]

RESAVE = "save the model again with save_model('model.json')"


class Part:
    """An object of the document and where it is, for errors."""

    def __init__(self, values: dict[str, Any], where: str) -> None:
        """Keep ``values``; ``where`` are the keys that lead here, with dots between them."""
        self.values, self.where = values, where

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def error(self, key: str, expected: str) -> Unreadable:
        """Say what was expected at ``key``."""
        found = self.values.get(key, "nothing")
        got = "an array" if isinstance(found, list | dict | np.ndarray) else repr(found)[:60]
        where = f"{self.where}.{key}".removeprefix(".")
        return Unreadable(f"is damaged: {where}: expected {expected}; got {got}; {RESAVE}")

    def only(self, known: Collection[str]) -> None:
        """Refuse other parts than the ``known``.

        Raises:
            Unsupported: there is one.
        """
        if other := sorted(set(self.values).difference(known)):
            raise Unsupported(f"has {other[0][:40]!r} in {self.where}, which is not known")

    def part(self, key: str) -> Part:
        """Return the object at ``key``."""
        found = self.values.get(key)
        if not isinstance(found, dict):
            raise self.error(key, "an object")
        return Part(found, f"{self.where}.{key}".removeprefix("."))

    def text(self, key: str) -> str:
        """Return the text at ``key``."""
        found = self.values.get(key)
        if not isinstance(found, str):
            raise self.error(key, "a text")
        return found

    def whole(self, key: str, default: int | None = None) -> int:
        """Return the whole number that the text at ``key`` holds, not below 0."""
        if default is not None and key not in self.values:
            return default
        text = self.text(key)
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise self.error(key, "a whole number as text")
        return int(text)

    def parts(self, key: str) -> list[Part]:
        """Return the objects in the array at ``key``."""
        found = self.values.get(key)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.error(key, "an array of objects")
        return [Part(one, f"{self.where}.{key}[{number}]") for number, one in enumerate(found)]

    def texts(self, key: str) -> list[str]:
        """Return the texts in the array at ``key``; none where it is missing."""
        found = self.values.get(key, [])
        if isinstance(found, np.ndarray) and not found.size:
            return []
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.error(key, "an array of texts")
        return found

    def numbers(self, key: str, dtype: Any, length: int | None = None) -> Array:
        """Return the array at ``key`` as ``dtype``: whole numbers or truth values exactly.

        Raises:
            Unreadable: it holds something else, does not fit, or has another length.
        """
        found = self.values.get(key)
        if not isinstance(found, list | np.ndarray):
            raise self.error(key, "an array of numbers")
        try:
            array = np.asarray(found) if len(found) else np.empty(0, dtype)
        except (ValueError, OverflowError):
            array = np.empty((0, 0))
        floats = np.dtype(dtype).kind == "f"
        if array.ndim != 1 or array.dtype.kind not in ("fiub" if floats else "iub"):
            raise self.error(key, "an array of numbers" if floats else "whole numbers")
        with np.errstate(over="ignore"):
            result = array.astype(dtype)
        if not floats and not np.array_equal(result, array):
            raise self.error(key, f"whole numbers that fit {np.dtype(dtype).name}")
        if length is not None and len(result) != length:
            raise self.error(key, f"{length} numbers, not {len(result)}")
        return result


def read_document(content: bytes) -> Part:
    """Read the whole file: JSON, or UBJSON by its second byte.

    Raises:
        Unreadable: it is neither, or no object.
    """
    if content[:1] != b"{":
        old = "; its old binary format is not read" if content[:4] in (b"binf", b"bs64") else ""
        raise Unreadable(f"is not XGBoost's JSON or UBJSON{old}; {RESAVE}")
    text = content[1:2] in (b'"', b" ", b"\t", b"\r", b"\n", b"}")
    return Part(_read_json(content) if text else read_ubjson(content), "")


def _read_json(content: bytes) -> Any:
    try:
        return json.loads(content, object_pairs_hook=_once)
    except RecursionError as error:
        raise Unreadable("is damaged: its JSON is nested too deep") from error
    except ValueError as error:  # of JSON, UTF-8, a number of thousands of digits, a key twice
        raise Unreadable(f"is no whole JSON file: {str(error)[:120]}; {RESAVE}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice in an object")
    return found
