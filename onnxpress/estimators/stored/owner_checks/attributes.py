"""Reading attributes of an instance with their types and sizes checked.

The attributes themselves, never a property.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.trees import whole

MOST = 2**31 - 1
MOST_THREADS = 1024


def has(instance: Any, name: str) -> bool:
    """Whether the instance itself has the attribute."""
    return name in vars(instance)


def get(instance: Any, name: str) -> Any:
    """The attribute.

    Raises:
        Damaged: there is none.
    """
    if name not in vars(instance):
        raise Damaged(f"{name} is missing")
    return vars(instance)[name]


def number(instance: Any, name: str, least: int = 0, most: int = MOST) -> int:
    """A whole number within limits.

    Raises:
        Damaged: it is missing or something else.
    """
    return whole(get(instance, name), name, least, most)


def array(instance: Any, name: str, kinds: str, *shape: int | None) -> NDArray[Any]:
    """An array of one of the ``kinds``, dtype strings with blanks between.

    None in ``shape`` is any size.

    Raises:
        Damaged: it is missing or something else.
    """
    return is_array(get(instance, name), name, kinds, *shape)


def is_array(found: Any, name: str, kinds: str, *shape: int | None) -> NDArray[Any]:
    """The same of a value."""
    allowed = [np.dtype(kind) for kind in kinds.split()]
    if type(found) is not np.ndarray or found.dtype not in allowed:
        raise Damaged(f"{name} should be an array of {kinds}, got {_type(found)}")
    fits = len(found.shape) == len(shape) and all(
        b is None or a == b for a, b in zip(found.shape, shape, strict=True)
    )
    if not fits:
        wanted = tuple("any" if size is None else size for size in shape)
        raise Damaged(f"{name} should have the shape {wanted}, got {found.shape}")
    return found


def instance_of(found: Any, name: str, *paths: str) -> Any:
    """The value, if its class is exactly one of these ``package.module.Class``.

    Raises:
        Damaged: it is something else.
    """
    kind = type(found)
    if f"{kind.__module__}.{kind.__qualname__}" not in paths:
        raise Damaged(f"{name} should be a {paths[0].rpartition('.')[2]}, got {_type(found)}")
    return found


def within(indices: NDArray[Any], name: str, count: int) -> None:
    """Raise Damaged unless all indices are from 0 to below ``count``."""
    if indices.size and not (indices.min() >= 0 and indices.max() < count):
        raise Damaged(f"{name} should be from 0 to {count - 1}")


def _type(found: Any) -> str:
    return f"an array of {found.dtype}" if type(found) is np.ndarray else type(found).__name__
