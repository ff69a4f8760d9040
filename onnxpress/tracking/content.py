"""What is published: the content that makes a run one of a kind, and the latency measured of it."""

from __future__ import annotations

import hashlib
import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxpress.errors import GateFailed, UserError
from onnxpress.pipeline.files import read_bytes, read_json
from onnxpress.pipeline.inputs import read_schema
from onnxpress.pipeline.outputs import (
    GATE,
    LATENCY,
    LATENCY_DETAIL,
    METRICS,
    ONNX_MODEL,
    ORIGINAL_MODEL,
    PICTURES,
    PREDICTIONS,
    QUANTIZATION,
    QUANTIZED_MODEL,
    SCHEMA,
)
from onnxpress.pipeline.params import Params
from onnxpress.report.runs_in import chosen_and_runs_in
from onnxpress.text import visible

LAYOUT = 4
"""Part of the digest: raise it when params, metrics or artefacts of a run change their names or form."""

ARTIFACTS = {
    "model_optimized.onnx": ONNX_MODEL,
    "model_quantized.onnx": QUANTIZED_MODEL,
    "quantization.json": QUANTIZATION,
    "metrics.json": METRICS,
    "schema.json": SCHEMA,
    "predictions.csv": PREDICTIONS,
}
MEASURED = {"latency.json": LATENCY, "latency_detail.json": LATENCY_DETAIL, "gate.json": GATE}
"""Files that follow from a latency measurement; all others follow from the content."""
ERRORS = {"classification": "confusion.png", "regression": "residuals.png"}
"""What the picture of a model's errors shows, by task."""

MAX_KEY_LENGTH = 250
MAX_PARAM_LENGTH = 500
"""The shortest limit of any MLflow server since 1.28; newer ones take 6000 characters."""


@dataclass(frozen=True)
class Content:
    """All that a run holds but its latency; equal digests mean the same run."""

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    artifacts: Mapping[str, Path]
    settings: Mapping[str, Any]
    """The params file without ``publish``, which may hold credentials."""
    summary: str
    """The verdict of the quantize stage, in words."""
    digest: str


@dataclass(frozen=True)
class Measurement:
    """One measurement of the latency of a content; equal digests mean the same measurement."""

    metrics: Mapping[str, float]
    artifacts: Mapping[str, Path]
    batches: Mapping[int, Mapping[str, float]]
    """Median latency in ms by rows per call and model."""
    machine: str
    """What it was measured on, in words; latencies of different machines do not compare."""
    digest: str


def read_content(params: Params) -> Content:
    """Read what is published from outputs/.

    Raises:
        UserError: a file is missing or is not what its stage writes.
    """
    settings = params.model_dump(exclude={"publish"})
    metrics = read_metrics(METRICS)
    quantization = read_json(QUANTIZATION)
    method = quantization.get("method")
    if not isinstance(method, str):
        raise UserError(
            f"{QUANTIZATION} should name the chosen 'method', got {method!r}; run `dvc repro --force quantize`"
        )
    logged = {
        "n_iterations": str(params.benchmark.n_iterations),
        "quantization_type": method,
        **{safe_key(key): bounded(visible(value)) for key, value in flattened(settings)},
    }
    pictures = {ERRORS[read_schema().task]: PICTURES["errors"], "size.png": PICTURES["size"]}
    files = {path.name: path for path in (*ARTIFACTS.values(), ORIGINAL_MODEL)}
    digest = digest_of(
        {
            "layout": LAYOUT,
            "settings": settings,
            "metrics": metrics,
            "files": {
                name: hashlib.sha256(read_bytes(path)).hexdigest() for name, path in files.items()
            },
        }
    )
    summary = chosen_and_runs_in(quantization) if "min_onnxruntime" in quantization else method
    return Content(logged, metrics, {**ARTIFACTS, **_drawn(pictures)}, settings, summary, digest)


def read_measurement() -> Measurement:
    """Read the latency of the models and the verdict on it from outputs/.

    Raises:
        UserError: a file is missing or is not what its stage writes.
    """
    content = {name: read_json(path) for name, path in MEASURED.items()}
    detail = content["latency_detail.json"]
    try:
        batches = {
            int(rows): {
                model: float(summary["p50_ms"]) for model, summary in batch["models"].items()
            }
            for rows, batch in detail["batches"].items()
        }
        place = detail["environment"]
        machine = f"{place['cpu']}, {place['usable_cores']} cores, {place['threads']} threads"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{LATENCY_DETAIL} is not what the benchmark stage writes ({error!r}); run `dvc repro -f benchmark`"
        ) from error
    pictures = {
        f"{name}.png": PICTURES[name] for name in ("candidates", "latency", "latency_by_batch")
    }
    artifacts = {**MEASURED, **_drawn(pictures)}
    return Measurement(read_metrics(LATENCY), artifacts, batches, machine, digest_of(content)[:16])


def _drawn(pictures: Mapping[str, Path]) -> Mapping[str, Path]:
    """The pictures, if they are all there. They are drawn from what the digests cover, and count in none themselves.

    Raises:
        UserError: one is missing.
    """
    for path in pictures.values():
        read_bytes(path)
    return pictures


def refuse_failed_gates(verdicts: Mapping[str, Any]) -> None:
    """Stop when the gate stage was passed over (``dvc repro --single-item``).

    Raises:
        GateFailed: naming the broken limits.
    """
    failed = [
        name
        for name, verdict in verdicts.items()
        if isinstance(verdict, Mapping) and verdict.get("passed") is False
    ]
    if failed:
        raise GateFailed(
            f"{GATE} says that these limits are broken: {', '.join(failed)}; nothing was published, see `dvc repro`"
        )


def read_metrics(path: Path) -> dict[str, float]:
    """The finite numbers of a flat metrics file; MLflow knows no other values."""
    numbers = {
        key: value for key, value in read_json(path).items() if isinstance(value, (int, float))
    }
    return {key: float(value) for key, value in numbers.items() if math.isfinite(value)}


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def flattened(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested mappings by dotted key: strings as they are, all else as JSON."""
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from flattened(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item if isinstance(item, str) else json.dumps(item, default=str)


def safe_key(key: str) -> str:
    """``key`` as MLflow takes names; one that has to be altered gets a digest, so that no two keys share a name."""
    plain = re.sub(r"[^\w\-. :/]", "_", key)
    if (
        plain == key == posixpath.normpath(key)
        and len(key) <= MAX_KEY_LENGTH
        and not key.startswith(("/", ".."))
    ):
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"{plain.replace('/', '_')[: MAX_KEY_LENGTH - 9]}-{digest}"


def bounded(value: str) -> str:
    """``value``, cut where servers would refuse it; params.yaml among the artefacts has the whole."""
    if len(value) <= MAX_PARAM_LENGTH:
        return value
    note = f"... ({len(value)} characters, whole in params.yaml)"
    return value[: MAX_PARAM_LENGTH - len(note)] + note
