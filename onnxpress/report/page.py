"""The report as one HTML file that needs nothing else: results in, text out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxpress.report.disagreement import Disagreement
from onnxpress.report.summary import Json, caption, conclusion, origin, table
from onnxpress.text import visible

CAPTIONS = {
    "candidates": "Size against latency of every candidate that was scored, "
    "and what each gains or loses of the score.",
    "size": "What each step took off the file, and what the models hold.",
    "latency": "How long single calls take on the default batch.",
    "latency_by_batch": "Latency and speed-up by the number of rows in a call.",
    "errors": "Where the original and the quantised model err on the test rows.",
}
"""The caption of each picture of the plot stage, in the order of the page."""


@dataclass(frozen=True)
class File:
    """A line of the page's list of files."""

    path: str
    size_kb: float
    holds: str


@dataclass(frozen=True)
class Stale:
    """What in the page is not up to date."""

    stages: Sequence[str]
    """The stages whose outputs do not belong to the current code, parameters and data."""
    command: str
    """What makes them again."""


def render(
    title: str,
    original: str,
    results: Mapping[str, Json],
    pictures: Mapping[str, bytes],
    worst: Disagreement,
    files: Sequence[File],
    stale: Stale,
) -> str:
    """Return the page as HTML.

    ``original`` is the name of the first model. ``results`` are the contents of the JSON outputs
    by the stem of the file's name, ``pictures`` the PNG files by name.
    """
    headings, rows = table(results["metrics"], results["latency"], original)
    page: str = _template().render(
        title=title,
        conclusion=conclusion(results["quantization"]),
        headings=headings,
        rows=rows,
        caption=caption(results["metrics"]),
        pictures=[(name, text, _data_uri(pictures[name])) for name, text in CAPTIONS.items()],
        worst=worst,
        candidates=_candidates(results["quantization"], results["latency_detail"]),
        scoring=results["quantization"]["scoring"],
        gates=results.get("gate"),
        origin=origin(results.get("mlflow_run"), earlier="publish" in stale.stages),
        environment=_environment(results["latency_detail"]),
        warnings=results["latency_detail"]["warnings"],
        files=[(file.path, file.holds, f"{file.size_kb:,.1f}") for file in files],
        stale=stale,
    )
    return page


def _template() -> Any:
    """Return the page's template, in which every value is escaped and made visible."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.finalize = lambda value: visible(value) if type(value) is str else value
    environment.filters |= {"number": _number, "times": lambda value: f"{value:.3g}x"}
    return environment.get_template("page.html.jinja")


def _candidates(quantization: Json, detail: Json) -> list[dict[str, Any]]:
    """Return a row per candidate; what was not measured is None."""
    timed = detail["candidates"]
    rows = []
    for entry in quantization["candidates"]:
        drop, latency = entry.get("score_drop"), timed.get(entry["name"])
        row = {
            "name": entry["name"],
            "size_kb": entry.get("size_kb"),
            "gain": None if drop is None else round(-drop, 9) + 0.0,  # + 0.0 makes 0 of -0
            "speedup": None if latency is None else latency["vs_onnx_speedup"],
            "outcome": entry["outcome"],
            "reason": entry["reason"],
        }
        rows.append(row)
    return rows


def _environment(detail: Json) -> dict[str, str]:
    """Return where the latency was measured, by headings."""
    place = detail["environment"]
    cores = f"{place['usable_cores']} of {place['cores']} usable"
    libraries = sorted(place["libraries"].items())
    return {
        "CPU": place["cpu"],
        "cores": f"{cores}, {place['threads']} used by each model",
        "share of a core while measuring": f"{100 * place['cpu_share']:.0f} %",
        "platform": place["platform"],
        "Python": place["python"],
        "libraries": ", ".join(f"{name} {version}" for name, version in libraries),
        "thread pools": ", ".join(place["thread_pools"]) or "none",
    }


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
