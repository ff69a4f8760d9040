"""The notebook runs from a clean kernel in a clone, and is kept without outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from stages.common.files import QUANTIZATION, read_json
from tests.conftest import ROOT
from tests.project import Project, finished_clone

NOTEBOOK = Path("notebooks/model_optimization.ipynb")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone whose chain has run once."""
    return finished_clone(tmp_path_factory.mktemp("notebook") / "project")


@pytest.fixture(scope="module")
def executed(project: Project) -> Any:
    """The notebook after all of its cells have run."""
    notebook = nbformat.read(project.folder / NOTEBOOK, as_version=4)
    folder = project.folder / NOTEBOOK.parent
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        client.execute(env=project.environment())
    return notebook


def printed(notebook: Any) -> str:
    """Everything that its cells printed."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_its_tour_ends_where_the_pipeline_does(executed: Any, project: Project) -> None:
    said = printed(executed)
    assert re.search(r"forest: ([\d.]+) KB -> ([\d.]+) KB", said)
    assert "plain     same label on 100.0% of the probe rows" in said
    assert "lossless  same label on 100.0% of the probe rows" in said
    assert f"already published: run {read_json(project.folder / 'outputs/mlflow_run.json')['run_id']}" in said
    assert read_json(project.folder / QUANTIZATION)["candidate"] in said
    assert "Traceback" not in said


def test_no_library_complains_in_it(executed: Any) -> None:
    streams = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in streams if output.get("name") == "stderr"] == []


def test_it_is_stored_without_outputs() -> None:
    notebook = nbformat.read(ROOT / NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
