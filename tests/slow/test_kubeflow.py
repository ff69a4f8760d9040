"""The pipeline, run by KFP's own local runner against real MLflow and S3 servers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxpress.pipeline.inputs import read_rows, read_schema
from tests.conftest import ROOT
from tests.support.packaged import Packaged, served
from tests.support.project import QUICK, Project, clone
from tests.support.published import runs_of
from tests.support.servers import S3, free_port, mlflow_server, s3_server

KFP = ROOT / ".venv-kubeflow" / "bin" / "python"
RUN_LOCALLY = """
import json, sys
from kfp import local
from kubeflow.pipeline import pipeline
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1])
pipeline(**json.loads(sys.argv[2]))
"""
EXPERIMENT = "of the pipeline"
SETTINGS = {
    **{key.replace("__", "."): value for key, value in QUICK.items()},
    "publish.experiment": EXPERIMENT,
}


@dataclass(frozen=True)
class Ran:
    """A pipeline that has run once."""

    project: Project
    folder: Path
    log: str
    server: str
    s3: S3

    def outputs(self, task: str) -> Any:
        """What KFP's executor says that a task has made."""
        return json.loads((self.folder / task / "executor_output.json").read_text())

    def metadata(self, task: str, name: str) -> Any:
        """The metadata of an artefact."""
        (artifact,) = self.outputs(task)["artifacts"][name]["artifacts"]
        return artifact["metadata"]

    def step(self, module: str, arguments: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run one step again, with its own command."""
        command = [sys.executable, "-m", f"kubeflow.{module}", json.dumps(arguments)]
        return self.project.run(*command, check=False, **self.s3.variables())

    def chain(
        self, folder: Path, changes: Mapping[str, Any] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        """Run the step of the chain again, with other settings; what it makes is in ``folder``."""
        names = ("outputs", "metrics", "quantized", "page")
        arguments = {name: str(folder / name) for name in names}
        arguments |= {
            "rows": str(self.folder / "data" / "rows"),
            "target": "species",
            "settings": json.dumps({**SETTINGS, **changes}),
            "tracking_uri": self.server,
            "cache": f"s3://{self.s3.bucket}/cache",
        }
        return self.step("run_chain", arguments)

    def verify(
        self, outputs: Path, folder: Path, endpoint: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the step that verifies the published model."""
        arguments = {"outputs": str(outputs), "metrics": str(folder / "found")}
        arguments["endpoint"] = endpoint
        return self.step("verify_model", {**arguments, "tracking_uri": self.server})


def birds() -> pd.DataFrame:
    """Numbers, a category, gaps and labels in words."""
    draw = np.random.default_rng(0)
    species = draw.choice(["Adelie", "Gentoo", "Chinstrap"], 240)
    bill = draw.normal(40, 2, 240) + 8 * (species == "Gentoo")
    bill[::17] = np.nan
    island = np.where(species == "Chinstrap", "Dream", draw.choice(["Biscoe", "Dream"], 240))
    return pd.DataFrame({"bill": bill.round(1), "island": island, "species": species})


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("kubeflow")
    project = clone(folder / "project")
    with s3_server(folder) as s3:
        body = birds().to_csv(index=False).encode()
        s3.client().put_object(Bucket=s3.bucket, Key="birds.csv", Body=body)
        options = ("--artifacts-destination", f"s3://{s3.bucket}/mlflow")
        with mlflow_server(folder, *options, **s3.variables()) as server:
            arguments = {
                "source": f"s3://{s3.bucket}/birds.csv",
                "target": "species",
                "settings": json.dumps(SETTINGS),
                "tracking_uri": server,
                "cache": f"s3://{s3.bucket}/cache",
            }
            pipeline = [str(KFP), "-c", RUN_LOCALLY, str(folder / "kfp"), json.dumps(arguments)]
            done = project.run(
                *pipeline,
                check=True,
                ONNXPRESS_HOME=str(project.folder),
                ONNXPRESS_PYTHON=sys.executable,
                **s3.variables(),
            )
            (made,) = (folder / "kfp").iterdir()
            yield Ran(project, made, done.stdout + done.stderr, server, s3)


def test_the_committed_pipeline_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "kubeflow", tmp_path / "kubeflow")
    compiled = tmp_path / "kubeflow" / "pipeline.yaml"
    compiled.unlink()
    subprocess.run([KFP, "-m", "kubeflow.pipeline"], cwd=tmp_path, check=True)
    assert compiled.read_text() == (ROOT / "kubeflow" / "pipeline.yaml").read_text(), (
        "run make kubeflow"
    )


def test_the_table_comes_from_s3_byte_for_byte_under_its_name(ran: Ran) -> None:
    (table,) = (ran.folder / "data" / "rows").iterdir()
    assert table.name == "birds.csv"
    assert table.read_bytes() == birds().to_csv(index=False).encode()


def test_metrics_models_and_the_report_come_out(ran: Ran) -> None:
    outputs = ran.folder / "chain" / "outputs" / "outputs"
    metrics = json.loads((outputs / "metrics.json").read_text())
    assert ran.metadata("chain", "metrics").items() >= metrics.items()
    assert "quantized_latency_ms" in ran.metadata("chain", "metrics")
    handed_out = (ran.folder / "chain" / "quantized").read_bytes()
    assert handed_out == (outputs / "model_quantized.onnx").read_bytes()
    assert "<html" in (ran.folder / "chain" / "report").read_text(encoding="utf-8")


def test_settings_reach_the_run_and_there_is_exactly_one(ran: Ran) -> None:
    (run,) = runs_of(ran.server, EXPERIMENT)
    assert run.info.run_id == ran.outputs("chain")["parameterValues"]["run_id"]
    assert run.info.run_id == ran.metadata("chain", "quantized")["run_id"]
    assert run.info.run_name == "RandomForestClassifier on birds"
    assert run.data.params["train.params.n_estimators"] == "10"
    commit = ran.project.run("git", "rev-parse", "HEAD").stdout.strip()
    assert run.data.tags["git_commit"] == commit


def test_the_published_model_is_verified(ran: Ran) -> None:
    found = ran.metadata("verify", "metrics")
    proved = ran.metadata("chain", "metrics")["quantized_agreement"]
    assert found["published_agreement"] == pytest.approx(proved, abs=1e-5)
    assert found["test_rows"] == 48


def test_a_second_run_takes_the_stages_from_s3_and_finds_the_run(ran: Ran, tmp_path: Path) -> None:
    done = ran.chain(tmp_path)
    assert done.returncode == 0, done.stderr
    again = [line for line in done.stdout.splitlines() if line.startswith("Running stage")]
    # git keeps metrics.json, so DVC's cache does not have it; publish asks the server
    assert again == ["Running stage 'evaluate':", "Running stage 'publish':"]
    assert "already published" in done.stdout
    assert len(runs_of(ran.server, EXPERIMENT)) == 1


def test_a_broken_gate_fails_the_step_and_publishes_nothing(ran: Ran, tmp_path: Path) -> None:
    done = ran.chain(tmp_path, {"gate.max_size_ratio": 1e-6, "publish.experiment": "gated"})
    assert done.returncode == 3, done.stderr
    assert "max_size_ratio" in done.stderr.splitlines()[-1]
    assert runs_of(ran.server, "gated") == []
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_setting_is_one_line(ran: Ran, tmp_path: Path) -> None:
    done = ran.chain(tmp_path, {"quantize.levle": "auto"})
    assert done.returncode == 2
    assert done.stderr.startswith("chain: settings.yaml")
    assert "did you mean 'level'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_dead_server_is_found_before_anything_is_computed(ran: Ran, tmp_path: Path) -> None:
    dead = Ran(ran.project, ran.folder, "", f"http://127.0.0.1:{free_port()}", ran.s3)
    done = dead.chain(tmp_path)
    assert done.returncode == 4
    assert "Running stage" not in done.stdout
    assert "cannot be reached" in done.stderr


def handed_out(ran: Ran, folder: Path) -> Path:
    return shutil.copytree(ran.folder / "chain" / "outputs", folder / "outputs")


def test_another_model_than_the_published_one_is_found(ran: Ran, tmp_path: Path) -> None:
    folder = handed_out(ran, tmp_path)
    shutil.copyfile(folder / "outputs/model.onnx", folder / "outputs/model_quantized.onnx")
    done = ran.verify(folder, tmp_path)
    assert (done.returncode, "another model" in done.stderr) == (3, True), done.stderr


def test_another_agreement_than_was_proved_is_found(ran: Ran, tmp_path: Path) -> None:
    folder = handed_out(ran, tmp_path)
    path = folder / "outputs/metrics.json"
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps({**metrics, "quantized_agreement": 0.5}))
    done = ran.verify(folder, tmp_path)
    assert (done.returncode, "0.5" in done.stderr) == (3, True), done.stderr


def test_a_run_that_is_not_in_the_server_is_reported(ran: Ran, tmp_path: Path) -> None:
    folder = handed_out(ran, tmp_path)
    path = folder / "outputs/mlflow_run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "run_id": "0" * 32}))
    done = ran.verify(folder, tmp_path)
    assert done.returncode == 4, done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_endpoint_that_serves_the_model_is_verified_too(ran: Ran, tmp_path: Path) -> None:
    folder = handed_out(ran, tmp_path)
    schema = read_schema(folder / "outputs" / "schema.json")
    packaged = Packaged(folder, read_rows(folder / "outputs" / "test.parquet", schema), schema)
    with served(packaged) as server:
        done = ran.verify(folder, tmp_path, server.address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "48 test rows" in done.stdout
    dead = ran.verify(folder, tmp_path, server.address)
    assert dead.returncode == 4, dead.stdout + dead.stderr


def test_no_credential_is_in_what_is_kept(ran: Ran) -> None:
    kept = [path for path in ran.folder.rglob("*") if path.is_file()]
    for secret in (ran.s3.secret_key, ran.s3.access_key):
        assert secret not in ran.log
        assert not [path for path in kept if secret.encode() in path.read_bytes()]
