"""The categories of a CatBoost model, kept before its bytes.

A ``.cbm`` file has the hashes of its categories, not their texts. So the model that is stored is a
line of JSON, which lists the categories of each column that has some, and then the file:

    CATEGORIES {"2": ["east", "west"], "3": [1, 2]}
    CBM1...
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from onnxpress.boosters.model import Unreadable

PREFIX = b"CATEGORIES "

Category = str | int


def with_categories(data: bytes, categories: Mapping[int, Sequence[Category]]) -> bytes:
    """Put the categories, by columns, before the bytes of a ``.cbm`` file."""
    if not categories:
        return data
    listed = {str(column): list(categories[column]) for column in sorted(categories)}
    return PREFIX + json.dumps(listed).encode() + b"\n" + data


def split_categories(data: bytes) -> tuple[dict[int, tuple[Category, ...]], bytes]:
    """Return the categories by columns, and the bytes of the ``.cbm`` file.

    Raises:
        Unreadable: the line is not as :func:`with_categories` writes it.
    """
    if not data.startswith(PREFIX):
        return {}, data
    line, _, rest = data.partition(b"\n")
    try:
        listed = json.loads(line[len(PREFIX) :])
        found = {int(column): tuple(categories) for column, categories in listed.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable("is damaged: expected lists of categories before CBM1") from error
    for categories in found.values():
        if not all(type(one) in (str, int) for one in categories):
            raise Unreadable("is damaged: expected texts and whole numbers as categories")
        if len({str(one) for one in categories}) < len(categories):
            raise Unreadable("is damaged: a category is listed twice")
    return found, rest
