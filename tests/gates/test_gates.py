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
from sklearn.metrics import accuracy_score, r2_score
from sklearn.tree import DecisionTreeClassifier

from onnxpress.benchmark.latency_statistics import speedups
from onnxpress.benchmark.measure import Plan, measure
from onnxpress.gates import GATES, complaint, judge
from onnxpress.runtime.sessions import open_session, predict_onnx

ROOT = Path(__file__).parents[2]
OPSETS = {"": 12, "ai.onnx.ml": 3}
OFF: dict[str, float | None] = {gate.name: None for gate in GATES}
GOOD = {
    "onnx_agreement": 1.0,
    "onnx_max_relative_diff": 1e-6,
    "accuracy_loss_pp": 0.0,
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
        **limits: float | None,
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
            "accuracy_loss_pp": 100 * float(loss),
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
        **dict.fromkeys(OFF, True),
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


def test_a_quantised_model_that_lost_accuracy_fails_the_accuracy_gate(
    models: Models, tmp_path: Path
) -> None:
    run = Run(
        tmp_path, models.metrics(models.plain, models.degraded), SAME_SPEED, max_size_ratio=None
    )
    assert run.exit_code == 3
    assert run.failed == {"max_drop.score"}


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
    assert line.startswith("gate: 1 of 5 gates failed")
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
        "r2_loss": r2_score(target, expected) - r2_score(target, predicted),
        "onnx_size_kb": 1.0,
        "quantized_size_kb": 1.0,
    }
    run = Run(tmp_path, metrics, SAME_SPEED)
    assert run.exit_code == 3
    assert run.failed == {"min_onnx_agreement", "max_score_diff", "max_drop.score"}


# --- verdicts ------------------------------------------------------------------------------------


def passed(limits: dict[str, float], metrics: dict[str, float]) -> dict[str, bool | None]:
    return {verdict.gate.name: verdict.passed for verdict in judge(OFF | limits, metrics)}


def test_a_value_equal_to_its_limit_passes() -> None:
    limits = {
        "min_onnx_agreement": 1.0,
        "max_drop.score": 0.0,
        "max_size_ratio": 0.1,
        "min_quantized_vs_onnx_speedup": 1.3,
    }
    limits["max_score_diff"] = 1e-6
    assert passed(limits, GOOD) == {**dict.fromkeys(limits, True), "min_onnx_speedup": None}


def test_probabilities_that_are_off_fail_where_every_label_is_right() -> None:
    assert (
        passed({"max_score_diff": 1e-5}, GOOD | {"onnx_max_relative_diff": 0.15})["max_score_diff"]
        is False
    )


def test_a_drop_of_one_point_is_within_a_limit_of_one_hundredth() -> None:
    assert passed({"max_drop.score": 0.01}, GOOD | {"accuracy_loss_pp": 1.0})["max_drop.score"]


def test_a_model_that_gained_accuracy_passes() -> None:
    assert passed({"max_drop.score": 0.0}, GOOD | {"accuracy_loss_pp": -2.0})["max_drop.score"]


def test_a_null_limit_switches_its_gate_off_and_the_value_is_still_told() -> None:
    verdicts = judge(OFF, GOOD | {"onnx_agreement": 0.0})
    assert complaint(verdicts) is None
    assert verdicts[0].to_json() == {"limit": None, "value": 0.0, "passed": None}


def test_an_undefined_metric_fails_its_gate_and_says_so() -> None:
    metrics = {key: value for key, value in GOOD.items() if key != "accuracy_loss_pp"}
    failure = complaint(judge(OFF | {"max_drop.score": 0.01}, metrics))
    assert failure is not None
    assert "undefined (accuracy_loss_pp or r2_loss" in failure


def test_every_failed_gate_is_named() -> None:
    bad = {
        "onnx_agreement": 0.5,
        "accuracy_loss_pp": 9.0,
        "quantized_size_kb": 90.0,
        "quantized_vs_onnx_speedup": 0.1,
    }
    limits = {
        "min_onnx_agreement": 1.0,
        "max_drop.score": 0.01,
        "max_size_ratio": 1.0,
        "min_quantized_vs_onnx_speedup": 0.9,
    }
    failure = complaint(judge(OFF | limits, GOOD | bad))
    assert failure is not None
    assert all(f"gate.{name}" in failure for name in limits)


def test_every_limit_of_the_params_file_has_a_gate() -> None:
    assert set(yaml.safe_load((ROOT / "params.yaml").read_text())["gate"]) == {
        name.partition(".")[0] for name in OFF
    }
