"""What all pictures have in common: one style on every machine, axes, notes and units."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

NOTE_STYLE = {"fontsize": 9, "color": "0.35"}
DOTS_PER_INCH = 150

_STYLE: dict[str, Any] = {
    "font.family": [
        "DejaVu Sans",
        "Noto Sans CJK KR",
        "NanumGothic",
        "Malgun Gothic",
        "Apple SD Gothic Neo",
    ],
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.88",
    "legend.frameon": False,
    "text.parse_math": False,  # a $ in the name of a class or column is a $
}


@contextmanager
def style() -> Iterator[None]:
    """Draw inside this block: otherwise a matplotlibrc of the machine decides about the style."""
    import matplotlib as mpl

    # it announces its cache, and fonts that are missing
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(dict[Any, Any](_STYLE))
        # a letter without a glyph is drawn as a box
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def figure(
    width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained"
) -> Any:
    """Return an empty figure, ``width`` by ``height`` inches, that lays its parts out itself.

    ``compressed`` is the layout for square parts.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # pyplot would look for a screen

    made = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout=layout)
    FigureCanvasAgg(made)  # without it, measuring a text makes a renderer for each
    return made


def settle(picture: Any) -> None:
    """Fix the place of every part, so that saving does not lay the figure out again."""
    picture.get_layout_engine().execute(picture)
    picture.set_layout_engine("none")


def png(picture: Any) -> bytes:
    """Return the figure as a PNG file, without the version of matplotlib in it."""
    if picture.get_layout_engine():
        settle(picture)
    image = io.BytesIO()
    picture.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def logarithmic(axis: Any) -> None:
    """Make an axis logarithmic, labelled in plain numbers.

    A short axis has labels at 1, 2 and 5, a long one at powers of ten.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    name = axis.axis_name
    getattr(axis.axes, f"set_{name}scale")("log")
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,)))
    axis.set_major_formatter(lambda value, _: f"{value:,.15g}")
    axis.set_minor_locator(NullLocator())


def note(picture: Any, text: str) -> None:
    """Write a line of small print at the foot of the figure."""
    picture.supxlabel(text, **NOTE_STYLE)


def measured_on(detail: Mapping[str, Any]) -> str:
    """Return in a few words where a latency was measured."""
    place = detail["environment"]
    return f"{place['threads']} thread{'s' * (place['threads'] > 1)}, {place['cpu']}"


def kilobytes(value: float) -> str:
    """Return a size in KB with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def milliseconds(value: float) -> str:
    """Return a time in ms with three significant digits."""
    return f"{value:,.0f} ms" if value >= 1000 else f"{value:.3g} ms"
