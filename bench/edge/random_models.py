"""Small models of every kind that a body is written of, each from a seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from onnxpress import convert
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.forest.refined.answers import Answers
from onnxpress.quantize.forest.refined.as_operators import as_operators
from onnxpress.quantize.forest.refined.as_tree_ensemble import as_tree_ensemble
from onnxpress.quantize.forest.refined.oblivious import Questions, quantised
from onnxpress.quantize.forest.refined.subgraphs import Subgraphs

Random = np.random.Generator
Rows = NDArray[np.float32]


def random_model(seed: int) -> tuple[str, onnx.ModelProto, Rows]:
    """What kind of model it is, the model, and rows for it."""
    random = np.random.default_rng(seed)
    kinds: list[Callable[[Random], tuple[onnx.ModelProto, Rows]]] = [
        _refined,
        _refined,
        _forest,
        _forest,
        _linear,
        _net,
    ]
    make = kinds[seed % len(kinds)]
    model, rows = make(random)
    return make.__name__.removeprefix("_"), model, rows


def _refined(random: Random) -> tuple[onnx.ModelProto, Rows]:
    """An oblivious forest with random questions and leaves."""
    features = int(random.choice([1, 3, 9, 300]))
    trees, depth = int(random.integers(1, 40)), int(random.integers(1, 9))
    columns = int(random.choice([1, 1, 2, 3, 4, 5, 9]))
    pool = (random.standard_normal(int(random.choice([2, 9, 400]))) * 5).astype(np.float32)
    pool = np.append(pool, np.array([np.inf, 0.0, 1e-42], np.float32))
    questions = Questions(
        random.integers(0, features, (trees, depth)), random.choice(pool, (trees, depth))
    )
    values = random.normal(size=(trees, 2**depth, columns)) * random.lognormal(size=columns)
    regression = bool(random.random() < 0.3)
    offset = random.normal(size=columns) if regression else np.zeros(columns)
    forest = quantised(questions, values, offset)
    labels = None if regression else _labels(random, max(2, columns))
    width = columns if labels is None else len(labels)
    opset = int(random.choice([11, 12, 13, 18]))
    shell = _shell(features, width, labels, opset)
    small = columns != 2 and trees * 2**depth < 2000  # two classes have one column there
    write = as_tree_ensemble if random.random() < 0.3 and small else as_operators
    model = write(shell, Subgraphs("X", features, (), ()), forest, Answers(labels))
    return model, (random.standard_normal((500, features)) * 5).astype(np.float32)


def _labels(random: Random, count: int) -> NDArray[Any]:
    kinds: list[NDArray[Any]] = [
        np.arange(count),
        np.arange(count) * 7 - 3,
        np.array([f'class {number}é"\\' for number in range(count)], object),
    ]
    return kinds[int(random.integers(len(kinds)))]


def _shell(features: int, width: int, labels: NDArray[Any] | None, opset: int) -> onnx.ModelProto:
    """A model without operators."""
    rows = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, features])
    name = "prediction" if labels is None else "probabilities"
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])]
    if labels is not None:
        kind = TensorProto.STRING if labels.dtype == object else TensorProto.INT64
        outputs.insert(0, helper.make_tensor_value_info("label", kind, [None]))
    graph = helper.make_graph([], "shell", [rows], outputs)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=7)


def _forest(random: Random) -> tuple[onnx.ModelProto, Rows]:
    """A fitted forest, as converted or in its lossless form, behind a preparation or none."""
    x, classes, target = _table(random)
    trees, depth = int(random.integers(1, 12)), int(random.integers(1, 8))
    seed = int(random.integers(1000))
    estimator, y = [
        (RandomForestClassifier(trees, max_depth=depth, random_state=seed), classes),
        (RandomForestRegressor(trees, max_depth=depth, random_state=seed), target),
        (ExtraTreesRegressor(trees, max_depth=depth, random_state=seed), np.stack([target] * 2, 1)),
        (GradientBoostingClassifier(n_estimators=trees, random_state=seed), classes),
        (HistGradientBoostingClassifier(max_iter=trees, max_depth=depth), classes),
        (HistGradientBoostingRegressor(max_iter=trees, max_depth=depth), target),
    ][int(random.integers(6))]
    if isinstance(estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        x[random.random(x.shape) < 0.1] = np.nan
    prepared = _prepared(random, estimator)
    model = convert(prepared.fit(x, y), x)
    if random.random() < 0.5:
        model = rewrite_trees(model, ml_opset=int(random.choice([3, 5])))
    return model, x


def _linear(random: Random) -> tuple[onnx.ModelProto, Rows]:
    x, classes, target = _table(random)
    if random.random() < 0.5:
        fitted = _prepared(random, LinearRegression()).fit(x, target)
    else:
        fitted = _prepared(random, LogisticRegression(max_iter=300)).fit(x, classes)
    return convert(fitted, x), x


def _net(random: Random) -> tuple[onnx.ModelProto, Rows]:
    x, classes, target = _table(random)
    layers = tuple(int(size) for size in random.integers(2, 20, int(random.integers(1, 3))))
    function = str(random.choice(["relu", "tanh", "logistic"]))
    words: dict[str, Any] = {
        "hidden_layer_sizes": layers,
        "activation": function,
        "max_iter": 20,
        "random_state": 0,
    }
    net, y = (MLPRegressor, target) if random.random() < 0.5 else (MLPClassifier, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps give weights enough
        fitted = make_pipeline(StandardScaler(), net(**words)).fit(x, y)
    return convert(fitted, x), x


def _table(random: Random) -> tuple[Rows, NDArray[Any], NDArray[np.float64]]:
    """Rows, classes and a quantity."""
    features, count = int(random.integers(1, 12)), int(random.integers(2, 5))
    x = (random.standard_normal((300, features)) * random.lognormal(size=features)).astype(
        np.float32
    )
    if random.random() < 0.3:
        x = np.round(x)
    target = x @ random.standard_normal(features) + random.standard_normal(len(x))
    order = np.argsort(np.argsort(target))
    classes = order * count // len(x)
    if random.random() < 0.3:
        classes = np.array(["ant", "bee", "cicada", "dragonfly"])[classes]
    return x, classes, target


def _prepared(random: Random, estimator: Any) -> Any:
    """The estimator behind steps that scale or fill, or alone."""
    steps = [
        (),
        (),
        (StandardScaler(),),
        (MinMaxScaler(),),
        (SimpleImputer(), RobustScaler()),
    ][int(random.integers(5))]
    return make_pipeline(*steps, estimator) if steps else estimator
