"""What all pictures have in common: one style whatever a machine's own settings are, names, marks and units."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

MODELS = {
    "original": "original",
    "onnx": "ONNX",
    "quantized": "ONNX, quantised",
    "floor": "empty graph",
}
STYLES = {
    "original": "o-",
    "onnx": "s--",
    "quantized": "^:",
    "floor": "|-",
}  # told apart by mark and dash, not by colour
ACCENT = "#b3400a"
"""The one colour, of what was chosen; in grey its shape or place tells it apart."""
NOTE = {"fontsize": 9, "color": "0.35"}
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
    """Draw in here: without it a matplotlibrc of the machine would decide how a picture looks."""
    import matplotlib as mpl

    logging.getLogger("matplotlib.font_manager").setLevel(
        logging.ERROR
    )  # it announces its cache, and fonts that are not there
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(dict[Any, Any](_STYLE))
        warnings.filterwarnings(
            "ignore", "Glyph .* missing from font", UserWarning
        )  # a box stands for the letter
        yield


def figure(
    width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained"
) -> Any:
    """An empty figure of so many inches, whose parts find their places by themselves; ``compressed`` is for square ones."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # pyplot, which looks for a screen, is not needed

    made = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout=layout)
    FigureCanvasAgg(made)  # each text would make a renderer of its own to be measured with
    return made


def settle(picture: Any) -> None:
    """Give every part its place for good: saving would draw the whole figure once more to find it."""
    picture.get_layout_engine().execute(picture)
    picture.set_layout_engine("none")


def png(picture: Any) -> bytes:
    """The figure as a file; the version of matplotlib is no part of it."""
    if picture.get_layout_engine():
        settle(picture)
    image = io.BytesIO()
    picture.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def logarithmic(axis: Any) -> None:
    """A logarithmic axis labelled in plain numbers: at 1, 2 and 5 where it is short, at powers of ten where it is long."""
    from matplotlib.ticker import LogLocator, NullLocator

    name = axis.axis_name
    getattr(axis.axes, f"set_{name}scale")("log")
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,)))
    axis.set_major_formatter(lambda value, _: f"{value:,.15g}")
    axis.set_minor_locator(NullLocator())


def note(picture: Any, text: str) -> None:
    """A line of small print at the foot of the figure."""
    picture.supxlabel(text, **NOTE)


def measured_on(detail: Mapping[str, Any]) -> str:
    """Where a latency was measured, in a few words."""
    place = detail["environment"]
    return f"{place['threads']} thread{'s' * (place['threads'] > 1)}, {place['cpu']}"


def kilobytes(value: float) -> str:
    """A size in KB with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def milliseconds(value: float) -> str:
    """A time in ms with three digits that count."""
    return f"{value:,.0f} ms" if value >= 1000 else f"{value:.3g} ms"
