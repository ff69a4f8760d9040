"""The limits on servers under load: ratios within rounds, of cells that were measured in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.bars import Bar
from bench.serving.servers import DRIFT, DRIFT_EVERY, MLFLOW, TRITON
from bench.serving.subjects import NOTHING, ONNX, ORIGINAL, QUANTISED
from onnxpress.benchmark.latency_statistics import Ratio, ratio

Record = dict[str, Any]
MOST_CPU, LEAST_SPEEDUP, MOST_DRIFT = 0.5, 10.0, 1.05


def bars(records: Sequence[Record]) -> list[Bar]:
    """Return the bars of each data set; a run without the cells that one needs has no value."""
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
        for rows, words in {1: "1 row", 32: "32 rows"}.items():
            name = (
                f"{data}: CPU of a row on Triton with drift metrics of one request in "
                f"{DRIFT_EVERY} over without, {words} a request"
            )
            found.append(_bar(name, drift_cost(of_data, rows), MOST_DRIFT, at_least=False))
    return found


def _bar(name: str, measured: Ratio | None, limit: float, *, at_least: bool) -> Bar:
    if measured is None:
        return Bar(name, None, limit, at_least)
    note = f"95 % interval {number(measured.low)} to {number(measured.high)}"
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


def drift_cost(records: Sequence[Record], rows: int) -> Ratio | None:
    """Return CPU time of Triton with drift metrics over that without, within each pair."""

    def wanted(server: str) -> Callable[[Record], bool]:
        cell = (server, QUANTISED, rows)
        return lambda each: (each["server"], each["form"], each["rows"]) == cell

    return _paired(records, "cpu_s_per_million_rows", wanted(DRIFT), wanted(TRITON))


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


def number(value: float) -> str:
    """Three significant digits, and no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
