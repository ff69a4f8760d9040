"""Trees as CASE expressions of SQL, nested as little as may be: parsers have limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onnxpress.bodies.ordered import Splits
from onnxpress.evaluate.probes.float_order import number as float_at

BEYOND = 2.0**128
"""Where the next float32 number behind the last one would be."""


def real(value: float) -> str:
    """Write a double; without an exponent it would be a decimal number in DuckDB."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"


def oblivious_case(
    names: Sequence[str], thresholds: NDArray[np.float32], leaves: NDArray[np.int8]
) -> str:
    """One tree: bit ``l`` of a leaf's number is whether ``names[l] < thresholds[l]``."""
    if (leaves == leaves[0]).all():
        return str(leaves[0])
    yes, no = (oblivious_case(names[1:], thresholds[1:], leaves[bit::2]) for bit in (1, 0))
    if yes == no:
        return yes
    return f"CASE WHEN {_is_less(names[0], thresholds[0])} THEN {yes} ELSE {no} END"


def tree_case(
    splits: Splits, root: int, features: Sequence[str], leaves: NDArray[np.float64]
) -> str:
    """One tree; ``features`` are the names that its splits compare, ``leaves`` one number each.

    A CASE follows the larger children down, so that one is nested in another for the smaller ones
    alone: at most as often as the number of leaves can be halved.
    """
    n_splits, sizes = len(splits.cut), _sizes(splits, root)

    def written(node: int) -> str:
        cases = ""
        while node < n_splits:
            left, right = int(splits.left[node]), int(splits.right[node])
            threshold, missing = float_after(int(splits.cut[node])), bool(splits.missing_left[node])
            if sizes[left] <= sizes[right]:
                test, small, large = _is_less(features[node], threshold), left, right
            else:
                test, small, large = _is_not_less(features[node], threshold), right, left
            if missing == (small == left):
                test = f"COALESCE({test}, TRUE)"
            cases += f" WHEN {test} THEN {written(small)}"
            node = large
        last = real(leaves[node - n_splits])
        return f"CASE{cases} ELSE {last} END" if cases else last

    return written(root)


def _sizes(splits: Splits, root: int) -> dict[int, int]:
    """The number of leaves below each node of a tree."""
    order = [root]
    for node in order:
        if node < len(splits.cut):
            order += [int(splits.left[node]), int(splits.right[node])]
    sizes: dict[int, int] = {}
    for node in reversed(order):
        below = node < len(splits.cut)
        children = (int(splits.left[node]), int(splits.right[node])) if below else ()
        sizes[node] = sum(sizes[child] for child in children) or 1
    return sizes


def float_after(rank: int) -> float:
    """Return the float32 number behind that of ``rank``: infinity behind the last, then NaN."""
    last = int(np.float32(np.inf).view(np.int32))
    if rank + 1 >= last:
        return float("inf") if rank + 1 == last else float("nan")
    return float(float_at(np.array([rank + 1]))[0])


def _is_less(name: str, threshold: float) -> str:
    """SQL for ``float32(name) < threshold``, and for any number if that is NaN; NULL for NULL."""
    if np.isnan(threshold):
        return f"{name} = {name}"
    if threshold == -np.inf:
        return f"{name} <> {name}"
    middle, rounded_down = _border(threshold)
    return f"{name} {'<=' if rounded_down else '<'} {real(middle)}"


def _is_not_less(name: str, threshold: float) -> str:
    """SQL for what is neither less nor NULL; NULL for NULL."""
    if np.isnan(threshold):
        return f"{name} <> {name}"
    if threshold == -np.inf:
        return f"{name} = {name}"
    middle, rounded_down = _border(threshold)
    return f"{name} {'>' if rounded_down else '>='} {real(middle)}"


def _border(threshold: float) -> tuple[float, bool]:
    """The double where float32 numbers less than ``threshold`` end, and whether it is one of them.

    That is the middle between the threshold and the float32 number before it.
    """
    ends = threshold, np.nextafter(np.float32(threshold), np.float32(-np.inf))
    middle = sum(float(np.clip(float(end), -BEYOND, BEYOND)) for end in ends) / 2
    with np.errstate(over="ignore"):
        return middle, bool(np.float32(middle) < np.float32(threshold))
