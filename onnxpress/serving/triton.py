"""The configuration of a model for Triton Inference Server, made from its ONNX graph.

The form is Triton's ``ModelConfig`` (model_config.proto of triton-inference-server/common) as
protobuf text. What the onnxruntime backend asks for is in its source, release 26.07
(triton-inference-server/onnxruntime_backend, src/onnxruntime.cc and onnxruntime_utils.cc):

- With ``max_batch_size`` above 0, every tensor's first dimension must be open in the graph, and
  ``dims`` leaves it out (``CompareDimsSupported``).
- An output (rows,) has no dimension left, and ``dims`` must not be empty. The backend's own
  completion writes ``dims: [1]`` with an empty ``reshape`` (``AutoCompleteIO``), and so do we.
  Clients then see (rows, 1), on every backend: Triton's core reshapes responses
  (triton-inference-server/core, src/infer_response.cc, ``Output::Reshape``).
- A graph's strings are ``TYPE_STRING``, which requests call BYTES.
- A warm-up of zeros is an empty string for ``TYPE_STRING``: four zero bytes are a length of 0
  (core, src/backend_model_instance.cc, ``GenerateWarmupData``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx
from google.protobuf.text_encoding import CEscape

from onnxpress.serving.signature import ANY, Tensor, inputs_of, outputs_of

LATENCIES = "--metrics-config=summary_latencies=true"
"""An option of tritonserver: without it there are no quantiles of latency among the metrics."""


@dataclass(frozen=True)
class Batching:
    """How a server runs a model."""

    instances: int = 1
    """Copies of the model that work at the same time, with one thread each."""
    max_batch_size: int = 1024
    """The most rows of a request, and of a batch that is made of several requests."""
    queue_delay_us: int = 200
    """How long a request may wait for others to form a batch with, in microseconds."""


def model_config(model: onnx.ModelProto, name: str, batching: Batching) -> str:
    """Return the text of ``config.pbtxt``; ``name`` is that of the model's folder.

    Raises:
        UserError: a server cannot form batches for this graph.
    """
    inputs, outputs = inputs_of(model), outputs_of(model)
    lines = [
        f"name: {_quoted(name)}",
        'backend: "onnxruntime"',
        f"max_batch_size: {batching.max_batch_size}",
        *_block("input", inputs),
        *_block("output", outputs),
        f"instance_group [ {{ kind: KIND_CPU count: {batching.instances} }} ]",
        f"dynamic_batching {{ max_queue_delay_microseconds: {batching.queue_delay_us} }}",
        'parameters { key: "intra_op_thread_count" value { string_value: "1" } }',
        *_warm_up(inputs),
    ]
    return "\n".join([*lines, ""])


def _block(field: str, tensors: Iterable[Tensor]) -> Iterator[str]:
    for tensor in tensors:
        yield f"{field} {{ name: {_quoted(tensor.name)} {_form(tensor)} }}"


def _form(tensor: Tensor) -> str:
    """Return type and shape of a tensor: one of a value per row gets a dimension of 1."""
    if tensor.row:
        return f"{_data_type(tensor)} {_dims(tensor)}"
    return f"{_data_type(tensor)} dims: [ 1 ] reshape {{ shape: [ ] }}"


def _warm_up(inputs: list[Tensor]) -> list[str]:
    """Return a warm-up of one row, which a server runs before it calls itself ready."""
    if any(ANY in tensor.row for tensor in inputs):  # the sizes of a warm-up must be known
        return []
    zeros = [
        f"  inputs {{ key: {_quoted(tensor.name)} "
        f"value {{ {_data_type(tensor)} {_dims(tensor)} zero_data: true }} }}"
        for tensor in inputs
    ]
    return ["model_warmup {", '  name: "one row"', "  batch_size: 1", *zeros, "}"]


def _data_type(tensor: Tensor) -> str:
    kind = "STRING" if tensor.datatype == "BYTES" else tensor.datatype
    return f"data_type: TYPE_{kind}"


def _dims(tensor: Tensor) -> str:
    return f"dims: [ {', '.join(map(str, tensor.row or (1,)))} ]"


def _quoted(text: str) -> str:
    """Return any text as a string of protobuf's text format; what is not ASCII becomes octal."""
    return f'"{CEscape(text.encode(), as_utf8=False)}"'
