"""Models in real runtimes of others, installed from the package index into the user's cache."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import onnxpress
from onnxpress.certify.comparing import Outcome, finding
from onnxpress.certify.environments import NotToBeHad, installed
from onnxpress.certify.evidence import right_releases
from onnxpress.certify.replaying import replay
from onnxpress.commands.line.group import run
from onnxpress.errors import UserError
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.runtimes import runtime_of
from tests.conftest import default_params, write_params
from tests.support.oblivious_forests import hard_rows, random_forest, regressor, walked

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
FOREST = RandomForestClassifier(20, random_state=0).fit(X, Y)
PLAIN = onnxpress.convert(FOREST, X)
MODELS = {
    "plain": PLAIN.SerializeToString(),
    "lossless 3": to_bytes(rewrite_trees(PLAIN, ml_opset=3), packed=True),
    "lossless 5": to_bytes(rewrite_trees(PLAIN, ml_opset=5), packed=True),
}
RUNS = {
    "onnxruntime==1.16.3": {"plain", "lossless 3"},
    "onnxruntime==1.20.1": {"plain", "lossless 3"},
    "onnxruntime==1.21.1": {"plain", "lossless 3", "lossless 5"},
    "onnx==1.23.2": {"plain", "lossless 3", "lossless 5"},
    "tract==0.23.9": {"plain"},
    "openvino==2026.4.1": set(),
    "onnxruntime-node==1.30.0": {"plain", "lossless 3", "lossless 5"},
    "onnxruntime-web==1.30.0": {"plain", "lossless 3", "lossless 5"},
    "onnxruntime-aarch64==1.27.0": {"plain", "lossless 3", "lossless 5"},
}
"""The models that each runs; ai.onnx.ml 5 has a kernel from onnxruntime 1.21 on."""
NEEDS = {
    "onnxruntime-node": "npm",
    "onnxruntime-web": "chromium",
    "onnxruntime-aarch64": "qemu-aarch64",  # and debootstrap, which takes most of a minute once
}


@pytest.mark.parametrize("name", RUNS)
def test_a_runtime_gives_the_answers_of_scikit_learn_or_says_that_it_has_no_kernel(
    name: str,
) -> None:
    runtime = runtime_of(name)
    needed = NEEDS.get(runtime.kind, "")
    if needed and not shutil.which(needed) and not os.environ.get("CI"):
        pytest.skip(f"no {needed}")
    answers = replay(installed(runtime), MODELS, {"X": X})
    ran = {model for model, answer in answers.items() if not answer.error}
    assert ran == RUNS[name], [answer.error for answer in answers.values()]
    for model in ran:
        label, probabilities = answers[model].outputs
        np.testing.assert_array_equal(label, FOREST.predict(X))
        np.testing.assert_allclose(probabilities, FOREST.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("name", ["openvino==2026.4.1", "tract==0.23.9"])
def test_refined_forests_of_any_number_of_columns_sum_up_exactly(name: str) -> None:
    forests = {str(columns): random_forest(9, 4, columns) for columns in (1, 2, 3, 5, 11)}
    models = {key: regressor(forest).SerializeToString() for key, forest in forests.items()}
    rows = np.concatenate([hard_rows(forest) for forest in forests.values()])
    answers = replay(installed(runtime_of(name)), models, {"X": rows})
    for key, answer in answers.items():
        assert not answer.error, (key, answer.error)
        np.testing.assert_array_equal(answer.outputs[0], walked(forests[key], rows))


def test_text_inputs_are_not_tried_in_tract() -> None:
    table = pd.DataFrame({"kind": ["a", "b"] * 10, "size": np.arange(20.0)})
    encoded = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    fitted = make_pipeline(encoded, DecisionTreeClassifier()).fit(table, [0, 1] * 10)
    model = onnxpress.convert(fitted, table).SerializeToString()
    feeds = {"kind": table[["kind"]].to_numpy(object), "size": table[["size"]].to_numpy(np.float32)}
    answer = replay(installed(runtime_of("tract==0.23.9")), {"text": model}, feeds)["text"]
    found = finding((np.zeros(20, int), np.zeros((20, 2))), answer)
    assert found.outcome is Outcome.NOT_TRIED
    assert found.reason == "text inputs are not tried in tract: its package takes numbers"


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
@pytest.mark.parametrize("release", ["1.16.3", "1.20.1"])
def test_the_table_of_releases_says_what_a_release_does(release: str) -> None:
    svc = SVC(probability=True, random_state=0).fit(X, Y)
    graphs = {f"Add, opset {opset}": added(opset) for opset in range(8, 28)}
    graphs["svc"] = onnxpress.convert(svc, X)
    models = {name: graph.SerializeToString() for name, graph in graphs.items()}
    answers = replay(installed(runtime_of(f"onnxruntime=={release}")), models, {"X": X})
    for name, graph in graphs.items():
        runs = not answers[name].error
        assert runs == (release in right_releases(graph)), (name, answers[name].error)
        if runs:
            np.testing.assert_array_equal(answers[name].outputs[0], X + X)


def added(opset: int) -> onnx.ModelProto:
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Add", ["X", "X"], ["y"])
    shape = onnx.TensorProto.FLOAT, [None, 4]
    graph = onnx.helper.make_graph([node], "g", [value("X", *shape)], [value("y", *shape)])
    opsets = [onnx.helper.make_opsetid("", opset)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=7)


def test_a_version_that_does_not_exist_is_not_to_be_had() -> None:
    with pytest.raises(NotToBeHad, match="does not install"):
        installed(runtime_of("onnxruntime==1.20.999"))


def test_the_command_lists_every_runtime_that_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = tmp_path / "forest.onnx", tmp_path / "rows.csv"
    model.write_bytes(MODELS["lossless 5"])
    columns = [f"f{place}" for place in range(4)]
    pd.DataFrame(X, columns=columns).assign(kind=Y).to_csv(data, index=False)
    names = ["onnxruntime==1.20.1", "onnxruntime==1.21.1", "onnxruntime==1.20.999"]
    words = ["certify", str(model), "--data", str(data), "--target", "kind", "--json"]
    for name in names:
        words += ["--runtime", name]
    run(words)
    found = json.loads(capsys.readouterr().out)
    results = {entry["runtime"]: entry["models"]["forest.onnx"] for entry in found["runtimes"]}
    assert list(results) == names
    refused, equal, absent = results.values()
    assert refused["outcome"] == "does not run"
    assert "TreeEnsemble" in refused["reason"]
    assert equal["outcome"] == "answers equally"
    assert equal["agreeing_rows"] == equal["rows"] == 150 + found["rows"]["probe"]
    assert absent["outcome"] == "not tried"
    assert found["times"][names[1]]["forest.onnx"]["row_ms"] > 0


def test_the_search_falls_back_to_the_form_that_runs_in_the_runtimes_of_the_gate(
    workspace: Path,
) -> None:
    from stages import convert, prepare, quantize, train

    settings: dict[str, Any] = {
        "train__params": {"n_estimators": 20},
        "quantize__level": "lossless",
        "gate__runtimes": ["onnxruntime==1.20.1"],
    }
    write_params(workspace, default_params(**settings))
    for stage in (prepare, train, convert, quantize):
        stage.main()
    content = json.loads((workspace / "outputs/quantization.json").read_text())
    assert content["runtimes"] == {"onnxruntime==1.20.1": "answers equally"}
    assert content["candidate"] == "forest/lossless"
    settings["gate__runtimes"] = ["openvino==2026.4.1"]
    write_params(workspace, default_params(**settings))
    quantize.main()
    content = json.loads((workspace / "outputs/quantization.json").read_text())
    outcomes = {each["name"]: each["outcome"] for each in content["candidates"]}
    assert outcomes["forest/lossless"] == "not everywhere"
    assert content["candidate"] == "none"
    assert content["runtimes"]["openvino==2026.4.1"].startswith("does not run: ")


def test_a_runtime_of_the_gate_that_cannot_be_had_is_one_line_before_the_work(
    workspace: Path,
) -> None:
    from onnxpress.certify.elsewhere import elsewhere

    with pytest.raises(UserError, match=r"^gate\.runtimes names onnxruntime==1\.20\.999, and it"):
        elsewhere([runtime_of("onnxruntime==1.20.999")], {}, "gate.runtimes")
    assert list((workspace / "outputs").iterdir()) == []
