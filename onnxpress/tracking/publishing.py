"""Publish once: the run of a content, its sweep, its registered version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onnxpress.credentials.redaction import redacted
from onnxpress.errors import ServerError
from onnxpress.progress import Say, say_nothing
from onnxpress.tracking.content import Publication
from onnxpress.tracking.preflight import opened
from onnxpress.tracking.retry import with_retries
from onnxpress.tracking.store import Store


@dataclass(frozen=True)
class Destination:
    """Where a publication goes in a store."""

    experiment: str
    """Its name; the experiment is made if there is none."""
    sweep: str | None = None
    """The name of the sweep that the run belongs to."""
    registered_model: str | None = None
    """The registered model that gets a version."""


@dataclass(frozen=True)
class Published:
    """The run of a publication, and in words what was done."""

    run_id: str
    news: list[str]


def publish(
    store: Store,
    destination: Destination,
    publication: Publication,
    gates: Mapping[str, Any],
    say: Say = say_nothing,
) -> Published:
    """Find or make the run of this content and complete it; register its model if asked.

    ``gates`` is the parsed gate.json, which becomes tags of the registered version.

    Raises:
        ServerError: the store failed, refused, or answered with nonsense.
        UserError: the address of the store or of its artefacts cannot be used.
    """
    with opened(
        store, destination.experiment, publication.content.artifacts.values(), say
    ) as experiment:
        # MLflow takes 1.5 s to import: a wrong address is reported before that
        from onnxpress.tracking.record import record
        from onnxpress.tracking.registry import ensure_version
        from onnxpress.tracking.sweep_runs import adopt

        run_id, done = with_retries(lambda: record(experiment, publication))
        refuse_strange_id(run_id, store)
        news = [f"{done}: run {run_id} of experiment {destination.experiment}"]
        if experiment.moved_paths:
            news.append(
                f"the store was moved: {experiment.moved_paths} paths in it "
                "now name artefacts beside it"
            )
        if sweep := destination.sweep:
            with_retries(lambda: adopt(experiment, run_id, sweep))
        if name := destination.registered_model:
            digest = publication.content.digest
            version = with_retries(lambda: ensure_version(experiment, name, run_id, digest, gates))
            news.insert(0, version)
    return Published(run_id, news)


def refuse_strange_id(run_id: str, store: Store) -> None:
    """Refuse what is not the id of a run, because the id is stored in a file that git keeps.

    Raises:
        ServerError: the id has a form that MLflow never gives, or holds a secret.
    """
    if not re.fullmatch(r"[\w-]{1,64}", run_id, re.ASCII) or redacted(run_id) != run_id:
        raise ServerError(
            f"{store.public_uri} gives a run an id that MLflow never gives, so it is not stored; "
            "check the server"
        )
