"""forests.json and forests.md: the table, the bars, and where and how they were measured."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench import bars, table
from bench.suite import Record, Settings
from onnxpress.benchmark.latency_lines import CROWDED
from onnxpress.benchmark.processor import cpu_model
from onnxpress.pipeline.files import write_bytes, write_json

PACKAGES = (
    "scikit-learn",
    "onnxruntime",
    "onnx",
    "numpy",
    "treelite",
    "tl2cgen",
    "scikit-learn-intelex",
    "ydf",
)


def write(folder: Path, records: list[Record], settings: Settings) -> str:
    """Write both files into ``folder`` and return the Markdown."""
    rows, judged = table.rows(records), bars.bars(table.groups(records))
    content = {
        "settings": asdict(settings),
        "environment": environment(),
        "rows": rows,
        "bars": [bar.to_json() for bar in judged],
    }
    text = "\n".join(
        (
            *_preface(records, settings),
            table.markdown(rows),
            "",
            "## Bars",
            "",
            bars.markdown(judged),
            "",
        )
    )
    write_json(folder / "forests.json", content)
    write_bytes(folder / "forests.md", text.encode())
    return text


def environment() -> dict[str, Any]:
    """The CPU, and the versions of what was compared."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {"cpu": cpu_model(), "libraries": versions}


def _preface(records: list[Record], settings: Settings) -> list[str]:
    """How to read the table."""
    found = environment()
    packages = ", ".join(f"{name} {number}" for name, number in found["libraries"].items())
    minutes = sum(record.get("seconds", 0.0) for record in records) / 60
    shares = [record["latency"]["cpu_share"] for record in records if "latency" in record]
    crowded = sum(share < CROWDED for share in shares)
    return [
        "# Forest quantisation, measured",
        "",
        f"Written by `make bench`: {len(records)} models in {minutes:.0f} minutes on",
        f"{found['cpu']}, one thread; {packages}. Ensembles have {settings.trees} trees, other",
        "settings are scikit-learn's defaults; features are float32.",
        "",
        "- *splits*: stratified splits with a fifth of the rows for testing, different seeds;",
        "  scores and points lost are means over them, sizes and nodes medians. Where a row",
        "  has fewer splits than its group, the others were not tried.",
        "- *x smaller*: against the ONNX model, the median of the ratios within each split.",
        "- *score*: accuracy, R² for regression. *points lost*: hundredths of it against",
        "  scikit-learn on the same split, with the standard error of the mean.",
        f"- *refined*: the smallest forest that loses at most {settings.budget:g} of the score",
        "  on calibration rows or in cross-fitting, never on test rows, and keeps the other",
        "  default budgets; behind the colon its trees x depth, and in how many splits where",
        "  they differ. `lossless` there: none",
        "  was within the budget, and the lossless model takes its place. *nodes* of a refined",
        "  model are its thresholds and leaf rows. *refined, one node*: the same forest as a",
        "  single tree node, for `objective: latency`.",
        "- *load ms, peak MB*: a fresh process that loads the model, imports included in the",
        "  memory. These and *us/row*, the median over calls of 1, 32 and 1024 rows",
        "  interleaved with all others', are of the first split's models.",
        "- treelite and tl2cgen run scikit-learn's trees; scikit-learn-intelex (boosting:",
        "  daal4py's form of the same trees for lack of its own) and ydf are trained anew. A",
        "  peer that was not measured has its reason there.",
        f"- {crowded} of {len(shares)} latency measurements are doubtful: they got less than",
        f"  {CROWDED:.0%} of a core.",
        "",
    ]
