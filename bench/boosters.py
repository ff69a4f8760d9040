"""How fast boosters convert: ``python -m bench.boosters`` writes boosters.md.

A model of about a million nodes of each library is converted from its native bytes by this package,
and from the library's own object by the public converter, each once, on one thread. Then both
models, the library itself and treelite predict the same rows in turn.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.boosters.libraries import open_booster
from onnxpress.boosters.readers import read_booster
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.booster_estimator import BoosterRegressor
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.running import run_stage
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.schema import Column, Schema

RESULTS = Path(__file__).parent / "results" / "boosters.md"
FEATURES, ROWS, LEAVES, ASKED, TURNS = 20, 50_000, 1024, 1024, 7
OPSET = 15

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    """A fitted model."""

    data: bytes
    """In its native format."""
    convert: Callable[[], bytes]
    """Gives its ONNX form by the public converter, with the input X."""
    treelite: Callable[[], Any] | None
    """Gives its form in treelite; None if treelite does not read the library's models."""


def lightgbm_model(rows: Rows, target: NDArray[np.float64], trees: int) -> Made:
    """Fit trees of ``LEAVES`` leaves; onnxmltools converts them."""
    import lightgbm

    parameters = {
        "objective": "regression",
        "num_leaves": LEAVES,
        "min_data_in_leaf": 2,
        "verbosity": -1,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
    }
    trained = lightgbm.train(parameters, lightgbm.Dataset(rows, target), trees)

    def convert() -> bytes:
        import onnxmltools
        from onnxmltools.convert.common.data_types import FloatTensorType

        inputs = [("X", FloatTensorType([None, FEATURES]))]
        made = onnxmltools.convert_lightgbm(trained, initial_types=inputs, target_opset=OPSET)
        return bytes(made.SerializeToString())

    def treelite() -> Any:
        from treelite.frontend import from_lightgbm

        return from_lightgbm(trained)

    return Made(trained.model_to_string().encode(), convert, treelite)


def xgboost_model(rows: Rows, target: NDArray[np.float64], trees: int) -> Made:
    """Fit trees of ``LEAVES`` leaves; onnxmltools converts them."""
    import xgboost

    parameters = {
        "max_depth": 0,
        "max_leaves": LEAVES,
        "grow_policy": "lossguide",
        "min_child_weight": 2,
        "learning_rate": 0.1,
        "nthread": 1,
        "verbosity": 0,
    }
    trained = xgboost.train(parameters, xgboost.DMatrix(rows, target, nthread=1), trees)

    def convert() -> bytes:
        import onnxmltools
        from onnxmltools.convert.common.data_types import FloatTensorType

        inputs = [("X", FloatTensorType([None, FEATURES]))]
        made = onnxmltools.convert_xgboost(trained, initial_types=inputs, target_opset=OPSET)
        return bytes(made.SerializeToString())

    def treelite() -> Any:
        from treelite.frontend import from_xgboost

        return from_xgboost(trained)

    return Made(bytes(trained.save_raw("ubj")), convert, treelite)


def catboost_model(rows: Rows, target: NDArray[np.float64], trees: int) -> Made:
    """Fit symmetric trees of ``LEAVES`` leaves; the library's own exporter converts them."""
    import catboost

    trained = catboost.CatBoostRegressor(
        iterations=trees,
        depth=LEAVES.bit_length() - 1,
        verbose=False,
        allow_writing_files=False,
        thread_count=1,
        random_seed=0,
    ).fit(rows, target)

    def saved(form: str) -> bytes:
        with TemporaryDirectory() as folder:
            trained.save_model(f"{folder}/model", format=form)
            return Path(f"{folder}/model").read_bytes()

    def convert() -> bytes:
        model = onnx.load_from_string(saved("onnx"))
        given = model.graph.input[0].name
        for node in model.graph.node:
            node.input[:] = ["X" if name == given else name for name in node.input]
        model.graph.input[0].name = "X"
        return bytes(model.SerializeToString())

    return Made(saved("cbm"), convert, None)


MAKERS: dict[str, Callable[[Rows, NDArray[np.float64], int], Made]] = {
    "catboost": catboost_model,
    "lightgbm": lightgbm_model,
    "xgboost": xgboost_model,
}
"""By the names of the libraries."""

SCHEMA = Schema(
    "regression", "y", tuple(Column(f"x{place}", "number", True) for place in range(FEATURES))
)


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and the result."""
    start = time.perf_counter()
    result = act()
    return time.perf_counter() - start, result


def cpu_seconds(act: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of this process on a core, and the result."""
    start = time.process_time()
    result = act()
    return time.process_time() - start, result


def treelite_call(made: Made, asked: Rows) -> Callable[[], Any] | None:
    """Return what predicts the rows by treelite; None where it cannot."""
    if made.treelite is None:
        return None
    try:
        import treelite
    except ModuleNotFoundError:
        say("treelite is not installed here; make bench has it")
        return None
    return partial(treelite.gtil.predict, made.treelite(), asked, nthread=1)


def line_of(library: str, nodes: int) -> str:
    """A row of the page."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(ROWS, FEATURES)).astype(np.float32)
    target = rows[:, 0] * rows[:, 1] + np.abs(rows[:, 2]) + random.normal(size=ROWS) / 4
    made = MAKERS[library](rows, target, max(1, nodes // (2 * LEAVES - 1)))
    estimator = BoosterRegressor(library, made.data, tuple(one.name for one in SCHEMA.columns))
    for module in ("skl2onnx", "onnxmltools"):
        import_module(module)  # not part of a conversion
    ours, model = cpu_seconds(lambda: to_bytes(to_onnx(estimator, SCHEMA, OPSET)))
    count = read_booster(library, made.data).nodes
    say(f"{library}: {count} nodes in {ours:.1f} s")
    theirs, other = cpu_seconds(made.convert)
    say(f"{library}: by the public converter in {theirs:.1f} s")
    asked = rows[:ASKED]
    sessions = [open_session(one) for one in (model, other)]
    opened = open_booster(library, made.data)
    calls: list[Callable[[], Any]] = [lambda: opened(asked, 1)]
    calls += [partial(one.run, None, {"X": asked}) for one in sessions]
    by_treelite = treelite_call(made, asked)
    calls += [] if by_treelite is None else [by_treelite]
    values = [np.asarray(call()).reshape(-1) for call in calls]
    times = [[timed(call)[0] for call in calls] for _ in range(TURNS)]
    medians = [1000 * statistics.median(column) for column in zip(*times, strict=True)]
    listed = [f"{one:.1f}" for one in medians] + ["-"] * (len(PREDICTORS) - len(medians))
    apart = [np.abs(one - values[0]).max() for one in values[1:]]
    cells = [library, f"{count:,}", f"{ours:.1f}", f"{theirs:.1f}", f"{theirs / ours:.1f}"]
    cells += [*listed, f"{apart[0]:.1e}", f"{apart[1]:.1e}"]
    return f"| {' | '.join(cells)} |"


HEAD = f"""# Boosters

Written by `python -m bench.boosters` on one thread. Regressions of {FEATURES} features, trees of
{LEAVES} leaves. Seconds on a core are those from the fitted model to the bytes of an ONNX file:
ours from the native bytes, fully checked, and the public converter's (onnxmltools, or the
library's own). Milliseconds are for {ASKED:,} rows, the median of {TURNS} calls in turn: the
library's own predict, both ONNX models in onnxruntime, and treelite, which reads no CatBoost. The
last two columns are the largest differences from what the library itself predicts.

"""
PREDICTORS = ("library, ms", "ours, ms", "public, ms", "treelite, ms")
COLUMNS = (
    *("library", "nodes", "ours, s", "public, s", "times faster"),
    *(*PREDICTORS, "ours, off by", "public, off by"),
)


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="models of 20,000 nodes")
    parser.add_argument("--only", choices=sorted(MAKERS), help="one library")
    asked = parser.parse_args()
    libraries = [asked.only] if asked.only else sorted(MAKERS)
    lines = [line_of(one, 20_000 if asked.quick else 1_000_000) for one in libraries]
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    page = HEAD + "\n".join([*head, *lines]) + "\n"
    if asked.quick or asked.only:
        sys.stdout.write(page)
    else:
        write_bytes(RESULTS, page.encode())


if __name__ == "__main__":
    run_stage("bench.boosters", main)
