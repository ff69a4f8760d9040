"""Neighbours, support vector machines and an MLP: ``python -m bench.families``.

Of each, scikit-learn, skl2onnx's own graph, model.onnx and the quantised model are timed side by
side in one process, one thread each. ``--quick`` takes a sample.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import families_report
from bench.data import Split, split_of
from bench.families_report import MLP
from bench.models import OPSET, dumped, trials
from bench.plain import plainly_converted
from onnxpress.benchmark.latency_statistics import ratio, summarise, values
from onnxpress.benchmark.measure import Plan, measure
from onnxpress.benchmark.timed_calls import batches, calls, limited_threads, sessions
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.building import build
from onnxpress.estimators.fitting import fit
from onnxpress.evaluate.metrics import in_unit_of_target
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.console import progress, say
from onnxpress.pipeline.running import run_stage
from onnxpress.quantize.choice import choose
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.terms import terms_of
from onnxpress.scores.score import default_score

RESULTS = Path(__file__).parent / "results"
DATA = ("digits", "breast_cancer", "diabetes")
FAMILIES = {
    "KNN": ("KNeighborsClassifier", "KNeighborsRegressor"),
    "RBF-SVM": ("SVC", "SVR"),
    MLP: ("MLPClassifier", ""),
}
PARAMETERS = {MLP: {"hidden_layer_sizes": [512, 512], "early_stopping": True}}
ONLY = {MLP: "digits"}
"""Families that one data set alone is enough for; the others have layers of a few inputs."""
BATCHES = (1, 32, 1024)
CALLS = 60
BUDGET = 0.005
TOLERANCE = 0.001
"""Regression predictions closer than this are the same.

In standard deviations of the target, as ``evaluate.tolerance``.
"""

Record = dict[str, Any]


def record(family: str, data: str, seconds: float) -> Record:
    """One model in its four forms; ``seconds`` bounds the timing of each batch size."""
    part = split_of(data, 0)
    name, params = FAMILIES[family][part.is_regression], PARAMETERS.get(family, {})
    estimator = build(name, params, part.schema, part.seed)
    fit(estimator, part.train)
    forms, candidate = _forms(estimator, part)
    predictions = {"joblib": np.asarray(estimator.predict(part.test.feeds["X"]))}
    for name, session in sessions(forms, threads=1).items():
        predictions[name] = np.asarray(session.run(None, part.test.feeds)[0]).reshape(-1)
    agreement, scores = {}, {}
    for name, found in predictions.items():
        agreement[name] = _agreement(part, predictions["joblib"], found)
        scores[name] = default_score(part.schema.task, part.test.target, found)
    return {
        "data": data,
        "family": family,
        "candidate": candidate,
        "kb": {
            name: len(form) / 1024 for name, form in ({"joblib": dumped(estimator)} | forms).items()
        },
        "agreement": agreement,
        "score": scores,
        **_costs(estimator, forms, part, seconds),
    }


def _forms(estimator: Any, part: Split) -> tuple[dict[str, bytes], str]:
    """The ONNX forms by name, and the candidate that the quantised one is."""
    model = to_onnx(estimator, part.schema, OPSET)
    plain = to_bytes(model)
    options = Options(budgets={"score": BUDGET}, seed=part.seed)
    candidates = list_candidates(model, options)
    made = trials(plain, estimator, part)
    terms = terms_of(options, part.schema, plain, made)
    choice = choose(plain, candidates, made, terms, options)
    default = to_bytes(plainly_converted(estimator, len(part.schema.columns)))
    return {"skl2onnx": default, "onnx": plain, "quantized": choice.model}, choice.candidate


def _agreement(part: Split, expected: NDArray[Any], found: NDArray[Any]) -> float:
    if part.is_regression:
        return float(np.mean(np.abs(found - expected) <= in_unit_of_target(TOLERANCE, part.schema)))
    return float(np.mean(found == expected))


def _costs(estimator: Any, forms: Mapping[str, bytes], part: Split, seconds: float) -> Record:
    """By batch size: the time of a row in µs, and how much faster our two forms are.

    A speed-up is the median of the ratio and its 95 % interval.
    """
    opened, found = sessions(forms, threads=1), {}
    wall, cpu = perf_counter(), process_time()
    with limited_threads(1):
        for size in BATCHES:
            parts = batches(part.test.feeds, size)
            timed_calls, plan = calls(estimator, opened, parts), Plan(CALLS, seconds)
            timed = measure(timed_calls, plan, part.seed, f"{size} rows", progress)
            timed["joblib"] = timed.pop("original")
            ratios = {
                f"{ours}_over_{other}": ratio(values(timed[other]), values(timed[ours]))
                for ours in ("onnx", "quantized")
                for other in timed
                if other != ours
            }
            found[str(size)] = {
                "us_per_row": {
                    name: summarise(taken).p50_ms * 1000 / size for name, taken in timed.items()
                },
                "speedup": {
                    name: [item.median, item.low, item.high] for name, item in ratios.items()
                },
            }
    return {"latency": found, "cpu_share": (process_time() - cpu) / (perf_counter() - wall)}


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.families", description="nearest neighbours and support vectors"
    )
    parser.add_argument("--data", nargs="+", choices=DATA, help="data sets (default: all)")
    parser.add_argument("--quick", action="store_true", help="diabetes alone, short timings")
    parser.add_argument("--seconds", type=float, help="time for each batch size of each model")
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of families.json and families.md"
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Make the records, then write and print the table and the bars."""
    asked = options(sys.argv[1:])
    data = asked.data or (DATA[-1:] if asked.quick else DATA)
    seconds = asked.seconds or (0.2 if asked.quick else 4.0)
    records = []
    for name in data:
        for family in (family for family in FAMILIES if ONLY.get(family, name) == name):
            records.append(record(family, name, seconds))
            say(f"{name} {family}: {records[-1]['candidate']}")
    sys.stdout.write(families_report.write(asked.output, records))


if __name__ == "__main__":
    run_stage("bench.families", main)
