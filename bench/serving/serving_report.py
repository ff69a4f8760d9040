"""serving.json, .md and .png: medians over rounds, the bars, and how far to trust them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from bench.bars import Bar, markdown
from bench.serving.servers import DRIFT_EVERY
from bench.serving.serving_bars import Record, bars, floors, number
from bench.serving.serving_picture import picture
from bench.serving.subjects import TREES
from onnxpress.benchmark.latency_statistics import Ratio
from onnxpress.benchmark.processor import cpu_model
from onnxpress.pipeline.files import write_bytes, write_json

MEASURES = ("requests_per_s", "p50_ms", "p99_ms", "cpu_s_per_million_rows")
CELL = ("data", "rows", "server", "form", "clients")


def write(folder: Path, records: list[Record], loads: tuple[float, float], seconds: int) -> str:
    """Write the files into ``folder`` and return the Markdown.

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
    write_bytes(folder / "serving.png", picture(cells))
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
        "  *Triton with drift* is Triton with the drift component, which counts one request in",
        f"  {DRIFT_EVERY}; Triton's tracer feeds it, and some 100 MB more keep this old one alive.",
        "- Requests are JSON. Each server answers with one form per process, all checked against",
        "  the model before.",
        "- The values in a cell are for as many clients as the heading lists, each with one",
        "  request at a time: medians over rounds.",
        "- [The picture](serving.png) has requests a second alone.",
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
            columns = [" / ".join(number(each[name]) for each in line) for name in MEASURES]
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
            f"- {data}: {number(floor.median)} (95 % interval {number(floor.low)} to "
            f"{number(floor.high)})"
        )
