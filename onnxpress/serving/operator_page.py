"""The page for whoever operates the server: what to copy where, what runs it, a first request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from onnxpress.certify.releases import RELEASES
from onnxpress.serving.drift_component import SUFFIX
from onnxpress.serving.signature import ANY, Tensor, example_request
from onnxpress.serving.triton import LATENCIES
from onnxpress.serving.triton_releases import KSERVE_DEFAULT, ONNXRUNTIMES, spans
from onnxpress.tables.schema import Schema
from onnxpress.text import visible

DIGEST = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
IMAGE = "nvcr.io/nvidia/tritonserver"
MOST_NUMBERS = 1000
"""Of a row, up to which a request is written out."""


@dataclass(frozen=True)
class Served:
    """What the page tells of a packaged model."""

    name: str
    digest: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    schema: Schema
    max_batch_size: int
    storage: str | None
    """Where the repository will be, None if no place is named."""
    oldest_onnxruntime: str
    bad_onnxruntime: Sequence[str]
    triton_releases: Sequence[str]
    """Those that run the model, oldest first."""
    options: Sequence[str]
    """What the server is started with."""


def operator_page(served: Served) -> str:
    """Return README.md of the packaged model."""
    sections = (_start, _deploy, _watch, _runs_in, _requests, _digest)
    return "\n".join(line for section in sections for line in section(served))


def _start(served: Served) -> Iterable[str]:
    return (
        f"# Serving `{served.name}`",
        "",
        f"- `repository/{served.name}/` is the model as Triton Inference Server loads it:",
        "  `config.pbtxt` and, byte for byte, the quantised ONNX model.",
        *_component(served),
        "- `kserve.yaml` is the InferenceService for KServe, if `package.storage_uri` is set.",
        "- `drift_profile.json` says how the training rows lie in the model's own bins.",
        "- `monitoring/` has what Prometheus and Grafana need to watch it.",
        "- `digest.json` has the digest of everything in `repository/`.",
        "",
    )


def _component(served: Served) -> Iterable[str]:
    if len(served.options) > 1:
        yield f"- `repository/{served.name}{SUFFIX}/` counts a share of the requests for the drift"
        yield "  metrics. It takes no part in any answer."


def _deploy(served: Served) -> Iterable[str]:
    yield from ("## Triton", "", "Copy `repository/` to the server, and start it there:", "")
    if served.triton_releases:
        image = f"{IMAGE}:{served.triton_releases[-1]}-py3"
        yield from (
            "```sh",
            "docker run --rm -p 8000:8000 -p 8001:8001 -p 8002:8002 \\",
            '  -v "$PWD/repository:/models:ro" \\',
            f"  {image} tritonserver --model-repository=/models \\",
            *_lines(served.options),
            "```",
        )
    else:
        yield "No release that is listed below runs this model."
    yield from ("", "## KServe", "")
    if served.storage is None:
        yield from (
            "`package.storage_uri` names no place that the cluster can read. Set it, to",
            "`s3://bucket/models` for instance, and run the chain again: `publish` then uploads",
            "the repository, and `kserve.yaml` names where it is.",
            "",
        )
        return
    yield from (
        f"`publish` uploads the repository to `{served.storage}`. Then:",
        "",
        "```sh",
        "kubectl apply -f kserve.yaml",
        "```",
        "",
        "The cluster needs read access to that place: a service account with its credentials.",
        f"`runtimeVersion` names the release of Triton, because KServe's own is {KSERVE_DEFAULT}.",
        "",
    )


def _lines(options: Sequence[str]) -> list[str]:
    """Return options as the end of a shell command, one a line."""
    *most, last = (f"  {option}" for option in options)
    return [*(f"{each} \\" for each in most), last]


def _watch(served: Served) -> Iterable[str]:
    where = "127.0.0.1:8002" if served.storage is None else "its pods on KServe"
    return (
        "## Watch it",
        "",
        f"- `monitoring/prometheus.yml` reads the metrics of {where}, and loads `rules.yml`,",
        "  which must lie beside it: two computed series, and the alerts.",
        "- `monitoring/dashboard.json` is for Grafana: Dashboards, New, Import.",
        f"- The quantiles of latency need Triton's option `{LATENCIES}`.",
        "",
    )


def _runs_in(served: Served) -> Iterable[str]:
    oldest = served.oldest_onnxruntime
    known = (
        "not known" if oldest == "unknown" else f"{oldest} and newer, tried up to {RELEASES[-1]}"
    )
    yield from ("## What runs it", "", f"- onnxruntime: {known}")
    if served.bad_onnxruntime:
        yield f"- not onnxruntime {', '.join(served.bad_onnxruntime)}: refused, or wrong results"
    first, last = next(iter(ONNXRUNTIMES)), next(reversed(ONNXRUNTIMES))
    found = spans(served.triton_releases) or "none"
    yield from (f"- releases of Triton (of those from {first} to {last}): {found}", "")


def _requests(served: Served) -> Iterable[str]:
    body = json.dumps(example_request(served.inputs))
    quoted = body.replace("'", "'\\''")
    yield from ("## Requests", "", f"At most {served.max_batch_size} rows in one request.", "")
    yield from ("| tensor | type | shape | content |", "|---|---|---|---|")
    for tensor in served.inputs:
        yield _row(tensor, tensor.row, _content(tensor, served.schema))
    for tensor in served.outputs:
        yield _row(tensor, tensor.row or (1,), "output")
    yield ""
    if served.schema.all_numeric:
        names = (_code(column.name) for column in served.schema.columns)
        yield from (f"The columns of `X`, in this order: {', '.join(names)}.", "")
    if served.schema.has_tensors and sum(prod(each.row) for each in served.inputs) > MOST_NUMBERS:
        yield from ("Send the values as binary data (`tritonclient`), row by row.", "")
        return
    if not served.schema.has_tensors:
        yield from (
            "A missing number is NaN, which JSON does not have: send such rows as binary data",
            "(`tritonclient`). A missing text is the empty string.",
            "",
        )
    yield from (
        "```sh",
        f"curl -s http://127.0.0.1:8000/v2/models/{served.name}/infer \\",
        "  -H 'Content-Type: application/json' \\",
        f"  -d '{quoted}'",
        "```",
        "",
    )


def _row(tensor: Tensor, row: Sequence[int], content: str) -> str:
    sizes = ", ".join("any" if size == ANY else str(size) for size in row)
    return f"| {_code(tensor.name)} | {tensor.datatype} | [rows, {sizes}] | {content} |"


def _content(tensor: Tensor, schema: Schema) -> str:
    if schema.all_numeric:
        return f"{len(schema.columns)} numbers"
    if schema.has_tensors:
        return f"{prod(tensor.row)} numbers"
    kind = "text" if tensor.datatype == "BYTES" else "number"
    return f"{kind}, one column"


def _digest(served: Served) -> Iterable[str]:
    return (
        "## Is it this model?",
        "",
        f"In `repository/` this prints `{served.digest}`:",
        "",
        "```sh",
        DIGEST,
        "```",
        "",
    )


def _code(text: str) -> str:
    """Return any text as a code span that a cell of a table may hold."""
    shown = visible(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}" if len(fence) > 1 else f"`{shown}`"
