"""The files in real releases of onnxruntime.

Right answers, fast loading, and the releases that are named as bad.

Each release gets a virtual environment of its own, made once with uv and kept in the user's cache.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import onnx
import onnxmltools
import pandas as pd
import pytest
import xgboost
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray
from onnx import helper
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier

from onnxpress.boosters.catboost_categories import with_categories
from onnxpress.boosters.catboost_training import file_of
from onnxpress.certify.evidence import bad_onnxruntime, min_onnxruntime
from onnxpress.commands.certify.known_graphs import COLUMNS, trees_of_codes
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.booster_estimator import BoosterClassifier
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.options import Objective, Options
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema
from tests.support.ensemble_checks import tried, unset
from tests.support.forest_probes import outputs as forest_outputs
from tests.support.random_ensembles import Spec, specs
from tests.support.random_ensembles import made as ensemble_of
from tests.support.random_ensembles import model as model_of
from tests.support.random_ensembles import rows as rows_of

RELEASES = ("1.21.1", "1.22.1", "1.23.2", "1.24.4", "1.25.1", "1.26.0", "1.27.0", "1.28.0")
ASK = """
import json, sys, time
import numpy as np, onnxruntime as ort
options = ort.SessionOptions()
options.log_severity_level = 3
x, answers, seconds = np.load(sys.argv[1]), {}, {}
for path in sys.argv[3:]:
    tries = []
    for _ in range(5):
        start = time.process_time()
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        tries.append(time.process_time() - start)
    seconds[path] = min(tries)
    label, scores = session.run(None, {"X": x})
    answers[path + ":label"], answers[path + ":scores"] = label, scores
np.savez(sys.argv[2], **answers)
print(json.dumps(seconds))
"""


def cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (
        Path(root) / "onnxpress-tests" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    )


def python_with(release: str) -> Path:
    """The interpreter of an environment with that onnxruntime; made if it is not there."""
    folder = cache() / f"onnxruntime-{release}"
    cache().mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # another run of the tests may make it too
        return made_in(folder, release)


def made_in(folder: Path, release: str) -> Path:
    """The same in a folder that nobody else writes to meanwhile."""
    python, done = folder / "bin" / "python", folder / "complete"
    if done.exists():
        return python
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    shutil.rmtree(folder, ignore_errors=True)
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    for command in (
        [uv, "venv", "-q", "-p", sys.executable, str(folder)],
        [uv, "pip", "install", "-q", "-p", str(python), f"onnxruntime=={release}", "numpy"],
    ):
        made = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=300
        )
        if made.returncode:
            pytest.skip(
                f"no package index gives onnxruntime {release}: {made.stderr.strip()[-200:]}"
            )
    done.touch()
    return python


def breast_cancer() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    x, y = load_breast_cancer(return_X_y=True)
    return x.astype(np.float32), y


def codes() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Two columns of 100 codes and 28 of numbers."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1500, 30)).astype(np.float32)
    x[:, :2] = random.integers(0, 100, (1500, 2))
    effects = random.normal(size=(2, 100))
    y = effects[0][x[:, 0].astype(int)] + effects[1][x[:, 1].astype(int)] + x[:, 2] > 0
    return x, y.astype(np.int64)


FORESTS: dict[str, Any] = {
    "stump": DecisionTreeClassifier(max_depth=1),
    "forest": RandomForestClassifier(20, random_state=0),
    "extra trees, text labels": ExtraTreesClassifier(5, random_state=0),
    "gradient boosting": GradientBoostingClassifier(n_estimators=10, random_state=0),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=10, random_state=0),
}


Right = dict[str, tuple[NDArray[Any], NDArray[Any]]]
"""The right labels and scores by file."""


@pytest.fixture(scope="module")
def forest_files(tmp_path_factory: pytest.TempPathFactory) -> Right:
    """Each binary forest's files from convert and quantize, with scikit-learn's answers."""
    x, y = breast_cancer()
    folder = tmp_path_factory.mktemp("forests")
    right: Right = {}
    for name, estimator in FORESTS.items():
        estimator.fit(x, np.array(["bad", "good"])[y] if "text" in name else y)
        model = to_onnx(estimator, numeric_schema(30), 12)
        files = {"model": to_bytes(model)}
        for ml_opset in (3, 5):
            files[f"lossless {ml_opset}"] = to_bytes(
                rewrite_trees(model, ml_opset=ml_opset), packed=True
            )
        for form, content in files.items():
            path = folder / f"{name}, {form}.onnx"
            path.write_bytes(content)
            assert bad_onnxruntime(onnx.load_from_string(content)) == []
            right[str(path)] = estimator.predict(x), estimator.predict_proba(x)
    return right


@pytest.fixture(scope="module")
def code_files(tmp_path_factory: pytest.TempPathFactory) -> Right:
    """A LightGBM model with codes, plain and lossless, and LightGBM's own answers."""
    x, y = codes()
    booster = lightgbm.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1, max_cat_to_onehot=1)
    booster.fit(x, y, categorical_feature=[0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = onnxmltools.convert_lightgbm(
            booster,
            initial_types=[("X", FloatTensorType([None, 30]))],
            target_opset=15,
            zipmap=False,
        )
    for entry in model.opset_import:
        entry.version = 12 if not entry.domain else entry.version
    folder = tmp_path_factory.mktemp("codes")
    right: Right = {}
    for form, made in {
        "plain": model,
        **{f"lossless {ml}": rewrite_trees(model, ml_opset=ml) for ml in (3, 5)},
    }.items():
        path = folder / f"codes, {form}.onnx"
        path.write_bytes(to_bytes(made, packed=form != "plain"))
        right[str(path)] = np.asarray(booster.predict(x)), np.asarray(booster.predict_proba(x))
    return right


@pytest.fixture(scope="module")
def set_files(tmp_path_factory: pytest.TempPathFactory) -> Right:
    """Models with sets of codes as they are read from the libraries' files, and lossless.

    The right answers are the libraries' own; CatBoost's codes are texts to it.
    """
    x, y = codes()
    native = native_boosters(x, y)
    folder = tmp_path_factory.mktemp("sets")
    right: Right = {}
    for library, (data, expected) in native.items():
        names = tuple(f"f{place}" for place in range(30))
        model = to_onnx(BoosterClassifier(library, data, names, (0, 1)), numeric_schema(30), 12)
        forms = {"plain": model, **{f"{ml}": rewrite_trees(model, ml_opset=ml) for ml in (3, 5)}}
        for form, made in forms.items():
            path = folder / f"{library}, {form}.onnx"
            path.write_bytes(to_bytes(made, packed=form != "plain"))
            right[str(path)] = (expected > 0.5).astype(int), np.stack([1 - expected, expected], 1)
    return right


def native_boosters(
    x: NDArray[np.float32], y: NDArray[np.int64]
) -> dict[str, tuple[bytes, NDArray[np.float64]]]:
    """Native bytes by library, and the probability of the second class of each row."""
    light = lightgbm.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1, max_cat_to_onehot=1)
    light.fit(x, y, categorical_feature=[0, 1])
    types = ["c", "c", *["float"] * 28]
    matrix = xgboost.DMatrix(x, y, feature_types=types, enable_categorical=True, nthread=1)
    parameters = {"objective": "binary:logistic", "max_cat_to_onehot": 1, "nthread": 1}
    extreme = xgboost.train(parameters, matrix, 20)
    frame = pd.DataFrame(x).astype({0: int, 1: int})
    cat = catboost.CatBoostClassifier(
        iterations=20, verbose=0, allow_writing_files=False, thread_count=1, random_seed=0
    ).fit(frame, y, cat_features=[0, 1])
    listed = {place: [int(one) for one in np.unique(x[:, place])] for place in (0, 1)}
    return {
        "lightgbm": (
            light.booster_.model_to_string().encode(),
            np.asarray(light.predict_proba(x))[:, 1],
        ),
        "xgboost": (
            bytes(extreme.save_raw("ubj")),
            np.asarray(extreme.predict(matrix), np.float64),
        ),
        "catboost": (
            with_categories(file_of(cat), listed),
            np.asarray(cat.predict_proba(frame))[:, 1],
        ),
    }


def asked(
    release: str, x: NDArray[np.float32], paths: list[str], folder: Path
) -> tuple[dict[str, Any], dict[str, float]]:
    """What the release answers to ``x`` by file, and the seconds on a core to load each file."""
    np.save(folder / "x.npy", x)
    command = [
        str(python_with(release)),
        "-c",
        ASK,
        str(folder / "x.npy"),
        str(folder / "answers.npz"),
        *paths,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    with np.load(folder / "answers.npz", allow_pickle=True) as answers:
        return dict(answers), json.loads(done.stdout)


def wrong(answers: dict[str, Any], right: Right) -> list[str]:
    """The files whose labels differ, or whose probabilities differ by more than float32 rounds."""
    found = []
    for path, (label, scores) in right.items():
        same = (answers[f"{path}:label"] == label).all() and np.abs(
            answers[f"{path}:scores"] - scores
        ).max() < 1e-5
        if not same:
            found.append(Path(path).stem)
    return found


@pytest.mark.parametrize("release", RELEASES)
def test_binary_forests_are_answered_rightly(
    release: str, forest_files: Right, tmp_path: Path
) -> None:
    answers, _ = asked(release, breast_cancer()[0], list(forest_files), tmp_path)
    assert wrong(answers, forest_files) == []


@pytest.mark.parametrize("release", [*RELEASES, "1.29.0", "1.30.0"])
def test_sets_of_codes_are_answered_rightly_and_load_fast(
    release: str, code_files: Right, set_files: Right, tmp_path: Path
) -> None:
    right = code_files | set_files
    answers, seconds = asked(release, codes()[0], list(right), tmp_path)
    assert wrong(answers, right) == []
    plain = next(path for path in code_files if "plain" in path)
    assert all(seconds[path] <= 2 * seconds[plain] + 0.05 for path in right)
    assert all(bad_onnxruntime(onnx.load(path)) == [] for path in right)


def one_class_form(
    x: NDArray[np.float32], y: NDArray[np.int64]
) -> tuple[onnx.ModelProto, DecisionTreeClassifier]:
    """A tree as skl2onnx itself writes it: the scores of one class of two."""
    estimator = DecisionTreeClassifier(max_depth=1).fit(x, y)
    tree = estimator.tree_
    shares = tree.value[:, 0, 1].astype(np.float32)
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["X"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[int(tree.feature[0]), 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_values=[float(tree.threshold[0]), 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0, 0],
        class_nodeids=[1, 2],
        class_ids=[0, 0],
        class_weights=[float(shares[1]), float(shares[2])],
        classlabels_int64s=[0, 1],
    )
    value = helper.make_tensor_value_info
    outputs = [
        value("label", onnx.TensorProto.INT64, [None]),
        value("probabilities", onnx.TensorProto.FLOAT, [None, 2]),
    ]
    graph = helper.make_graph(
        [node], "g", [value("X", onnx.TensorProto.FLOAT, [None, 30])], outputs
    )
    opsets = [helper.make_opsetid("", 12), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=7), estimator


@pytest.mark.parametrize("release", RELEASES)
def test_the_releases_named_as_bad_are_the_ones_that_answer_wrongly(
    release: str, tmp_path: Path
) -> None:
    x, y = breast_cancer()
    model, estimator = one_class_form(x, y)
    path = tmp_path / "one class.onnx"
    path.write_bytes(model.SerializeToString())
    right = {str(path): (estimator.predict(x), estimator.predict_proba(x))}
    answers, _ = asked(release, x, [str(path)], tmp_path)
    assert (wrong(answers, right) != []) == (release in bad_onnxruntime(model))


@pytest.mark.parametrize("release", RELEASES)
def test_releases_that_mix_up_codes_are_named_and_the_lossless_form_is_right(
    release: str, tmp_path: Path
) -> None:
    x = np.zeros((200, COLUMNS), np.float32)
    x[:, 0] = np.arange(-50, 50, 0.5)
    for codes in (
        [1.0, 3.0, 5.0],
        [40.0, 41.0],
        [1.0, 3.0, 5.0, 40.0, 41.0],
        [1.5, 2.5, 7.0],
        [-3.0, 0.0, 2.0],
    ):
        inside = np.isin(x[:, 0], codes)
        scores = np.where(inside, 1.0, -1.0)[:, None] * np.array([-1.0, 1.0])
        model, right = trees_of_codes(codes), {}
        forms = {"plain": model, "lossless 5": rewrite_trees(model, ml_opset=5)}
        for form, made in forms.items():
            path = tmp_path / f"{form}.onnx"
            path.write_bytes(made.SerializeToString())
            right[str(path)] = inside.astype(np.int64), scores
        answers, _ = asked(release, x, list(right), tmp_path)
        assert ("plain" in wrong(answers, right)) == (release in bad_onnxruntime(model))
        assert ("lossless 5" in wrong(answers, right)) == (
            release in bad_onnxruntime(forms["lossless 5"])
        )


@pytest.mark.parametrize("release", ["1.21.1", "1.26.0", "1.27.0"])
@pytest.mark.parametrize("load", [load_breast_cancer, load_iris, load_digits])
def test_refined_forests_are_answered_alike(load: Any, release: str, tmp_path: Path) -> None:
    x, y = load(return_X_y=True)
    x = x.astype(np.float32)
    forest = RandomForestClassifier(30, random_state=0).fit(x, y)
    model = to_onnx(forest, numeric_schema(x.shape[1]), 12)
    right = {}
    from onnxpress.runtime.sessions import open_session, predict_onnx

    objectives: tuple[Objective, ...] = ("size", "latency")
    for objective in objectives:
        options = Options(level="refined", objective=objective)
        rung = forest_candidates(model, options)[0]
        small = to_bytes(rung.apply(model, Rows({"X": x}, y)), packed=True)
        path = tmp_path / f"refined for {objective}.onnx"
        path.write_bytes(small)
        answer = predict_onnx(open_session(small), {"X": x})
        assert answer.scores is not None
        right[str(path)] = answer.values, answer.scores
    answers, _ = asked(release, x, list(right), tmp_path)
    assert wrong(answers, right) == []


Ensembles = list[tuple[Spec, onnx.ModelProto]]


@pytest.fixture(scope="module")
def ensembles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ensembles]:
    """Random ensembles as given and as written, each with rows and the present answers to them."""
    folder, models = tmp_path_factory.mktemp("ensembles"), Ensembles()

    @settings(
        max_examples=300,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(spec=specs())
    def drawn(spec: Spec) -> None:
        if unset(spec):
            return
        ensemble = ensemble_of(spec)
        original, x = model_of(ensemble), rows_of(ensemble, 60)
        for small in (original, *filter(None, (tried(original, 3), tried(original, 5)))):
            wanted = forest_outputs(small, x)
            stem = folder / str(len(models))
            models.append((spec, small))
            stem.with_suffix(".onnx").write_bytes(small.SerializeToString())
            arrays: Any = {f"out{i}": np.asarray(value) for i, value in enumerate(wanted)}
            np.savez(stem.with_suffix(".npz"), x=x, **arrays)

    drawn()
    return folder, models


WRONG_ONES = """
import pathlib, sys
import numpy as np, onnxruntime as ort
options = ort.SessionOptions()
options.log_severity_level = 4
def same(one, other):
    if other.dtype.kind == "f":
        return np.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)
    return (one == other).all()
for name in sys.argv[2:]:
    path = pathlib.Path(sys.argv[1]) / f"{name}.onnx"
    with np.load(path.with_suffix(".npz"), allow_pickle=True) as known:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        found = session.run(None, {"X": known["x"]})
        if not all(same(value, known[f"out{i}"]) for i, value in enumerate(found)):
            print(path.stem)
"""


@pytest.mark.parametrize("release", [*RELEASES, "1.29.0", "1.30.0"])
def test_releases_that_compute_an_ensemble_otherwise_are_named(
    release: str, ensembles: tuple[Path, Ensembles]
) -> None:
    folder, models = ensembles
    minor = tuple(map(int, release.split(".")[:2]))
    promised = []
    for number, (_, model) in enumerate(models):
        too_old = tuple(map(int, min_onnxruntime(model).split("."))) > minor
        if not too_old and release not in bad_onnxruntime(model):
            promised.append(str(number))  # some releases end the process on others
    command = [str(python_with(release)), "-c", WRONG_ONES, str(folder), *promised]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert [models[int(number)][0] for number in done.stdout.split()] == []
