"""Runs that belong together: the experiments of one sweep are children of one parent run."""

from __future__ import annotations

from typing import Any

from onnxpress.tracking.preflight import Experiment

SWEEP, PARENT = "sweep", "mlflow.parentRunId"
"""Tags of the parent run and of its children."""


def adopt(experiment: Experiment, run_id: str, sweep: str) -> None:
    """Make a run a child of the sweep's parent run.

    A run that is a child already stays where it is: one content may belong to two sweeps.
    """
    if PARENT not in experiment.client.get_run(run_id).data.tags:
        experiment.client.set_tag(run_id, PARENT, parent_of(experiment, sweep))


def parent_of(experiment: Experiment, sweep: str) -> str:
    """Return the id of the sweep's parent run, which is made if there is none.

    Of two publishers at once, the one that made the later run removes it and takes the other's.
    """
    if found := find(experiment, sweep):
        return found
    client = experiment.client
    mine = client.create_run(experiment.id, run_name=sweep, tags={SWEEP: sweep}).info.run_id
    client.set_terminated(mine, "FINISHED")
    oldest = find(experiment, sweep) or mine
    if oldest != mine:
        client.delete_run(mine)
    return oldest


def find(experiment: Experiment, sweep: str) -> str | None:
    """Return the id of the oldest parent run of a sweep."""
    runs: list[Any] = experiment.client.search_runs([experiment.id], f"tags.{SWEEP} = '{sweep}'")
    oldest = min(runs, key=lambda run: (run.info.start_time, run.info.run_id), default=None)
    return oldest and str(oldest.info.run_id)
