"""The report as one HTML file that needs nothing else: results in, text out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxpress.report.disagreement import Disagreement
from onnxpress.report.summary import Json, caption, conclusion, origin, table
from onnxpress.text import visible

CAPTIONS = {
    "candidates": "Size against latency of every candidate that was scored, and what each gains or loses of the score.",
    "size": "What each step took off the file, and what the models hold.",
    "latency": "How long single calls take on the default batch.",
    "latency_by_batch": "Latency and speed-up by the number of rows in a call.",
    "errors": "Where the original and the quantised model err on the test rows.",
}
"""What is said of each picture of the plot stage, in the order of the page."""


def render(
    title: str,
    original: str,
    results: Mapping[str, Json],
    pictures: Mapping[str, bytes],
    worst: Disagreement,
    files: Mapping[Path, str],
    stale: Sequence[str],
) -> str:
    """The page.

    ``original`` is the name of the first model, ``results`` are the contents of the JSON outputs by the stem of their
    file's name, ``pictures`` the PNG files by name, ``files`` what each output holds, ``stale`` the stages whose outputs do
    not belong to what stands in the working tree.
    """
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
    headings, rows = table(results["metrics"], results["latency"], original)
    return environment.get_template("page.html.jinja").render(
        title=title,
        conclusion=conclusion(results["quantization"]),
        headings=headings,
        rows=rows,
        caption=caption(results["metrics"]),
        pictures=[(name, said, _data_uri(pictures[name])) for name, said in CAPTIONS.items()],
        worst=worst,
        candidates=_candidates(results["quantization"], results["latency_detail"]),
        scoring=results["quantization"]["scoring"],
        gates=results.get("gate"),
        origin=origin(results.get("mlflow_run"), earlier="publish" in stale),
        environment=_environment(results["latency_detail"]),
        warnings=results["latency_detail"]["warnings"],
        files=[
            (str(path), said, f"{path.stat().st_size / 1024:,.1f}")
            for path, said in files.items()
            if path.is_file()
        ],
        stale=stale,
    )


def _candidates(quantization: Json, detail: Json) -> list[dict[str, Any]]:
    """A row per candidate; what was not measured is None."""
    timed = detail["candidates"]
    return [
        {
            "name": entry["name"],
            "size_kb": entry.get("size_kb"),
            "gain": None
            if entry.get("score_drop") is None
            else round(-entry["score_drop"], 9) + 0.0,
            "speedup": timed[entry["name"]]["vs_onnx_speedup"] if entry["name"] in timed else None,
            "outcome": entry["outcome"],
            "reason": entry["reason"],
        }
        for entry in quantization["candidates"]
    ]


def _environment(detail: Json) -> dict[str, str]:
    """Where the latency was measured, by what is said of it."""
    place = detail["environment"]
    return {
        "CPU": place["cpu"],
        "cores": f"{place['usable_cores']} of {place['cores']} usable, {place['threads']} used by each model",
        "share of a core while measuring": f"{100 * place['cpu_share']:.0f} %",
        "platform": place["platform"],
        "Python": place["python"],
        "libraries": ", ".join(
            f"{name} {version}" for name, version in sorted(place["libraries"].items())
        ),
        "thread pools": ", ".join(place["thread_pools"]) or "none",
    }


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
