"""The kinds of graphs that are tried in every release: what conversion and quantisation make."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from onnxpress.conversion.converting import NEWEST_OPSET, to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Form
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Options
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema

COLUMNS, ROWS = 4, 150
OPSETS = range(8, 29)
FORMATS = range(3, 15)
RUNGS = 1
"""Rungs of each ladder that are tried: the graph of the others is the same but for its size."""
DEFAULT_OPSET = 12

Graph = tuple[str, onnx.ModelProto]


def known_graphs() -> Iterator[Graph]:
    """Yield a name and a model for each; all of them take ``X`` as :func:`rows` has it."""
    yield from _versions()
    yield from _misread_trees()
    yield from _equal_children()
    yield from _convolutions()
    yield _block_products()
    for name, estimator, target in _estimators():
        schema = schema_of(target)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(rows(), target)
        plain = to_onnx(estimator, schema, DEFAULT_OPSET)
        yield name, plain
        yield from _candidates(name, plain, Rows({"X": rows()}, target))
    for opset in range(11, NEWEST_OPSET + 1):
        for name, estimator, target in list(_estimators())[:3]:
            yield (
                f"{name}, opset {opset}",
                to_onnx(estimator.fit(rows(), target), schema_of(target), opset),
            )


def rows() -> NDArray[np.float32]:
    """Return the rows that are replayed, (:data:`ROWS`, :data:`COLUMNS`)."""
    x = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    x[:, 0] = np.arange(ROWS) % 50  # codes
    return x


def schema_of(target: NDArray[Any]) -> Schema:
    """Return the schema of :func:`rows` with this target."""
    columns = tuple(Column(f"f{place}", "number", missing=False) for place in range(COLUMNS))
    if target.dtype.kind == "f":
        return Schema("regression", "target", columns, float(target.std()))
    return Schema("classification", "target", columns, None)


def _estimators() -> Iterator[tuple[str, Any, NDArray[Any]]]:
    """Yield estimators to fit with their targets; the first three are tried in every opset."""
    from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = rows()
    two = (x[:, 1] + x[:, 2] > 0).astype(np.int64)
    three = two + (x[:, 3] > 0.5)
    number = (x[:, 1] * 2 + x[:, 2]).astype(np.float64)
    net = {"hidden_layer_sizes": (128, 128), "max_iter": 20, "random_state": 0}
    few = {"n_estimators": 10, "random_state": 0}
    classifiers = [
        ensemble.RandomForestClassifier(**few),
        make_pipeline(StandardScaler(), linear_model.LogisticRegression()),
        neural_network.MLPClassifier(**net),
        tree.DecisionTreeClassifier(random_state=0),
        ensemble.ExtraTreesClassifier(**few),
        ensemble.GradientBoostingClassifier(**few),
        ensemble.HistGradientBoostingClassifier(max_iter=10),
        ensemble.BaggingClassifier(**few),
        ensemble.AdaBoostClassifier(**few),
        linear_model.LogisticRegression(),
        linear_model.SGDClassifier(random_state=0),
        svm.SVC(),
        svm.SVC(kernel="linear"),
        svm.SVC(probability=True, random_state=0),
        svm.LinearSVC(),
        neighbors.KNeighborsClassifier(),
        naive_bayes.GaussianNB(),
        make_pipeline(StandardScaler(), svm.SVC()),
        make_pipeline(StandardScaler(), neural_network.MLPClassifier(**net)),
    ]
    for target, classes in ((three, "three classes"), (two, "two classes")):
        for estimator in classifiers:
            yield f"{_name(estimator)}, {classes}", estimator, target
    texts = np.array(["one", "other"])[two]
    for estimator in (classifiers[0], classifiers[1]):
        yield f"{_name(estimator)}, texts", estimator, texts
    for estimator in (
        ensemble.RandomForestRegressor(**few),
        ensemble.GradientBoostingRegressor(**few),
        ensemble.HistGradientBoostingRegressor(max_iter=10),
        linear_model.LinearRegression(),
        make_pipeline(StandardScaler(), linear_model.Ridge()),
        neural_network.MLPRegressor(**net),
        neighbors.KNeighborsRegressor(),
        svm.SVR(),
        svm.LinearSVR(),
    ):
        yield _name(estimator), estimator, number


def _name(estimator: Any) -> str:
    steps = getattr(estimator, "steps", [("", estimator)])
    words = {"kernel": "linear", "probability": "with probabilities"}
    last = steps[-1][1].get_params()
    notes = [f", {note}" for key, note in words.items() if last.get(key) in {"linear", True}]
    return " and ".join(type(step).__name__ for _, step in steps) + "".join(notes)


def _candidates(name: str, plain: onnx.ModelProto, known: Rows) -> Iterator[Graph]:
    """Yield what every method makes of a model, of each ladder the first rungs."""
    for options in (Options(ml_opset=3), Options(), Options(objective="latency")):
        climbed: dict[tuple[str, str], int] = {}
        for candidate in list_candidates(plain, options):
            climbed[candidate.ladder] = climbed.get(candidate.ladder, 0) + 1
            if climbed[candidate.ladder] > RUNGS:
                continue
            with suppress(Exception):  # a method raises what it raises: then it makes no graph
                made = candidate.apply(plain, known)
                onnx.checker.check_model(made, full_check=True)
                words = f"{candidate.name}, ml {options.ml_opset}, {options.objective}"
                yield f"{name}: {words}", onnx.load_from_string(to_bytes(made, packed=True))


def _versions() -> Iterator[Graph]:
    """Yield a graph of one operator in each operator set, and in each version of the format."""
    for opset in OPSETS:
        nodes = [helper.make_node("Add", ["X", "X"], ["prediction"])]
        yield f"Add, opset {opset}", _model(nodes, {"": opset}, max(7, _format_of({"": opset})))
    for ir_version in FORMATS:
        nodes = [helper.make_node("Add", ["X", "X"], ["prediction"])]
        yield f"Add, ir {ir_version}", _model(nodes, {"": 8}, ir_version)
    for version in range(1, 6):
        scaler = helper.make_node(
            "Scaler", ["X"], ["prediction"], domain="ai.onnx.ml", offset=[1.0], scale=[2.0]
        )
        yield f"Scaler, ml {version}", _model([scaler], {"": 12, "ai.onnx.ml": version}, 7)


def _format_of(opsets: dict[str, int]) -> int:
    """Return the oldest version of the format for these operator sets."""
    listed = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    try:
        return int(helper.find_min_ir_version_for(listed))
    except ValueError:  # newer than the onnx that is installed
        return max(FORMATS)


def _model(nodes: list[onnx.NodeProto], opsets: dict[str, int], ir_version: int) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    inputs = [value("X", TensorProto.FLOAT, [None, COLUMNS])]
    outputs = [value(name, _TYPES[name], _SHAPES[name]) for name in nodes[-1].output]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    listed = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(graph, opset_imports=listed, ir_version=ir_version)


_TYPES = {
    **dict.fromkeys(("prediction", "number", "scores"), TensorProto.FLOAT),
    "label": TensorProto.INT64,
}
_SHAPES: dict[str, list[int | None]] = {
    "prediction": [None, COLUMNS],
    "number": [None, 1],
    "label": [None],
    "scores": [None, 2],
}


def _misread_trees() -> Iterator[Graph]:
    """Yield trees in forms that some releases misread."""
    for post_transform in ("NONE", "LOGISTIC"):
        node = helper.make_node(
            "TreeEnsembleClassifier",
            ["X"],
            ["label", "scores"],
            domain="ai.onnx.ml",
            nodes_treeids=[0, 0, 0],
            nodes_nodeids=[0, 1, 2],
            nodes_featureids=[1, 0, 0],
            nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
            nodes_values=[0.0, 0.0, 0.0],
            nodes_truenodeids=[1, 0, 0],
            nodes_falsenodeids=[2, 0, 0],
            class_treeids=[0, 0],
            class_nodeids=[1, 2],
            class_ids=[0, 0],
            class_weights=[0.125, 0.875],
            classlabels_int64s=[0, 1],
            post_transform=post_transform,
        )
        yield f"one class of two, {post_transform}", _model([node], {"": 12, "ai.onnx.ml": 1}, 7)
    yield "codes, some above 32", trees_of_codes([1.0, 3.0, 5.0, 40.0, 41.0])
    yield "codes up to 32", trees_of_codes([1.0, 3.0, 5.0])


def _equal_children() -> Iterator[Graph]:
    """Yield trees whose root has children of one number: two leaves, or a leaf and a split."""
    for name, true_leaf, false_leaf in (
        ("leaves", 1, 1),
        ("leaf, split", 1, 0),
        ("split, leaf", 0, 1),
    ):
        node = helper.make_node(
            "TreeEnsemble",
            ["X"],
            ["number"],
            domain="ai.onnx.ml",
            n_targets=1,
            tree_roots=[0],
            nodes_featureids=[1, 2],
            nodes_splits=_tensor(TensorProto.FLOAT, [0.0, 0.5]),
            nodes_modes=_tensor(TensorProto.UINT8, [0, 0]),
            nodes_truenodeids=[1, 0],
            nodes_trueleafs=[true_leaf, 1],
            nodes_falsenodeids=[1, 2],
            nodes_falseleafs=[false_leaf, 1],
            leaf_targetids=[0, 0, 0],
            leaf_weights=_tensor(TensorProto.FLOAT, [1.0, 2.0, 4.0]),
        )
        yield f"root of equal children, {name}", _model([node], {"": 12, "ai.onnx.ml": 5}, 7)


def _tensor(kind: int, values: list[float]) -> onnx.TensorProto:
    return helper.make_tensor("values", kind, [len(values)], values)


def _convolutions() -> Iterator[Graph]:
    """Yield a net of convolutions in the operator sets that exporters of nets use."""
    random = np.random.default_rng(0)
    weights = {
        "shape": np.array([-1, 1, 2, 2]),
        "kernels": random.normal(size=(3, 1, 2, 2)).astype(np.float32),
        **{name: np.full(3, value, np.float32) for name, value in _NORMS.items()},
        "w": random.normal(size=(3, COLUMNS)).astype(np.float32),
        "b": random.normal(size=COLUMNS).astype(np.float32),
    }
    made = [
        helper.make_node("Reshape", ["X", "shape"], ["image"]),
        helper.make_node("Conv", ["image", "kernels"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", *_NORMS], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2]),
        helper.make_node("AveragePool", ["m"], ["a"], kernel_shape=[2, 2]),
        helper.make_node("GlobalAveragePool", ["a"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["prediction"]),
    ]
    for opset in range(11, NEWEST_OPSET + 1):
        model = _model(made, {"": opset}, max(7, _format_of({"": opset})))
        tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
        model.graph.initializer.extend(tensors)
        yield f"convolutions, opset {opset}", model


def _block_products() -> Graph:
    """Return a net in blocks of 4 bits, multiplied by onnxruntime's own operator.

    It is offered for large layers only.
    """
    from sklearn.neural_network import MLPClassifier

    target = (rows()[:, 1] > 0).astype(np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = MLPClassifier((256, 256), max_iter=5, random_state=0).fit(rows(), target)
    plain = to_onnx(net, schema_of(target), DEFAULT_OPSET)
    candidates = list_candidates(plain, Options(method="dense", objective="latency"))
    (candidate,) = [each for each in candidates if each.form == Form.INT4_PRODUCT]
    return candidate.name, candidate.apply(plain, Rows({"X": rows()}, target))


_NORMS = {"scale": 1.0, "bias": 0.5, "mean": 0.25, "variance": 2.0}


def trees_of_codes(codes: list[float]) -> onnx.ModelProto:
    """Return equal trees that ask whether column 0 is one of ``codes``."""
    size, trees = len(codes), 16
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["X"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        nodes_treeids=[tree for tree in range(trees) for _ in range(size + 2)],
        nodes_nodeids=[*range(size + 2)] * trees,
        nodes_featureids=[0] * (size + 2) * trees,
        nodes_modes=(["BRANCH_EQ"] * size + ["LEAF"] * 2) * trees,
        nodes_values=[*codes, 0.0, 0.0] * trees,
        nodes_truenodeids=([size] * size + [0, 0]) * trees,
        nodes_falsenodeids=[*range(1, size), size + 1, 0, 0] * trees,
        class_treeids=[tree for tree in range(trees) for _ in range(2)],
        class_nodeids=[size, size + 1] * trees,
        class_ids=[0, 0] * trees,
        class_weights=[1 / 16, -1 / 16] * trees,
        classlabels_int64s=[0, 1],
    )
    return _model([node], {"": 12, "ai.onnx.ml": 3}, 8)
