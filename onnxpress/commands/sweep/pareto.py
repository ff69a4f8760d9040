"""Which points of a sweep are worth a look: those on the Pareto front."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnxpress.commands.sweep.outcomes import Outcome
from onnxpress.commands.sweep.points import Point
from onnxpress.limits import NDCG
from onnxpress.pareto import front

DEFAULTS = ("accuracy", "r2")
"""The score of each task where ``evaluate.score`` names none."""


@dataclass(frozen=True)
class Entry:
    """A point and its outcome.

    The three numbers are those of the quantised model; None unless the point is measured.
    """

    point: Point
    outcome: Outcome

    @property
    def size_kb(self) -> float | None:
        """Size in KB of 1024 bytes."""
        return self.outcome.metrics.get("quantized_size_kb")

    @property
    def latency_ms(self) -> float | None:
        """Median latency of the default batch in ms."""
        return self.outcome.metrics.get("quantized_latency_ms")

    @property
    def score_name(self) -> str | None:
        """The point's score; None unless it is measured.

        It is ``evaluate.score``, or accuracy or R2. Of a ranker it is NDCG, which others have only
        where ``evaluate.also`` names it.
        """
        evaluate = self.point.content["evaluate"]
        chosen = evaluate.get("score")
        ranks = self.point.content["train"]["estimator"].endswith("Ranker")
        of_groups = (NDCG,) if ranks or NDCG not in evaluate.get("also", ()) else ()
        names = (*of_groups, *DEFAULTS) if chosen is None else (chosen,)
        return next((name for name in names if f"quantized_{name}" in self.outcome.metrics), None)

    @property
    def score(self) -> float | None:
        """The quantised model's score on test rows; greater is better."""
        return self.outcome.metrics[f"quantized_{self.score_name}"] if self.score_name else None

    @property
    def costs(self) -> tuple[float, float, float] | None:
        """Size, latency and negative score: less is better."""
        if self.size_kb is None or self.latency_ms is None or self.score is None:
            return None
        return self.size_kb, self.latency_ms, -self.score

    @property
    def rows(self) -> str:
        """What decides the score and the test rows; others do not compare."""
        content = self.point.content
        about = self.score_name, content["evaluate"].get("positive")
        return json.dumps([about, content["seed"], content["data"]], sort_keys=True)


def best(entries: Sequence[Entry]) -> set[str]:
    """Return the names of the points on the Pareto front of those with the same test rows."""
    names: set[str] = set()
    for rows in {entry.rows for entry in entries}:
        same = [entry for entry in entries if entry.rows == rows]
        measured = [(entry.point.name, costs) for entry in same if (costs := entry.costs)]
        on_front = front([costs for _, costs in measured])
        names |= {measured[position][0] for position in on_front}
    return names


def as_json(name: str, parent: str, entries: Sequence[Entry]) -> Mapping[str, object]:
    """Return the sweep for a script: the values, numbers and outcome of each point."""
    names = best(entries)
    points = [
        {
            "experiment": entry.point.name,
            "values": dict(entry.point.values),
            "state": "failed" if entry.outcome.reason else "measured",
            "reason": entry.outcome.reason or None,
            "exit_code": entry.outcome.exit_code,
            "size_kb": entry.size_kb,
            "latency_ms": entry.latency_ms,
            "score": entry.score,
            "score_name": entry.score_name and f"quantized_{entry.score_name}",
            "on_front": entry.point.name in names,
        }
        for entry in entries
    ]
    return {"sweep": name, "mlflow_parent_run": parent, "points": points}
