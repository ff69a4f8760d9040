"""Publishes killed at random moments: the next one completes the run.

Nothing is doubled, and nothing is left half-written.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import yaml

from bench.soak.kills import Kill
from onnxpress.pipeline.files import read_json, write_json
from onnxpress.pipeline.outputs import METRICS, PARAMS

REGISTERED = "soak"
WARM = [
    "bench.soak.publish",
    "mlflow.onnx",
    "onnxpress.tracking.record",
    "onnxpress.tracking.registry",
    "stages.publish",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "pyarrow.parquet",
]
"""What the server has imported that all publishes are forked from.

So kills hit the work and not the imports.
"""
UNDISTURBED = (-1, 0)
"""Contents that are published without a kill, to know how long that takes."""

POINTS = (
    "preflight, no run of this content",
    "a run without metrics",
    "metrics, some files",
    "an unfinished model",
    "a finished model, the run not complete",
    "a complete run, perhaps not registered",
)
"""What a store may hold of a content whose publish was killed, from early to late."""


def soak(kills: int, seed: int) -> list[Kill]:
    """Kill ``kills`` publishes of what is in outputs/; what became of each.

    ``seed`` decides the moments; what a publish is doing then depends on the machine.
    """
    return soak_of(Path.cwd(), kills, seed)


def soak_of(template: Path, kills: int, seed: int) -> list[Kill]:
    """Publish ``kills`` contents, each killed once, ever later, and then published again.

    The store is embedded. Every run must then be complete, whole and alone, with one model and one
    registered version. ``template`` is a folder with params.yaml and outputs/ as the chain leaves
    them; it is copied.
    """
    chance, outcome = random.Random(seed), []  # noqa: S311 - a seeded choice of moments
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WARM)
    with tempfile.TemporaryDirectory() as name:
        folder = prepared(template, Path(name))
        seconds = duration(context, folder)
        for number in range(1, kills + 1):
            metrics = read_json(folder / METRICS)
            write_json(
                folder / METRICS, {**metrics, "soak_number": number}
            )  # makes it a content of its own
            share = (
                number - chance.random()
            ) / kills  # one in each part of a publish, whatever their number
            child = started(context, folder)
            child.join(share * seconds)
            child.kill()
            child.join()
            outcome.append(
                Kill(point(folder, number), share, "; ".join(completed(context, folder, number)))
            )
        findings = [outcome[-1].finding, *left_over(folder, kills + len(UNDISTURBED))]
        outcome[-1] = replace(outcome[-1], finding="; ".join(filter(None, findings)))
    return outcome


def prepared(template: Path, folder: Path) -> Path:
    """A copy of what publish reads, which registers its models."""
    shutil.copytree(template / "outputs", folder / "outputs")
    params = yaml.safe_load((template / PARAMS).read_text(encoding="utf-8"))
    params["publish"] |= {"register": REGISTERED, "tracking_uri": None}
    (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")
    return folder


def duration(context: ForkServerContext, folder: Path) -> float:
    """Seconds that publishing new content takes: the second time, for the first makes the store."""
    for number in UNDISTURBED:
        write_json(folder / METRICS, {**read_json(folder / METRICS), "soak_number": number})
        start = time.monotonic()
        child = started(context, folder)
        child.join()
    return time.monotonic() - start


def started(context: ForkServerContext, folder: Path) -> Any:
    """A publish in a process of its own."""
    child = context.Process(target=publish_in, args=(folder,))
    child.start()
    return child


def publish_in(folder: Path) -> None:
    """What ``python -m stages.publish`` does in ``folder``, in silence."""
    from stages.publish import main

    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.chdir(folder)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    gc.disable()
    main()


def completed(context: ForkServerContext, folder: Path, number: int) -> list[str]:
    """What is wrong after the next publish of a killed content."""
    child = started(context, folder)
    child.join()
    faults = [] if child.exitcode == 0 else [f"the publish after it ended with {child.exitcode}"]
    store = Stored(folder)
    runs = store.runs(number)
    faults += [] if len(runs) == 1 else [f"{len(runs)} runs"]
    for run in runs:
        faults += (
            []
            if run.info.status == "FINISHED" and run.data.tags.get("complete") == "true"
            else ["run not complete"]
        )
        missing = store.missing_files(run)
        faults += [f"files missing or cut: {', '.join(missing)}"] if missing else []
        steps = [
            json.loads(value) for key, value in run.data.tags.items() if key.startswith("latency.")
        ]
        faults += (
            [] if [step["logged"] for step in steps] == [True] else ["latency not logged once"]
        )
        models = store.models(run)
        faults += (
            []
            if [model.status.name for model in models] == ["READY"]
            else [f"{len(models)} models"]
        )
    return faults


def left_over(folder: Path, contents: int) -> list[str]:
    """What the store holds beyond one run, one model and one version per content."""
    store = Stored(folder)
    experiment = store.experiment
    runs = store.client.search_runs([experiment.experiment_id], max_results=50_000)
    models = store.all_models()
    versions = store.client.search_model_versions(f"name = '{REGISTERED}'", max_results=10_000)
    counts = {"runs": len(runs), "models": len(models), "versions": len(versions)}
    return [
        f"{count} {what} for {contents} contents"
        for what, count in counts.items()
        if count != contents
    ]


def point(folder: Path, number: int) -> str:
    """How far a killed publish had come."""
    store = Stored(folder)
    runs = store.runs(number)
    if not runs:
        return POINTS[0]
    run, models = runs[0], store.models(runs[0])
    if run.data.tags.get("complete") == "true":
        return POINTS[5]
    if not models:
        return POINTS[2] if run.data.metrics else POINTS[1]
    return POINTS[4] if models[0].status.name == "READY" else POINTS[3]


class Stored:
    """The embedded store, as MLflow's own client sees it."""

    def __init__(self, folder: Path) -> None:
        """Open it; there is no store yet if the first publish was killed."""
        from mlflow.tracking import MlflowClient

        self.folder = folder
        self.client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
        name = yaml.safe_load((folder / PARAMS).read_text(encoding="utf-8"))["publish"][
            "experiment"
        ]
        self.experiment: Any = self.client.get_experiment_by_name(name)

    def runs(self, number: int) -> list[Any]:
        """The runs of one content."""
        runs = self.client.search_runs([self.experiment.experiment_id], max_results=50_000)
        return [
            run for run in runs if run.data.metrics.get("soak_number", number) == number
        ]  # a young one has no metrics yet

    def models(self, run: Any) -> list[Any]:
        """The logged models of a run."""
        ids = [self.experiment.experiment_id]
        return list(self.client.search_logged_models(ids, f"source_run_id = '{run.info.run_id}'"))

    def all_models(self) -> list[Any]:
        """Every logged model."""
        found: list[Any] = []
        token = None
        while token or not found:
            page = self.client.search_logged_models(
                [self.experiment.experiment_id], page_token=token
            )
            found, token = found + list(page), page.token
        return found

    def missing_files(self, run: Any) -> list[str]:
        """Artefacts that the run lacks or that differ in size from what was published."""
        there = {file.path: file.file_size for file in self.client.list_artifacts(run.info.run_id)}
        source = {
            path.name: path.stat().st_size for path in (self.folder / "outputs").glob("*.json")
        }
        source |= {
            "model_quantized.onnx": (self.folder / "outputs" / "model_quantized.onnx")
            .stat()
            .st_size
        }
        source.pop("mlflow_run.json", None)
        drawn = {"params.yaml", "model_card.md", "latency_by_batch.png"} - set(there)
        return sorted(drawn | {name for name, size in source.items() if there.get(name) != size})
