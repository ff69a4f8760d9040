"""Models in all bodies: ``python -m bench.edge`` writes edge.json, edge.md and docs/bodies.png.

``--models 240`` says how many random models are held against onnxruntime.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from bench.edge import report
from bench.edge.bodies import bodies
from bench.edge.bodies_picture import picture
from bench.edge.building import CHIPS, run, size_on
from bench.edge.contestants import INT16, PEERS, onnxpress
from bench.edge.random_models import random_model
from onnxpress import compress
from onnxpress.bodies.c_source import c_sources
from onnxpress.bodies.c_test import c_test
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.rows import answers, probe
from onnxpress.bodies.steps import NoBody
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import read_json, write_bytes, write_json
from onnxpress.runtime.sessions import open_session

RESULTS = Path(__file__).parents[1] / "results"
PICTURE = Path(__file__).parents[2] / "docs" / "bodies.png"
TABLES = {
    "iris": load_iris,
    "breast_cancer": load_breast_cancer,
}
TREES = 100
FEWER = (1, 2, 3, 5, 10, 20, 50, TREES)
CALLS = 2000
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1")

Rows = NDArray[np.float32]


def equal_models(count: int) -> dict[str, Any]:
    """How many random models answer all their probes as onnxruntime does."""
    found: dict[str, Any] = {"models": count, "equal": 0, "rows": 0, "left_out": 0}
    found |= {"refused": [], "different": []}
    for seed in range(count):
        kind, model, rows = random_model(seed)
        try:
            program = read_program(model)
        except NoBody as error:
            found["refused"].append(f"{seed}, {kind}: {error}")
            continue
        expected = answers(model, program, probe(program, rows, 400))
        sources = c_sources(program, "m", "model.onnx")
        with tempfile.TemporaryDirectory() as folder:
            files = {"m.h": sources.header, "m.c": sources.source}
            files["m_test.c"] = c_test(program, expected, "m")
            for name, text in files.items():
                (Path(folder) / name).write_text(text)
            command = ["gcc", *STRICT, "m.c", "m_test.c", "-o", "test"]
            subprocess.run(command, cwd=folder, check=True)
            done = subprocess.run([f"{folder}/test"], check=False, capture_output=True)
        found["equal" if done.returncode == 0 else "different"] = (
            found["equal"] + 1 if done.returncode == 0 else [*found["different"], seed]
        )
        found["rows"] += len(expected.rows)
        found["left_out"] += expected.left_out
    return found


def table(name: str) -> list[dict[str, Any]]:
    """onnxpress's refined forest and the peers' forests on one table."""
    x, y = TABLES[name](return_X_y=True)
    parts = train_test_split(x.astype(np.float32), y, test_size=0.2, stratify=y, random_state=42)
    train, test, target, truth = parts
    forest = RandomForestClassifier(TREES, random_state=42).fit(train, target)
    made = compress(forest, train, target)
    own = measured(onnxpress(made.model), test, truth)
    latency = {"onnxruntime": call_ns(made.data, test[:1]), "floor": floor_ns(test[:1])}
    first = {"table": name, "contestant": "onnxpress", "forest": made.candidate} | own | latency
    rows = [first | {"bodies": bodies(made.model, test, first)}]
    scale = np.abs(train).max(axis=0) / INT16
    scale[scale == 0] = 1
    for peer, write in PEERS.items():
        whole = peer.endswith("int16")
        given = [np.rint(part / scale) if whole else part for part in (train, test)]
        for trees, what in ((TREES, "the same"), (None, "smallest of that score")):
            found = smallest(write, trees, given, (target, truth), own["score"])
            rows.append({"table": name, "contestant": peer, "what": what} | found)
    return rows


def smallest(
    write: Any, trees: int | None, given: list[Rows], labels: tuple[Any, Any], score: float
) -> dict[str, Any]:
    """A forest of so many trees, or the first that reaches a score on the test rows."""
    found: dict[str, Any] = {}
    for count in FEWER if trees is None else (trees,):
        forest = RandomForestClassifier(count, random_state=42).fit(given[0], labels[0])
        with np.errstate():  # which a peer changes for the whole process
            written = write(forest)
        found = {"forest": f"{count} trees"} | measured(written, given[1], labels[1])
        if found["score"] >= score:
            return found
    return found


def measured(contestant: Any, rows: Rows, truth: NDArray[Any]) -> dict[str, Any]:
    """Score, time and bytes; classes are 0, 1, 2 and so on."""
    found, ns = run(contestant, rows)
    sizes = {chip: asdict(size_on(contestant, chip, rows.shape[1])) for chip in CHIPS}
    return {"score": float((found == truth).mean()), "ns": ns, "bytes": sizes}


def call_ns(model: bytes, row: Rows) -> float:
    """The median time of a call of onnxruntime with one row."""
    session = open_session(model)
    feeds = {session.get_inputs()[0].name: row}
    times = []
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        session.run(None, feeds)
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times))


def floor_ns(row: Rows) -> float:
    """The same of a model that does nothing."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["X"], ["Y"])],
        "floor",
        [value("X", onnx.TensorProto.FLOAT, [None, row.shape[1]])],
        [value("Y", onnx.TensorProto.FLOAT, [None, row.shape[1]])],
    )
    opsets = [onnx.helper.make_opsetid("", 12)]
    return call_ns(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=7).SerializeToString(), row
    )


def main() -> None:
    """Measure everything, and write the files; a picture of part of it stays with its results."""
    parser = argparse.ArgumentParser(prog="python -m bench.edge", description="models as C")
    parser.add_argument("--models", type=int, default=240, help="random models")
    parser.add_argument("--quick", action="store_true", help="iris and 12 random models")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the folder of the results")
    asked = parser.parse_args()
    found: dict[str, Any] = {"equal": equal_models(12 if asked.quick else asked.models)}
    say(f"{found['equal']['equal']} of {found['equal']['models']} random models are equal")
    found["tables"] = []
    for name in ["iris"] if asked.quick else TABLES:
        found["tables"] += table(name)
        say(f"{name}: measured")
    write_json(asked.output / "edge.json", found)
    text = report.page(found)
    write_bytes(asked.output / "edge.md", text.encode())
    whole = asked.output == RESULTS and not asked.quick
    stored = read_json(asked.output / "edge.json")["tables"]  # rounded, as the test reads them
    write_bytes(PICTURE if whole else asked.output / PICTURE.name, picture(stored))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
