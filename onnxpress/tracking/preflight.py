"""Check what can fail before a run is made: server, credentials, experiment, artefact store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxpress.progress import Say, say_nothing
from onnxpress.tracking.checks import CHECKS, Subject
from onnxpress.tracking.relocation import relocate
from onnxpress.tracking.store import Store, configure, create_database, locked


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment that was found ready to be written to."""

    client: Any
    id: str
    store: Store
    moved_paths: int = 0
    """How many paths in an embedded store were changed because the store was moved."""


@contextmanager
def opened(
    store: Store, experiment: str, files: Iterable[Path] = (), say: Say = say_nothing
) -> Iterator[Experiment]:
    """Open the experiment of that name, made if there is none, ready to take ``files``.

    An embedded store is locked meanwhile.

    Raises:
        ServerError: a check failed, or another publish holds the embedded store.
    """
    configure(store, files)
    if store.database is None:
        yield preflight(store, experiment)
        return
    with locked(store.database, say):
        create_database(store.database)
        moved_paths = relocate(store.database)
        yield replace(preflight(store, experiment), moved_paths=moved_paths)


def preflight(store: Store, name: str) -> Experiment:
    """Open the experiment ``name`` and prove that its artefact store takes files.

    Raises:
        ServerError: a check failed.
    """
    subject = Subject(store, name)
    for title in CHECKS:
        subject.check(title)
    return Experiment(subject.client, subject.experiment.experiment_id, store)
