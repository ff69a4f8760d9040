"""A folder with what the plot stage reads.

Real forests, and latencies drawn from a distribution instead of measured.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from onnxpress.benchmark.candidates import to_json
from onnxpress.benchmark.results import BatchResult, detail
from onnxpress.conversion.converting import to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.models import MODELS
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from tests.conftest import numeric_schema
from tests.support.results import BINS, DETAIL

ROWS = 40
SPEED_MS = {"original": 9.0, "onnx": 0.07, "quantized": 0.03, "floor": 0.008}
ENVIRONMENT = {
    "cpu": "A CPU <of> 3 GHz",
    "int8_instructions": ["AVX-512 VNNI"],
    "cores": 4,
    "usable_cores": 2,
    "threads": 1,
    "cpu_share": 0.98,
    "platform": "Linux",
    "python": "3.11.9",
    "libraries": {"numpy": "2.4.0", "onnxruntime": "1.31.1"},
    "thread_pools": ["openblas 0.3"],
}


def classes(count: int) -> Callable[[Any], Any]:
    """A target of so many classes with awkward names."""
    return lambda x: np.array(
        [f"${number} <b>" for number in np.argsort(np.argsort(x[:, 0])) * count // len(x)]
    )


def forest(x: Any, y: Any) -> Any:
    """A small forest for the task of ``y``."""
    made = RandomForestRegressor if y.dtype.kind == "f" else RandomForestClassifier
    return made(6, max_depth=4, random_state=0).fit(x, y)


def make_outputs(folder: Path, target: Callable[[Any], Any], others: int) -> Path:
    """Write outputs of a run on ``target`` with ``others`` candidates besides the chosen one."""
    outputs, draw = folder / "outputs", np.random.default_rng(0)
    x = draw.normal(size=(ROWS, 3)).astype(np.float32)
    y = target(x)
    estimator = forest(x, y)
    task = "regression" if y.dtype.kind == "f" else "classification"
    plain = to_onnx(estimator, numeric_schema(3, task), 12)
    models = {
        "onnx": to_bytes(plain),
        "quantized": to_bytes(rewrite_trees(plain, ml_opset=5), packed=True),
    }
    write_bytes(outputs / "model.onnx", models["onnx"])
    write_bytes(outputs / "model_quantized.onnx", models["quantized"])
    columns = [{"name": f"f{i}", "kind": "number", "missing": False} for i in range(3)]
    write_json(
        outputs / "schema.json",
        {"task": task, "target": "price $", "columns": columns, "target_std": None},
    )
    told = estimator.predict(x)
    quantized = np.where(np.arange(ROWS) < 3, y[::-1], told)
    lines = [f"{y[i]},{told[i]},{told[i]},{quantized[i]}\n" for i in range(ROWS)]
    write_bytes(
        outputs / "predictions.csv", f"target,original,onnx,quantized\n{''.join(lines)}".encode()
    )
    name = "r2" if task == "regression" else "accuracy"
    bins = None if task == "regression" else dict.fromkeys(MODELS, BINS)
    errors = {} if bins is None else {f"{key}_calibration_error": 0.1 for key in MODELS}
    sizes = {"original_size_kb": 30.0, "onnx_size_kb": len(models["onnx"]) / 1024}
    write_json(outputs / "metrics.json", {**sizes, **errors, f"original_{name}": 0.9})
    score = {"name": name, "positive": None}
    write_json(outputs / "metrics_detail.json", {**DETAIL, "score": score, "reliability": bins})
    write_json(outputs / "quantization.json", quantization(len(models["quantized"]) / 1024, others))
    write_json(outputs / "latency_detail.json", measured(others))
    return folder


def quantization(chosen_kb: float, others: int) -> dict[str, Any]:
    """The record of a choice; every third of the others loses too much."""
    entries = [
        {
            "name": f"forest/refined-{number}x4",
            "outcome": "over budget" if number % 3 == 0 else "within budget",
            "reason": "so & so",
            "size_kb": chosen_kb * 1.07**number,
            "score_drop": 0.03 if number % 3 == 0 else -0.004 * number,
        }
        for number in range(1, others + 1)
    ]
    chosen = {
        "name": "forest/lossless",
        "outcome": "chosen",
        "reason": "best",
        "size_kb": chosen_kb,
        "score_drop": 0.0,
    }
    return {
        "candidate": chosen["name"],
        "candidates": [
            chosen,
            *entries,
            {"name": "dynamic", "outcome": "not applicable", "reason": "no matrix product"},
        ],
        "scoring": "cross-fitting on 5 folds of 120 training rows",
        "summary": "forest/lossless chosen",
        "min_onnxruntime": "1.21",
    }


def measured(others: int) -> dict[str, Any]:
    """latency_detail.json, as the benchmark stage makes it of latencies around ``SPEED_MS``."""
    draw = np.random.default_rng(1)

    def timed(ms: float) -> Any:
        return ms * draw.lognormal(0, 0.1, (40, 5))

    batches = {
        rows: BatchResult(
            rows, {name: timed(ms * (1 + rows / 100)) for name, ms in SPEED_MS.items()}
        )
        for rows in (1, 30, 32, 1024)
    }
    names = [
        "none",
        "forest/lossless",
        *(f"forest/refined-{number}x4" for number in range(1, others + 1)),
    ]
    compared = to_json({name: timed(0.07 / 1.04**place) for place, name in enumerate(names)})
    load = {
        name: {"load_ms": 1.0, "peak_memory_mb": 60.0} for name in ("original", "onnx", "quantized")
    }
    return {
        **detail(batches, 30),
        "candidates": compared,
        "load": load,
        "environment": ENVIRONMENT,
        "warnings": [],
    }
