"""Hold an endpoint against model_quantized.onnx on test rows and probe rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx

from onnxpress.commands.open_inference import datatype
from onnxpress.commands.verify_endpoint.comparing import Compared, compare, latency
from onnxpress.commands.verify_endpoint.endpoint import Endpoint
from onnxpress.commands.verify_endpoint.grpc_endpoint import SCHEMES, GrpcEndpoint
from onnxpress.errors import GateFailed
from onnxpress.evaluate.probes.probe_rows import probe_rows
from onnxpress.pipeline.console import answering, say, working
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.pipeline.outputs import ONNX_MODEL, QUANTIZED_MODEL, TEST, TRAIN
from onnxpress.pipeline.params import load_params
from onnxpress.runtime.predictions import Predict
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema
from onnxpress.text import shortened

TIMED_REQUESTS = 200


@dataclass(frozen=True)
class Target:
    """The model behind an address, and how it is asked."""

    address: str
    model: str | None = None
    """Its name; None: ``package.name``."""
    batch: int = 32
    host: str | None = None
    seconds: float = 10.0
    binary: bool = False


def main(target: Target, *, in_json: bool = False) -> None:
    """Compare every prediction, measure the latency, and print the verdict.

    Raises:
        GateFailed: the endpoint predicts something else than model_quantized.onnx.
        ServerError: the endpoint does not answer, or refuses rows.
        UserError: outputs are missing, or the URL is wrong.
    """
    with answering(in_json=in_json) as answer:
        params, schema = load_params(), read_schema()
        endpoint = _open(target, target.model or params.package.name)
        test = read_rows(TEST, schema).feeds
        predict = partial(predict_onnx, open_session(read_onnx(QUANTIZED_MODEL, schema)))
        refuse_other_inputs(endpoint, test)
        rows = {"test": test}
        if params.evaluate.probe_rows:
            rows["probe"] = _probes(schema, predict, params.evaluate.probe_rows, params.seed)
        with working(f"asking {endpoint.shown}"):
            found = [
                compare(endpoint.infer, predict, kind, feeds, target.batch)
                for kind, feeds in rows.items()
            ]
            times = {
                batch: latency(endpoint.infer, test, batch, TIMED_REQUESTS)
                for batch in sorted({1, target.batch})
            }
        answer({"endpoint": endpoint.shown, **_result(found, times)})
        for line in [*_counts(found), *_times(times)]:
            say(line)
        if failure := _complaint(found, schema):
            raise GateFailed(f"{endpoint.shown} {failure}")
        say(f"{endpoint.shown} predicts what {QUANTIZED_MODEL} does")


def _open(target: Target, model: str) -> Endpoint | GrpcEndpoint:
    """Return the model at an address, over gRPC if that is its scheme."""
    host, seconds = target.host, target.seconds
    if target.address.partition(":")[0].lower() in SCHEMES:
        return GrpcEndpoint(target.address, model, host=host, seconds=seconds)
    return Endpoint(target.address, model, host=host, seconds=seconds, binary=target.binary)


def refuse_other_inputs(endpoint: Endpoint | GrpcEndpoint, feeds: Feeds) -> None:
    """Compare the inputs that the endpoint names with those of the rows.

    Raises:
        GateFailed: they differ.
        ServerError: the endpoint does not answer.
    """
    listed = endpoint.metadata()["inputs"]
    came = {each.get("name"): each.get("datatype") for each in listed if isinstance(each, dict)}
    expected = {name: datatype(values) for name, values in feeds.items()}
    if came != expected:
        raise GateFailed(
            f"{endpoint.shown} should take {shortened(str(expected))}, takes "
            f"{shortened(str(came))}: another model is deployed there, or --model is wrong"
        )


def _probes(schema: Schema, predict: Predict, rows: int, seed: int) -> Feeds:
    graph = onnx.load_from_string(read_onnx(ONNX_MODEL, schema))
    return probe_rows(graph, read_rows(TRAIN, schema).feeds, predict, rows, seed).feeds


def _result(found: list[Compared], times: dict[int, dict[str, float]]) -> dict[str, Any]:
    return {
        "rows": {each.rows.kind: len(each.rows) for each in found},
        "agreement": {each.rows.kind: each.agreement for each in found},
        "max_relative_diff": {
            each.rows.kind: each.largest if np.isfinite(each.largest) else None for each in found
        },
        "latency_ms": {str(batch): percentiles for batch, percentiles in times.items()},
        "passed": not any(each.differing.any() for each in found),
    }


def _counts(found: list[Compared]) -> list[str]:
    return [
        f"{len(each.rows) - int(each.differing.sum()):,} of {len(each.rows):,} {each.rows.kind} "
        f"rows agree, in {len(each.milliseconds)} requests; "
        f"scores differ by {each.largest:.2g} at most"
        for each in found
    ]


def _times(times: dict[int, dict[str, float]]) -> list[str]:
    lines = []
    for batch, percentiles in times.items():
        shown = ", ".join(f"{name} {value:.2f} ms" for name, value in percentiles.items())
        what = "row" if batch == 1 else "rows"
        lines.append(f"{batch} {what} a request: {shown} ({TIMED_REQUESTS} requests)")
    return lines


def _complaint(found: list[Compared], schema: Schema) -> str | None:
    """Return what the first row with another prediction is, if there is one."""
    for each in found:
        if not each.differing.any():
            continue
        row = int(np.flatnonzero(each.differing)[0])
        here, there = (prediction.values[row] for prediction in each.rows.predictions)
        return (
            f"predicts {int(each.differing.sum())} of {len(each.rows)} {each.rows.kind} rows "
            f"otherwise than {QUANTIZED_MODEL}: {each.rows.describe(row, schema)} is {there!s} "
            f"there and {here!s} here, scores apart by {each.largest:.2g}; deploy this model, or "
            "check out the commit that was deployed"
        )
    return None
