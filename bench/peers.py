"""The alternatives that a user has, each as a fitted model with predictions, a size and a time.

All have one thread. A peer that cannot be imported, cannot convert a model or cannot be fitted
raises; the suite lists its reason.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.compiled import compile_library
from bench.data import FORESTS, Split, unfitted
from onnxpress.estimators.fitting import fit
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.rows import Feeds

Array = NDArray[Any]
COMPILE_NODES, COMPILE_SECONDS = 100_000, 40.0
"""Larger models are not compiled to C: gcc needs about 0.4 ms a node on two cores."""

MOST_NODES = 5_000_000
"""Larger models have no peers: all of them beside each other took 20 GB at 6 million nodes."""


@dataclass(frozen=True)
class Peer:
    """A model of another library.

    ``call`` on prepared rows is timed; ``values`` are labels or predictions (rows,).
    """

    size_kb: float
    prepare: Callable[[Feeds], Any]
    call: Callable[[Any], Any]
    decide: Callable[[Array], Array]

    def values(self, feeds: Feeds) -> Array:
        """Labels or predictions, (rows,)."""
        return self.decide(np.asarray(self.call(self.prepare(feeds))))


@dataclass(frozen=True)
class Subject:
    """What a peer starts from: the fitted scikit-learn model, or the training rows of its split."""

    family: str
    estimator: Any
    part: Split
    trees: int
    nodes: int


def matrix(feeds: Feeds) -> Array:
    """The rows as float32 (rows, features)."""
    return feeds[NUMERIC_INPUT]


def treelite_gtil(subject: Subject) -> Peer:
    """treelite's general tree inference library, on the same trees."""
    import treelite

    model = treelite.sklearn.import_model(subject.estimator)
    call = partial(treelite.gtil.predict, model, nthread=1)
    return Peer(len(model.serialize_bytes()) / 1024, matrix, call, partial(decide, subject))


def tl2cgen_c(subject: Subject) -> Peer:
    """The same trees as C code, compiled by gcc; a call makes its DMatrix, as a user's does."""
    import tl2cgen
    import treelite

    if subject.nodes > COMPILE_NODES:
        raise RuntimeError(f"not compiled: more than {COMPILE_NODES:,} nodes")
    model = treelite.sklearn.import_model(subject.estimator)
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "model.treelite", Path(folder) / "model.so"
        model.serialize(source)
        compile_library(source, library, COMPILE_SECONDS)
        predictor = tl2cgen.Predictor(library, nthread=1)  # loaded: the file is not needed any more
        size_kb = library.stat().st_size / 1024

    def call(x: Array) -> Any:
        return predictor.predict(tl2cgen.DMatrix(x, dtype="float32"))

    return Peer(size_kb, matrix, call, partial(decide, subject))


def sklearn_intelex(subject: Subject) -> Peer:
    """scikit-learn-intelex: its own forests, fitted anew.

    It has no boosting: daal4py's form of the same trees takes its place.
    """
    import daal4py

    daal4py.daalinit(1)
    if subject.family in FORESTS:
        from sklearnex import ensemble

        plain = unfitted(subject.family, subject.part, subject.trees)
        model = getattr(ensemble, type(plain).__name__)(**plain.get_params()).set_params(n_jobs=1)
        fit(model, subject.part.train)
        return Peer(_pickled_kb(model), matrix, model.predict, np.ravel)
    import treelite

    converted = daal4py.mb.convert_model(treelite.sklearn.import_model(subject.estimator))
    labels = getattr(subject.estimator, "classes_", None)
    values = np.ravel if labels is None else lambda output: labels[np.ravel(output).astype(np.intp)]
    return Peer(_pickled_kb(converted), matrix, converted.predict, values)


def ydf_learner(subject: Subject) -> Peer:
    """Yggdrasil decision forests, fitted anew with similar settings.

    It has no extremely randomised trees.
    """
    import ydf

    if subject.family == "ExtraTrees":
        raise RuntimeError("has no extremely randomised trees")
    ydf.verbose(0)
    train = columns(subject.part.train.feeds)
    learner, settings = _ydf_settings(subject)
    common = {
        "num_threads": os.cpu_count(),
        "random_seed": subject.part.seed,
        "num_trees": subject.trees,
    }
    task = ydf.Task.REGRESSION if subject.part.is_regression else ydf.Task.CLASSIFICATION
    model = getattr(ydf, learner)(label="target", task=task, **common, **settings).train(
        train | {"target": subject.part.train.target}
    )
    labels = (
        None
        if subject.part.is_regression
        else np.array([int(name) for name in model.label_classes()])
    )
    return Peer(
        len(model.serialize()) / 1024,
        columns,
        partial(model.predict, num_threads=1),
        partial(_choose, labels),
    )


def _ydf_settings(subject: Subject) -> tuple[str, dict[str, Any]]:
    """The learner and settings nearest to scikit-learn's; ydf counts a root as depth 1."""
    if subject.family == "RandomForest":
        averaged = (
            {"num_candidate_attributes_ratio": 1.0}
            if subject.part.is_regression
            else {"winner_take_all": False}
        )
        lean = {"compute_oob_performances": False, "pure_serving_model": True}
        return "RandomForestLearner", {"max_depth": -1, "min_examples": 1, **averaged, **lean}
    whole = {
        "validation_ratio": 0.0,
        "early_stopping": "NONE",
        "shrinkage": 0.1,
        "pure_serving_model": True,
    }
    if subject.family == "GradientBoosting":
        return "GradientBoostedTreesLearner", {"max_depth": 4, "min_examples": 1, **whole}
    leaves = {
        "growing_strategy": "BEST_FIRST_GLOBAL",
        "max_num_nodes": 31,
        "max_depth": -1,
        "min_examples": 20,
    }
    return "GradientBoostedTreesLearner", leaves | whole


def columns(feeds: Feeds) -> dict[str, Array]:
    """The rows as ydf takes them fastest: an array per column, made before the clock starts."""
    return {f"f{i}": np.ascontiguousarray(column) for i, column in enumerate(matrix(feeds).T)}


def decide(subject: Subject, output: Array) -> Array:
    """Labels or predictions from treelite's values.

    These are (rows, 1, columns) or (rows, columns) probabilities or predictions.
    """
    return _choose(getattr(subject.estimator, "classes_", None), output.reshape(len(output), -1))


def _choose(labels: Array | None, output: Array) -> Array:
    if labels is None:
        return output.reshape(-1)
    scores = output.reshape(len(output), -1)
    best = scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0.5).astype(np.intp)
    chosen: Array = labels[best]
    return chosen


def _pickled_kb(model: object) -> float:
    return len(pickle.dumps(model)) / 1024


PEERS: dict[str, Callable[[Subject], Peer]] = {
    "treelite": treelite_gtil,
    "tl2cgen": tl2cgen_c,
    "sklearnex": sklearn_intelex,
    "ydf": ydf_learner,
}
ONCE = {"tl2cgen"}
"""Peers of the first split only: compiling takes long, and the trees are treelite's."""


def built(name: str, subject: Subject) -> Peer:
    """Return a peer by its name.

    Raises:
        RuntimeError: the model is too large; and what the other library raises.
    """
    if subject.nodes > MOST_NODES:
        raise RuntimeError(f"not tried: more than {MOST_NODES:,} nodes")
    return PEERS[name](subject)


def reason(error: Exception) -> str:
    """Why a peer is not in the table, in a few words."""
    if isinstance(error, ImportError):
        return f"not installed ({error})"[:80]
    words = " ".join(f"{error}".split()) or type(error).__name__
    return words if len(words) <= 80 else f"{words[:77]}..."
