"""Models as C: what compilers say, and answers beside those of onnxruntime."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from bench.edge.random_models import random_model
from onnxpress import compress, convert
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.rows import answers, probe
from onnxpress.quantize.candidates import Form
from onnxpress.quantize.dense.stored import dense_candidates
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.options import Options
from onnxpress.tables.rows import Rows
from tests.support.compilers import compiled, run, tool
from tests.support.exported import written

SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THUMB = ("-O2", "-mthumb", "-static")
SAMPLE = range(12)
"""Seeds of random models, two of each kind; ``python -m bench.edge`` takes more."""

ALL_EQUAL = re.compile(r"0 of \d+ rows differ from onnxruntime\n")


@pytest.fixture(scope="module")
def iris() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rows, target = load_iris(return_X_y=True)
    return rows.astype(np.float32), target


@pytest.mark.parametrize("seed", SAMPLE)
def test_random_models_answer_as_onnxruntime_does(seed: int, tmp_path: Path) -> None:
    _, model, rows = random_model(seed)
    expected = written(tmp_path, model, rows)
    assert len(expected.rows) > 100
    done = run(compiled(tmp_path, "model", "gcc", *SANITIZED))
    assert ALL_EQUAL.fullmatch(done.stdout), done.stdout


@pytest.mark.parametrize(("compiler", "flags"), [("gcc", ("-O3",)), ("clang", SANITIZED)])
@pytest.mark.parametrize("seed", [1, 2, 4, 5])
def test_other_compilers_and_levels_agree(
    seed: int, compiler: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    _, model, rows = random_model(seed)
    written(tmp_path, model, rows)
    done = run(compiled(tmp_path, "model", compiler, *flags))
    assert ALL_EQUAL.fullmatch(done.stdout), done.stdout


@pytest.mark.parametrize("seed", [0, 3, 7, 11])
def test_an_arm_chip_answers_the_same(seed: int, tmp_path: Path) -> None:
    _, model, rows = random_model(seed)
    written(tmp_path, model, rows)
    program = compiled(tmp_path, "model", "arm-linux-gnueabihf-gcc", *THUMB)
    done = run(tool("qemu-arm"), program)
    assert ALL_EQUAL.fullmatch(done.stdout), done.stdout


def test_a_refined_forest_is_one_table_of_leaves_and_answers_exactly(
    iris: tuple[Any, Any], tmp_path: Path
) -> None:
    forest = RandomForestClassifier(100, random_state=0).fit(*iris)
    made = compress(forest, *iris, method="forest", level="refined")
    expected = written(tmp_path, made.model, iris[0])
    assert expected.left_out == 0
    assert "static const int8_t leaf1[" in (tmp_path / "model.c").read_text()
    done = run(compiled(tmp_path, "model", "gcc", "-O2"))
    assert ALL_EQUAL.fullmatch(done.stdout), done.stdout


def test_a_leaf_that_is_changed_is_found(iris: tuple[Any, Any], tmp_path: Path) -> None:
    made = convert(RandomForestClassifier(3, max_depth=3, random_state=0).fit(*iris), iris[0])
    written(tmp_path, made)
    source = (tmp_path / "model.c").read_text()
    changed = re.sub(r"(leaf1\w*\[\d+\] = \{\n    )", r"\g<1>9+", source)
    assert changed != source
    (tmp_path / "model.c").write_text(changed)
    done = run(compiled(tmp_path, "model", "gcc"))
    assert done.returncode == 1
    assert "differs from onnxruntime" in done.stdout


def test_a_threshold_that_is_moved_by_one_float_is_found(
    iris: tuple[Any, Any], tmp_path: Path
) -> None:
    made = convert(RandomForestClassifier(3, max_depth=3, random_state=0).fit(*iris), iris[0])
    written(tmp_path, made, rows=1000)
    source = (tmp_path / "model.c").read_text()
    changed = re.sub(r"(cut1\[\d+\] = \{\n    )(\d+)", lambda m: f"{m[1]}{int(m[2]) + 1}", source)
    assert changed != source
    (tmp_path / "model.c").write_text(changed)
    assert run(compiled(tmp_path, "model", "gcc")).returncode == 1


@pytest.mark.parametrize("ml_opset", [3, 5])
def test_missing_numbers_go_where_the_model_sends_them(
    ml_opset: int, iris: tuple[Any, Any], tmp_path: Path
) -> None:
    rows = iris[0].copy()
    rows[np.random.default_rng(0).random(rows.shape) < 0.2] = np.nan
    boosted = HistGradientBoostingClassifier(max_iter=5).fit(rows, iris[1])
    model = rewrite_trees(convert(boosted, rows), ml_opset=ml_opset)
    expected = written(tmp_path, model, rows)
    assert np.isnan(expected.rows).any(axis=1).sum() > 50
    assert ALL_EQUAL.fullmatch(run(compiled(tmp_path, "model", "gcc")).stdout)


def test_a_forest_has_no_library_and_no_memory_of_its_own(
    iris: tuple[Any, Any], tmp_path: Path
) -> None:
    made = convert(RandomForestClassifier(5, random_state=0).fit(*iris), iris[0])
    written(tmp_path, made)
    built = run(tool("gcc"), "-O2", "-c", tmp_path / "model.c", "-o", tmp_path / "model.o")
    assert built.returncode == 0, built.stdout
    undefined = run("nm", "--undefined-only", tmp_path / "model.o").stdout.split()
    assert [name for name in undefined if name not in ("U", "_GLOBAL_OFFSET_TABLE_")] == []
    sections = run("size", "--format=sysv", tmp_path / "model.o").stdout
    found = dict(re.findall(r"^\.(data|bss) +(\d+)", sections, re.MULTILINE))
    assert found == {"data": "0", "bss": "0"}


def test_names_of_columns_and_classes_cannot_leave_their_comments_and_strings(
    iris: tuple[Any, Any], tmp_path: Path
) -> None:
    classes = np.array(['a"; int x; //', "??/\\n", "é*/"])[iris[1]]
    model = convert(RandomForestClassifier(2, random_state=0).fit(iris[0], classes), iris[0])
    names = '["*/ int y; /*", "b\\n#error", "??/", "\\u00e9"]'
    (entry,) = (each for each in model.metadata_props if each.key == "feature_names")
    entry.value = names
    written(tmp_path, model)
    main = '#include "model.h"\n#include <stdio.h>\nint main(void) { int i; '
    main += 'for (i = 0; i < 3; i++) printf("%s\\n", model_classes[i]); return 0; }\n'
    (tmp_path / "model_test.c").write_text(main)
    done = run(compiled(tmp_path, "model", "gcc"))
    assert done.stdout.splitlines() == sorted(set(classes))


def test_a_source_refuses_to_be_compiled_for_fast_mathematics(
    iris: tuple[Any, Any], tmp_path: Path
) -> None:
    written(tmp_path, convert(LogisticRegression().fit(*iris), iris[0]))
    done = run(tool("gcc"), "-ffast-math", "-c", tmp_path / "model.c", "-o", tmp_path / "model.o")
    assert done.returncode != 0
    assert "compile without -ffast-math" in done.stdout


def test_the_bound_of_a_linear_model_covers_onnxruntime_and_a_sum_in_double(
    iris: tuple[Any, Any],
) -> None:
    """Independent of the C: the scores of the original estimator, in float64."""
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(*iris)
    model = convert(estimator, iris[0])
    program = read_program(model)
    expected = answers(model, program, probe(program, iris[0], 400))
    exact = estimator.predict_proba(expected.rows.astype(np.float64))
    usual = (np.abs(expected.rows) < 100).all(axis=1)
    assert usual.sum() > 100
    apart = np.abs(exact - expected.result)[usual]
    assert (apart <= expected.apart[usual] + 1e-5).all()
    assert (expected.apart[usual] < 1e-4).all()


def test_a_row_at_the_border_of_two_classes_is_left_out_of_the_test() -> None:
    x = np.array([[-1.0], [1.0]] * 20, np.float32)
    model = convert(LogisticRegression().fit(x, [0, 1] * 20), x)
    program = read_program(model)
    found = answers(model, program, np.array([[0.0], [0.5], [np.nan]], np.float32))
    assert found.rows.tolist() == [[0.5]]
    assert found.left_out == 2


def test_labels_may_be_any_whole_numbers_of_64_bits(iris: tuple[Any, Any], tmp_path: Path) -> None:
    labels = np.array([-(2**63), -(2**31), 2**63 - 1])
    tree = DecisionTreeClassifier(max_depth=3).fit(iris[0], labels[iris[1]])
    written(tmp_path, convert(tree, iris[0]), iris[0])
    assert ALL_EQUAL.fullmatch(run(compiled(tmp_path, "model", "gcc")).stdout)
    main = '#include "model.h"\n#include <stdio.h>\nint main(void) { int i; '
    main += 'for (i = 0; i < 3; i++) printf("%ld\\n", (long)model_classes[i]); return 0; }\n'
    (tmp_path / "model_test.c").write_text(main)
    found = run(compiled(tmp_path, "model", "gcc")).stdout.split()
    assert found == [str(label) for label in labels]


@pytest.mark.parametrize("form", [Form.INT8, Form.INT4])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_nets_with_weights_of_few_bits_answer_as_onnxruntime_does(
    estimator: Any, form: Form, iris: tuple[Any, Any], tmp_path: Path
) -> None:
    net = estimator(hidden_layer_sizes=(40, 30), max_iter=20, tol=10, random_state=0)
    model = convert(make_pipeline(StandardScaler(), net).fit(*iris), iris[0])
    (stored,) = (
        each for each in dense_candidates(model, Options(method="dense")) if each.form == form
    )
    expected = written(tmp_path, stored.apply(model, Rows({"X": iris[0]}, iris[1])), iris[0])
    assert len(expected.rows) > 100
    assert ALL_EQUAL.fullmatch(run(compiled(tmp_path, "model", "gcc")).stdout)
