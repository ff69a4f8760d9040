"""A repository of the first edition goes on after `onnxpress migrate`, under real DVC."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.conftest import ROOT, changed
from tests.support.first_edition import LOCK, PIPELINE, first_params
from tests.support.project import QUICK, clone


def test_the_chain_runs_after_the_migration(tmp_path: Path) -> None:
    project = clone(tmp_path / "project")
    quick = {**QUICK, "gate__max_accuracy_drop": QUICK["gate__max_drop"]["score"]}
    del quick["gate__max_drop"]
    content = changed(yaml.safe_load(first_params()), **quick)
    for name, text in {
        "params.yaml": yaml.safe_dump(content, sort_keys=False),
        "dvc.yaml": PIPELINE,
        "dvc.lock": LOCK,
    }.items():
        (project.folder / name).write_text(text, encoding="utf-8")
    project.run("git", "commit", "-qam", "merged, with our files kept")

    said = project.run("python", "-m", "onnxpress", "migrate").stdout
    assert "changed: params.yaml: train.trust: [] (the default) was added" in said
    assert "changed: dvc.yaml: it names stages/prepare" in said
    assert "left to you: dvc.lock: it names stages/common" in said
    assert (project.folder / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()

    project.run("dvc", "repro", "-q", "gate")
    assert (project.folder / "outputs" / "gate.json").exists()
    said = project.run("python", "-m", "onnxpress", "migrate").stdout
    assert said == "  nothing to migrate\n"
