"""Models written as a user has them: a folder of files beside the answers of onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.bodies.c_source import c_sources
from onnxpress.bodies.c_test import c_test
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.rows import Answers, answers, probe
from onnxpress.bodies.wasm import compiled, javascript

ASK = """
const {{ load }} = await import({module});
const body = await load({wasm});
const rows = {rows}.map((row) => row.map((value) => value === null ? NaN : Number(value)));
const result = body.predictProba ?? body.predict;
const label = body.predictProba ? rows.map((row) => body.predict(row)) : null;
const found = JSON.stringify({{ label, result: rows.map((row) => [...result(row)]) }});
"""
"""JavaScript that answers rows, of which a missing number is null and an infinite one a text."""


def written(
    folder: Path, model: onnx.ModelProto, given: NDArray[Any] | None = None, *, rows: int = 300
) -> Answers:
    """Write ``model`` as C called ``model`` with its test program; return what that expects."""
    program = read_program(model)
    found = c_sources(program, "model", "model.onnx")
    expected = answers(model, program, probe(program, given, rows))
    (folder / "model.h").write_text(found.header)
    (folder / "model.c").write_text(found.source)
    (folder / "model_test.c").write_text(c_test(program, expected, "model"))
    return expected


def written_as_wasm(folder: Path, model: onnx.ModelProto, given: NDArray[Any]) -> Answers:
    """Write ``model`` as WebAssembly with its module, too."""
    expected = written(folder, model, given)
    program = read_program(model)
    sources = c_sources(program, "model", "model.onnx")
    (folder / "model.wasm").write_bytes(compiled(program, sources, "model"))
    (folder / "model.js").write_text(javascript(program, "model"))
    return expected


def asking(module: str, wasm: str, expected: Answers) -> str:
    """JavaScript that answers the rows of ``expected`` in ``found``."""
    rows = [
        [None if np.isnan(value) else str(value) for value in row]
        for row in expected.rows.astype(np.float64).tolist()
    ]
    text = json.dumps(rows).replace('"inf"', '"Infinity"').replace('"-inf"', '"-Infinity"')
    return ASK.format(module=json.dumps(module), wasm=wasm, rows=text)


def check(found: str, expected: Answers, classes: Any) -> None:
    """Hold what JavaScript found against the answers of onnxruntime."""
    answered = json.loads(found)
    result = np.array(answered["result"], np.float32).reshape(expected.result.shape)
    assert (np.abs(result - expected.result) <= expected.apart).all()
    if expected.label is not None:
        assert answered["label"] == [list(classes)[number] for number in expected.label]
