"""Checks of single arguments, each of which ends in the line that the caller reads."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from onnxpress.errors import UserError

LARGEST_SEED = 2**32 - 1


def check_choice(name: str, value: Any, valid: tuple[Any, ...]) -> None:
    """See that an argument has one of the values in ``valid``.

    Raises:
        UserError: it has not.
    """
    if value not in valid:
        raise UserError(f"{name} should be one of {', '.join(map(str, valid))}, got {value!r}")


def check_whole(name: str, value: Any, least: int) -> None:
    """See that an argument is a whole number, ``least`` or more.

    Raises:
        UserError: it is not.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (whole and value >= least):
        raise UserError(f"{name} should be a whole number from {least} on, got {value!r}")


def check_seed(seed: Any) -> None:
    """See that a seed is one that numpy takes.

    Raises:
        UserError: it is not.
    """
    check_whole("seed", seed, 0)
    if seed > LARGEST_SEED:
        raise UserError(f"seed should be {LARGEST_SEED} at most, got {seed!r}")


def check_number(name: str, value: Any, expected: str, *, least: float, most: float) -> None:
    """See that an argument is a number from ``least`` to ``most``, which ``expected`` says.

    Raises:
        UserError: it is not.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and least <= value <= most):
        raise UserError(f"{name} should be {expected}, got {value!r}")
