"""Fitted models that came as skops or ONNX files, or from other packages, in the stages."""

from __future__ import annotations

import ctypes
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import numpy as np
import onnx
import onnxmltools
import pandas as pd
import pytest
import skl2onnx
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx.common.data_types import FloatTensorType as SkFloat
from skl2onnx.common.data_types import StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skops import io as skops

from onnxpress.errors import UserError
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.predicting import by_class
from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.trained_model import checked_original
from onnxpress.runtime.sessions import load_session, predict_onnx
from stages import benchmark, convert, evaluate, prepare, quantize, train
from tests.conftest import default_params, digits_rows, numeric_schema, write_params
from tests.support.project import QUICK
from tests.support.skops_files import call, skops_file, value


class Marks:
    """Leaves a mark where it is made."""

    def __init__(self) -> None:
        Path("mark").touch()


def chain(*stages: Any, **changes: Any) -> None:
    """Run stages with these params, and rows to calibrate on."""
    write_params(
        Path(),
        default_params(
            **{**QUICK, "data__calibration_size": 0.2, "quantize__level": "lossless", **changes}
        ),
    )
    for stage in stages:
        stage.main()


def given(name: str, model: Any) -> str:
    """Store a model under models/; returns its path."""
    path = Path("models", name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return str(path)


def breast_cancer() -> tuple[Any, Any]:
    x, y = load_breast_cancer(return_X_y=True)
    return x.astype(np.float32), y


def outputs_of(model: onnx.ModelProto) -> list[str]:
    return [value.name for value in model.graph.output]


def opset_of(model: onnx.ModelProto) -> int:
    return {entry.domain: int(entry.version) for entry in model.opset_import}[""]


@pytest.fixture
def memory() -> Iterator[Callable[[int], Any]]:
    """Sets what glibc leaves in memory that nobody has written yet (mallopt, M_PERTURB)."""
    fill = partial(getattr(ctypes.CDLL(None), "mallopt", max), -6)
    yield fill
    fill(0)


# skops


def test_a_skops_file_becomes_the_same_joblib_file_each_time(
    workspace: Path, memory: Callable[[int], Any]
) -> None:
    rows = digits_rows(0, 300)
    forest = GradientBoostingClassifier(n_estimators=2, random_state=0).fit(
        rows.feeds["X"], rows.target
    )
    network = MLPClassifier((5,), tol=1e9, n_iter_no_change=1, random_state=0)
    for name, model in {
        "trees": forest,
        "network": network.fit(rows.feeds["X"], rows.target),
    }.items():
        path = given(f"{name}.skops", skops.dumps(model))
        chain(prepare, data__source="digits", train__model_path=path)
        dumps = []
        for filling in (85, 17):
            memory(filling)
            train.main()
            dumps.append((workspace / "outputs" / "model.joblib").read_bytes())
        assert dumps[0] == dumps[1]
        loaded = load_original(Path("outputs/model.joblib"))
        assert np.array_equal(
            loaded.predict_proba(rows.feeds["X"]), model.predict_proba(rows.feeds["X"])
        )


def test_a_skops_file_with_a_class_that_is_not_trusted_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    skops.dump({"model": Ridge(), "more": Marks()}, "bad.skops")
    Path("mark").unlink()
    with pytest.raises(
        UserError, match=rf"bad.skops names {Marks.__module__}.Marks, which no fitted estimator"
    ):
        load_original(Path("bad.skops"))
    assert not Path("mark").exists()
    load_original(Path("bad.skops"), [f"{Marks.__module__}.Marks"])
    assert not Path(
        "mark"
    ).exists()  # an object of a trusted class gets its state without a call of __init__


def test_train_refuses_a_skops_file_of_a_good_forest_with_a_command_in_it(workspace: Path) -> None:
    rows = digits_rows(0, 300)
    forest = RandomForestClassifier(2, random_state=0).fit(rows.feeds["X"], rows.target)
    with zipfile.ZipFile(io.BytesIO(skops.dumps(forest))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    root = json.loads(members.pop("schema.json"))
    root["content"]["content"]["verbose"] = call("os", "system", value("touch mark"))
    path = given("forest.skops", skops_file(root, members))
    chain(prepare, data__source="digits", train__model_path=path)
    with pytest.raises(
        UserError,
        match=r"forest.skops calls os.system, which no fitted estimator of scikit-learn does",
    ):
        train.main()
    assert not (workspace / "mark").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"hello"], ids=["empty", "begun", "text"])
def test_a_damaged_skops_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.skops").write_bytes(content)
    with pytest.raises(UserError, match="is not a whole skops file"):
        load_original(tmp_path / "a.skops")
    with zipfile.ZipFile(tmp_path / "a.skops", "w") as file:
        file.writestr("schema.json", "{}")
    with pytest.raises(UserError, match="is not a whole skops file"):
        load_original(tmp_path / "a.skops")


# ONNX


def test_a_forest_with_a_zipmap_goes_through_the_chain_and_agrees_with_itself(
    workspace: Path,
) -> None:
    rows = digits_rows(0, 800)
    forest = RandomForestClassifier(5, random_state=0).fit(rows.feeds["X"], rows.target)
    path = given("forest.onnx", skl2onnx.to_onnx(forest, rows.feeds["X"][:1], target_opset=15))
    chain(
        prepare,
        train,
        convert,
        quantize,
        evaluate,
        benchmark,
        data__source="digits",
        train__model_path=path,
    )
    model = onnx.load("outputs/model.onnx")
    assert outputs_of(model) == ["label", "probabilities"]
    assert "ZipMap" not in {node.op_type for node in model.graph.node}
    assert opset_of(model) == opset_of(onnx.load(path))
    answer = predict_onnx(load_session(Path("outputs/model.onnx")), rows.feeds)
    assert answer.proper
    assert np.array_equal(answer.values, forest.predict(rows.feeds["X"]))
    assert answer.scores == pytest.approx(forest.predict_proba(rows.feeds["X"]), abs=1e-6)
    metrics = read_json(workspace / "outputs" / "metrics.json")
    assert (
        metrics["onnx_agreement"],
        metrics["onnx_probe_agreement"],
        metrics["quantized_probe_agreement"],
    ) == (1, 1, 1)
    assert metrics["quantized_size_kb"] < metrics["onnx_size_kb"] / 2
    assert set(read_json(workspace / "outputs" / "latency_detail.json")["load"]) == {
        "original",
        "onnx",
        "quantized",
    }


def converted(kind: str) -> tuple[onnx.ModelProto, Any]:
    """An ONNX model by some converter, and who made it."""
    x, y = breast_cancer()
    name = [("input", FloatTensorType([None, 30]))]
    if kind == "lightgbm":
        lgbm = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, random_state=0).fit(x, y)
        return onnxmltools.convert_lightgbm(lgbm, initial_types=name, target_opset=15), lgbm
    if kind == "xgboost":  # declares ai.onnx.ml alone
        boosted = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(x, y)
        return onnxmltools.convert_xgboost(boosted, initial_types=name, target_opset=15), boosted
    line = (
        RidgeClassifier(solver="svd")
        if kind == "scores"
        else LogisticRegression(solver="liblinear")
    ).fit(x, y)
    if kind == "columns":
        names = load_breast_cancer().feature_names
        columns = [(str(name).replace(" ", "_"), SkFloat([None, 1])) for name in names]
        together = make_pipeline(ColumnTransformer([("all", "passthrough", list(range(30)))]), line)
        return skl2onnx.convert_sklearn(
            together.fit(x, y), initial_types=columns, target_opset=12
        ), line
    sample = x[:1].astype(np.float64) if kind == "float64" else x[:1]
    return skl2onnx.to_onnx(
        line, sample, target_opset=9 if kind == "old" else 12, options={"zipmap": False}
    ), line


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost", "scores", "columns", "float64", "old"])
def test_models_of_other_converters_get_the_contract_and_keep_their_answers(
    workspace: Path, kind: str
) -> None:
    model, source = converted(kind)
    chain(
        prepare,
        train,
        convert,
        data__source="breast_cancer",
        train__model_path=given("a.onnx", model),
    )
    x, _ = breast_cancer()
    made = onnx.load("outputs/model.onnx")
    assert [(value.name, len(value.type.tensor_type.shape.dim)) for value in made.graph.input] == [
        ("X", 2)
    ]
    answer = predict_onnx(load_session(Path("outputs/model.onnx")), {"X": x})
    assert (
        np.mean(answer.values == source.predict(x)) > 0.99
    )  # float32 where scikit-learn has float64
    assert outputs_of(made) == ["label", "scores" if kind == "scores" else "probabilities"]
    original = checked_original(load_original(Path("outputs/model.joblib")), read_schema())
    said = (
        by_class(original.decision_function(x).reshape(len(x), -1))
        if kind == "scores"
        else original.predict_proba(x)
    )
    if kind == "scores":
        decided = source.decision_function(x)
        assert answer.scores == pytest.approx(
            np.column_stack([-decided, decided]), rel=1e-4, abs=1e-4
        )
    assert answer.scores == pytest.approx(said, abs=1e-6)
    assert workspace


@pytest.mark.parametrize("columns", [1, 2])
def test_scores_with_the_lesser_one_at_the_label_are_turned(workspace: Path, columns: int) -> None:
    x, y = breast_cancer()
    source = RidgeClassifier(solver="svd").fit(x, y)
    model = skl2onnx.to_onnx(source, x[:1], target_opset=12, options={"zipmap": False})
    (scores,) = (
        output
        for output in model.graph.output
        if output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    )
    model.graph.node.append(onnx.helper.make_node("Neg", [scores.name], ["turned"]))
    pair = [scores.name, "turned"]  # d and -d
    model.graph.node.append(onnx.helper.make_node("Concat", pair[-columns:], ["s"], axis=1))
    scores.CopyFrom(
        onnx.helper.make_tensor_value_info("s", onnx.TensorProto.FLOAT, [None, columns])
    )
    chain(
        prepare,
        train,
        convert,
        data__source="breast_cancer",
        train__model_path=given("a.onnx", model),
    )
    answer = predict_onnx(load_session(Path("outputs/model.onnx")), {"X": x})
    assert answer.scores is not None
    assert (answer.scores.argmax(axis=1) == answer.values).all()
    decided = source.decision_function(x)
    assert answer.scores == pytest.approx(np.column_stack([-decided, decided]), rel=1e-4, abs=1e-4)
    assert workspace


def test_mixed_columns_and_a_regressor(workspace: Path) -> None:
    (workspace / "data" / "x.csv").write_text(
        "a,b,y\n" + "".join(f"{i},{'uvw'[i % 3]},{i * 1.5 + i % 3}\n" for i in range(90))
    )
    chain(prepare, data__source="data/x.csv", data__target="y", data__task="regression")
    frame = pd.DataFrame(
        {"a": np.arange(90, dtype=np.float64), "b": [("u", "v", "w")[i % 3] for i in range(90)]}
    )
    target = np.arange(90) * 1.5 + np.arange(90) % 3
    encode = ColumnTransformer(
        [("n", "passthrough", ["a"]), ("c", OneHotEncoder(sparse_output=False), ["b"])]
    )
    model = make_pipeline(encode, Ridge()).fit(frame, target)
    types = [("a", SkFloat([None, 1])), ("b", StringTensorType([None, 1]))]
    path = given(
        "ridge.onnx", skl2onnx.convert_sklearn(model, initial_types=types, target_opset=13)
    )
    chain(
        train,
        convert,
        data__source="data/x.csv",
        data__target="y",
        data__task="regression",
        train__model_path=path,
    )
    rows = read_rows(workspace / "outputs" / "test.parquet", read_schema())
    answer = predict_onnx(load_session(Path("outputs/model.onnx")), rows.feeds)
    assert answer.values == pytest.approx(
        model.predict(pd.DataFrame({name: values[:, 0] for name, values in rows.feeds.items()})),
        rel=1e-5,
    )


# packages besides scikit-learn, and threads


def test_a_booster_of_another_package_is_loaded_when_its_classes_are_trusted(
    workspace: Path,
) -> None:
    x, y = breast_cancer()
    classes = ["xgboost.sklearn.XGBClassifier", "xgboost.core.Booster"]
    model = xgboost.XGBClassifier(n_estimators=3)
    Path("models").mkdir()
    joblib.dump(model.fit(x, y), "models/a.joblib")
    with pytest.raises(UserError, match=r"names xgboost\."):
        load_original(Path("models/a.joblib"))
    chain(
        prepare,
        data__source="breast_cancer",
        train__model_path="models/a.joblib",
        train__trust=classes,
    )
    train.main()
    convert.main()
    rows = read_rows(workspace / "outputs" / "test.parquet", read_schema())
    answer = predict_onnx(load_session(Path("outputs/model.onnx")), rows.feeds)
    assert np.array_equal(answer.values, model.predict(rows.feeds["X"]))
    loaded = checked_original(load_original(Path("models/a.joblib"), classes), numeric_schema(30))
    assert loaded.n_jobs == 1
    assert np.array_equal(loaded.predict(x), model.predict(x))


OBJECTS = {
    "lightgbm.LGBMClassifier": (
        lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1),
        ["lightgbm.LGBMClassifier", "lightgbm.Booster"],
    ),
    "catboost.CatBoostClassifier": (
        catboost.CatBoostClassifier(
            iterations=3, verbose=0, thread_count=1, allow_writing_files=False
        ),
        ["catboost.core.CatBoostClassifier"],
    ),
}
"""Unfitted objects, and the classes to trust."""


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_of_a_booster_converts_when_its_classes_are_trusted(name: str) -> None:
    x, y = breast_cancer()
    Path("models").mkdir()
    model, trusted = OBJECTS[name]
    model.fit(x, y)
    joblib.dump(model, "models/a.joblib")
    chain(
        prepare,
        train,
        convert,
        data__source="breast_cancer",
        train__model_path="models/a.joblib",
        train__trust=trusted,
    )
    rows = read_rows(Path("outputs/test.parquet"), read_schema())
    found = predict_onnx(load_session(Path("outputs/model.onnx")), rows.feeds)
    expected = np.asarray(model.predict_proba(rows.feeds["X"]))
    assert found.scores is not None
    assert np.abs(found.scores - expected).max() < 1e-6


@pytest.mark.usefixtures("workspace")
def test_a_given_model_forgets_its_threads() -> None:
    rows = digits_rows(0, 300)
    forest = RandomForestClassifier(3, n_jobs=-1, random_state=0).fit(rows.feeds["X"], rows.target)
    Path("models").mkdir()
    joblib.dump(forest, "models/a.joblib")
    chain(prepare, train, data__source="digits", train__model_path="models/a.joblib")
    assert load_original(Path("outputs/model.joblib")).n_jobs is None
    assert (
        checked_original(load_original(Path("models/a.joblib")), read_schema(), threads=2).n_jobs
        is None
    )
