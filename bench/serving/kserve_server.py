"""A packaged model repository served by KServe's ModelServer: a script for .venv-serve.

    .venv-serve/bin/python bench/serving/kserve_server.py --model_name iris --model_dir DIR

``DIR`` is what KServe mounts as the storage of a model: ``<DIR>/<model_name>/1/model.onnx`` is
served. The other options are ModelServer's. It listens on every address, so it belongs into a
container or a network namespace. It imports kserve, numpy and onnxruntime only.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import kserve
import numpy as np
import onnxruntime
from kserve.errors import InvalidInput
from kserve.model_server import parser
from numpy.typing import NDArray

DATATYPES = {"tensor(float)": "FP32", "tensor(int64)": "INT64", "tensor(string)": "BYTES"}
"""The protocol's names of onnxruntime's types."""


class OnnxModel(kserve.Model):  # type: ignore[misc]  # kserve is in another environment
    """An ONNX model that answers each request by itself, with one thread."""

    def __init__(self, name: str, path: Path) -> None:
        """Name the file; it is opened by :meth:`load`."""
        super().__init__(name)
        self.path = path

    def load(self) -> bool:
        """Open the model."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(self.path), options, providers=["CPUExecutionProvider"]
        )
        self.ready = True
        return self.ready

    def get_input_types(self) -> list[dict[str, Any]]:
        """Describe the inputs for the metadata of the protocol."""
        return [_described(each) for each in self.session.get_inputs()]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Describe the outputs for the metadata of the protocol."""
        return [_described(each) for each in self.session.get_outputs()]

    def predict(
        self,
        payload: kserve.InferRequest,
        headers: dict[str, str] | None = None,  # noqa: ARG002 - kserve's signature
        response_headers: dict[str, str] | None = None,  # noqa: ARG002
    ) -> kserve.InferResponse:
        """Return every output for the rows of a request.

        Raises:
            InvalidInput: the model cannot be run on them.
        """
        try:
            feeds = {each.name: _decoded(each.as_numpy()) for each in payload.inputs}
            values = self.session.run(None, feeds)
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            line = " ".join(str(error).split())[:300]
            raise InvalidInput(f"the model cannot be run on these rows: {line}") from error
        described = zip(self.session.get_outputs(), values, strict=True)
        outputs = [_output(each, np.asarray(value)) for each, value in described]
        return kserve.InferResponse(payload.id or "", self.name, outputs)


def _described(tensor: Any) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in tensor.shape]
    return {"name": tensor.name, "datatype": DATATYPES[tensor.type], "shape": shape}


def _decoded(values: NDArray[Any]) -> NDArray[Any]:
    """Return text as str: it comes as bytes by gRPC and as binary data, as str in JSON."""
    if values.dtype != object:
        return values
    texts = [value.decode() if isinstance(value, bytes) else value for value in values.reshape(-1)]
    return np.array(texts, object).reshape(values.shape)


def _output(tensor: Any, values: NDArray[Any]) -> kserve.InferOutput:
    output = kserve.InferOutput(tensor.name, list(values.shape), DATATYPES[tensor.type])
    output.set_data_from_numpy(values, binary_data=False)
    return output


def main() -> None:
    """Serve the model that the command line names until a signal comes."""
    options = argparse.ArgumentParser(parents=[parser], description=__doc__)
    options.add_argument("--model_dir", type=Path, required=True, help="the model's storage")
    asked = options.parse_args()
    name = asked.model_name
    model = OnnxModel(name, asked.model_dir / name / "1" / "model.onnx")
    model.load()
    kserve.ModelServer().start([model])


if __name__ == "__main__":
    main()
