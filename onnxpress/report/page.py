"""The report as one HTML file that needs nothing else: results in, text out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxpress.benchmark.processor import int8_in_words
from onnxpress.certify.table import HEADINGS as RUNTIME_HEADINGS
from onnxpress.certify.table import table as runtime_rows
from onnxpress.report.deciding import DecidingTable
from onnxpress.report.disagreement import Disagreement
from onnxpress.report.score_words import with_class, with_error
from onnxpress.report.scores import HEADINGS, score_rows
from onnxpress.report.summary import Json, caption, conclusion, origin, table
from onnxpress.text import visible

CAPTIONS = {
    "candidates": "Size against latency of every candidate that was scored, "
    "and what each gains or loses of the score.",
    "size": "What each step took off the file, and what the models hold.",
    "latency": "How long single calls take on the default batch.",
    "latency_by_batch": "Latency and speed-up by the number of rows in a call.",
    "errors": "Where the original and the quantised model err on the test rows.",
    "reliability": "How often each model is right where it is how sure: whether its probabilities "
    "mean what they say.",
}
"""The caption of each picture of the plot stage, in the order of the page."""


@dataclass(frozen=True)
class File:
    """A line of the page's list of files."""

    path: str
    size_kb: float
    holds: str


@dataclass(frozen=True)
class SingleRows:
    """Tables of single test rows."""

    deciding: DecidingTable
    """Those that move the score."""
    worst: Disagreement
    """Those on which the predictions differ most."""


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
    single: SingleRows,
    files: Sequence[File],
    stale: Stale,
) -> str:
    """Return the page as HTML.

    ``original`` is the name of the first model. ``results`` are the contents of the JSON outputs
    by the stem of the file's name, ``pictures`` the PNG files by name.
    """
    metrics, detail = results["metrics"], results["metrics_detail"]
    score = detail["score"]["name"]
    headings, rows = table(metrics, results["latency"], score, original)
    page: str = _template().render(
        title=title,
        conclusion=conclusion(results["quantization"]),
        headings=headings,
        rows=rows,
        caption=caption(metrics),
        score=score,
        chosen_score=with_class(score, detail["score"]["positive"]),
        score_headings=HEADINGS,
        scores=score_rows(metrics, detail),
        findings=detail["findings"],
        pictures=_pictures(pictures, with_probabilities=detail["reliability"] is not None),
        deciding=single.deciding,
        worst=single.worst,
        budgets=_budgets(results["quantization"])[1:],
        candidates=_candidates(results["quantization"], results["latency_detail"]),
        scoring=results["quantization"]["scoring"],
        gates=results.get("gate"),
        origin=origin(results.get("mlflow_run"), earlier="publish" in stale.stages),
        runtimes=_runtimes(results.get("runtimes", {})),
        environment=_environment(results["latency_detail"]),
        warnings=results["latency_detail"]["warnings"],
        files=[(file.path, file.holds, f"{file.size_kb:,.1f}") for file in files],
        stale=stale,
    )
    return page


def _pictures(
    pictures: Mapping[str, bytes], *, with_probabilities: bool
) -> list[tuple[str, str, str]]:
    """Return name, caption and image of each picture; reliability only of probabilities."""
    names = [name for name in CAPTIONS if with_probabilities or name != "reliability"]
    return [(name, CAPTIONS[name], _data_uri(pictures[name])) for name in names]


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


def _budgets(quantization: Json) -> list[str]:
    """Return the keys of the budgets that candidates were held to, that of the score first."""
    found = dict.fromkeys(
        key for entry in quantization["candidates"] for key in entry.get("drops", {})
    )
    return ["score", *(key for key in found if key != "score")]


def _candidates(quantization: Json, detail: Json) -> list[dict[str, Any]]:
    """Return a row per candidate; what was not measured is a dash or None."""
    timed, budgets = detail["candidates"], _budgets(quantization)
    rows = []
    for entry in quantization["candidates"]:
        latency = timed.get(entry["name"])
        row = {
            "name": entry["name"],
            "size_kb": entry.get("size_kb"),
            "losses": [_loss(entry, key) for key in budgets],
            "speedup": None if latency is None else latency["vs_onnx_speedup"],
            "outcome": entry["outcome"],
            "reason": entry["reason"],
        }
        rows.append(row)
    return rows


def _loss(candidate: Json, key: str) -> str:
    """Return what a candidate loses in one respect, with its standard error if it is known."""
    drop = candidate.get("drops", {}).get(key, {})
    value = drop.get("value")
    if value is None and key == "score":
        value = candidate.get("score_drop")
    return "-" if value is None else with_error(value, drop.get("se"))


def _runtimes(content: Json) -> dict[str, Any] | None:
    """Return what became of the models in other runtimes; None if that was not tried."""
    if not content:
        return None
    rows = " and ".join(f"{count} {kind} rows" for kind, count in content["rows"].items())
    about = f"{rows}, compared with {content['compared_with']}"
    return {"about": about, "headings": RUNTIME_HEADINGS, "rows": runtime_rows(content)}


def _environment(detail: Json) -> dict[str, str]:
    """Return where the latency was measured, by headings."""
    place = detail["environment"]
    cores = f"{place['usable_cores']} of {place['cores']} usable"
    libraries = sorted(place["libraries"].items())
    return {
        "CPU": place["cpu"],
        "instructions for int8": int8_in_words(place["int8_instructions"]),
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
