"""Train nets in .venv-torch as they are stored, and write what is asked about that.

``python -m tests.support.torch_training FOLDER`` takes nets that ``torch_programs`` has left there.
``training.json`` gets, of each net, the labels of the plain model and of candidates, and of each
operator how far torch is from onnxruntime.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from sklearn.datasets import load_digits

from onnxpress.evaluate.row_dependence import row_dependence
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.dense import qat
from onnxpress.quantize.dense.qat import int4_qat
from onnxpress.quantize.dense.stored import in_int4, products_of
from onnxpress.quantize.dense.torch_operators import run
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.support.torch_programs import TRAINED

OTHERS = slice(TRAINED, None)


def about(path: Path) -> dict[str, Any]:
    """Train a net and say what it answers on rows that nothing has learned from."""
    digits, model = load_digits(), onnx.load(path)
    images = digits.images[:, None].astype(np.float32)
    name = model.graph.input[0].name
    rows = Rows({name: images[:TRAINED]}, digits.target[:TRAINED])
    feeds = {name: images[OTHERS]}

    def labels(made: onnx.ModelProto) -> list[int]:
        found: list[int] = predict_onnx(open_session(to_bytes(made)), feeds).values.tolist()
        return found

    made = int4_qat(model, rows, seed=0)
    again = int4_qat(model, rows, seed=0)
    dependence = row_dependence(partial(predict_onnx, open_session(to_bytes(made))), feeds, 1e-5)
    untrained = in_int4(products_of(model))
    return {
        "target": digits.target[OTHERS].tolist(),
        "plain": labels(model),
        "int4": labels(untrained),
        "trained": labels(made),
        "bytes": [len(to_bytes(each)) for each in (untrained, made)],
        "same": to_bytes(made) == to_bytes(again),
        "difference": dependence.difference,
    }


IMAGE = (2, 4, 7, 6)
OPERATORS: list[tuple[str, list[Any], dict[str, Any]]] = [
    *((name, [IMAGE], {}) for name in ("Abs", "Erf", "Exp", "GlobalAveragePool", "GlobalMaxPool")),
    *((name, [IMAGE], {}) for name in ("HardSwish", "Identity", "Neg", "Relu", "Shape", "Sigmoid")),
    *((name, [IMAGE], {}) for name in ("Softplus", "Tanh", "Elu", "HardSigmoid", "LeakyRelu")),
    *((name, [IMAGE, (4, 1, 1)], {}) for name in ("Add", "Div", "Equal", "Greater", "Less", "Mul")),
    *((name, [IMAGE, (4, 1, 1)], {}) for name in ("PRelu", "Sub")),
    ("AveragePool", [IMAGE], {"kernel_shape": [3, 2], "strides": [2, 1]}),
    (
        "AveragePool",
        [IMAGE],
        {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2], "count_include_pad": 1},
    ),
    ("BatchNormalization", [IMAGE, (4,), (4,), (4,), "positive"], {}),
    ("Cast", [IMAGE], {"to": 7}),
    ("Clip", [IMAGE, -0.25, 0.5], {}),
    ("Concat", [IMAGE, IMAGE], {"axis": -3}),
    ("Conv", [IMAGE, (6, 2, 3, 3), (6,)], {"group": 2, "pads": [1, 0, 2, 1], "strides": [2, 1]}),
    ("Conv", [IMAGE, (3, 4, 2, 2)], {"dilations": [2, 3]}),
    ("Conv", [(2, 4, 9), (3, 4, 3)], {"pads": [1, 1]}),
    ("Div", [[7, -7], [2, 2]], {}),
    ("Elu", [IMAGE], {"alpha": 0.5}),
    ("Expand", [(4, 1), [2, 4, 3]], {}),
    ("Flatten", [IMAGE], {"axis": 2}),
    ("Gather", [IMAGE, [[0, -1], [1, 2]]], {"axis": 1}),
    ("Gelu", [IMAGE], {}),
    ("Gelu", [IMAGE], {"approximate": "tanh"}),
    ("Gemm", [(4, 3), (5, 4), (5,)], {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("HardSigmoid", [IMAGE], {"alpha": 0.3, "beta": 0.4}),
    ("LayerNormalization", [IMAGE, (7, 6), (7, 6)], {"axis": 2, "epsilon": 0.1}),
    ("LayerNormalization", [IMAGE, (6,)], {}),
    ("LogSoftmax", [IMAGE], {"axis": 3}),
    ("Log", ["positive"], {}),
    ("MatMul", [(2, 3, 4), (4, 5)], {}),
    ("MaxPool", [IMAGE], {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1], "strides": [2, 2]}),
    ("MaxPool", [IMAGE], {"kernel_shape": [2, 2], "dilations": [2, 1]}),
    ("Pad", [IMAGE, [0, 1, 0, 2, 0, 0, 1, 0], 0.5], {}),
    ("Pow", ["positive", 1.5], {}),
    ("Reciprocal", [IMAGE], {}),
    ("ReduceMax", [IMAGE, [-1, 2]], {"keepdims": 0}),
    ("ReduceMean", [IMAGE, [2, 3]], {}),
    ("ReduceMean", [IMAGE], {"keepdims": 0}),
    ("ReduceSum", [IMAGE, [1]], {}),
    ("Reshape", [IMAGE, [0, -1, 3]], {}),
    ("Slice", [IMAGE, [1, -5], [4, 100], [1, 2], [1, 2]], {}),
    ("Slice", [IMAGE, [0], [1]], {}),
    ("Softmax", [IMAGE], {"axis": -1}),
    ("Split", [IMAGE, [3, 1]], {"axis": 1}),
    ("Sqrt", ["positive"], {}),
    ("Squeeze", [(1, 3, 1), [0]], {}),
    ("Squeeze", [(1, 3, 1)], {}),
    ("Transpose", [IMAGE], {"perm": [0, 2, 3, 1]}),
    ("Transpose", [IMAGE], {}),
    ("Unsqueeze", [(2, 3), [0, -1]], {}),
    ("Where", [[True, False], (3, 2), (2,)], {}),
]
"""Operators, inputs as shapes of floats or as whole numbers themselves, and attributes."""


def differences() -> dict[str, float]:
    """Return, by operator, how far torch is from onnxruntime; infinite for another shape."""
    found = {}
    for place, (name, given, attributes) in enumerate(OPERATORS):
        random = np.random.default_rng(place)
        arrays = [_values(each, random) for each in given]
        names = [f"x{number}" for number in range(len(arrays))]
        outputs = ["y", "z"] if name == "Split" else ["y"]
        node = helper.make_node(name, names, outputs, **attributes)
        constants = [numpy_helper.from_array(*pair) for pair in zip(arrays, names, strict=True)]
        infos = [onnx.ValueInfoProto(name=output) for output in outputs]
        graph = helper.make_graph([node], "one", [], infos, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        expected = open_session(model.SerializeToString()).run(None, {})
        made = [np.asarray(each) for each in run(node, [torch.from_numpy(a) for a in arrays])]
        for ours, theirs in zip(made, expected, strict=True):
            same = ours.shape == theirs.shape and ours.dtype == theirs.dtype
            apart = np.abs(ours.astype(float) - theirs).max() if same else np.inf
            found[f"{name} {place}"] = float(apart)
    return found


def _values(given: Any, random: np.random.Generator) -> Any:
    if given == "positive":
        return random.random(4).astype(np.float32) + 0.5
    if isinstance(given, tuple):
        return random.normal(size=given).astype(np.float32)
    return np.asarray(given, np.float32 if isinstance(given, float) else None)


def refusals(folder: Path) -> Iterator[str]:
    """Yield why nets are not trained: an operator, too little time, too little memory."""
    words = onnx.load(folder / "sequences.onnx")
    rows = np.load(folder / "sequences.npz")["arr_0"]
    yield _reason(words, Rows({words.graph.input[0].name: rows}, np.zeros(len(rows))))
    digits, model = load_digits(), onnx.load(folder / "digits.onnx")
    images = digits.images[:, None].astype(np.float32)
    given = Rows({model.graph.input[0].name: images}, digits.target)
    seconds, qat.SECONDS = qat.SECONDS, 0.1
    yield _reason(model, given)
    qat.SECONDS, qat.MEMORY_MB = seconds, 1
    yield _reason(model, given)


def _reason(model: onnx.ModelProto, rows: Rows) -> str:
    try:
        int4_qat(model, rows, seed=0)
    except NotApplicable as reason:
        return str(reason)
    return ""


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    found: dict[str, Any] = {
        name: about(folder / f"{name}.onnx") for name in ("digits", "residual")
    }
    found["operators"] = differences()
    found["refusals"] = list(refusals(folder))
    (folder / "training.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
