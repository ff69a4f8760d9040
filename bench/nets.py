"""What quantising does to nets: ``python -m bench.nets`` writes nets.md.

Three nets are trained, converted and quantised by every candidate of ``auto``, each scored on
calibration rows under a budget of half a point, as in the product. The page has size, loss on test
rows and time of each: that of one row a call, and of 256, over the plain model's in the same
process. ``--quick`` leaves the net of 100 MB out.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits, make_classification
from sklearn.neural_network import MLPClassifier

from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.onnx_estimator import OnnxClassifier
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.running import run_stage
from onnxpress.quantize.choice import Choice, choose
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.speed import relative_latencies
from onnxpress.quantize.terms import needed_by, terms_of
from onnxpress.quantize.trials import Clones, trials_of
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema

RESULTS = Path(__file__).parent / "results"
BUDGET = 0.005
OPSET = 12
PARTS = (0.7, 0.15, 0.15)
"""Shares of rows to train, to choose by, and to test."""


@dataclass(frozen=True)
class Case:
    """A trained net and its rows."""

    name: str
    original: Any
    """Clones of it score candidates where rows are few; a given ONNX model has none."""
    model: onnx.ModelProto
    schema: Schema
    train: Rows
    calibration: Rows
    test: Rows


def schema_of(columns: int) -> Schema:
    """A schema of so many numbers."""
    names = (f"f{place}" for place in range(columns))
    return Schema(
        "classification", "target", tuple(Column(name, "number", missing=False) for name in names)
    )


def parts_of(x: NDArray[Any], y: NDArray[Any]) -> list[Rows]:
    """Rows to train, to choose by, and to test, in a random order."""
    order = np.random.default_rng(0).permutation(len(x))
    ends = np.round(np.cumsum(PARTS[:2]) * len(x)).astype(int)
    features = x.astype(np.float32)
    return [Rows({"X": features[part]}, y[part]) for part in np.split(order, ends)]


def fitted(rows: Rows, hidden: Sequence[int], **settings: Any) -> MLPClassifier:
    """A net of scikit-learn; it need not converge."""
    net = MLPClassifier(hidden, random_state=0, **settings)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Stochastic Optimizer")
        return net.fit(rows.feeds["X"], rows.target)


def mlp() -> Case:
    """Digits, two layers of 512."""
    parts = parts_of(*load_digits(return_X_y=True))
    net = fitted(parts[0], (512, 512), max_iter=30)
    schema = schema_of(64)
    return Case("MLP of 2 x 512, digits", net, to_onnx(net, schema, OPSET), schema, *parts)


def wide() -> Case:
    """A table of 2,100 columns, two layers of 4,096: 102 MB."""
    shape = {"n_informative": 60, "n_redundant": 200, "n_clusters_per_class": 2, "class_sep": 2.0}
    parts = parts_of(*make_classification(9000, 2100, n_classes=10, random_state=0, **shape))
    rate = {"batch_size": 200, "learning_rate_init": 3e-4}
    net = fitted(parts[0], (4096, 4096), max_iter=3, **rate)
    schema = schema_of(2100)
    name = "MLP of 2 x 4,096, 2,100 columns"
    return Case(name, net, to_onnx(net, schema, OPSET), schema, *parts)


def convolutional() -> Case:
    """Digits, enlarged to 24 x 24 pixels; random convolutions and a trained head of 128."""
    x, y = load_digits(return_X_y=True)
    large = np.kron(x.reshape(-1, 8, 8), np.ones((3, 3))).reshape(len(x), -1) / 16
    parts = parts_of(large, y)
    body = _Convolutions()
    features = [body.run(part.feeds["X"]) for part in parts]
    head = fitted(Rows({"X": features[0]}, parts[0].target), (128,), max_iter=60)
    schema = schema_of(large.shape[1])
    model = body.with_head(head)
    outputs = ("label", "probabilities")
    given = OnnxClassifier(
        to_bytes(model), ("X",), outputs, tuple(range(10)), width=10, proper=True
    )
    return Case("CNN, digits of 24 x 24", given, model, schema, *parts)


class _Convolutions:
    """Three random convolutions of 32, 64 and 64 channels, each halved in both directions."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        name = "image"
        self._constant("shape", np.array([-1, 1, 24, 24]))
        self.nodes.append(helper.make_node("Reshape", ["X", "shape"], [name]))
        inputs = 1
        for place, channels in enumerate((32, 64, 64)):
            filters = random.normal(size=(channels, inputs, 3, 3)) * np.sqrt(2 / (9 * inputs))
            weights = self._constant(f"w{place}", filters.astype(np.float32))
            bias = self._constant(f"b{place}", np.full(channels, -0.05, np.float32))
            made = [f"{kind}{place}" for kind in ("conv", "relu", "pool")]
            product = [name, weights, bias]
            halved: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
            self.nodes += [
                helper.make_node("Conv", product, made[:1], pads=[1, 1, 1, 1]),
                helper.make_node("Relu", made[:1], made[1:2]),
                helper.make_node("MaxPool", made[1:2], made[2:], **halved),
            ]
            name, inputs = made[2], channels
        self.nodes.append(helper.make_node("Flatten", [name], ["features"]))

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def _model(self, outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        columns = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 24 * 24])
        graph = helper.make_graph(self.nodes, "net", [columns], outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the convolutions make of rows, (rows, 576)."""
        output = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 576])
        session = open_session(self._model([output]).SerializeToString())
        return np.asarray(session.run(None, {"X": x})[0])

    def with_head(self, head: MLPClassifier) -> onnx.ModelProto:
        """The whole net, with labels and probabilities."""
        name = "features"
        for place, (matrix, bias) in enumerate(zip(head.coefs_, head.intercepts_, strict=True)):
            weights = self._constant(f"dense{place}", matrix.astype(np.float32))
            bias_name = self._constant(f"bias{place}", bias.astype(np.float32))
            sums = f"sums{place}"
            self.nodes.append(helper.make_node("Gemm", [name, weights, bias_name], [sums]))
            if place == 0:
                self.nodes.append(helper.make_node("Relu", [sums], ["hidden"]))
                name = "hidden"
        self.nodes.append(helper.make_node("Softmax", [sums], ["probabilities"], axis=1))
        self.nodes.append(helper.make_node("ArgMax", [sums], ["label"], axis=1, keepdims=0))
        shapes = (
            ("label", TensorProto.INT64, [None]),
            ("probabilities", TensorProto.FLOAT, [None, 10]),
        )
        return self._model([helper.make_tensor_value_info(*shape) for shape in shapes])


CASES: dict[str, Callable[[], Case]] = {"mlp": mlp, "cnn": convolutional, "wide": wide}


def chosen(case: Case) -> Choice:
    """What ``auto`` makes of the net within the budget."""
    options = Options(budgets={"score": BUDGET, "recall_worst_loss": None})
    plain = to_bytes(case.model)
    candidates = list_candidates(case.model, Options(objective="latency"))
    clones = Clones(lambda: case.original, case.schema, OPSET, 0)
    needed = needed_by(options, candidates)
    trials = trials_of(plain, case.train, case.calibration, clones, needed)
    terms = terms_of(options, case.schema, plain, trials)
    return choose(plain, candidates, trials, terms, options)


def correct(model: bytes, rows: Rows) -> float:
    """The share of rows with the right label."""
    return float((predict_onnx(open_session(model), rows.feeds).values == rows.target).mean())


def section(case: Case, choice: Choice, seconds: float) -> list[str]:
    """The table of one net."""
    plain = to_bytes(case.model)
    models = choice.models()
    times = [
        relative_latencies(plain, list(models.values()), case.test, objective)
        for objective in ("latency", "throughput")
    ]
    before = correct(plain, case.test)
    lines = [
        f"## {case.name}",
        "",
        f"{len(plain) / 1e6:.3g} MB, {before:.1%} of {len(case.test)} test rows right.",
        f"{choice.summary}; all candidates took {seconds:.0f} s.",
        "",
        "| candidate | verdict | of the bytes | times smaller | points lost | 1 row | 256 rows |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    verdicts = {verdict.name: verdict.outcome for verdict in choice.verdicts}
    for (name, model), one, many in zip(models.items(), *times, strict=True):
        lost = 100 * (before - correct(model, case.test))
        share = len(model) / len(plain)
        numbers = f"{share:.1%} | {1 / share:.1f} | {lost:+.2f} | {one:.2f} | {many:.2f}"
        lines.append(f"| {name} | {verdicts[name]} | {numbers} |")
    return [*lines, ""]


def main() -> None:
    """Train, quantise, measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.nets", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the net of 100 MB")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of nets.md")
    asked = parser.parse_args()
    lines = [
        "# Nets",
        "",
        "Written by `python -m bench.nets`. Candidates may lose half a point on calibration rows;",
        "points lost are of test rows. Times are shares of the plain model's in the same process.",
        "",
    ]
    for name in asked.cases:
        if asked.quick and name == "wide":
            continue
        say(f"training {name}")
        case = CASES[name]()
        start = time.monotonic()
        choice = chosen(case)
        for line in choice.lines():
            say(line)
        lines += section(case, choice, time.monotonic() - start)
        asked.output.mkdir(parents=True, exist_ok=True)
        write_bytes(asked.output / "nets.md", "\n".join(lines).encode())
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    run_stage("nets", main)
