"""The Pareto front: the points that no other point matches or beats in every respect."""

from __future__ import annotations

from collections.abc import Sequence


def front(costs: Sequence[Sequence[float]]) -> list[int]:
    """Return the positions of the points that no other dominates (the Pareto front), ascending.

    Args:
        costs: for each point the same number of costs, of which less is better.

    Of equal points all are on the front, or none. With size and time as costs::

        (1, 9)  on the front: the smallest
        (2, 5)  on the front: the fastest
        (3, 5)  not: (2, 5) is smaller and as fast
    """
    return [
        position
        for position, cost in enumerate(costs)
        if not any(dominates(other, cost) for other in costs)
    ]


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether costs are at most the other's everywhere, and less somewhere."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
