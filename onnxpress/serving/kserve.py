"""The KServe manifest of a packaged model: an InferenceService served by Triton.

API ``serving.kserve.io/v1beta1`` (github.com/kserve/kserve). A test holds the mapping against the
typed models of the kserve SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from onnxpress.serving.triton import LATENCIES

RUNTIME = "kserve-tritonserver"
"""KServe's stock runtime for Triton; it starts ``tritonserver --model-store=/mnt/models``."""


@dataclass(frozen=True)
class Resources:
    """What a replica asks for, as Kubernetes writes quantities."""

    cpu: str = "1"
    memory: str = "512Mi"


def inference_service(
    name: str,
    storage: str,
    triton_release: str,
    resources: Resources,
    canary_percent: int | None = None,
    options: Sequence[str] = (LATENCIES,),
) -> dict[str, Any]:
    """Return the InferenceService as plain values.

    ``storage`` is the folder above that of the model, where the repository is. ``protocolVersion``
    must be v2, or KServe finds no runtime for ONNX. ``runtimeVersion`` is the tag of the image:
    that of the stock runtime has an onnxruntime of 2023. KServe appends ``options`` of the server
    to those of the runtime. ``canary_percent`` of requests go to this model, and the others to the
    one that is served already.
    """
    quantities = {"cpu": resources.cpu, "memory": resources.memory}
    model = {
        "args": list(options),
        "modelFormat": {"name": "onnx", "version": "1"},
        "protocolVersion": "v2",
        "resources": {"limits": quantities, "requests": dict(quantities)},
        "runtime": RUNTIME,
        "runtimeVersion": f"{triton_release}-py3",
        "storageUri": storage,
    }
    predictor: dict[str, Any] = {"model": model}
    if canary_percent is not None:
        predictor["canaryTrafficPercent"] = canary_percent
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": predictor},
    }


def as_yaml(manifest: dict[str, Any]) -> bytes:
    """Return a manifest as YAML with sorted keys."""
    return yaml.safe_dump(manifest, sort_keys=True).encode()
