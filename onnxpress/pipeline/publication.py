"""Read from outputs/ and params.yaml what the publish stage records in MLflow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxpress.errors import UserError
from onnxpress.pipeline.certificate import read_certificate
from onnxpress.pipeline.console import working
from onnxpress.pipeline.files import TO_MAKE, read_bytes, read_json
from onnxpress.pipeline.inputs import count_rows, read_first_rows, read_schema
from onnxpress.pipeline.outputs import (
    GATE,
    LATENCY,
    LATENCY_DETAIL,
    METRICS,
    METRICS_DETAIL,
    ONNX_MODEL,
    ORIGINAL_MODEL,
    PARAMS,
    PICTURES,
    PREDICTIONS,
    QUANTIZATION,
    QUANTIZED_MODEL,
    SCHEMA,
    SERVING,
    TEST,
)
from onnxpress.pipeline.params import ENGINE, Params
from onnxpress.pipeline.provenance import provenance_tags, run_name
from onnxpress.reading import open_bytes
from onnxpress.serving.packaging import DIGEST, REPOSITORY
from onnxpress.serving.repository import content_digest
from onnxpress.tracking.card import test_data
from onnxpress.tracking.content import (
    SERVED,
    Content,
    Measurement,
    Publication,
    content_of,
    digest_of,
    finite_numbers,
)
from onnxpress.tracking.failures import server_errors
from onnxpress.tracking.model_storage import upload_once
from onnxpress.tracking.served_model import EXAMPLE_ROWS
from onnxpress.tracking.store import Store

ARTIFACTS = {
    "model_optimized.onnx": ONNX_MODEL,
    SERVED: QUANTIZED_MODEL,
    "quantization.json": QUANTIZATION,
    "metrics.json": METRICS,
    "metrics_detail.json": METRICS_DETAIL,
    "schema.json": SCHEMA,
    "predictions.csv": PREDICTIONS,
}
"""Artefacts by name that follow from the content, and the files they are made of."""
MEASURED = {"latency.json": LATENCY, "latency_detail.json": LATENCY_DETAIL, "gate.json": GATE}
"""Artefacts that follow from a latency measurement."""
MEASURED_PICTURES = ("candidates", "latency", "latency_by_batch")
ERRORS = {"classification": "confusion.png", "regression": "residuals.png"}
"""The artefact that shows a model's errors, by task."""


def read_publication(params: Params) -> Publication:
    """Read everything that becomes the run.

    Raises:
        UserError: a file is missing or is not what its stage writes.
    """
    content, measurement = read_content(params), read_measurement()
    schema = read_schema()
    return Publication(
        content,
        measurement,
        name=run_name(params),
        tags=provenance_tags(),
        feeds=read_first_rows(TEST, schema, EXAMPLE_ROWS).feeds,
        schema=schema,
        data=test_data(params.data.source, schema, count_rows(TEST), _sha256(TEST)),
        runtimes=read_certificate(),
    )


def read_content(params: Params) -> Content:
    """Read all that is published except latency.

    Raises:
        UserError: a file is missing or is not what its stage writes.
    """
    metrics = finite_numbers(read_json(METRICS))
    quantization = read_json(QUANTIZATION)
    if not isinstance(method := quantization.get("method"), str):
        raise UserError(
            f"{QUANTIZATION} should name the chosen 'method', got {method!r}; "
            "run `dvc repro --force quantize`"
        )
    detail = read_json(METRICS_DETAIL, "score", "reliability")
    pictures = {ERRORS[read_schema().task]: PICTURES["errors"], "size.png": PICTURES["size"]}
    if detail["reliability"] is not None:
        pictures["reliability.png"] = PICTURES["reliability"]
    present, packaged = _present(pictures), packaged_files()
    return content_of(
        settings=params.model_dump(exclude={"publish", ENGINE}),
        metrics=metrics,
        quantization=quantization,
        artifacts={**ARTIFACTS, **packaged, **present},
        sha256={
            **{path.name: _sha256(path) for path in (*ARTIFACTS.values(), ORIGINAL_MODEL)},
            **{name: _sha256(path) for name, path in packaged.items()},
        },
        settings_name=PARAMS.name,
        score=detail["score"],
    )


def packaged_files() -> dict[str, Path]:
    """Return the files that the package stage has written by artefact: ``serving/README.md``.

    Raises:
        UserError: there are none.
    """
    read_bytes(SERVING / DIGEST)
    files = sorted(path for path in SERVING.rglob("*") if path.is_file())
    return {f"{SERVING.name}/{path.relative_to(SERVING).as_posix()}": path for path in files}


def read_repository() -> tuple[dict[str, bytes], str]:
    """Return the files of the packaged model repository by path, and their digest.

    Raises:
        UserError: they are missing, or are not what the package stage has written.
    """
    digest = read_json(SERVING / DIGEST, "content_digest")["content_digest"]
    folder = SERVING / REPOSITORY
    files = {
        path.relative_to(folder).as_posix(): read_bytes(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if content_digest(files) != digest:
        raise UserError(
            f"{folder} does not have the digest in {SERVING / DIGEST} (exchanged or damaged); "
            "run `dvc repro --force package`"
        )
    return files, digest


def upload_repository(storage: str | None, kept: str) -> list[str]:
    """Upload the packaged model repository, if there is a place for it; say what was done.

    It is there before a run names it. ``kept`` says at the end of an error how to go on.

    Raises:
        ServerError: the store fails or refuses.
        UserError: as :func:`read_repository`.
    """
    if storage is None:
        return []
    files, digest = read_repository()
    with working(f"uploading to {storage}"), server_errors(Store(storage, storage), kept):
        return [upload_once(storage, digest, files)]


def read_measurement() -> Measurement:
    """Read the latency of the models and the verdict on it.

    Raises:
        UserError: a file is missing or is not what its stage writes.
    """
    contents = {name: read_json(path) for name, path in MEASURED.items()}
    detail = contents["latency_detail.json"]
    try:
        batches, machine = _batches(detail), _machine(detail)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{LATENCY_DETAIL} is not what the benchmark stage writes ({error!r}); "
            "run `dvc repro -f benchmark`"
        ) from error
    pictures = {f"{name}.png": PICTURES[name] for name in MEASURED_PICTURES}
    return Measurement(
        metrics=finite_numbers(contents["latency.json"]),
        artifacts={**MEASURED, **_present(pictures)},
        batches=batches,
        machine=machine,
        digest=digest_of(contents)[:16],
    )


def _batches(detail: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """Return the median latency in ms by rows per call and then by model."""
    found = {}
    for rows, batch in detail["batches"].items():
        models = batch["models"].items()
        found[int(rows)] = {model: float(summary["p50_ms"]) for model, summary in models}
    return found


def _machine(detail: Mapping[str, Any]) -> str:
    """Return what the latency was measured on, in words."""
    place = detail["environment"]
    return f"{place['cpu']}, {place['usable_cores']} cores, {place['threads']} threads"


def _present(pictures: Mapping[str, Path]) -> Mapping[str, Path]:
    """Return the pictures if every file can be read.

    They are drawn from files that the digests cover, so they are not digested themselves.

    Raises:
        UserError: one is missing.
    """
    for path in pictures.values():
        read_bytes(path)
    return pictures


def _sha256(path: Path) -> str:
    """Return the digest of a file that an earlier stage has written, in hex."""
    with open_bytes(path, TO_MAKE) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
