"""Models as WebAssembly, called from Node."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from bench.edge.random_models import random_model
from onnxpress import compress, convert
from onnxpress.bodies import wasm
from onnxpress.bodies.c_source import c_sources
from onnxpress.bodies.reading import read_program
from onnxpress.errors import UserError
from tests.support.compilers import run, tool
from tests.support.exported import asking, check, written_as_wasm

LARGE = np.array([-(2**63), 2**53 + 1, 2**63 - 1])
BYTES = 5 * 1024
"""The most that a page loads for iris."""


@pytest.fixture(autouse=True)
def tools() -> None:
    for name in ("clang", "wasm-ld", "node"):
        tool(name)


@pytest.mark.parametrize("seed", [0, 2, 5, 7, 10])
def test_node_answers_as_onnxruntime_does(seed: int, tmp_path: Path) -> None:
    _, model, rows = random_model(seed)
    check_in_node(model, rows, tmp_path)


def test_thousands_of_columns_fit_on_the_stack(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((20, 9000)).astype(np.float32)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, [0, 1] * 10)
    check_in_node(convert(model, rows), rows, tmp_path)


def test_labels_that_javascript_would_round_are_bigint(tmp_path: Path) -> None:
    rows, target = load_iris(return_X_y=True)
    tree = DecisionTreeClassifier(max_depth=3).fit(rows, LARGE[target])
    model = convert(tree, rows.astype(np.float32))
    written_as_wasm(tmp_path, model, rows.astype(np.float32))
    script = (
        'import { readFileSync } from "node:fs"; import { load } from "./model.js";'
        f'const body = await load(readFileSync("{tmp_path}/model.wasm"));'
        f"console.log({json.dumps(rows[::50].tolist())}.map((row) => `${{body.predict(row)}}`));"
    )
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "ask.js").write_text(script)
    done = run(tool("node"), tmp_path / "ask.js")
    assert re.findall(r"-?\d+", done.stdout) == [str(label) for label in LARGE]


def check_in_node(model: onnx.ModelProto, rows: NDArray[np.float32], tmp_path: Path) -> None:
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
