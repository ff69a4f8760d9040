"""The one run of a content: found or made, filled and completed.

Every step can be repeated: parameters, metrics (at fixed times) and artefacts are the same at
each attempt, so a publish that was killed anywhere is completed by the next one. The tag
``complete`` is written last.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

from onnxpress.errors import ServerError
from onnxpress.tracking.content import Measurement, Publication
from onnxpress.tracking.logged_model import ensure_model
from onnxpress.tracking.preflight import Experiment
from onnxpress.tracking.time_limit import within

DIGEST, COMPLETE = "content_digest", "complete"
ATTEMPTS = 3
"""How often a run is made again because another publisher replaced it."""
QUIET_SECONDS = 3.0
"""A run that has not changed for so long has lost its publisher."""
MARK_SECONDS = 2.0
"""How long marking a run as failed may take."""
MOST_PARAMS = 100
"""Parameters that a server accepts at once; a class_weight has one for each label."""


def record(experiment: Experiment, publication: Publication) -> tuple[str, str]:
    """Return the id of the complete run of this content, and in words what was done for it.

    Raises:
        ServerError: other publishers kept replacing the run.
    """
    for _ in range(ATTEMPTS):
        run, made = claim(experiment, publication)
        if is_complete(run):
            step = add_measurement(experiment, run, publication.measurement)
            news = "" if step is None else f"; new latency measurement, step {step}"
            return run.info.run_id, f"already published{news}"
        with failure_marked(experiment, run.info.run_id):
            fill(experiment, run, publication)
            finished = finish(experiment, run, publication.content.digest)
        if finished:
            return run.info.run_id, "published" if made else "completed an interrupted publish"
    raise ServerError(
        f"other publishers write the same content to {experiment.store.public_uri}; "
        "publish again when they are done"
    )


def claim(experiment: Experiment, publication: Publication) -> tuple[Any, bool]:
    """Return the run of this content, and whether it was made by this call.

    Of two publishers at once, the later one removes its run and takes the other's.
    """
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
    """Return the run of a content: a complete one if there is one, else the oldest."""
    runs = experiment.client.search_runs([experiment.id], f"tags.{DIGEST} = '{digest}'")
    return min(
        runs,
        key=lambda run: (not is_complete(run), run.info.start_time, run.info.run_id),
        default=None,
    )


def is_complete(run: Any) -> bool:
    """Whether a run holds all of its content.

    A run whose last request failed is marked FAILED, even if it has the tag already.
    """
    return bool(run.data.tags.get(COMPLETE) == "true" and run.info.status == "FINISHED")


def awaited(experiment: Experiment, run: Any) -> Any:
    """Return ``run`` once its publisher has completed it, failed, or fallen silent.

    The lock of an embedded store makes waiting unnecessary.
    """
    if experiment.store.database is not None:
        return run
    seen, until = run, time.monotonic() + QUIET_SECONDS
    while run.info.status == "RUNNING" and not is_complete(run):
        if run.data.to_dictionary() != seen.data.to_dictionary():
            seen, until = run, time.monotonic() + QUIET_SECONDS
        elif time.monotonic() > until:
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
        with suppress(Exception):  # the first error is the one to report
            within(MARK_SECONDS, lambda: experiment.client.set_terminated(run_id, "FAILED"))
        raise


def fill(experiment: Experiment, run: Any, publication: Publication) -> None:
    """Write the content into ``run``; what an earlier attempt wrote is kept or written again."""
    client, content, run_id = experiment.client, publication.content, run.info.run_id
    if run.info.status != "RUNNING":
        client.update_run(run_id, status="RUNNING")
    metrics = [Metric(key, value, run.info.start_time, 0) for key, value in content.metrics.items()]
    client.log_batch(run_id, metrics=metrics)
    params = [Param(key, value) for key, value in content.params.items()]
    for first in range(0, len(params), MOST_PARAMS):
        client.log_batch(run_id, params=params[first : first + MOST_PARAMS])
    tested = DatasetInput(Dataset(**publication.data), [InputTag("mlflow.data.context", "testing")])
    client.log_inputs(run_id, [tested])
    settings = yaml.safe_dump(dict(content.settings), sort_keys=False)
    texts = {content.settings_name: settings, "model_card.md": publication.card}
    upload(experiment, run_id, content.artifacts, texts)
    ensure_model(experiment, run_id, publication)
    add_measurement(experiment, run, publication.measurement)


def upload(
    experiment: Experiment,
    run_id: str,
    files: Mapping[str, Path],
    texts: Mapping[str, str] | None = None,
) -> None:
    """Log copies of ``files`` and the ``texts`` as artefacts by name, such as ``a`` or ``b/c``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for artifact, path in files.items():
            copy = folder / artifact
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        for artifact, text in (texts or {}).items():
            (folder / artifact).write_text(text, encoding="utf-8")
        experiment.client.log_artifacts(run_id, name)


def finish(experiment: Experiment, run: Any, digest: str) -> bool:
    """Complete a filled run; False if another run of the content has to be used instead.

    An older or complete run that has appeared since is the content's run, and this one is removed.
    """
    client, run_id = experiment.client, run.info.run_id
    winner = find(experiment, digest)
    if winner and winner.info.run_id != run_id:
        client.delete_run(run_id)
        return False
    client.set_terminated(run_id, "FINISHED")
    client.set_tag(run_id, COMPLETE, "true")
    return True


def add_measurement(experiment: Experiment, run: Any, measurement: Measurement) -> int | None:
    """Log a latency measurement as the run's next step.

    Return the number of the step, None if the run has the measurement already. A tag claims step
    and time before the metrics are logged and says so afterwards, so that an interrupted step is
    written again with the same numbers.
    """
    client, run_id, key = experiment.client, run.info.run_id, f"latency.{measurement.digest}"
    taken = {
        name: json.loads(value)
        for name, value in run.data.tags.items()
        if name.startswith("latency.")
    }
    # two first publishers at once must log the same entry, so the first has the run's own time
    now = int(time.time() * 1000) if taken else run.info.start_time
    entry = taken.get(key) or {"step": len(taken), "timestamp": now, "logged": False}
    if entry["logged"]:
        return None
    client.set_tag(run_id, key, json.dumps(entry))
    metrics = [*latencies(measurement, entry), *batch_sweep(measurement, entry["timestamp"])]
    client.log_batch(run_id, metrics=metrics)
    upload(experiment, run_id, measurement.artifacts)
    client.set_tag(run_id, "latency_machine", measurement.machine)
    client.set_tag(run_id, key, json.dumps({**entry, "logged": True}))
    return int(entry["step"])


def latencies(measurement: Measurement, entry: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield the latency metrics at the step of the measurement."""
    for name, value in measurement.metrics.items():
        yield Metric(name, value, entry["timestamp"], entry["step"])


def batch_sweep(measurement: Measurement, timestamp: int) -> Iterator[Metric]:
    """Yield the latency of every model at every batch size, with the rows per call as step."""
    for rows, models in measurement.batches.items():
        for model, latency_ms in models.items():
            yield Metric(f"{model}_latency_by_batch_ms", latency_ms, timestamp, rows)
