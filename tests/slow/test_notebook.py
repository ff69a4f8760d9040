"""The notebook runs from a clean kernel in a clone, also against a server; it has no outputs."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from mlflow.tracking import MlflowClient
from nbclient import NotebookClient

from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.outputs import QUANTIZATION
from tests.conftest import ROOT
from tests.support.project import Project, finished_clone
from tests.support.servers import mlflow_server

NOTEBOOK = Path("notebooks/model_optimization.ipynb")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, chains: Path) -> Project:
    """A clone whose chain has run once."""
    return finished_clone(tmp_path_factory.mktemp("notebook") / "project", chains)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def executed(project: Project, server: str) -> Any:
    """The notebook after all of its cells have run, and the last ones again with a server."""
    notebook = nbformat.read(project.folder / NOTEBOOK, as_version=4)
    tracking = [copy.deepcopy(cell) for cell in notebook.cells if cell.cell_type == "code"][-3:]
    notebook.cells += [
        nbformat.v4.new_code_cell(f"os.environ['MLFLOW_TRACKING_URI'] = {server!r}"),
        *tracking,
    ]
    folder = project.folder / NOTEBOOK.parent
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        client.execute(env=project.environment())
    return notebook


def printed(cells: list[Any]) -> str:
    """Everything that cells have printed."""
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_its_tour_ends_where_the_pipeline_does(executed: Any, project: Project) -> None:
    said = printed(executed.cells)
    assert re.search(r"forest: ([\d.]+) KB -> ([\d.]+) KB", said)
    assert "plain     same label on 100.0% of the probe rows" in said
    assert "lossless  same label on 100.0% of the probe rows" in said
    assert "already published: run " in said
    assert read_json(project.folder / QUANTIZATION)["candidate"] in said
    assert "Traceback" not in said


def test_its_last_part_publishes_to_a_server_and_reads_from_there(
    executed: Any, server: str
) -> None:
    said = printed(executed.cells[-3:])
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("lab3-3-model-optimization")
    assert experiment
    (run,) = client.search_runs([experiment.experiment_id])
    assert f"  published: run {run.info.run_id}" in said
    assert run.info.run_name in said
    assert "'probabilities': array" in said


def test_no_library_complains_in_it(executed: Any) -> None:
    streams = [
        output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs
    ]
    assert [output.text for output in streams if output.get("name") == "stderr"] == []


def test_it_is_stored_without_outputs() -> None:
    notebook = nbformat.read(ROOT / NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
