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
        ("score", 0.0, measured(r2=1.0), measured(accuracy=0.5), "has the score r2 and"),
        ("size", 0.0, measured(size_kb=1.0), measured(), "cannot be compared by size"),
    ],
)
def test_the_objection_says_what_was_found_and_what_was_expected(
    by: str, min_gain: float, candidate: Measured, champion: Measured, reason: str
) -> None:
    assert reason in str(
        objection(Promote.model_validate({"by": by, "min_gain": min_gain}), candidate, champion)
    )


def scored(name: str, value: float, of: str | None = None, **others: float) -> Measured:
    metrics = {f"quantized_{name}": value, **others}
    return Measured(metrics, "rows", "here", name, of)


BY_SCORE = Promote.model_validate({"by": "score", "min_gain": 0.0})


def test_the_chosen_score_decides_and_no_other() -> None:
    new = scored("average_precision", 0.8, quantized_accuracy=0.90)
    old = scored("average_precision", 0.7, quantized_accuracy=0.95)
    assert objection(BY_SCORE, new, old) is None
    assert "quantized_average_precision 0.7 against 0.8" in str(objection(BY_SCORE, old, new))


def test_a_score_that_is_a_loss_is_better_the_less_negative_it_is() -> None:
    new, old = scored("neg_log_loss", -0.1), scored("neg_log_loss", -0.2)
    assert objection(BY_SCORE, new, old) is None
    assert "a gain of -0.1" in str(objection(BY_SCORE, old, new))


@pytest.mark.parametrize(
    ("candidate", "champion", "words"),
    [
        (
            scored("f1", 0.9, "fraud", quantized_accuracy=0.9),
            scored("accuracy", 0.5, quantized_f1=0.5),
            "has the score f1 of 'fraud' and the champion accuracy, which do not compare",
        ),
        (
            scored("f1", 0.9, "fraud"),
            scored("f1", 0.5, "no fraud"),
            "the champion f1 of 'no fraud'",
        ),
        (scored("roc_auc", 0.9), measured(accuracy=0.5), "score roc_auc and the champion accuracy"),
    ],
)
def test_different_scores_do_not_compare_even_if_both_runs_have_both(
    candidate: Measured, champion: Measured, words: str
) -> None:
    found = str(objection(BY_SCORE, candidate, champion))
    assert words in found
    assert "\n" not in found
    assert objection(Promote.model_validate({"by": "size", "min_gain": 0.0}), candidate, champion)


def test_a_run_of_an_earlier_version_has_accuracy_or_r2() -> None:
    assert objection(BY_SCORE, scored("accuracy", 0.9), measured(accuracy=0.8)) is None
    assert objection(BY_SCORE, scored("r2", 0.9), measured(r2=0.8)) is None
