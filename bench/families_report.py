"""families.json and families.md: the table, the bars, and where and how they were measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.bars import Bar, markdown
from bench.report import environment
from onnxpress.benchmark.latency_lines import CROWDED
from onnxpress.pipeline.files import write_bytes, write_json

MLP = "MLP 2x512"
NAMES = {
    "joblib": "scikit-learn",
    "skl2onnx": "skl2onnx's default",
    "onnx": "model.onnx",
    "quantized": "quantised",
}
HEADER = (
    "data",
    "model",
    "form",
    "KB",
    "score",
    "same answers",
    "µs/row, 1",
    "µs/row, 32",
    "µs/row, 1024",
)


def write(folder: Path, records: list[dict[str, Any]]) -> str:
    """Write both files into ``folder`` and return the Markdown."""
    judged = list(bars(records))
    found = environment()
    content = {"environment": found, "records": records, "bars": [bar.to_json() for bar in judged]}
    crowded = sum(record["cpu_share"] < CROWDED for record in records)
    libraries = ", ".join(
        f"{name} {found['libraries'][name]}"
        for name in ("scikit-learn", "onnxruntime", "onnx", "numpy")
    )
    lines = [
        "# Nearest neighbours, support vector machines and an MLP, measured",
        "",
        f"Written by `make bench` on {found['cpu']}, one thread; {libraries}. Estimators have",
        "scikit-learn's defaults, features are float32. *same answers*: the share of test",
        "rows with scikit-learn's label; for diabetes, with its prediction within 0.001",
        "standard deviations of the target. The chosen candidate is in brackets.",
        f"{crowded} of {len(records)} models were timed on less than {CROWDED:.0%} of a core,",
        "which makes their times doubtful.",
        "",
        *_table(records),
        "",
        "## Bars",
        "",
        markdown(judged),
        "",
    ]
    text = "\n".join(lines)
    write_json(folder / "families.json", content)
    write_bytes(folder / "families.md", text.encode())
    return text


def _table(records: list[dict[str, Any]]) -> Iterator[str]:
    yield f"| {' | '.join(HEADER)} |"
    yield "|---|---|---|" + "---:|" * (len(HEADER) - 3)
    for record in records:
        for form, name in NAMES.items():
            times = [f"{latency['us_per_row'][form]:.3g}" for latency in record["latency"].values()]
            candidate = f" ({record['candidate']})" if form == "quantized" else ""
            numbers = [
                f"{record['kb'][form]:.1f}",
                f"{record['score'][form]:.4f}",
                f"{record['agreement'][form]:.4f}",
            ]
            names = record["data"], record["family"], name + candidate
            yield f"| {' | '.join([*names, *numbers, *times])} |"


def _mlp_bars(record: dict[str, Any]) -> Iterator[Bar]:
    where, kb = f"{record['data']} {record['family']}", record["kb"]
    yield Bar(
        f"{where}: quantised, x smaller than model.onnx", kb["onnx"] / kb["quantized"], 3.8, True
    )
    speed = record["latency"]["1024"]["speedup"]["quantized_over_onnx"][0]
    yield Bar(f"{where}: quantised, x faster than model.onnx, batch 1024", speed, 2, True)


def bars(records: list[dict[str, Any]]) -> Iterator[Bar]:
    """What neighbours and support vectors have to reach on each data set, and the MLP."""
    for record in records:
        if record["family"] == MLP:
            yield from _mlp_bars(record)
            continue
        where, speed = f"{record['data']} {record['family']}", record["latency"]["1024"]["speedup"]
        yield Bar(
            f"{where}: model.onnx, x faster than skl2onnx's default, batch 1024",
            speed["onnx_over_skl2onnx"][0],
            10,
            True,
        )
        yield Bar(
            f"{where}: model.onnx, x faster than scikit-learn, batch 1024",
            speed["onnx_over_joblib"][0],
            1,
            True,
        )
        for size in (
            "32",
            "1024",
        ):  # the upper end of the interval: below 1 it is slower beyond noise
            value = record["latency"][size]["speedup"]["quantized_over_onnx"][2]
            yield Bar(
                f"{where}: quantised, speed-up over model.onnx, batch {size}, upper end",
                value,
                1,
                True,
            )
        kb = record["kb"]
        yield Bar(
            f"{where}: quantised, x smaller than model.onnx",
            kb["onnx"] / kb["quantized"],
            3.5,
            True,
        )
        yield Bar(
            f"{where}: quantised, x smaller than skl2onnx's default",
            kb["skl2onnx"] / kb["quantized"],
            3.5,
            True,
        )
