"""The reproducibility check finds a clone reproducible, and catches what is planted in it, in the right stage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import onnx
import pytest

from stages.common.onnx_model import to_bytes
from stages.reproduce.differences import difference
from tests.project import Project, finished_clone


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone whose lock is fresh and committed."""
    return finished_clone(tmp_path_factory.mktemp("reproduce") / "project", "evaluate")


def planted(finished: Project, folder: Path, file: str, old: str, new: str) -> Project:
    """The project with a line of its code changed, run again and committed."""
    project = finished.copy(folder)
    path = project.folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    project.run("dvc", "repro", "-q", "evaluate")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-q", "-m", "planted")
    return project


def test_a_clone_of_head_is_reproducible_on_the_kernels_of_every_cpu(finished: Project) -> None:
    done = finished.run("python", "-m", "stages.reproduce", "--cpu", "baseline")
    assert "10 of 10 outputs are reproducible" in done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "stage", "inside"),
    [
        (
            "stages/common/onnx_model.py",
            "    result.graph.name = GRAPH_NAME",
            "    result.graph.name = __import__('uuid').uuid4().hex",
            "convert",
            "field model.graph.name",
        ),
        ("stages/train/estimator.py", "dict.fromkeys(unseeded, seed)", "{}", "train", "attribute"),
        (
            "stages/evaluate/__main__.py",
            "        **compare_sizes(",
            "        'made_at': __import__('datetime').datetime.now().isoformat(), **compare_sizes(",
            "evaluate",
            "key made_at",
        ),
        (
            "stages/quantize/choice.py",
            '            "scoring": self.scoring,',
            '            "scoring": self.scoring, "folder": __import__("os").getcwd(),',
            "quantize",
            "key folder",
        ),
    ],
    ids=["uuid graph name", "unseeded estimator", "timestamp in metrics.json", "absolute path"],
)
def test_what_is_planted_is_caught_in_its_stage(
    finished: Project, tmp_path: Path, file: str, old: str, new: str, stage: str, inside: str
) -> None:
    project = planted(finished, tmp_path / "planted", file, old, new)
    done = project.run("python", "-m", "stages.reproduce", check=False)
    assert done.returncode == 5
    (line,) = done.stderr.splitlines()
    assert f"first in stage {stage!r}" in line
    assert "not deterministic" in line
    assert inside in line


def test_a_stale_lock_is_caught(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "stale")
    lock = project.folder / "dvc.lock"
    text = lock.read_text(encoding="utf-8")
    digest = re.search(r"path: outputs/model\.onnx\n\s+hash: md5\n\s+md5: (\w+)", text)
    assert digest
    lock.write_text(text.replace(digest[1], "f" * 32), encoding="utf-8")
    project.run("git", "commit", "-qam", "stale")
    done = project.run("python", "-m", "stages.reproduce", check=False)
    assert done.returncode == 5
    assert "DIFFERS: outputs/model.onnx (convert) equal in both clones but not the file of dvc.lock" in done.stdout


def test_the_first_difference_is_named(tmp_path: Path, digits_forest_onnx: onnx.ModelProto) -> None:
    for name, metrics in (("a.json", {"x": {"y": [1, 2]}}), ("b.json", {"x": {"y": [1, 3]}})):
        (tmp_path / name).write_text(json.dumps(metrics))
    assert difference(tmp_path / "a.json", tmp_path / "b.json") == "key x.y[1]: 2 and 3"
    (tmp_path / "a.onnx").write_bytes(to_bytes(digits_forest_onnx))
    (tmp_path / "b.onnx").write_bytes(to_bytes(digits_forest_onnx, packed=True))
    assert difference(tmp_path / "a.onnx", tmp_path / "b.onnx") == "the bytes differ, what they hold does not"
    changed = onnx.load_from_string(to_bytes(digits_forest_onnx))
    changed.graph.node[0].op_type = "Another"
    (tmp_path / "b.onnx").write_bytes(to_bytes(changed))
    assert "field model.graph.node[0].op_type" in difference(tmp_path / "a.onnx", tmp_path / "b.onnx")
