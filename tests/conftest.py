"""What several test files share: real rows, real models, and a folder that looks like a clone."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from hypothesis import settings

from onnxpress.conversion.converting import to_onnx
from onnxpress.pipeline.model_digest import digest_line
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("anywhere", deadline=None, derandomize=True, database=None)
settings.load_profile("anywhere")  # no test fails by the load of the machine, or by luck

SLOW = ROOT / "tests" / "slow"
"""Tests that clone, kill, or start servers and browsers for minutes: ``make proofs`` runs them."""

LONGEST = (
    "dvc",
    "page_commands",
    "rankers",
    "torch_programs",
    "sweep_queue",
    "kubeflow",
    "reproduce",
    "nasty_chain",
    "secrets_table",
    "stored_corpus",
    "sweep_cluster",
    "kubeflow_image",
    "publish_server",
    "nets",
    "bad_surroundings",
    "soak",
    "publish_errors",
    "stability",
    "notebook",
    "several_targets",
    "boosters",
    "publish",
    "publish_faults",
    "drift_metrics",
    "newcomer",
    "sweep_kills",
    "api_and_chain",
    "spark",
    "random_ensembles",
    "serve",
    "monitoring",
    "scores_scan",
    "onnxruntime_releases",
    "contributing",
    "trying",
    "held",
    "forest_faithful",
    "tables",
    "quantize",
)
"""Files that take longest, some with few tests: processes start with them, in this order."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of ``tests/slow/`` as proofs, and put the longest files first.

    Otherwise one process would run the last of them alone.

    Raises:
        pytest.UsageError: a proof lies elsewhere, where neither `make` target would run it.
    """
    items.sort(key=lambda item: _place(item.path.stem.removeprefix("test_")))
    for item in items:
        if SLOW in item.path.parents:
            item.add_marker("proof")
        elif item.get_closest_marker("proof"):
            raise pytest.UsageError(f"{item.nodeid} is marked as a proof; move it to tests/slow")


def _place(name: str) -> int:
    """The place of a file among the longest, and after them all for the others."""
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


def numeric_schema(
    features: int, task: str = "classification", target_std: float | None = None
) -> Schema:
    """The schema of an all-numeric table."""
    columns = tuple(Column(f"f{i}", "number", missing=False) for i in range(features))
    return Schema(
        "classification" if task == "classification" else "regression",
        "target",
        columns,
        target_std,
    )


def default_params(**overrides: Any) -> dict[str, Any]:
    """The content of the committed params.yaml, with ``section__key=value`` changed."""
    return changed(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")), **overrides)


def changed(content: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    """Params with ``section__key=value`` changed, in place."""
    for path, value in overrides.items():
        section, _, key = path.partition("__")
        if key:
            content[section][key] = value
        else:
            content[section] = value
    return content


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """Undo what a stage does to its process, here pytest's: signals and garbage collection."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    gc.enable()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with the default params.yaml, an empty data/ and outputs/."""
    (tmp_path / "data").mkdir()
    (tmp_path / "outputs").mkdir()
    write_params(tmp_path, default_params())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_params(folder: Path, content: dict[str, Any]) -> None:
    """Write a params file."""
    (folder / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def sign(folder: Path) -> None:
    """Write the digest of the fitted model in the project ``folder``, as train does."""
    (folder / "outputs" / "model.sha256").write_text(
        digest_line((folder / "outputs" / "model.joblib").read_bytes())
    )


def digits_rows(start: int = 0, stop: int | None = None) -> Rows:
    """Rows of the digits dataset as the pipeline feeds them."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Rows({"X": x[start:stop].astype(np.float32)}, y[start:stop].astype(np.int64))


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for :func:`tests.support.project.finished_clone`, one for all processes of a run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "chains"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def digits_mlp() -> Any:
    """An MLP with layers large enough for int8 to pay, fitted on the first 1,000 digits."""
    from sklearn.neural_network import MLPClassifier

    rows = digits_rows(0, 1000)
    model = MLPClassifier((256, 256), random_state=0, early_stopping=True, max_iter=30)
    return model.fit(rows.feeds["X"], rows.target)


@pytest.fixture(scope="session")
def digits_mlp_onnx(digits_mlp: Any) -> onnx.ModelProto:
    """The same MLP as ONNX."""
    return to_onnx(digits_mlp, numeric_schema(64), 12)


@pytest.fixture(scope="session")
def digits_forest() -> Any:
    """A forest of 10 trees, fitted on the first 1,000 digits."""
    from sklearn.ensemble import RandomForestClassifier

    rows = digits_rows(0, 1000)
    return RandomForestClassifier(10, random_state=0).fit(rows.feeds["X"], rows.target)


@pytest.fixture(scope="session")
def digits_forest_onnx(digits_forest: Any) -> onnx.ModelProto:
    """The same forest as ONNX."""
    return to_onnx(digits_forest, numeric_schema(64), 12)
