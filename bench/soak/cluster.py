"""SIGKILL to workers of a cluster while they try candidates, of which no verdict may be lost."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np
import onnx
from distributed.core import Status
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from bench.soak.kills import Kill
from onnxpress.conversion.converting import to_onnx
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import HERE, Engine
from onnxpress.engine.starting import local_cluster
from onnxpress.errors import UserError
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.console import say
from onnxpress.progress import Progress, show_nothing
from onnxpress.quantize.choice import Choice, choose
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.terms import terms_of
from onnxpress.quantize.trials import Clones, cross_fits
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema

T = TypeVar("T")
ROWS = 300
OPTIONS = Options(level="refined")


def soak(kills: int, seed: int) -> list[Kill]:
    """Choose again and again, with a kill before each verdict, until there were so many kills."""
    whole, found = chosen(HERE), list[Kill]()
    generator = random.Random(seed)  # noqa: S311 - to be repeated
    with local_cluster(2) as cluster, engine_at(cluster.scheduler_address, say) as engine:
        while len(found) < kills:
            points: list[tuple[str, float]] = []
            killing = partial(_killing, cluster, generator, points, kills - len(found))
            try:
                finding = "" if chosen(engine, killing) == whole else "another choice"
            except UserError as error:
                finding = str(error)
            found += [Kill(point, share, finding) for point, share in points]
    return found


def chosen(engine: Engine, progress: Progress = show_nothing) -> tuple[dict[str, Any], bytes, Any]:
    """Quantise a small forest whose candidates are scored on folds: record, model, candidates."""
    x, y = load_digits(return_X_y=True)
    rows = Rows({"X": x[:ROWS].astype(np.float32)}, y[:ROWS].astype(np.int64))
    names = [Column(f"f{place}", "number", missing=False) for place in range(x.shape[1])]
    schema = Schema("classification", "target", tuple(names), None)
    forest = RandomForestClassifier(12, max_depth=4, random_state=0)
    forest.fit(rows.feeds["X"], rows.target)
    plain = to_bytes(to_onnx(forest, schema, 12))
    trials = cross_fits(Clones(lambda: forest, schema, 12, 0), rows)
    candidates = list_candidates(onnx.load_from_string(plain), OPTIONS)
    terms = terms_of(OPTIONS, schema, plain, trials)
    made: Choice = choose(
        plain, candidates, trials, terms, OPTIONS, engine=engine, progress=progress
    )
    return made.to_json(), made.model, made.models()


def _killing(
    cluster: Any,
    generator: random.Random,
    points: list[tuple[str, float]],
    most: int,
    items: Iterable[T],
    total: int,
    _what: str,
) -> Iterator[T]:
    """Yield candidates, and kill a worker before each, while there is one to kill."""
    for place, item in enumerate(items):
        if len(points) < most and kill_a_worker(cluster, generator.randrange(2)):
            points.append((f"before {getattr(item, 'name', item)}", place / total))
        yield item


def kill_a_worker(cluster: Any, which: int = 0) -> bool:
    """End one worker as the kernel does when memory is short; its nanny starts another.

    False if it is just being started.
    """
    worker = cluster.workers[which].process
    if worker is None or worker.status is not Status.running:
        return False
    os.kill(worker.pid, signal.SIGKILL)
    return True
