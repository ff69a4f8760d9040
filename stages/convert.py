"""Convert the fitted estimator and write the model in canonical form."""

from __future__ import annotations

from collections import Counter

import onnx

from onnxpress.conversion.adopted import NotAdoptable
from onnxpress.conversion.converting import NotConvertible, to_onnx
from onnxpress.errors import UserError
from onnxpress.graph.canonical import to_bytes
from onnxpress.graph.writer import opset_of
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.inputs import read_schema
from onnxpress.pipeline.outputs import ONNX_MODEL, size_kb
from onnxpress.pipeline.params import Params, load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.pipeline.trained_model import load_trained


def main() -> None:
    """model.joblib in, model.onnx out."""
    with working("converting the estimator"):
        model = converted(load_params())
    write_bytes(ONNX_MODEL, to_bytes(model))
    common = Counter(node.op_type for node in model.graph.node).most_common(5)
    operators = ", ".join(f"{count} {name}" for name, count in common)
    size = f"{size_kb(ONNX_MODEL):.1f} KB"
    say(f"opset {opset_of(model)}, {len(model.graph.node)} nodes ({operators}): {size}")


def converted(params: Params) -> onnx.ModelProto:
    """Convert the estimator that the train stage wrote.

    Raises:
        UserError: it has no ONNX form; the message names the key of params.yaml to change.
    """
    schema = read_schema()
    estimator = load_trained(schema, params.train.trusted)
    try:
        return to_onnx(estimator, schema, params.convert.target_opset)
    except NotConvertible as error:
        cure = "choose another convert.target_opset or another model in params.yaml"
        raise UserError(f"{error.what}; {cure}") from error
    except NotAdoptable as error:
        raise UserError(f"params.yaml: train.model_path: {error}") from error


if __name__ == "__main__":
    run_stage("convert", main)
