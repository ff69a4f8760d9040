"""serving.png: requests a second of each server against its clients, as in serving.md."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.serving.servers import KSERVE, MLFLOW, TRITON
from bench.serving.serving_bars import Record
from bench.serving.subjects import ONNX, ORIGINAL, QUANTISED
from onnxpress.report.pictures.canvas import figure, png, style

COLOURS = {TRITON: "tab:blue", KSERVE: "tab:green", MLFLOW: "tab:orange"}
LINES = {QUANTISED: "-", ONNX: "--", ORIGINAL: ":"}


def picture(cells: Sequence[Record]) -> bytes:
    """Draw a row of parts per data set, and a column per number of rows in a request, as PNG."""
    shown = [cell for cell in cells if cell["server"] in COLOURS and cell["form"] in LINES]
    data, rows = (sorted({cell[key] for cell in shown}) for key in ("data", "rows"))
    with style():
        drawn = figure(4.6 * len(rows), 3.2 * len(data))
        axes = drawn.subplots(len(data), len(rows), squeeze=False, sharex=True, sharey="row")
        for name, line in zip(data, axes, strict=True):
            for count, axis in zip(rows, line, strict=True):
                same = [each for each in shown if (each["data"], each["rows"]) == (name, count)]
                _draw(axis, same)
                words = f"{count} {'row' if count == 1 else 'rows'} a request"
                axis.set_title(f"{name}, {words}", loc="left", fontsize=9)
            line[0].set_ylabel("requests a second", fontsize=8)
        for axis in axes[-1]:
            axis.set_xlabel("clients", fontsize=8)
        handles, labels = axes[0][0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=7)
        return png(drawn)


def _draw(axis: Any, cells: Sequence[Record]) -> None:
    for (server, form), group in groupby(cells, lambda cell: (cell["server"], cell["form"])):
        points = [(each["clients"], each["requests_per_s"]) for each in group]
        clients, rates = zip(*points, strict=True)
        axis.plot(
            clients,
            rates,
            LINES[form],
            color=COLOURS[server],
            marker="o",
            markersize=3,
            linewidth=1,
            label=f"{server}, {form}",
        )
    axis.set_xscale("log", base=2)
    axis.set_xticks(clients, [str(each) for each in clients])
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)
