"""serving.json and serving.md: medians over rounds, the bars, and how far to trust them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.bars import Bar, markdown
from bench.serving.servers import MLFLOW, TRITON
from bench.serving.subjects import NOTHING, ONNX, ORIGINAL, QUANTISED, TREES
from onnxpress.benchmark.environment import cpu_model
from onnxpress.benchmark.latency_statistics import Ratio, ratio
from onnxpress.pipeline.files import write_bytes, write_json

Record = dict[str, Any]
MEASURES = ("requests_per_s", "p50_ms", "p99_ms", "cpu_s_per_million_rows")
MOST_CPU, LEAST_SPEEDUP = 0.5, 10.0
CELL = ("data", "rows", "server", "form", "clients")


def write(folder: Path, records: list[Record], loads: tuple[float, float], seconds: int) -> str:
    """Write both files into ``folder`` and return the Markdown.

    ``loads`` are the averages of the machine's load at the start and at the end, ``seconds`` how
    long each load lasted.
    """
    cells, judged, least = medians(records), bars(records), floors(records)
    surroundings = {"cores": os.cpu_count(), "cpu": cpu_model(), "load_averages": list(loads)}
    rounds = 1 + max(record["round"] for record in records)
    text = "\n".join(
        [*_preface(surroundings, rounds, seconds), *_tables(cells), *_bars(judged, least), ""]
    )
    content = {"environment": surroundings, "rounds": rounds, "seconds": seconds}
    write_json(
        folder / "serving.json",
        content
        | {
            "cells": cells,
            "bars": [bar.to_json() for bar in judged],
            "floors": {data: asdict(floor) for data, floor in least.items()},
        },
    )
    write_bytes(folder / "serving.md", text.encode())
    return text


def medians(records: Sequence[Record]) -> list[Record]:
    """Return a record for each cell with the median of each measure over the rounds.

    ``peak_mb`` is the largest of any, because a process keeps what it once has needed.
    """

    def key(record: Record) -> tuple[Any, ...]:
        return tuple(record[name] for name in CELL)

    found = []
    for values, group in groupby(sorted(records, key=key), key):
        same = list(group)
        cell = dict(zip(CELL, values, strict=True))
        cell |= {name: float(np.median([each[name] for each in same])) for name in MEASURES}
        found.append(cell | {"peak_mb": max(each["peak_mb"] for each in same)})
    return found


def bars(records: Sequence[Record]) -> list[Bar]:
    """Return the two bars of each data set; a run without the cells that one needs has no value."""
    found = []
    for data in sorted({record["data"] for record in records}):
        of_data = [record for record in records if record["data"] == data]
        cpu = f"{data}: CPU of a row on Triton, {QUANTISED} over {ONNX}, 32 rows a request"
        rate = (
            f"{data}: requests a second, {QUANTISED} on Triton over the original on MLflow, "
            "1 row a request, 16 clients"
        )
        found.append(_bar(cpu, cpu_ratio(of_data, QUANTISED), MOST_CPU, at_least=False))
        found.append(_bar(rate, speedup(of_data), LEAST_SPEEDUP, at_least=True))
    return found


def _bar(name: str, measured: Ratio | None, limit: float, *, at_least: bool) -> Bar:
    if measured is None:
        return Bar(name, None, limit, at_least)
    note = f"95 % interval {_number(measured.low)} to {_number(measured.high)}"
    return Bar(name, measured.median, limit, at_least, note)


def floors(records: Sequence[Record]) -> dict[str, Ratio]:
    """Return for each data set what no model costs on Triton over model.onnx: the least ratio."""
    found = {}
    for data in sorted({record["data"] for record in records}):
        ratio_ = cpu_ratio([record for record in records if record["data"] == data], NOTHING)
        if ratio_ is not None:
            found[data] = ratio_
    return found


def cpu_ratio(records: Sequence[Record], form: str) -> Ratio | None:
    """Return CPU time of Triton with a form over that with model.onnx, within each pair."""

    def wanted(form: str) -> Callable[[Record], bool]:
        return lambda each: (each["server"], each["form"], each["rows"]) == (TRITON, form, 32)

    return _paired(records, "cpu_s_per_million_rows", wanted(form), wanted(ONNX))


def speedup(records: Sequence[Record]) -> Ratio | None:
    """Return Triton's requests a second over those of MLflow with the original, at 16 clients."""

    def wanted(server: str, form: str) -> Callable[[Record], bool]:
        cell = (server, form, 1, 16)
        return lambda each: (each["server"], each["form"], each["rows"], each["clients"]) == cell

    return _paired(records, "requests_per_s", wanted(TRITON, QUANTISED), wanted(MLFLOW, ORIGINAL))


def _paired(
    records: Sequence[Record],
    measure: str,
    above: Callable[[Record], bool],
    below: Callable[[Record], bool],
) -> Ratio | None:
    """Return the ratio of a measure within each round and number of clients."""

    def values(wanted: Callable[[Record], bool]) -> NDArray[np.float64]:
        pairs = {
            (each["round"], each["clients"]): each[measure] for each in records if wanted(each)
        }
        return np.array([pairs[key] for key in sorted(pairs)], np.float64)

    numerator, denominator = values(above), values(below)
    if not len(numerator) or len(numerator) != len(denominator):
        return None
    return ratio(numerator, denominator)


def _preface(surroundings: Mapping[str, Any], rounds: int, seconds: int) -> Iterator[str]:
    begun, ended = surroundings["load_averages"]
    yield from (
        "# Servers under load, measured",
        "",
        f"Written by `python -m bench.serving`: random forests of {TREES} trees, {rounds} rounds",
        f"of {seconds} s for each cell, on {surroundings['cpu']}.",
        "",
        f"**Read the times with care.** The servers share {surroundings['cores']} cores with the",
        f"load (wrk, one thread) and with whatever else ran: the load average was {begun:.1f} at",
        f"the start and {ended:.1f} at the end. So requests a second and latencies compare",
        "servers on this machine in this hour, and are no capacity of any. CPU seconds suffer",
        "less. Ratios are taken between neighbours in time.",
        "",
        "- *Triton* is the one of `make serve`: its Python backend runs the model, because the",
        "  wheel lacks the onnxruntime backend, which has less overhead. *KServe* is its",
        "  ModelServer with default settings. *MLflow* is `mlflow models serve`, one worker; with",
        "  the original it computes labels alone, the others probabilities too. *No model* is a",
        "  graph with the same inputs and outputs that copies columns: what is left is serving.",
        "- Requests are JSON. Each server answers with one form per process, all checked against",
        "  the model before.",
        "- The values in a cell are for as many clients as the heading lists, each with one",
        "  request at a time: medians over rounds.",
        "- *CPU s*: seconds of CPU for a million rows, of the server's process and all below it.",
        "- *MB*: the sum of the peaks of resident memory of these processes.",
        "",
    )


def _tables(cells: Sequence[Record]) -> Iterator[str]:
    for (data, rows), group in groupby(cells, lambda cell: (cell["data"], cell["rows"])):
        found = list(group)
        clients = " / ".join(str(number) for number in sorted({each["clients"] for each in found}))
        yield from (
            f"## {data}, {rows} {'row' if rows == 1 else 'rows'} a request, {clients} clients",
            "",
            "| server | model | requests a second | p50 ms | p99 ms | CPU s | MB |",
            "|---|---|---:|---:|---:|---:|---:|",
        )
        for (server, form), same in groupby(found, lambda cell: (cell["server"], cell["form"])):
            line = list(same)
            columns = [" / ".join(_number(each[name]) for each in line) for name in MEASURES]
            peak = max(each["peak_mb"] for each in line)
            yield f"| {server} | {form} | {' | '.join(columns)} | {peak:,.0f} |"
        yield ""


def _bars(judged: list[Bar], least: Mapping[str, Ratio]) -> Iterator[str]:
    yield from ("## Bars", "", markdown(judged))
    if least:
        yield from (
            "",
            "A model that costs nothing would take so much of the CPU with model.onnx, in the same",
            "pairs:",
            "",
        )
    for data, floor in least.items():
        yield (
            f"- {data}: {_number(floor.median)} (95 % interval {_number(floor.low)} to "
            f"{_number(floor.high)})"
        )


def _number(value: float) -> str:
    """Three significant digits, and no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
