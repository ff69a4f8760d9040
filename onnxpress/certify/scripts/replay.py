"""Replay rows in a runtime for Python, and write what it answers.

    python -I -S replay.py RUNTIME PACKAGES MODEL [MODEL ...]

PACKAGES is the folder that the runtime is installed in. The current folder holds MODEL.onnx for
each MODEL, and rows.npz with an array (rows, ...) for each input by its name. For each model this
prints a line of JSON, with its times, the runtime's error or why it was not tried, and writes
MODEL.npz with the outputs ``out0``, ``out1``, ... in the order of the graph.

It runs in environments of its own, so it imports nothing of onnxpress, and keeps to Python 3.8.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

sys.path.insert(0, sys.argv[2])

import numpy as np

ROWS_OF_CALL = 1024
CALLS, SECONDS = 200, 0.2
"""The most calls that are timed, and the most time that they may take."""


class NotTriedError(Exception):
    """This script cannot feed the runtime; the message says why."""


def open_onnxruntime(path: str) -> Callable[[dict[str, Any]], list[Any]]:
    """Open a model in one thread on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    with suppress(AttributeError):  # of releases that have the one format only
        options.add_session_config_entry("session.load_model_format", "ONNX")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda rows: session.run(None, rows)


def open_reference(path: str) -> Callable[[dict[str, Any]], list[Any]]:
    """Open a model in the reference evaluator of the ONNX project."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(path)
    return lambda rows: list(evaluator.run(None, rows))


def open_openvino(path: str) -> Callable[[dict[str, Any]], list[Any]]:
    """Open a model in OpenVINO, in float32 and one thread."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", settings)

    def run(rows: dict[str, Any]) -> list[Any]:
        found = compiled(rows)
        return [found[output] for output in compiled.outputs]

    return run


def open_tract(path: str) -> Callable[[dict[str, Any]], list[Any]]:
    """Open a model in tract; it is made anew for each number of rows, as tract needs to know it."""
    import tract

    model = tract.onnx().load(path)
    names = [model.input_name(place) for place in range(model.input_count())]
    runnable = {}

    def fact(values: Any) -> str:
        kind = TRACT_TYPES.get(values.dtype.name)
        if kind is None:
            raise NotTriedError("text inputs are not tried in tract: its package takes numbers")
        return ",".join([*map(str, values.shape), kind])

    def run(rows: dict[str, Any]) -> list[Any]:
        count = len(rows[names[0]])
        if count not in runnable:
            model = tract.onnx().load(path)
            for place, name in enumerate(names):
                model.set_input_fact(place, fact(rows[name]))
            runnable[count] = model.into_model().into_runnable()
        return [output.to_numpy() for output in runnable[count].run([rows[n] for n in names])]

    return run


TRACT_TYPES = {
    f"{kind}{bits}": f"{kind[0]}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
}
TRACT_TYPES.update(float16="f16", float32="f32", float64="f64", bool="bool")
OPEN = {
    "onnxruntime": open_onnxruntime,
    "onnxruntime-aarch64": open_onnxruntime,
    "onnx": open_reference,
    "openvino": open_openvino,
    "tract": open_tract,
}


def replayed(
    opened: Callable[[str], Callable[[dict[str, Any]], list[Any]]], path: str, rows: dict[str, Any]
) -> tuple[list[Any], dict[str, float]]:
    """Return the outputs of a model, and its times in ms."""
    start = time.perf_counter()
    run = opened(path)
    loaded = time.perf_counter() - start
    count = len(next(iter(rows.values())))
    parts = [
        run({name: values[at : at + ROWS_OF_CALL] for name, values in rows.items()})
        for at in range(0, count, ROWS_OF_CALL)
    ]
    outputs = [np.concatenate([np.asarray(one) for one in each]) for each in zip(*parts)]  # noqa: B905 - as Python 3.8 has it
    row = {name: values[:1] for name, values in rows.items()}
    run(row)
    calls, start = 0, time.perf_counter()
    while calls < CALLS and time.perf_counter() - start < SECONDS:
        run(row)
        calls += 1
    each = (time.perf_counter() - start) / calls
    return outputs, {"load_ms": 1000 * loaded, "row_ms": 1000 * each}


def main() -> None:
    """Replay the rows in each model."""
    kind, models = sys.argv[1], sys.argv[3:]
    with np.load("rows.npz") as arrays:
        rows = {name: arrays[name] for name in arrays.files}
    rows = {name: v.astype(object) if v.dtype.kind == "U" else v for name, v in rows.items()}
    for model in models:
        try:
            found: dict[str, Any]
            outputs, found = replayed(OPEN[kind], model + ".onnx", rows)
            arrays = {
                f"out{place}": v.astype(str) if v.dtype.kind == "O" else v
                for place, v in enumerate(outputs)
            }
            np.savez(model + ".npz", **arrays)
        except NotTriedError as reason:
            found = {"not_tried": str(reason)}
        except Exception as error:  # each runtime has its own
            found = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
        print(json.dumps(dict(found, model=model)), flush=True)


main()
