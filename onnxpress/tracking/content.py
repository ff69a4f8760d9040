"""What is published: the content that identifies a run, and the latency measured for it.

Nothing is read here: the caller passes in values, paths and digests.
"""

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

from onnxpress.report.runs_in import chosen_and_runs_in
from onnxpress.report.score_words import is_of_one_class
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema
from onnxpress.text import visible
from onnxpress.tracking.card import model_card

LAYOUT = 6
"""Part of the digest: raise it when params, metrics or artefacts of a run change name or form."""

SERVED = "model_quantized.onnx"
"""The artefact that the run's servable model is made of."""

MAX_KEY_LENGTH = 250
MAX_PARAM_LENGTH = 500
"""Characters: the lowest limit of any MLflow server since 1.28; newer ones take 6000."""


@dataclass(frozen=True)
class Content:
    """All that a run holds except its latency; equal digests mean the same run."""

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    artifacts: Mapping[str, Path]
    """The file behind each artefact, by the artefact's name."""
    settings: Mapping[str, Any]
    """All params except where they are published to, which may hold credentials."""
    settings_name: str
    """The artefact that holds the settings."""
    summary: str
    """The verdict of the quantize stage, in words."""
    digest: str
    """SHA-256 in hex."""


@dataclass(frozen=True)
class Measurement:
    """One measurement of the latency of a content; equal digests mean the same measurement."""

    metrics: Mapping[str, float]
    artifacts: Mapping[str, Path]
    batches: Mapping[int, Mapping[str, float]]
    """Median latency in ms, by rows per call and then by model."""
    machine: str
    """The machine in words; latencies of different machines do not compare."""
    digest: str
    """The first 16 hex digits of a SHA-256."""


@dataclass(frozen=True)
class Publication:
    """What becomes one run: its content, the latest measurement, its name and the test rows."""

    content: Content
    measurement: Measurement
    name: str
    tags: Mapping[str, str]
    """Where the run comes from: commit and data state."""
    feeds: Feeds
    schema: Schema
    data: Mapping[str, Any]
    """The test rows as the fields of MLflow's ``Dataset``."""
    runtimes: Mapping[str, Any] | None = None
    """What became of the ONNX models in other runtimes; None if that was not tried."""

    @property
    def card(self) -> str:
        """The run's description in Markdown."""
        content = self.content
        score = content.params["score"]
        return model_card(self.name, content.metrics, content.summary, score, self.runtimes)


def content_of(
    settings: Mapping[str, Any],
    metrics: Mapping[str, float],
    quantization: Mapping[str, Any],
    artifacts: Mapping[str, Path],
    sha256: Mapping[str, str],
    settings_name: str,
    score: Mapping[str, Any],
) -> Content:
    """Put together what is published.

    ``settings`` are the params as a nested mapping, which the artefact ``settings_name`` will
    hold; ``quantization`` is the parsed quantization.json with at least ``method``. ``sha256`` has
    the hex digest of each file that tells this content from others, by the file's name. Pictures
    are drawn from those files, so they do not count. ``score`` has the ``name`` of the score, and
    the class that is ``positive`` of two.
    """
    method = quantization["method"]
    identity = {"layout": LAYOUT, "settings": settings, "metrics": metrics, "files": sha256}
    logged = {
        "n_iterations": str(settings["benchmark"]["n_iterations"]),
        "quantization_type": method,
        "score": visible(score["name"]),
    }
    if is_of_one_class(score["name"]) and score["positive"] is not None:
        logged["score_class"] = bounded(visible(str(score["positive"])), settings_name)
    for key, value in flattened(settings):
        logged[safe_key(key)] = bounded(visible(value), settings_name)
    return Content(
        params=logged,
        metrics=metrics,
        artifacts=artifacts,
        settings=settings,
        settings_name=settings_name,
        summary=chosen_and_runs_in(quantization) if "min_onnxruntime" in quantization else method,
        digest=digest_of(identity),
    )


def finite_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Keep the finite numbers: MLflow takes no other metric values."""
    return {
        key: float(value)
        for key, value in values.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a JSON value in hex, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def flattened(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested mappings by dotted key: text as it is, all else as JSON."""
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from flattened(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item if isinstance(item, str) else json.dumps(item, default=str)


def safe_key(key: str) -> str:
    """Return ``key`` in a form that MLflow accepts.

    A key that has to be altered gets a digest, so that no two keys share a name.
    """
    plain = re.sub(r"[^\w\-. :/]", "_", key)
    unaltered = plain == key == posixpath.normpath(key)
    if unaltered and len(key) <= MAX_KEY_LENGTH and not key.startswith(("/", "..")):
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"{plain.replace('/', '_')[: MAX_KEY_LENGTH - 9]}-{digest}"


def bounded(value: str, whole: str) -> str:
    """Cut ``value`` where servers would refuse it; the artefact ``whole`` has all of it."""
    if len(value) <= MAX_PARAM_LENGTH:
        return value
    note = f"... ({len(value)} characters, whole in {whole})"
    return value[: MAX_PARAM_LENGTH - len(note)] + note
