"""When a candidate becomes the champion, and what is said when it does not."""

from __future__ import annotations

import pytest

from onnxpress.commands.promote.rule import Measured, objection
from onnxpress.pipeline.params import Promote


def measured(data: str = "rows", machine: str = "here", **metrics: float) -> Measured:
    return Measured({f"quantized_{name}": value for name, value in metrics.items()}, data, machine)


@pytest.mark.parametrize(
    ("by", "min_gain", "candidate", "champion"),
    [
        ("score", 0.0, {"accuracy": 0.91}, {"accuracy": 0.90}),
        ("score", 0.01, {"r2": 0.75}, {"r2": 0.5}),
        ("size", 0.5, {"size_kb": 4.0}, {"size_kb": 8.0}),
        ("latency", 0.0, {"latency_ms": 0.9}, {"latency_ms": 1.0}),
    ],
)
def test_a_better_candidate_is_not_objected_to(
    by: str, min_gain: float, candidate: dict[str, float], champion: dict[str, float]
) -> None:
    rule = Promote.model_validate({"by": by, "min_gain": min_gain})
    new, old = (
        Measured({f"quantized_{name}": value for name, value in metrics.items()}, "rows", "here")
        for metrics in (candidate, champion)
    )
    assert objection(rule, new, old) is None
    assert objection(rule, old, new) is not None


@pytest.mark.parametrize(
    ("by", "min_gain", "candidate", "champion", "reason"),
    [
        ("score", 0.0, measured(accuracy=0.9), measured(accuracy=0.9), "should be above 0"),
        (
            "score",
            0.25,
            measured(accuracy=0.75),
            measured(accuracy=0.625),
            "a gain of 0.125; should be 0.25 or more",
        ),
        (
            "size",
            0.0,
            measured(size_kb=8.0),
            measured(size_kb=4.0),
            "has quantized_size_kb 8 against 4, a gain of -1",
        ),
        (
            "score",
            0.0,
            measured(data="a", accuracy=1.0),
            measured(data="b", accuracy=0.5),
            "tested on other rows",
        ),
        (
            "latency",
            0.0,
            measured(machine="a", latency_ms=1.0),
            measured(machine="b", latency_ms=9.0),
            "measured elsewhere",
        ),
        ("score", 0.0, measured(r2=1.0), measured(accuracy=0.5), "cannot be compared by score"),
    ],
)
def test_the_objection_says_what_was_found_and_what_was_expected(
    by: str, min_gain: float, candidate: Measured, champion: Measured, reason: str
) -> None:
    assert reason in str(
        objection(Promote.model_validate({"by": by, "min_gain": min_gain}), candidate, champion)
    )
