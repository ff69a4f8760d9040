"""When a candidate beats the champion: the rule ``publish.promote`` of params.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onnxpress.pipeline.params import Promote

EARLIER = ("accuracy", "r2")
"""The scores of runs that do not name theirs."""


@dataclass(frozen=True)
class Measured:
    """What the run of a version has recorded."""

    metrics: Mapping[str, float]

    test_data: str
    """Digest of the test rows."""

    machine: str
    """Where the latency was measured."""

    score: str | None = None
    """The score that it was made for; None in runs that do not name theirs."""

    score_class: str | None = None
    """Of two classes, the one that the score is about, if it is about one."""

    @property
    def score_name(self) -> str | None:
        """The score, which is accuracy or R2 where the run names none."""
        if self.score:
            return self.score
        return next((name for name in EARLIER if f"quantized_{name}" in self.metrics), None)

    @property
    def score_in_words(self) -> str:
        """The score, and the class that it is about."""
        about = "" if self.score_class is None else f" of {self.score_class!r}"
        return f"{self.score_name}{about}"


def _saved(new: float, old: float) -> float:
    return 1 - new / old


GAINS: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "score": ("quantized_{score}", lambda new, old: new - old),
    "size": ("quantized_size_kb", _saved),
    "latency": ("quantized_latency_ms", _saved),
}
"""By ``publish.promote.by``: the metric, and the gain, positive for a better one.

Greater is better for every score, also for ``neg_log_loss``.
"""


def objection(rule: Promote, candidate: Measured, champion: Measured) -> str | None:
    """Return why the candidate does not replace the champion, None if it does.

    It must be better at all, and by ``min_gain``. Scores on other test rows and latencies of other
    machines prove nothing. The words follow the candidate's name.
    """
    pattern, gain_of = GAINS[rule.by]
    if rule.by == "score" and (reason := _other_score(candidate, champion)):
        return reason
    metric = pattern.format(score=candidate.score_name)
    if not (metric in candidate.metrics and metric in champion.metrics):
        return f"cannot be compared by {rule.by}: {metric} is not among the metrics of both runs"
    if rule.by == "score" and candidate.test_data != champion.test_data:
        rows = f"{candidate.test_data} instead of {champion.test_data}"
        return f"was tested on other rows ({rows}), so scores do not compare"
    if rule.by == "latency" and candidate.machine != champion.machine:
        machines = f"{candidate.machine} instead of {champion.machine}"
        return f"was measured elsewhere ({machines}), so latencies do not compare"
    new, old = candidate.metrics[metric], champion.metrics[metric]
    gain = gain_of(new, old)
    if gain > 0 and gain >= rule.min_gain:
        return None
    least = f"{rule.min_gain:g} or more" if rule.min_gain else "above 0"
    found = f"has {metric} {new:.6g} against {old:.6g}, a gain of {gain:.4g}"
    return f"{found}; should be {least} (publish.promote)"


def _other_score(candidate: Measured, champion: Measured) -> str | None:
    """Return why two runs do not compare by score, if their scores are not the same one."""
    new, old = candidate.score_in_words, champion.score_in_words
    if new == old:
        return None
    return (
        f"has the score {new} and the champion {old}, which do not compare; publish the champion's "
        "model with this evaluate.score too, or set publish.promote.by to size or latency"
    )
