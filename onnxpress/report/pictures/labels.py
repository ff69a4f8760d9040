"""Write labels beside points so that none covers another label, a point or a line."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""

SIDES = ((1, 0), (1, 1), (0, 1), (-1, 0), (1, -1), (0, -1), (-1, 1), (-1, -1))
PLACES = [(reach * dx, reach * dy) for reach, (dx, dy) in product((1, 2, 3, 5), SIDES)]
"""Where a label may be placed, in steps from its point; the nearest places come first."""
STEP_POINTS = 9
"""Length of a step, in points of 1/72 inch."""
POINT_PIXELS, OTHERS_PIXELS = 10.0, 22.0
"""Free space around a label's own point, and around the others, which it must not seem to name."""
LINE_PIXELS = 2.0


def place_labels(ax: Any, labels: list[tuple[float, float, str]], lines: Iterable[Box]) -> None:
    """Write each ``(x, y, text)`` as near to its point as there is space.

    A thin line leads to a label that is further away. ``lines`` are horizontal or vertical, given
    by their ends; they and the labels are in the units of the axes. The place of every other part
    of the figure must be fixed already.
    """
    points = ax.transData.transform([(x, y) for x, y, _ in labels])
    written = [_grown(ax.transData.transform([line[:2], line[2:]]), LINE_PIXELS) for line in lines]
    frame, pixels = ax.get_window_extent(), ax.figure.dpi / 72
    for own, (x, y, text) in enumerate(labels):
        label = ax.annotate(text, (x, y), (0, 0), textcoords="offset points", fontsize=10)
        size = label.get_window_extent()
        taken = [
            _grown(points[[index]], POINT_PIXELS if index == own else OTHERS_PIXELS)
            for index in range(len(points))
        ]
        boxes = [_box(points[own], place, size.width, size.height, pixels) for place in PLACES]
        costs = []
        for box in boxes:
            covered = sum(_overlap(box, other) for other in (*taken, *written))
            costs.append(covered + _outside(box, frame))
        best = costs.index(min(costs))
        label.remove()
        _write(ax, x, y, text, *PLACES[best])
        written.append(boxes[best])


def _box(point: Any, place: tuple[int, int], width: float, height: float, pixels: float) -> Box:
    """Return the box of a text of this size at a place; ``pixels`` is the size of 1/72 inch."""
    dx, dy = ((step > 0) - (step < 0) for step in place)
    left = point[0] + place[0] * STEP_POINTS * pixels - (1 - dx) / 2 * width
    bottom = point[1] + place[1] * STEP_POINTS * pixels - (1 - dy) / 2 * height
    return left, bottom, left + width, bottom + height


def _write(ax: Any, x: float, y: float, text: str, dx: int, dy: int) -> None:
    near = max(abs(dx), abs(dy)) <= 1
    ax.annotate(
        text,
        (x, y),
        (dx * STEP_POINTS, dy * STEP_POINTS),
        textcoords="offset points",
        ha=("center", "left", "right")[(dx > 0) - (dx < 0)],
        va=("center", "bottom", "top")[(dy > 0) - (dy < 0)],
        fontsize=10,
        arrowprops=None if near else {"arrowstyle": "-", "color": "0.6", "linewidth": 0.7},
    )


def _grown(ends: Any, by: float) -> Box:
    """Return the box around some points, ``by`` pixels larger on each side."""
    (x0, y0), (x1, y1) = ends.min(axis=0) - by, ends.max(axis=0) + by
    return float(x0), float(y0), float(x1), float(y1)


def _overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share, in pixels."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def _outside(box: Box, frame: Any) -> float:
    """Return the area of a box beyond the frame, in pixels: as bad as covering something."""
    beyond = max(frame.x0 - box[0], box[2] - frame.x1, frame.y0 - box[1], box[3] - frame.y1, 0)
    return float(beyond) * (box[3] - box[1])
