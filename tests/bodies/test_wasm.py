"""Models as WebAssembly, called from Node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from bench.edge.random_models import random_model
from onnxpress import compress
from onnxpress.bodies import wasm
from onnxpress.bodies.c_source import c_sources
from onnxpress.bodies.reading import read_program
from onnxpress.errors import UserError
from tests.support.compilers import run, tool
from tests.support.exported import asking, check, written_as_wasm

BYTES = 5 * 1024
"""The most that a page loads for iris."""


@pytest.fixture(autouse=True)
def tools() -> None:
    for name in ("clang", "wasm-ld", "node"):
        tool(name)


@pytest.mark.parametrize("seed", [0, 2, 5, 7, 10])
def test_node_answers_as_onnxruntime_does(seed: int, tmp_path: Path) -> None:
    _, model, rows = random_model(seed)
    expected = written_as_wasm(tmp_path, model, rows)
    script = 'import { readFileSync } from "node:fs";' + asking(
        str(tmp_path / "model.js"), f'readFileSync("{tmp_path}/model.wasm")', expected
    )
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "ask.js").write_text(f"{script}\nconsole.log(found);\n")
    done = run(tool("node"), tmp_path / "ask.js")
    assert done.returncode == 0, done.stdout
    program = read_program(model)
    classes = program.classes
    check(done.stdout, expected, classes if isinstance(classes, tuple) else classes_of(classes))


def classes_of(numbers: object) -> list[int]:
    return [int(number) for number in np.asarray(numbers)]


def test_iris_is_a_few_kilobytes(tmp_path: Path) -> None:
    rows, target = load_iris(return_X_y=True)
    forest = RandomForestClassifier(100, random_state=0).fit(rows, target)
    model = compress(forest, rows, target, method="forest", level="refined").model
    written_as_wasm(tmp_path, model, rows.astype(np.float32))
    loaded = sum((tmp_path / f"model.{kind}").stat().st_size for kind in ("wasm", "js"))
    assert loaded < BYTES


def test_a_row_of_another_length_is_refused(tmp_path: Path) -> None:
    _, model, rows = random_model(2)
    written_as_wasm(tmp_path, model, rows)
    script = (
        'import { readFileSync } from "node:fs"; import { load } from "./model.js";'
        f'const body = await load(readFileSync("{tmp_path}/model.wasm")); body.predict([]);'
    )
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "ask.js").write_text(script)
    done = run(tool("node"), tmp_path / "ask.js")
    assert done.returncode == 1
    assert f"RangeError: expected {rows.shape[1]} numbers" in done.stdout


def test_a_missing_compiler_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    program = read_program(random_model(0)[1])
    monkeypatch.setenv("PATH", "")
    line = "WebAssembly needs clang, which is not on PATH; on Debian: apt-get install clang"
    with pytest.raises(UserError, match=line):
        wasm.compiled(program, c_sources(program, "model", "model.onnx"), "model")
