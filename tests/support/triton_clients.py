"""Send rows by the three ways of tritonclient; runs in .venv-triton, which has the package.

Arguments: the file of rows, the file of answers to write, the ports of HTTP and of gRPC. The
answers are named `<way>/<batch>/<output>`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import tritonclient.grpc as by_grpc
import tritonclient.http as by_http

BATCHES = (1, 2, 7, 32, 1024)


def main(rows: str, answers: str, http_port: str, grpc_port: str) -> None:
    feeds = dict(np.load(rows))
    http = by_http.InferenceServerClient(f"127.0.0.1:{http_port}")
    grpc = by_grpc.InferenceServerClient(f"127.0.0.1:{grpc_port}")
    found: dict[str, Any] = {}
    for batch in BATCHES:
        part = {name: np.resize(values, (batch, values.shape[1])) for name, values in feeds.items()}
        found |= named("json", batch, http, by_http, part, {"binary_data": False})
        found |= named("binary", batch, http, by_http, part, {"binary_data": True})
        found |= named("grpc", batch, grpc, by_grpc, part, {})
    np.savez(answers, **found)


def named(
    way: str, batch: int, client: Any, module: Any, feeds: dict[str, Any], form: dict[str, bool]
) -> dict[str, Any]:
    inputs = []
    for name, values in feeds.items():
        text = values.dtype.kind == "U"
        data = values.astype(object) if text else values
        tensor = module.InferInput(name, list(values.shape), "BYTES" if text else "FP32")
        tensor.set_data_from_numpy(data, **form)
        inputs.append(tensor)
    names = [each["name"] for each in outputs_of(client)]
    options = [module.InferRequestedOutput(name, **form) for name in names]
    result = client.infer("model", inputs, outputs=options)
    return {f"{way}/{batch}/{name}": plain(result.as_numpy(name)) for name in names}


def outputs_of(client: Any) -> Any:
    if isinstance(client, by_grpc.InferenceServerClient):
        return client.get_model_metadata("model", as_json=True)["outputs"]
    return client.get_model_metadata("model")["outputs"]


def plain(values: Any) -> Any:
    if values.dtype != object:
        return values
    texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values.reshape(-1)]
    return np.array(texts).reshape(values.shape)


if __name__ == "__main__":
    main(*sys.argv[1:])
