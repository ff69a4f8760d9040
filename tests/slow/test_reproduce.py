"""The reproducibility check passes a clone, and catches what is planted in it, in its stage."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import joblib
import onnx
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxpress.commands.reproduce.canonical import departure_from_canonical
from onnxpress.commands.reproduce.declarations import WATCH, undeclared
from onnxpress.commands.reproduce.differences import difference
from onnxpress.commands.reproduce.verdicts import Output, compare, promised
from onnxpress.graph.canonical import to_bytes
from tests.conftest import ROOT
from tests.support.programs import program
from tests.support.project import Project, finished_clone


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, chains: Path) -> Project:
    """A clone whose lock is fresh and committed."""
    return finished_clone(tmp_path_factory.mktemp("reproduce") / "project", chains, "package")


@dataclass(frozen=True)
class Fault:
    """A line of the code as it should not be, and the stage and words that the check finds."""

    file: str
    old: str
    new: str
    stage: str
    found: str


def planted(finished: Project, folder: Path, faults: Iterable[Fault]) -> Project:
    """The project with lines of its code changed and committed."""
    project = finished.copy(folder)
    for fault in faults:
        path = project.folder / fault.file
        text = path.read_text(encoding="utf-8")
        assert fault.old in text
        path.write_text(text.replace(fault.old, fault.new, 1), encoding="utf-8")
    project.run("git", "commit", "-qam", "planted")
    return project


def test_a_clone_of_head_is_reproducible_on_the_kernels_of_every_cpu(finished: Project) -> None:
    done = finished.run("python", "-m", "onnxpress", "reproduce", "--cpu", "baseline", "--json")
    answer = json.loads(done.stdout)
    assert answer["reproducible"] is True
    assert [verdict["word"] for verdict in answer["verdicts"]] == 14 * ["equal"]
    assert "14 of 14 outputs are reproducible" in done.stderr


THREADS_IN_MODEL = Fault(
    "stages/train.py",
    "dumped(estimator, train.estimator, train.trusted)",
    "__import__('pickle').dumps(estimator.set_params(n_jobs=2))",
    "train",
    "NOT CANONICAL: outputs/model.joblib (train) equal in both clones, perhaps by chance: "
    "attribute n_jobs: 2, a number of threads",
)
UNSEEDED_ESTIMATOR = Fault(
    "onnxpress/estimators/building.py",
    "dict.fromkeys(unseeded, seed)",
    "{}",
    "train",
    "DIFFERS: outputs/model.joblib (train) not deterministic: attribute",
)
UNDECLARED_FILE = Fault(
    "stages/train.py",
    "    params = load_params()",
    "    params = load_params(); open('outputs/test.parquet', 'rb').close()",
    "train",
    "UNDECLARED: outputs/test.parquet (train) is read, but deps of dvc.yaml do not",
)
UNDECLARED_PARAM = Fault(
    "stages/convert.py",
    "    schema = read_schema()",
    "    schema = read_schema(); params.benchmark.threads",
    "convert",
    "UNDECLARED: benchmark (convert) is read, but params of dvc.yaml do not declare it",
)
UNSORTED_OPSETS = Fault(
    "onnxpress/graph/canonical.py",
    "sorted(versions.items())",
    "sorted(versions.items(), reverse=True)",
    "convert",
    "NOT CANONICAL: outputs/model.onnx (convert) equal in both clones, perhaps by chance",
)
RANDOM_GRAPH_NAME = Fault(
    "onnxpress/graph/canonical.py",
    "    result.graph.name = GRAPH_NAME",
    "    result.graph.name = __import__('uuid').uuid4().hex",
    "convert",
    "DIFFERS: outputs/model.onnx (convert) not deterministic: field model.graph.name",
)
ORDER_OF_A_SET = Fault(
    "onnxpress/quantize/choice.py",
    '            "scoring": self.scoring,',
    '            "scoring": self.scoring, "whys": [*{v.reason for v in self.verdicts}],',
    "quantize",
    "DIFFERS: outputs/quantization.json (quantize) not deterministic: key whys[0]",
)
ABSOLUTE_PATH = Fault(
    "onnxpress/quantize/choice.py",
    '            "scoring": self.scoring,',
    '            "scoring": self.scoring, "folder": __import__("os").getcwd(),',
    "quantize",
    "DIFFERS: outputs/quantization.json (quantize) not deterministic: key folder",
)
TIMESTAMP = Fault(
    "stages/evaluate.py",
    "    metrics |= found.metrics |",
    "    metrics |= {'made_at': __import__('time').time_ns()} | found.metrics |",
    "evaluate",
    "DIFFERS: outputs/metrics.json (evaluate) not deterministic: key made_at",
)
PACKAGED_FOLDER = Fault(
    "stages/package.py",
    "    write_folder(SERVING, files)",
    "    files['repository/model/1/origin'] = __import__('os').getcwd().encode(); "
    "write_folder(SERVING, files)",
    "package",
    "DIFFERS: outputs/serving (package) not deterministic: repository/model/1/origin: line 1: ",
)


@pytest.mark.parametrize(
    "faults",
    [
        (UNSEEDED_ESTIMATOR,),
        (RANDOM_GRAPH_NAME, ABSOLUTE_PATH),
        (
            *(UNDECLARED_FILE, THREADS_IN_MODEL, UNDECLARED_PARAM),
            *(UNSORTED_OPSETS, ORDER_OF_A_SET, TIMESTAMP, PACKAGED_FOLDER),
        ),
    ],
    ids=["unseeded estimator", "what differs in each run", "what hides no other fault"],
)
def test_what_is_planted_is_caught_in_its_stage(
    finished: Project, tmp_path: Path, faults: tuple[Fault, ...]
) -> None:
    """Each run plants as many faults as can be found at once: none changes what another shows."""
    project = planted(finished, tmp_path / "planted", faults)
    until = faults[-1].stage
    done = project.run("python", "-m", "onnxpress", "reproduce", "--until", until, check=False)
    assert done.returncode == 5
    (line,) = done.stderr.splitlines()
    assert f"first in stage {faults[0].stage!r}" in line
    assert faults[0].found in line
    said = [each.strip() for each in done.stdout.splitlines()]
    for fault in faults:
        assert any(each.startswith(fault.found) for each in said), (fault, said)
    untouched = [each for each in said if each.startswith("equal: ") and "(prepare)" in each]
    assert len(untouched) == 4


def test_a_stale_lock_is_caught(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "stale")
    lock = project.folder / "dvc.lock"
    text = lock.read_text(encoding="utf-8")
    digest = re.search(r"path: outputs/test\.parquet\n\s+hash: md5\n\s+md5: (\w+)", text)
    assert digest
    lock.write_text(text.replace(digest[1], "f" * 32), encoding="utf-8")
    project.run("git", "commit", "-qam", "stale")
    done = project.run("python", "-m", "onnxpress", "reproduce", "--until", "prepare", check=False)
    assert done.returncode == 5
    assert (
        "DIFFERS: outputs/test.parquet (prepare) equal in both clones but not the file of dvc.lock"
        in done.stdout
    )


def test_a_hand_edited_output_is_caught_although_dvc_was_told_to_take_it(
    finished: Project, tmp_path: Path
) -> None:
    project = finished.copy(tmp_path / "edited")
    schema = project.folder / "outputs" / "schema.json"
    text = schema.read_text(encoding="utf-8")
    schema.write_text(text.replace('"target": "target"', '"target": "other"'), encoding="utf-8")
    project.run("dvc", "commit", "--force", "prepare")
    project.run("git", "commit", "-qam", "edited")
    words = ["python", "-m", "onnxpress", "reproduce", "--until", "prepare"]
    done = project.run(*words, check=False)
    assert done.returncode == 5
    assert (
        "first in stage 'prepare': DIFFERS: outputs/schema.json (prepare) "
        "equal in both clones but not" in done.stderr
    )


def test_the_other_stages_read_what_they_declare_too(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "watched")
    notes = tmp_path / "notes"
    notes.mkdir()
    for stage in ("benchmark", "plot", "gate", "package", "publish"):
        project.run(
            "python",
            "-m",
            program(stage),
            PYTHONPATH=str(WATCH),
            REPRODUCE_NOTES=str(notes),
            DVC_STAGE=stage,
        )
    assert "read outputs/latency.json" in (notes / "gate").read_text().splitlines()
    assert [str(verdict) for verdict in undeclared(project.folder, notes)] == []


@pytest.mark.parametrize(
    "facts",
    [
        "read README.md",
        "list notebooks",
        "read onnxpress/gates.py",
        "params gate",
        "params train.params",
        "params evaluate.score",
        "params (by another way than load_params)",
    ],
)
def test_a_fact_that_dvc_yaml_does_not_declare_is_named(tmp_path: Path, facts: str) -> None:
    (tmp_path / "convert").write_text(
        f"read onnxpress/conversion/trees.py\nread params.yaml\nparams convert\n{facts}\n"
    )
    (verdict,) = undeclared(ROOT, tmp_path)
    assert (verdict.stage, verdict.path) == ("convert", facts.partition(" ")[2])


def test_params_read_past_their_reader_are_noted(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 1")
    environment = {
        **os.environ,
        "PYTHONPATH": str(WATCH),
        "REPRODUCE_NOTES": str(tmp_path),
        "DVC_STAGE": "any",
    }
    subprocess.run(
        [sys.executable, "-c", "open('params.yaml').read()"],
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert (tmp_path / "any").read_text().splitlines() == [
        "params (by another way than load_params)",
        "read params.yaml",
    ]


def test_canonical_form_does_not_depend_on_the_hash_seed(
    tmp_path: Path, digits_forest_onnx: onnx.ModelProto
) -> None:
    onnx.save(digits_forest_onnx, tmp_path / "plain.onnx")
    program = """
import sys, onnx
from onnxpress.graph.canonical import to_bytes
model = onnx.load("plain.onnx")
del model.opset_import[:]
for item in {("", 12), ("", 9), ("ai.onnx", 11), ("ai.onnx.ml", 3), ("com.microsoft", 1), ("z", 1)}:
    model.opset_import.add(domain=item[0], version=item[1])
for key in {"one", "two", "three", "four"}:
    model.metadata_props.add(key=key, value=key)
sys.stdout.buffer.write(to_bytes(model))
"""
    made = set()
    for seed in "012345":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
        )
        made.add(done.stdout)
    (model,) = map(onnx.load_from_string, made)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [
        ("", 12),
        ("ai.onnx.ml", 3),
        ("com.microsoft", 1),
        ("z", 1),
    ]
    assert [entry.key for entry in model.metadata_props] == [
        "feature_names"
    ]  # what an exporter adds is no part of an artefact


def test_signs_of_a_file_that_is_not_canonical_are_named(
    tmp_path: Path, digits_forest_onnx: onnx.ModelProto
) -> None:
    (tmp_path / "a.json").write_text('{"a": [{"c": 1, "b": 2}]}')
    assert departure_from_canonical(tmp_path / "a.json") == "the keys c, b are not sorted"
    model = onnx.ModelProto()
    model.CopyFrom(digits_forest_onnx)
    onnx.save(model, tmp_path / "a.onnx")
    assert departure_from_canonical(tmp_path / "a.onnx") == ""
    model.producer_version = "1.20"
    onnx.save(model, tmp_path / "a.onnx")
    assert departure_from_canonical(tmp_path / "a.onnx") == "field model.producer_version: '1.20'"
    forest = RandomForestClassifier(2, n_jobs=3).fit([[0], [1]], [0, 1])
    joblib.dump(make_pipeline(StandardScaler(), forest), tmp_path / "a.joblib")
    assert (
        departure_from_canonical(tmp_path / "a.joblib")
        == "attribute steps[1][1].n_jobs: 3, a number of threads"
    )


def test_models_of_other_bytes_are_asked_whether_they_predict_the_same(
    finished: Project, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        shutil.copytree(finished.folder / "outputs", tmp_path / name)
    model = joblib.load(tmp_path / "one" / "model.joblib")
    model.verbose = 1
    joblib.dump(model, tmp_path / "other" / "model.joblib")
    found = difference(tmp_path / "one" / "model.joblib", tmp_path / "other" / "model.joblib")
    assert found == "attribute verbose: 0 and 1; predictions on the training rows are the same"
    graph = onnx.load(tmp_path / "one" / "model.onnx")
    graph.graph.node[0].name = "renamed"
    onnx.save(graph, tmp_path / "other" / "model.onnx")
    found = difference(tmp_path / "one" / "model.onnx", tmp_path / "other" / "model.onnx")
    assert found.endswith("and 'renamed'; predictions on the training rows are the same")
    model.estimators_ = model.estimators_[:1]
    joblib.dump(model, tmp_path / "other" / "model.joblib")
    found = difference(tmp_path / "one" / "model.joblib", tmp_path / "other" / "model.joblib")
    assert found.endswith("predictions on the training rows are not the same")


def test_a_clone_of_another_python_is_compared_with_the_other_clone_only(tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_text("3.99\n")
    assert promised(tmp_path) == {}
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_text("{}")
    verdict = compare(Output("evaluate", "a.json"), tmp_path / "one", tmp_path / "other", {})
    assert (
        str(verdict) == "equal: a.json (evaluate) between the clones; dvc.lock is of another Python"
    )


def test_the_first_different_file_of_a_folder_is_named_with_its_place(tmp_path: Path) -> None:
    for folder, text in (("one", "a: 1"), ("other", "a: 2")):
        (tmp_path / folder / "repository" / "iris").mkdir(parents=True)
        (tmp_path / folder / "same.md").write_text("same")
        (tmp_path / folder / "repository" / "iris" / "config.pbtxt").write_text(text)
    one, other = tmp_path / "one", tmp_path / "other"
    found = difference(one, other)
    assert found == "repository/iris/config.pbtxt: line 1: 'a: 1' and 'a: 2'"
    (other / "repository" / "more").write_text("")
    assert difference(one, other) == "files in one of them only: repository/more"


def test_the_first_difference_is_named(tmp_path: Path, digits_forest_onnx: onnx.ModelProto) -> None:
    for name, metrics in (("a.json", {"x": {"y": [1, 2]}}), ("b.json", {"x": {"y": [1, 3]}})):
        (tmp_path / name).write_text(json.dumps(metrics))
    assert difference(tmp_path / "a.json", tmp_path / "b.json") == "key x.y[1]: 2 and 3"
    (tmp_path / "a.onnx").write_bytes(to_bytes(digits_forest_onnx))
    (tmp_path / "b.onnx").write_bytes(to_bytes(digits_forest_onnx, packed=True))
    assert (
        difference(tmp_path / "a.onnx", tmp_path / "b.onnx")
        == "the bytes differ, what they hold does not"
    )
    changed = onnx.load_from_string(to_bytes(digits_forest_onnx))
    changed.graph.node[0].op_type = "Another"
    (tmp_path / "b.onnx").write_bytes(to_bytes(changed))
    assert (
        "field model.graph.node[0](TreeEnsembleClassifier).op_type: "
        "'TreeEnsembleClassifier' and 'Another'"
        in difference(tmp_path / "a.onnx", tmp_path / "b.onnx")
    )
