"""CONTRIBUTING's examples apply to the code as it is and do what they say, and its commands run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.support import pages
from tests.support.project import Project, finished_clone

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
IN_PAGES = {line for block in pages.other_blocks(pages.PAGES) for line in block.splitlines()}
"""Commands that README or docs/ show too, and whose test runs them."""
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()
]
LEAVES_OUT = """
import numpy as np
import onnx
from sklearn.linear_model import Lasso
from onnxpress import convert
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.unused import unused
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows

rng = np.random.default_rng(0)
columns = 5000
rows = Rows({"X": rng.normal(size=(200, columns)).astype("f")}, rng.normal(size=200))
estimator = Lasso(alpha=0.2).fit(rows.feeds["X"], rows.target)
assert 0 < np.count_nonzero(estimator.coef_) < columns / 10
plain = convert(estimator, rows.feeds["X"])
smaller = unused(plain, rows)
onnx.checker.check_model(smaller, full_check=True)
sessions = [open_session(to_bytes(model)) for model in (plain, smaller)]
predictions = [predict_onnx(session, rows.feeds).values for session in sessions]
assert np.allclose(*predictions, atol=1e-5)
# A float attribute takes 5 bytes.
assert len(to_bytes(plain)) - len(to_bytes(smaller)) > 0.8 * 5 * columns
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, chains: Path) -> Project:
    """A clone with both examples applied."""
    project = finished_clone(tmp_path_factory.mktemp("contributing") / "project", chains, "convert")
    for diff in re.findall(r"```diff\n(.*?)```", TEXT, re.DOTALL):
        (project.folder.parent / "example.diff").write_text(diff, encoding="utf-8")
        project.run("git", "apply", "../example.diff")
    changed = project.run("git", "ls-files", "-mo", "--exclude-standard", "*.py").stdout.split()
    project.run("ruff", "check", *changed)
    project.run("ruff", "format", "--check", *changed)
    project.run("git", "add", "-A")
    project.run("git", "commit", "-q", "-m", "both examples")
    return project


@pytest.mark.parametrize(
    "command", [line for line in COMMANDS if not line.startswith("make") and line not in IN_PAGES]
)
def test_every_command_works(command: str, project: Project) -> None:
    project.run(*[word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)])


@pytest.mark.parametrize("command", re.findall(r"`(make \w+|bash [.\w/]+)`", TEXT))
def test_every_check_is_run_by_ci(command: str) -> None:
    assert command in ("make docs", "bash .ci/run") or f"step {command}" in pages.RUN_BY_CI


def test_the_example_of_a_method_gets_its_verdict_and_does_what_it_is_for(project: Project) -> None:
    project.change(quantize__method="unused")
    project.run("python", "-m", "stages.quantize")
    (verdict,) = json.loads((project.folder / "outputs/quantization.json").read_text())[
        "candidates"
    ]
    assert verdict["outcome"] == "unchanged"
    project.run("python", "-c", LEAVES_OUT)


def test_the_example_of_a_data_source_reads_what_the_csv_reader_reads(project: Project) -> None:
    penguins = project.folder / "data" / "penguins.csv"
    pd.read_csv(penguins).to_json(penguins.with_suffix(".jsonl"), orient="records", lines=True)
    said = []
    for suffix in ("csv", "jsonl"):
        project.change(data__source=f"data/penguins.{suffix}", data__target="species")
        said.append(project.run("python", "-m", "stages.prepare").stdout.replace(suffix, ""))
    assert said[0] == said[1]
    (penguins.with_suffix(".jsonl")).write_text("no json\n")
    broken = project.run("python", "-m", "stages.prepare", check=False)
    assert broken.returncode == 2
    assert "should hold a JSON object per line" in broken.stderr
