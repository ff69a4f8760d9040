"""The pipeline under real DVC: what runs again after a change, and what does not."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import psutil
import pytest
import skl2onnx
import yaml
from mlflow.tracking import MlflowClient

from onnxpress.engine.starting import local_cluster
from onnxpress.pipeline.outputs import PICTURES
from tests.support.project import CHAIN, Project, finished_clone
from tests.support.publish_fixtures import LIBRARY_WARNINGS

COMPUTED = [
    *("model.joblib", "model.sha256", "model.onnx", "model_quantized.onnx"),
    *("metrics.json", "quantization.json", "predictions.csv"),
]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, chains: Path) -> Project:
    """A project whose chain has run once, committed."""
    return finished_clone(tmp_path_factory.mktemp("finished") / "project", chains)


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project to change."""
    return finished.copy(tmp_path / "project")


def test_a_second_repro_runs_nothing(project: Project) -> None:
    assert project.repro() == []
    assert project.mlflow_runs() == 1
    assert project.run("dvc", "status", "-q", check=False).returncode == 0


@dataclass(frozen=True)
class Changed:
    """A project after an experiment in place, and the stages that this has run."""

    project: Project
    ran: list[str]


@pytest.fixture(scope="session")
def untreated(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Changed:
    """The finished project with a method of quantisation that treats nothing."""
    project = finished.copy(tmp_path_factory.mktemp("untreated") / "project")
    before = project.times()
    project.run("dvc", "exp", "run", "-q", "-S", "quantize.method=dynamic")
    return Changed(
        project, [stage for stage, time in project.times().items() if time != before[stage]]
    )


def test_an_experiment_in_place_runs_only_what_its_change_can_affect(untreated: Changed) -> None:
    assert untreated.ran == CHAIN[3:]
    assert untreated.project.mlflow_runs() == 2


def test_a_method_that_treats_nothing_is_recorded_with_its_reason(untreated: Changed) -> None:
    outputs = untreated.project.folder / "outputs"
    metrics = json.loads((outputs / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["quantized_modified"] == 0
    verdict = json.loads((outputs / "quantization.json").read_text(encoding="utf-8"))
    assert verdict["method"] == "none"
    assert [entry["name"] for entry in verdict["candidates"]] == ["dynamic"]
    assert "no matrix product" in verdict["candidates"][0]["reason"]


def test_a_change_of_publish_runs_publish_alone(project: Project) -> None:
    project.change(publish__experiment="another")
    assert project.repro() == ["publish"]
    assert project.mlflow_runs() == 2


def test_a_cluster_makes_nothing_stale_and_the_same_bytes(project: Project) -> None:
    lock, outputs = project.folder / "dvc.lock", project.folder / "outputs"
    with local_cluster(2) as cluster:
        project.change(engine__scheduler=cluster.scheduler_address)
        assert project.repro() == []
        before = yaml.safe_load(lock.read_text())["stages"]["quantize"]
        (outputs / "model_quantized.onnx").unlink()
        done = project.run("dvc", "repro", "--force", "--single-item", "quantize")
        assert "forest/lossless" in done.stdout
        assert yaml.safe_load(lock.read_text())["stages"]["quantize"] == before
        project.run("dvc", "repro", "-q", "--force", "--single-item", "publish")
    assert project.mlflow_runs() == 1


def test_without_its_cluster_a_stage_ends_with_one_line_and_goes_on_later(project: Project) -> None:
    project.change(engine__scheduler="tcp://127.0.0.1:9", quantize__method="none")
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("quantize: ")]
    assert line.startswith("quantize: engine.scheduler tcp://127.0.0.1:9 does not answer (")
    project.change(engine__scheduler=None)
    assert project.repro("quantize") == ["quantize"]


def test_a_change_of_package_runs_package_and_publish(project: Project) -> None:
    project.change(package__max_batch_size=64)
    assert project.repro() == ["package", "publish"]


def test_a_change_of_the_seed_makes_stale_what_draws_random_numbers(project: Project) -> None:
    project.change(seed=7)
    stale = {
        stage
        for stage, reasons in status_of(project).items()
        for reason in reasons
        if "seed" in reason.get("changed deps", {}).get("params.yaml", {})
    }
    assert stale - {"publish"} == {"prepare", "train", "quantize", "evaluate", "benchmark"}


def test_an_edited_stage_whose_output_comes_out_the_same_stops_the_cascade(
    project: Project,
) -> None:
    append(project.folder / "stages" / "gate.py", "# a remark")
    assert project.repro() == ["gate"]
    assert project.mlflow_runs() == 1


def test_a_changed_file_in_data_runs_prepare_and_stops_where_its_rows_are_the_same(
    project: Project,
) -> None:
    (project.folder / "data" / "unused.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert project.repro() == ["prepare"]


def test_an_upgraded_library_makes_every_computing_stage_stale(project: Project) -> None:
    append(project.folder / "requirements/main.lock", "# upgraded")
    stale = {
        stage
        for stage, reasons in status_of(project).items()
        for reason in reasons
        if "requirements/main.lock" in reason.get("changed deps", {})
    }
    assert stale >= {"prepare", "train", "convert", "quantize", "evaluate", "benchmark", "plot"}


def test_byte_code_of_a_first_run_makes_nothing_stale(project: Project) -> None:
    assert list((project.folder / "stages").rglob("*.pyc"))
    for path in (project.folder / "stages").rglob("*.pyc"):
        path.unlink()
    assert project.repro() == []


def test_leftovers_of_editors_make_nothing_stale(project: Project) -> None:
    for name in (
        "gates.py~",
        ".gates.py.swp",
        ".#gates.py",
        "#gates.py#",
        ".DS_Store",
        ".ipynb_checkpoints/x.py",
        ".ruff_cache/x",
    ):
        path = project.folder / "onnxpress/pipeline" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x", encoding="utf-8")
    assert fresh(project) == ""
    assert project.repro() == []


def test_metrics_params_and_plots_can_be_compared_with_the_commit(untreated: Changed) -> None:
    project = untreated.project
    metrics = json.loads(project.run("dvc", "metrics", "diff", "--json").stdout)
    assert metrics["outputs/metrics.json"]["quantized_modified"] == {"old": 1, "new": 0, "diff": -1}
    assert "quantized_latency_ms" in metrics["outputs/latency.json"]
    params = json.loads(project.run("dvc", "params", "diff", "--json").stdout)
    assert params["params.yaml"]["quantize.method"] == {"old": "auto", "new": "dynamic"}
    shown = json.loads(project.run("dvc", "metrics", "show", "--json").stdout)
    assert set(shown[""]["data"]) == {"outputs/metrics.json", "outputs/latency.json"}
    for command in (["show"], ["diff", "HEAD"]):
        plots = json.loads(project.run("dvc", "plots", *command, "--json").stdout)
        assert set(plots["data"]) == {str(path) for path in PICTURES.values()}
    page = Path(
        project.run("dvc", "plots", "diff", "HEAD", "--out", "plots")
        .stdout.strip()
        .removeprefix("file://")
    )
    assert {path.name for path in page.parent.rglob("*.png")} >= {
        "HEAD_outputs_plots_size.png",
        "workspace_outputs_plots_size.png",
    }
    assert "http" not in page.read_text(encoding="utf-8")  # nothing is loaded from elsewhere


def test_a_failed_gate_blocks_publish_says_why_and_keeps_every_artefact(project: Project) -> None:
    project.change(gate__max_size_ratio=0.0001)
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("gate:")]
    assert "max_size_ratio" in line
    assert (
        json.loads((project.folder / "outputs" / "gate.json").read_text())["max_size_ratio"][
            "passed"
        ]
        is False
    )
    assert (
        not (project.folder / "outputs" / "mlflow_run.json").exists() or project.mlflow_runs() == 1
    )
    assert all((project.folder / "outputs" / name).exists() for name in COMPUTED)
    assert "plot" not in json.loads(
        project.run("dvc", "status", "--json").stdout
    )  # the pictures show what failed
    project.change(gate__max_size_ratio=1.0)
    assert set(project.repro()) <= {"gate", "package", "publish"}


def test_an_unreachable_server_keeps_everything_and_a_later_repro_runs_publish_alone(
    project: Project,
) -> None:
    project.change(publish__tracking_uri="http://127.0.0.1:9", publish__experiment="another")
    project.change(package__max_batch_size=64)
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert len([line for line in done.stderr.splitlines() if line.startswith("publish:")]) == 1
    assert "Traceback" not in done.stderr
    configured = project.folder / "outputs/serving/repository/model/config.pbtxt"
    assert "max_batch_size: 64" in configured.read_text(encoding="utf-8")
    project.change(publish__tracking_uri=None)
    assert project.repro() == ["publish"]
    assert project.mlflow_runs() == 2


@LIBRARY_WARNINGS[0]
def test_a_model_given_as_onnx_goes_all_the_way(project: Project) -> None:
    outputs, given = project.folder / "outputs", project.folder / "models" / "forest.onnx"
    forest = joblib.load(outputs / "model.joblib")
    onnx.save(
        skl2onnx.to_onnx(forest, np.zeros((1, 4), np.float32), target_opset=15), given
    )  # with a ZipMap
    project.change(train__model_path="models/forest.onnx", data__calibration_size=0.2)
    assert project.repro()[-1] == "publish"
    published = json.loads((outputs / "mlflow_run.json").read_text(encoding="utf-8"))
    client = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    run = client.get_run(published["run_id"])
    assert (run.info.status, run.data.params["train.model_path"]) == (
        "FINISHED",
        "models/forest.onnx",
    )
    assert "forest.onnx" in run.info.run_name
    assert "scikit-learn" not in project.run("dvc", "repro", "-f", "-s", "gate").stdout
    (model,) = [
        model
        for model in client.search_logged_models([run.info.experiment_id])
        if model.source_run_id == run.info.run_id
    ]
    assert model.status.name == "READY"


def test_a_users_mistake_ends_with_one_line_and_no_traceback(project: Project) -> None:
    project.change(data__source="data/none.csv")
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if line.startswith("prepare:")] == [
        (
            "prepare: params.yaml: data.source names 'data/none.csv', which does not exist; "
            "put the file there or correct the name"
        )
    ]
    assert "Traceback" not in done.stdout + done.stderr


def lock_of(project: Project, stage: str) -> object:
    """What dvc.lock says of a stage."""
    return yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))["stages"][
        stage
    ]


def status_of(project: Project) -> dict[str, Any]:
    """What DVC says is not up to date, by stage."""
    return dict(json.loads(project.run("dvc", "status", "--json").stdout))


def append(path: Path, line: str) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")


def imports_numpy(module: str, pid: int) -> bool:
    """Whether the stage ``module`` runs below ``pid`` and has loaded numpy.

    By then it has recorded what it depends on, and it still has everything to do.
    """
    with suppress(psutil.Error):
        return any(
            "numpy" in loaded.path
            for child in psutil.Process(pid).children(recursive=True)
            if module in child.cmdline()
            for loaded in child.memory_maps()
        )
    return False


def test_what_is_edited_while_a_stage_runs_is_not_recorded_as_what_ran(project: Project) -> None:
    before = lock_of(project, "benchmark")
    project.change(benchmark__max_seconds=2, benchmark__n_iterations=10**7)
    command = ["dvc", "repro", "benchmark"]
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as repro:
        while not imports_numpy("stages.benchmark", repro.pid):
            assert repro.poll() is None
            time.sleep(0.05)
        project.change(benchmark__threads=2)
        append(project.folder / "onnxpress/benchmark/measure.py", "# a remark")
        _, told = repro.communicate()
    assert repro.returncode != 0
    assert [line for line in told.splitlines() if line.startswith("benchmark: ")] == [
        (
            "benchmark: params.yaml: benchmark.threads, onnxpress/benchmark/measure.py changed "
            "while this stage ran, so what it made may belong to neither state; "
            "run `dvc repro` again"
        )
    ]
    assert lock_of(project, "benchmark") == before
    project.run(
        "git", "checkout", "-q", "params.yaml", "stages"
    )  # even where the edit is taken back
    assert "benchmark" in status_of(project)
    assert "benchmark" in project.repro("benchmark")
    assert "benchmark" not in status_of(project)


def fresh(project: Project) -> str:
    """What ``make fresh`` says; nothing if all is well."""
    done = project.run("python", "-m", "onnxpress", "fresh", check=False)
    assert (done.returncode, done.stdout) == (2 if done.stderr else 0, "")
    return done.stderr


def test_fresh_tells_stale_code_and_params_with_and_without_outputs(
    project: Project, tmp_path: Path
) -> None:
    bare = Project(tmp_path / "bare")
    project.run("git", "clone", "-q", str(project.folder), str(bare.folder))
    for place in (project, bare):
        append(place.folder / "params.yaml", "# a remark")
        assert fresh(place) == ""
        place.change(train__params={"n_estimators": 11}, publish__experiment="another")
        (line,) = fresh(place).splitlines()
        assert line.startswith("fresh: dvc.lock is stale: train (params.yaml: train")
        assert "publish (params.yaml: train, params.yaml: publish) differ" in line
        place.run("git", "checkout", "-q", "params.yaml")
        append(place.folder / "stages/gate.py", "# a remark")
        append(place.folder / "dvc.yaml", "# a remark")
        assert fresh(place) == (
            "fresh: dvc.lock is stale: gate (stages/gate.py) differ; "
            "run `dvc repro` and commit dvc.lock\n"
        )
        place.run("git", "checkout", "-q", ".")
        assert fresh(place) == ""


@pytest.mark.parametrize(
    ("edited", "stale", "not_stale"),
    [
        (
            "conversion/**/support_vectors.py",
            {"train", "convert", "quantize"},
            {"prepare", "evaluate", "benchmark", "plot", "gate", "package", "publish"},
        ),
        (
            "tracking/retry.py",
            {"publish"},
            set(CHAIN) - {"publish"},
        ),
        (
            "quantize/**/grow.py",
            {"quantize"},
            set(CHAIN) - {"quantize"},
        ),
        (
            "report/pictures/canvas.py",
            {"plot"},
            {"prepare", "train", "convert", "quantize", "evaluate", "benchmark", "gate"},
        ),
    ],
)
def test_an_edit_makes_only_the_stages_stale_that_reach_it(
    project: Project, edited: str, stale: set[str], not_stale: set[str]
) -> None:
    (path,) = (project.folder / "onnxpress").glob(edited)
    append(path, "# a remark")
    found = {
        stage
        for stage, reasons in status_of(project).items()
        for reason in reasons
        if any(dep.startswith("onnxpress/") for dep in reason.get("changed deps", {}))
    }
    assert stale <= found
    assert not found & not_stale


def test_fresh_tells_a_lock_that_disagrees_with_itself_or_lacks_a_stage(
    project: Project, tmp_path: Path
) -> None:
    bare = Project(tmp_path / "bare")
    project.run("git", "clone", "-q", str(project.folder), str(bare.folder))
    lock = yaml.safe_load((bare.folder / "dvc.lock").read_text(encoding="utf-8"))
    lock["stages"]["convert"]["outs"][0]["md5"] = (
        "0" * 32
    )  # convert was run again, and nothing after it
    (bare.folder / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    assert "quantize (outputs/model.onnx)" in fresh(bare)
    del lock["stages"]["convert"]
    (bare.folder / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    assert "convert (" in fresh(bare)
    for torn in ("<<<<<<< HEAD\nschema: '2.0'\n", "", "stages: 5\n"):
        (bare.folder / "dvc.lock").write_text(torn, encoding="utf-8")
        assert fresh(bare).endswith("run `git restore dvc.lock`\n")
    (bare.folder / "dvc.lock").unlink()
    assert all(f"{stage} (" in fresh(bare) for stage in CHAIN)
    (bare.folder / "dvc.yaml").unlink()
    assert fresh(bare) == "fresh: there is no dvc.yaml here; run `git restore dvc.yaml`\n"


def test_an_experiment_in_a_copy_says_which_file_git_does_not_know(project: Project) -> None:
    (project.folder / "data" / "my rows.csv").write_text("a,y\n1,0\n2,1\n", encoding="utf-8")
    done = project.run(
        "dvc", "exp", "run", "--temp", "-S", "data.source='data/my rows.csv'", check=False
    )
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if line.startswith("prepare:")] == [
        (
            "prepare: params.yaml: data.source names 'data/my rows.csv', which git does not know, "
            "so the copy that this experiment runs in lacks it; run `git add 'data/my rows.csv'`"
        )
    ]


def test_an_experiment_in_a_copy_says_which_code_git_does_not_know(project: Project) -> None:
    (project.folder / "stages/extra.py").write_text("x = 1\n", encoding="utf-8")
    append(
        project.folder / "onnxpress/tables/split.py",
        "from stages import extra  # noqa: F401, E402",
    )
    done = project.run("dvc", "exp", "run", "--temp", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("prepare:")] == [
        (
            "prepare: stages/extra.py cannot be imported, which git does not know, "
            "so the copy that this experiment runs in lacks it; run `git add stages/extra.py`"
        )
    ]
