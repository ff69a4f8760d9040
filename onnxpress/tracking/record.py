"""The one run of a content: found or made, filled and completed, by however many publishers and attempts it takes.

Every step can be taken again: parameters, metrics (at fixed times) and artefacts are the same at each attempt, so a
publish killed anywhere is completed by the next one. The tag ``complete`` is written last.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

from onnxpress.errors import ServerError
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema
from onnxpress.tracking.card import model_card
from onnxpress.tracking.content import Content, Measurement
from onnxpress.tracking.logged_model import ensure_model
from onnxpress.tracking.preflight import Experiment
from onnxpress.tracking.retry import within

DIGEST, COMPLETE = "content_digest", "complete"
ATTEMPTS = 3
QUIET_SECONDS = 3.0
"""A run that has not changed for so long has lost its publisher."""
MARK_SECONDS = 2.0
MOST_PARAMS = 100
"""Parameters that a server takes at once; a class_weight has one for each label."""


@dataclass(frozen=True)
class Publication:
    """What becomes one run: its content, the latest measurement, its name and origin, and the test rows."""

    content: Content
    measurement: Measurement
    name: str
    tags: Mapping[str, str]
    feeds: Feeds
    schema: Schema
    data: Mapping[str, Any]

    @property
    def card(self) -> str:
        """The run's description."""
        return model_card(self.name, self.content.metrics, self.content.summary)


def publish(experiment: Experiment, publication: Publication) -> tuple[str, str]:
    """The id of the complete run of this content, and in words what was done to have it.

    Raises:
        ServerError: other publishers kept replacing the run.
    """
    for _ in range(ATTEMPTS):
        run, made = claim(experiment, publication)
        if is_complete(run):
            step = add_measurement(experiment, run, publication.measurement)
            return run.info.run_id, "already published" + (
                "" if step is None else f"; new latency measurement, step {step}"
            )
        with failure_marked(experiment, run.info.run_id):
            fill(experiment, run, publication)
            finished = finish(experiment, run, publication.content.digest)
        if finished:
            return run.info.run_id, "published" if made else "completed an interrupted publish"
    raise ServerError(
        f"other publishers to {experiment.store.public_uri} are in the way; publish again when they are done"
    )


def claim(experiment: Experiment, publication: Publication) -> tuple[Any, bool]:
    """The run of this content, and whether it was made here and now. Of two publishers, the later one yields."""
    digest = publication.content.digest
    if run := find(experiment, digest):
        return awaited(experiment, run), False
    tags = {DIGEST: digest, "mlflow.note.content": publication.card, **publication.tags}
    mine = experiment.client.create_run(experiment.id, run_name=publication.name, tags=tags)
    with failure_marked(experiment, mine.info.run_id):
        run = find(experiment, digest) or mine
    if run.info.run_id == mine.info.run_id:
        return mine, True
    experiment.client.delete_run(mine.info.run_id)
    return awaited(experiment, run), False


def find(experiment: Experiment, digest: str) -> Any | None:
    """The run of a content: a complete one before all, else the oldest."""
    runs = experiment.client.search_runs([experiment.id], f"tags.{DIGEST} = '{digest}'")
    return min(
        runs,
        key=lambda run: (not is_complete(run), run.info.start_time, run.info.run_id),
        default=None,
    )


def is_complete(run: Any) -> bool:
    """Whether a run holds all of its content; one whose last request failed is marked FAILED, though the tag may be there."""
    return bool(run.data.tags.get(COMPLETE) == "true" and run.info.status == "FINISHED")


def awaited(experiment: Experiment, run: Any) -> Any:
    """``run`` after its publisher has completed it, failed, or fallen silent. The embedded store's lock spares the wait."""
    while (
        experiment.store.database is None and not is_complete(run) and run.info.status == "RUNNING"
    ):
        before, until = run, time.monotonic() + QUIET_SECONDS
        while (
            run.data.to_dictionary() == before.data.to_dictionary() and run.info.status == "RUNNING"
        ):
            if time.monotonic() > until:
                return run
            time.sleep(QUIET_SECONDS / 10)
            run = experiment.client.get_run(run.info.run_id)
    return run


@contextmanager
def failure_marked(experiment: Experiment, run_id: str) -> Iterator[None]:
    """Mark the run FAILED when the block fails, if the store still answers."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # the first error is the one to tell
            within(MARK_SECONDS, lambda: experiment.client.set_terminated(run_id, "FAILED"))
        raise


def fill(experiment: Experiment, run: Any, publication: Publication) -> None:
    """Write the content into ``run``; what an earlier attempt has written is left or written again."""
    client, content, run_id = experiment.client, publication.content, run.info.run_id
    if run.info.status != "RUNNING":
        client.update_run(run_id, status="RUNNING")
    params = [Param(key, value) for key, value in content.params.items()]
    metrics = [Metric(key, value, run.info.start_time, 0) for key, value in content.metrics.items()]
    client.log_batch(run_id, metrics=metrics)
    for first in range(0, len(params), MOST_PARAMS):
        client.log_batch(run_id, params=params[first : first + MOST_PARAMS])
    client.log_inputs(
        run_id,
        [DatasetInput(Dataset(**publication.data), [InputTag("mlflow.data.context", "testing")])],
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for artifact, path in content.artifacts.items():
            shutil.copyfile(path, folder / artifact)
        settings = yaml.safe_dump(dict(content.settings), sort_keys=False)
        (folder / "params.yaml").write_text(settings, encoding="utf-8")
        (folder / "model_card.md").write_text(publication.card, encoding="utf-8")
        client.log_artifacts(run_id, name)
    ensure_model(experiment, run_id, content, publication.feeds, publication.schema)
    add_measurement(experiment, run, publication.measurement)


def finish(experiment: Experiment, run: Any, digest: str) -> bool:
    """Complete a filled run, unless an older or complete one has appeared since: that one is the content's run then."""
    client, run_id = experiment.client, run.info.run_id
    winner = find(experiment, digest)
    if winner and winner.info.run_id != run_id:
        client.delete_run(run_id)
        return False
    client.set_terminated(run_id, "FINISHED")
    client.set_tag(run_id, COMPLETE, "true")
    return True


def add_measurement(experiment: Experiment, run: Any, measurement: Measurement) -> int | None:
    """Log a latency measurement as the run's next step; its number, or None when the run has it already.

    A tag claims step and time before, and says so after, so that an interrupted step is written again as it was.
    """
    client, run_id, key = experiment.client, run.info.run_id, f"latency.{measurement.digest}"
    taken = {
        name: json.loads(value)
        for name, value in run.data.tags.items()
        if name.startswith("latency.")
    }
    now = (
        int(time.time() * 1000) if taken else run.info.start_time
    )  # two first publishers at once log the same entry
    entry = taken.get(key) or {"step": len(taken), "timestamp": now, "logged": False}
    if entry["logged"]:
        return None
    client.set_tag(run_id, key, json.dumps(entry))
    client.log_batch(
        run_id,
        metrics=[*latencies(measurement, entry), *batch_sweep(measurement, entry["timestamp"])],
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for artifact, path in measurement.artifacts.items():
            shutil.copyfile(path, folder / artifact)
        client.log_artifacts(run_id, name)
    client.set_tag(run_id, "latency_machine", measurement.machine)
    client.set_tag(run_id, key, json.dumps({**entry, "logged": True}))
    return int(entry["step"])


def latencies(measurement: Measurement, entry: Mapping[str, Any]) -> Iterator[Metric]:
    """The contract's latency metrics, at the step of the measurement."""
    for name, value in measurement.metrics.items():
        yield Metric(name, value, entry["timestamp"], entry["step"])


def batch_sweep(measurement: Measurement, timestamp: int) -> Iterator[Metric]:
    """The latency of every model at every batch size, with the rows per call as step."""
    for rows, models in measurement.batches.items():
        for model, latency_ms in models.items():
            yield Metric(f"{model}_latency_by_batch_ms", latency_ms, timestamp, rows)
