"""Convert the fitted estimator and write the model in canonical form."""

from __future__ import annotations

from collections import Counter

from onnxpress.conversion.converting import to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.inputs import read_schema
from onnxpress.pipeline.outputs import ONNX_MODEL, size_kb
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.pipeline.trained_model import load_trained


def main() -> None:
    """model.joblib in, model.onnx out."""
    params, schema = load_params(), read_schema()
    with working("converting the estimator"):
        model = to_onnx(
            load_trained(schema, params.train.trusted), schema, params.convert.target_opset
        )
    write_bytes(ONNX_MODEL, to_bytes(model))
    operators = ", ".join(
        f"{count} {name}"
        for name, count in Counter(node.op_type for node in model.graph.node).most_common(5)
    )
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    say(f"opset {opset}, {len(model.graph.node)} nodes ({operators}): {size_kb(ONNX_MODEL):.1f} KB")


if __name__ == "__main__":
    run_stage("convert", main)
