"""One cell of the suite: everything about one estimator on one split, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import costs
from bench.data import Split
from bench.models import FORMS, Models, count_nodes, make, probe_agreement, scores
from bench.peers import ONCE, PEERS, Peer, Subject, built, reason
from onnxpress.scores.score import default_score

Record = dict[str, Any]
MEASURED_SPLIT = 0
"""Latency, load time and memory are measured on the models of this split."""


@dataclass(frozen=True)
class Settings:
    """What a record depends on; ``seconds`` bounds the timing of each batch size."""

    trees: int = 100
    budget: float = 0.0
    seconds: float = 3.0
    probes: int = 2000


def record(estimator: str, part: Split, settings: Settings) -> Record:
    """Fit, convert, quantise, score, compare with the peers, and measure the first split."""
    models = make(estimator, part, settings.trees, settings.budget)
    nodes = {name: count_nodes(models.forms[name]) for name in FORMS[1:]}
    peers, found = _peers(Subject(estimator, models.estimator, part, settings.trees, nodes["onnx"]))
    cell: Record = {
        "data": part.name,
        "estimator": estimator,
        "split": part.seed,
        "task": part.schema.task,
        "classes": 0 if part.is_regression else len(np.unique(part.train.target)),
        "rows": {
            "train": len(part.train),
            "calibration": len(part.calibration),
            "test": len(part.test),
        },
        "candidate": models.candidate,
        "nodes": nodes,
        "kb": {name: len(data) / 1024 for name, data in models.forms.items()},
        "score": scores(models, part),
        "probe_agreement": probe_agreement(models, part, settings.probes),
        "peers": found,
        "refined_speedup_1024": costs.refined_speedup(models, part.test.feeds, part.seed),
    }
    return cell | (_costs(models, peers, part, settings) if part.seed == MEASURED_SPLIT else {})


def _peers(subject: Subject) -> tuple[dict[str, Peer], dict[str, Record]]:
    """The peers that work on this model, and the size and score, or the reason, of every one."""
    part = subject.part
    peers: dict[str, Peer] = {}
    found: dict[str, Record] = {}
    for name in PEERS:
        if name in ONCE and part.seed != MEASURED_SPLIT:
            continue
        try:
            peer = built(name, subject)
            found[name] = {
                "kb": peer.size_kb,
                "score": default_score(
                    part.schema.task, part.test.target, peer.values(part.test.feeds)
                ),
            }
            peers[name] = peer
        except Exception as error:  # what another library raises is its entry in the table
            found[name] = {"reason": reason(error)}
    return peers, found


def _costs(models: Models, peers: dict[str, Peer], part: Split, settings: Settings) -> Record:
    return {
        "load": costs.loads(models),
        "latency": costs.latencies(models, peers, part.test.feeds, settings.seconds, part.seed),
    }
