from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from skl2onnx import to_onnx
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import accuracy_score, r2_score, recall_score
from sklearn.tree import DecisionTreeClassifier

from onnxpress.benchmark.latency_statistics import speedups
from onnxpress.benchmark.measure import Plan, measure
from onnxpress.gates import GATES, Verdict, complaint, judge
from onnxpress.runtime.sessions import open_session, predict_onnx

ROOT = Path(__file__).parents[2]
OPSETS = {"": 12, "ai.onnx.ml": 3}
NO_DROPS: dict[str, float | None] = {"score": None, "recall_worst_loss": None}
OFF: dict[str, Any] = {**{gate.name: None for gate in GATES}, "max_drop": NO_DROPS}
GOOD = {
    "onnx_agreement": 1.0,
    "onnx_max_relative_diff": 1e-6,
    "quantized_score_drop": 0.0,
    "onnx_size_kb": 70.0,
    "quantized_size_kb": 7.0,
    "onnx_speedup": 5.0,
    "quantized_vs_onnx_speedup": 1.3,
}


# --- the stage, on metrics of models that are really good or really degraded ---------------------


class Run:
    """What one run of the stage in its own process left behind."""

    def __init__(
        self,
        folder: Path,
        metrics: dict[str, float],
        latency: dict[str, float],
        **limits: Any,
    ) -> None:
        outputs = folder / "outputs"
        outputs.mkdir()
        (outputs / "metrics.json").write_text(json.dumps(metrics))
        (outputs / "latency.json").write_text(json.dumps(latency))
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["gate"] |= limits
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        done = subprocess.run(
            [sys.executable, "-m", "stages.gate"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.exit_code, self.errors, self.said = (
            done.returncode,
            done.stderr.splitlines(),
            done.stdout,
        )
        self.verdicts: dict[str, Any] = json.loads((outputs / "gate.json").read_text())
        self.failed = {
            name for name, verdict in self.verdicts.items() if verdict["passed"] is False
        }


def largest_loss_of_recall(target: Any, before: Any, after: Any) -> float:
    """The largest loss of recall of a class, by scikit-learn."""
    recalls = [recall_score(target, labels, average=None) for labels in (before, after)]
    return float((recalls[0] - recalls[1]).max())


class Models:
    """A forest, its ONNX model, and the metrics of any ONNX models in their places."""

    def __init__(self) -> None:
        features, self.target = load_iris(return_X_y=True)
        self.rows = features.astype(np.float32)
        self.original = RandomForestClassifier(20, random_state=0).fit(self.rows, self.target)
        self.plain = self.onnx(self.original)
        nonsense = np.random.default_rng(0).permutation(self.target)
        self.degraded = self.onnx(
            RandomForestClassifier(20, random_state=0).fit(self.rows, nonsense)
        )

    def onnx(self, estimator: Any) -> bytes:
        model = to_onnx(estimator, self.rows[:1], target_opset=OPSETS, options={"zipmap": False})
        return bytes(model.SerializeToString())

    def metrics(self, onnx: bytes, quantized: bytes) -> dict[str, float]:
        feeds = {"X": self.rows}
        original = self.original.predict(self.rows)
        scores = predict_onnx(open_session(onnx), feeds).scores
        assert scores is not None
        labels = {
            name: predict_onnx(open_session(data), feeds).values
            for name, data in (("onnx", onnx), ("quantized", quantized))
        }
        loss = accuracy_score(self.target, original) - accuracy_score(
            self.target, labels["quantized"]
        )
        return {
            "onnx_agreement": float(accuracy_score(original, labels["onnx"])),
            "onnx_max_relative_diff": float(
                np.abs(scores - self.original.predict_proba(self.rows)).max()
            ),
            "quantized_score_drop": float(loss),
            "quantized_recall_worst_loss": largest_loss_of_recall(
                self.target, original, labels["quantized"]
            ),
            "onnx_size_kb": len(onnx) / 1024,
            "quantized_size_kb": len(quantized) / 1024,
        }

    def latency(self, onnx: bytes, quantized: bytes) -> dict[str, float]:
        feeds = {"X": np.resize(self.rows, (1024, 4))}
        calls = {
            name: partial(open_session(data).run, None, feeds)
            for name, data in (("onnx", onnx), ("quantized", quantized))
        }
        timed = measure(
            {"original": partial(self.original.predict, self.rows), **calls}, Plan(20, 5), seed=0
        )
        return {name: found.median for name, found in speedups(timed).items()}


@pytest.fixture(scope="module")
def models() -> Models:
    return Models()


SAME_SPEED = {"quantized_vs_onnx_speedup": 1.0}


def test_good_models_pass_every_gate(models: Models, tmp_path: Path) -> None:
    run = Run(tmp_path, models.metrics(models.plain, models.plain), SAME_SPEED)
    assert run.exit_code == 0
    assert run.errors == []
    passed = {name: verdict["passed"] for name, verdict in run.verdicts.items()}
    assert passed == {
        **{gate.name: True for gate in GATES},
        "max_drop.score": True,
        "max_drop.recall_worst_loss": True,
        "min_onnx_speedup": None,
    }  # off unless it is asked for


def test_an_onnx_model_that_answers_otherwise_fails_the_agreement_gate(
    models: Models, tmp_path: Path
) -> None:
    run = Run(
        tmp_path, models.metrics(models.degraded, models.plain), SAME_SPEED, max_size_ratio=None
    )
    assert run.exit_code == 3
    assert run.failed == {"min_onnx_agreement", "max_score_diff"}
    assert run.verdicts["min_onnx_agreement"]["limit"] == 1.0
    assert run.verdicts["min_onnx_agreement"]["value"] < 0.9


def test_a_quantised_model_that_lost_accuracy_fails_the_gates_on_score_and_recall(
    models: Models, tmp_path: Path
) -> None:
    run = Run(
        tmp_path, models.metrics(models.plain, models.degraded), SAME_SPEED, max_size_ratio=None
    )
    assert run.exit_code == 3
    assert run.failed == {"max_drop.score", "max_drop.recall_worst_loss"}


def test_a_quantised_model_that_grew_fails_the_size_gate(models: Models, tmp_path: Path) -> None:
    larger = models.onnx(RandomForestClassifier(60, random_state=0).fit(models.rows, models.target))
    run = Run(tmp_path, models.metrics(models.plain, larger), SAME_SPEED)
    assert run.exit_code == 3
    assert run.failed == {"max_size_ratio"}
    assert run.verdicts["max_size_ratio"]["value"] == pytest.approx(len(larger) / len(models.plain))


def test_a_quantised_model_that_is_really_slower_fails_the_speed_gate(
    models: Models, tmp_path: Path
) -> None:
    slower = models.onnx(
        RandomForestClassifier(300, random_state=0).fit(models.rows, models.target)
    )
    run = Run(
        tmp_path, models.metrics(models.plain, models.plain), models.latency(models.plain, slower)
    )
    assert run.exit_code == 3
    assert run.failed == {"min_quantized_vs_onnx_speedup"}


def test_an_onnx_model_that_is_really_slower_than_the_original_fails_its_gate_once_that_is_set(
    models: Models, tmp_path: Path
) -> None:
    slow = models.onnx(RandomForestClassifier(300, random_state=0).fit(models.rows, models.target))
    feeds = {"X": np.resize(models.rows, (4096, 4))}
    calls = {
        "onnx": partial(open_session(slow).run, None, feeds),
        "quantized": partial(open_session(slow).run, None, feeds),
    }
    stump = DecisionTreeClassifier(max_depth=1).fit(models.rows, models.target)
    timed = measure({"original": partial(stump.predict, feeds["X"]), **calls}, Plan(20, 5), seed=0)
    latency = {**{name: found.median for name, found in speedups(timed).items()}, **SAME_SPEED}
    for place, limit in (("off", None), ("on", 1.0)):
        (tmp_path / place).mkdir()
        run = Run(
            tmp_path / place,
            models.metrics(models.plain, models.plain),
            latency,
            min_onnx_speedup=limit,
        )
        assert run.failed == ({"min_onnx_speedup"} if limit else set())


def test_a_failure_is_one_line_with_the_value_the_limit_and_what_to_change(
    models: Models, tmp_path: Path
) -> None:
    run = Run(
        tmp_path, models.metrics(models.plain, models.plain), {"quantized_vs_onnx_speedup": 0.5}
    )
    (line,) = run.errors
    assert line.startswith("gate: 1 of 6 gates failed")
    for part in (
        "is 0.5",
        "at least 0.9",
        "gate.min_quantized_vs_onnx_speedup",
        "quantize.objective",
        "params.yaml",
    ):
        assert part in line


def test_a_regressor_is_held_to_its_tolerance_and_r2(tmp_path: Path) -> None:
    features, target = load_diabetes(return_X_y=True)
    rows = features.astype(np.float32)
    original = RandomForestRegressor(10, random_state=0).fit(rows, target)
    worse = RandomForestRegressor(10, max_depth=1, random_state=0).fit(rows, target)
    session = open_session(to_onnx(worse, rows[:1], target_opset=OPSETS).SerializeToString())
    predicted = session.run(None, {"X": rows})[0][:, 0]
    expected = original.predict(rows)
    metrics = {
        "onnx_within_tolerance": float(
            np.mean(np.abs(predicted - expected) <= 0.001 * target.std())
        ),
        "onnx_max_relative_diff": float(
            (np.abs(predicted - expected) / np.maximum(1, np.abs(expected))).max()
        ),
        "original_r2": r2_score(target, expected),
        "quantized_score_drop": r2_score(target, expected) - r2_score(target, predicted),
        "onnx_size_kb": 1.0,
        "quantized_size_kb": 1.0,
    }
    run = Run(tmp_path, metrics, SAME_SPEED)
    assert run.exit_code == 3
    assert run.failed == {"min_onnx_agreement", "max_score_diff", "max_drop.score"}
    assert "max_drop.recall_worst_loss" not in run.verdicts


# --- verdicts ------------------------------------------------------------------------------------


def passed(limits: dict[str, Any], metrics: dict[str, float]) -> dict[str, bool | None]:
    return {verdict.gate.name: verdict.passed for verdict in judge(OFF | limits, metrics)}


@pytest.mark.parametrize(("key", "kept"), [("log_loss", 1e-7), ("brier", 1e-7), ("f1", 1e-10)])
def test_a_limit_of_nothing_leaves_room_for_the_rounding_of_float32(key: str, kept: float) -> None:
    limits, name = {"max_drop": {key: 0.0}}, f"max_drop.{key}"
    assert passed(limits, {f"quantized_{key}_drop": kept})[name]
    assert not passed(limits, {f"quantized_{key}_drop": 100 * kept})[name]


def test_a_runtime_in_which_the_model_does_not_answer_equally_fails_its_gate() -> None:
    limits = OFF | {"runtimes": ["onnxruntime==1.20.1", "tract==0.23.9"]}
    failing = GOOD | {"quantized_failing_runtimes": 1}
    assert passed(limits, failing)["runtimes"] is False
    assert passed(limits, GOOD | {"quantized_failing_runtimes": 0})["runtimes"] is True
    assert "see runtimes in quantization.json" in str(complaint(judge(limits, failing)))
    assert "runtimes" not in passed(OFF | {"runtimes": []}, GOOD)


def drop_verdict(key: str, limit: float | None, metrics: dict[str, float]) -> Verdict:
    """The verdict of the gate ``max_drop.<key>`` on GOOD metrics with others in their place."""
    verdicts = judge(OFF | {"max_drop": NO_DROPS | {key: limit}}, GOOD | metrics)
    (found,) = (each for each in verdicts if each.gate.name == f"max_drop.{key}")
    return found


def test_a_value_equal_to_its_limit_passes() -> None:
    limits = {
        "min_onnx_agreement": 1.0,
        "max_score_diff": 1e-6,
        "max_size_ratio": 0.1,
        "min_quantized_vs_onnx_speedup": 1.3,
    }
    drops = {"score": 0.0, "recall_worst_loss": 0.05}
    found = passed(limits | {"max_drop": drops}, GOOD | {"quantized_recall_worst_loss": 0.05})
    kept = [*limits, "max_drop.score", "max_drop.recall_worst_loss"]
    assert found == {**dict.fromkeys(kept, True), "min_onnx_speedup": None}


def test_probabilities_that_are_off_fail_where_every_label_is_right() -> None:
    assert (
        passed({"max_score_diff": 1e-5}, GOOD | {"onnx_max_relative_diff": 0.15})["max_score_diff"]
        is False
    )


def test_rounding_does_not_fail_a_gate() -> None:
    assert drop_verdict("score", 0.1, {"quantized_score_drop": 0.4 - 0.3}).passed is True
    assert drop_verdict("score", 0.1, {"quantized_score_drop": 0.1 + 1e-8}).passed is False


def test_a_model_that_gained_score_passes() -> None:
    assert drop_verdict("score", 0.0, {"quantized_score_drop": -0.02}).passed


DROPS = {
    "score": "quantized_score_drop",
    "recall_worst_loss": "quantized_recall_worst_loss",
    "disagreement": "quantized_disagreement",
    "within_tolerance": "quantized_disagreement",
    "log_loss": "quantized_log_loss_drop",
    "brier": "quantized_brier_drop",
    "average_precision": "quantized_average_precision_drop",
    "neg_mean_absolute_error": "quantized_neg_mean_absolute_error_drop",
    "max_abs_error": "quantized_max_abs_diff",
    "max_abs_error_p95": "quantized_max_abs_error_p95",
}


@pytest.mark.parametrize(("key", "metric"), DROPS.items())
def test_each_key_of_max_drop_limits_its_metric(key: str, metric: str) -> None:
    assert drop_verdict(key, 0.03, {metric: 0.03}).passed is True
    failed = drop_verdict(key, 0.03, {metric: 0.0301})
    assert failed.passed is False
    assert f"gate.max_drop.{key}" in str(failed)
    assert drop_verdict(key, None, {metric: 9.0}).passed is None


def test_a_verdict_on_a_drop_has_the_standard_error_of_it() -> None:
    metrics = {"quantized_score_drop": 0.004, "quantized_score_drop_se": 0.001}
    verdict = drop_verdict("score", 0.01, metrics)
    assert verdict.to_json() == {"limit": 0.01, "value": 0.004, "se": 0.001, "passed": True}
    assert "0.004 (standard error 0.001), should be at most 0.01" in str(verdict)
    without = drop_verdict("score", 0.01, {"quantized_score_drop": 0.004})
    assert without.to_json() == {"limit": 0.01, "value": 0.004, "passed": True}


@pytest.mark.parametrize(
    ("value", "error", "decided", "few"),
    [
        (0.004, 0.001, True, False),
        (0.004, 0.004, True, True),
        (0.016, 0.004, False, True),
        (0.017, 0.004, False, False),
        (0.0, 0.0, True, False),
        (0.01, 0.0, True, False),
        (-0.5, 0.31, True, False),
        (-0.5, 0.32, True, True),
    ],
)
def test_the_estimate_decides_and_an_interval_with_both_sides_of_the_limit_is_said(
    value: float, error: float, decided: bool, few: bool
) -> None:
    """The limit is 0.01: 0.016 - 1.645 * 0.004 = 0.0094, but 0.017 - 1.645 * 0.004 = 0.0104."""
    metrics = {"quantized_score_drop": value, "quantized_score_drop_se": error}
    verdict = drop_verdict("score", 0.01, metrics)
    assert (verdict.passed, verdict.too_few_rows) == (decided, few)
    assert ("the test rows are too few to tell" in str(verdict)) is few
    entry = verdict.to_json()
    assert entry.get("too_few_rows", False) is few
    assert ("too few to tell" in entry.get("note", "")) is few


def test_rows_too_few_for_the_bound_on_disagreement_are_said_even_without_a_disagreement() -> None:
    """30 rows without another answer leave up to 1 - 0.05 ** (1 / 30) = 9.5 % open."""
    bound = 1 - 0.05 ** (1 / 30)
    metrics = {
        "quantized_disagreement": 0.0,
        "quantized_disagreement_se": 0.0,
        "quantized_disagreement_upper": bound,
    }
    verdict = drop_verdict("disagreement", 0.01, metrics)
    assert (verdict.passed, verdict.too_few_rows) == (True, True)
    assert "its 90 % interval is 0 to 0.09503" in str(verdict)
    assert not drop_verdict("disagreement", 0.1, metrics).too_few_rows


def test_a_loss_of_recall_that_no_class_has_the_rows_for_does_not_fail() -> None:
    verdict = drop_verdict("recall_worst_loss", 0.05, {"quantized_recall_classes": 0})
    assert verdict.to_json() == {
        "limit": 0.05,
        "value": None,
        "passed": None,
        "too_few_rows": True,
        "note": "the test rows are too few to tell",
    }
    assert "not known: the test rows are too few to tell" in str(verdict)
    assert verdict.mark == "not judged"
    undefined = drop_verdict("recall_worst_loss", 0.05, {"quantized_recall_classes": 3})
    assert undefined.passed is False


def test_regression_has_no_gate_on_recall() -> None:
    limits = OFF | {"max_drop": {"score": 0.01, "recall_worst_loss": 0.05}}
    names = [verdict.gate.name for verdict in judge(limits, GOOD | {"original_r2": 0.9})]
    assert "max_drop.score" in names
    assert "max_drop.recall_worst_loss" not in names


def test_a_null_limit_switches_its_gate_off_and_the_value_is_still_told() -> None:
    verdicts = judge(OFF, GOOD | {"onnx_agreement": 0.0})
    assert complaint(verdicts) is None
    assert verdicts[0].to_json() == {"limit": None, "value": 0.0, "passed": None}


def test_the_other_of_two_classes_that_tie_is_no_disagreement() -> None:
    metrics = GOOD | {"onnx_agreement": 465 / 467, "test_rows": 467.0}
    assert passed({"min_onnx_agreement": 1.0}, metrics)["min_onnx_agreement"] is False
    one_tie = metrics | {"onnx_tied_rows": 1.0}
    assert passed({"min_onnx_agreement": 1.0}, one_tie)["min_onnx_agreement"] is False
    both_tie = metrics | {"onnx_tied_rows": 2.0}
    assert passed({"min_onnx_agreement": 1.0}, both_tie)["min_onnx_agreement"] is True


def test_an_undefined_metric_fails_its_gate_and_says_so() -> None:
    metrics = {key: value for key, value in GOOD.items() if key != "quantized_score_drop"}
    failure = complaint(judge(OFF | {"max_drop": NO_DROPS | {"score": 0.01}}, metrics))
    assert failure is not None
    assert "undefined (quantized_score_drop is" in failure


def test_every_failed_gate_is_named() -> None:
    bad = {
        "onnx_agreement": 0.5,
        "quantized_score_drop": 0.09,
        "quantized_size_kb": 90.0,
        "quantized_vs_onnx_speedup": 0.1,
    }
    limits = {
        "min_onnx_agreement": 1.0,
        "max_size_ratio": 1.0,
        "min_quantized_vs_onnx_speedup": 0.9,
    }
    failure = complaint(judge(OFF | limits | {"max_drop": NO_DROPS | {"score": 0.01}}, GOOD | bad))
    assert failure is not None
    assert all(f"gate.{name}" in failure for name in (*limits, "max_drop.score"))
    assert "lower quantize.max_drop.score" in failure


def test_every_limit_of_the_params_file_has_a_gate() -> None:
    assert set(yaml.safe_load((ROOT / "params.yaml").read_text())["gate"]) == {*OFF, "runtimes"}
