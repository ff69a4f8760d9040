"""Predicted flash, RAM and cycles against real ones: ``python -m bench.edge.predicted``.

It writes bench/results/on_chip.json and on_chip.md. ``--models 480`` says how many random models
are compiled; beside them are models of three tables, of the sizes that people deploy.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.edge.on_chip import taken
from bench.edge.random_models import random_model
from onnxpress import convert
from onnxpress.bodies.on_chip import on_chip
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.steps import NoBody
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.quantize.candidates import NotApplicable, Rung
from onnxpress.quantize.forest.refined.ladder import refined
from onnxpress.tables.rows import Rows

RESULTS = Path(__file__).parents[1] / "results"
FIGURES = ("flash", "ram", "cycles")
RUNGS = (Rung(8, 3), Rung(32, 5), Rung(64, 7))
TIMED_ROWS = 5

HEAD = """\
# Predicted for C on a Cortex-M4F

Written by `python -m bench.edge.predicted`. Predictions of `quantize.budget` are held against
arm-none-eabi-gcc 12.2 with `-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -Os -std=c99`: flash is what `size`
calls text and data, RAM the deepest frames of `-fstack-usage`. Cycles are those of every
instruction that QEMU executes for five rows, by ARM's reference manual of the core: loads take 2,
branches that are taken 4, and flash has no wait states. That is a model of the core, not a
measurement on one.

**{below} of {count} models take more than predicted.** Predicted over real:

| figure | least | median | 95 % | most |
|---|---:|---:|---:|---:|
"""


def real_models() -> Iterator[tuple[str, onnx.ModelProto, NDArray[np.float32]]]:
    """Yield models of three tables: as converted, and refined."""
    net = MLPClassifier((32, 16), max_iter=400, random_state=0)
    classifiers = [
        RandomForestClassifier(60, random_state=0),
        GradientBoostingClassifier(n_estimators=20, random_state=0),
        make_pipeline(StandardScaler(), net),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    ]
    regressors = [
        RandomForestRegressor(30, random_state=0),
        GradientBoostingRegressor(random_state=0),
    ]
    tables = (load_digits, classifiers), (load_breast_cancer, classifiers)
    for load, estimators in (*tables, (load_diabetes, regressors)):
        x, y = load(return_X_y=True)
        x = x.astype(np.float32)
        for estimator in estimators:
            model = convert(estimator.fit(x, y), x)
            last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
            name = f"{load.__name__.removeprefix('load_')}, {type(last).__name__}"
            yield name, model, x
            if "Forest" in name:
                rows = Rows({model.graph.input[0].name: x}, y)
                for rung in RUNGS:
                    yield f"{name} refined {rung}", refined(model, rows, rung=rung, seed=0), x


def random_models(count: int) -> Iterator[tuple[str, onnx.ModelProto, NDArray[np.float32]]]:
    """Yield random models, but for those that have no smaller form."""
    for seed in range(count):
        try:
            kind, model, rows = random_model(seed)
        except NotApplicable:
            continue
        yield f"random {seed}, {kind}", model, rows


def held(name: str, model: onnx.ModelProto, rows: NDArray[np.float32]) -> dict[str, Any] | None:
    """What is predicted and real; None for a model without a form in C."""
    try:
        program = read_program(model)
    except NoBody:
        return None
    predicted, real = asdict(on_chip(program)), asdict(taken(program, rows[:TIMED_ROWS]))
    return {"name": name, "predicted": predicted, "real": real}


def page(found: list[dict[str, Any]]) -> str:
    """The results as a page."""
    below = sum(
        any(each["predicted"][key] < each["real"][key] for key in FIGURES) for each in found
    )
    lines = []
    for key in FIGURES:
        ratio = [each["predicted"][key] / each["real"][key] for each in found if each["real"][key]]
        values = (min(ratio), *np.quantile(ratio, [0.5, 0.95]), max(ratio))
        lines.append(f"| {key} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    lines += ["", "A small model has the largest ratios: its bytes are code, and few.", ""]
    lines += ["| model | flash | predicted | RAM | predicted | cycles | predicted |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|"]
    for each in found:
        if not each["name"].startswith("random"):
            cells = [f"{each[of][key]:,}" for key in FIGURES for of in ("real", "predicted")]
            lines.append(f"| {' | '.join([each['name'], *cells])} |")
    return HEAD.format(below=below, count=len(found)) + "\n".join(lines) + "\n"


def main() -> None:
    """Compile all models and write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=480)
    count = parser.parse_args().models
    found = []
    for model in (*random_models(count), *real_models()):
        each = held(*model)
        if each is not None:
            found.append(each)
            say(f"{each['name']}: {each['real']}")
    write_json(RESULTS / "on_chip.json", {"models": found})
    write_bytes(RESULTS / "on_chip.md", page(found).encode())


if __name__ == "__main__":
    main()
