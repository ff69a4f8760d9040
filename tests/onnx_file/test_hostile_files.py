"""Hostile model files end in one line that names what is wrong with them, and nothing of them runs.

What no line names is refused by its form: no name in it is bad, its data do not fit together.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from onnxpress.errors import UserError
from onnxpress.estimators.loading import load_original
from tests.support.hostile import memory as memory_designs
from tests.support.hostile.classic import classic, dumped, fitted_pipeline
from tests.support.hostile.doors import doors
from tests.support.hostile.memory import memory
from tests.support.hostile.payload import Payload
from tests.support.hostile.skops_files import skops_files

Maker = Callable[[Path], Iterable[Payload]]

HARMLESS = {
    "memory_folder",  # a folder for a cache that only fit uses; a given model is never fitted
    "estimator_memory",
    "estimator_input_filename",  # train refuses it: it has no ONNX form
    "estimator_input_file",
    "door_array_objects_of_objects",  # boosting keeps its trees in an array of objects
    "door_list_in_itself",  # plain data, which is no estimator
    "door_dict_in_itself",
    "stream_doubling",
    "wrapper_subclass",  # the class that a wrapper names is not asked for
    "wrapper_no_dtype",
}
"""What loads, because there is nothing in it to refuse."""

TEMPTING = [
    *(
        "os",
        "posix",
        "builtins",
        "numpy",
        "sklearn",
        "joblib",
        "functools",
        "subprocess",
        "numpy.random._pickle",
    ),
    *(
        "os.system",
        "posix.system",
        "builtins.eval",
        "builtins.exec",
        "builtins.getattr",
        "functools.partial",
        "numpy.ndarray",
    ),
    *(
        "numpy.matrix",
        "numpy.load",
        "subprocess.Popen",
        "pickle.Unpickler",
        "sklearn.linear_model._ridge.Ridge",
    ),
]
"""What somebody might put into train.trust to have a refused file loaded.

Packages, modules, functions, other classes.
"""


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def line(payload: Payload, folder: Path, trusted: Iterable[str] = ()) -> str:
    """The line that refuses a payload, empty if it is loaded."""
    try:
        load_original(payload.write(folder), list(trusted))
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("maker", [classic, memory, doors, skops_files])
def test_every_hostile_file_is_refused_in_one_line_and_leaves_no_mark(
    maker: Maker, tmp_path: Path, marks: Path
) -> None:
    lines = {payload.name: line(payload, tmp_path) for payload in maker(marks)}
    assert {name for name, said in lines.items() if not said} <= HARMLESS
    assert [said for said in lines.values() if not said.isprintable() or len(said) > 2500] == []
    assert list(marks.iterdir()) == []


@pytest.mark.parametrize("maker", [classic, memory, doors, skops_files])
def test_the_line_names_the_culprit(maker: Maker, tmp_path: Path, marks: Path) -> None:
    wrong = {}
    for payload in maker(marks):
        said = line(payload, tmp_path)
        if (
            payload.name not in HARMLESS
            and payload.culprits
            and not any(culprit in said for culprit in payload.culprits)
        ):
            wrong[payload.name] = said
    assert wrong == {}


@pytest.mark.parametrize("maker", [classic, memory, doors, skops_files])
def test_no_trust_makes_a_hostile_file_run(maker: Maker, tmp_path: Path, marks: Path) -> None:
    loaded = [payload.name for payload in maker(marks) if not line(payload, tmp_path, TEMPTING)]
    assert set(loaded) <= HARMLESS
    assert list(marks.iterdir()) == []


def test_the_corpus_is_as_large_as_is_claimed(marks: Path) -> None:
    counted = {
        maker.__name__: len({payload.name for payload in maker(marks)})
        for maker in (classic, memory, doors, skops_files)
    }
    assert counted["classic"] == 86  # the 87th is the next test's
    assert counted["memory"] >= 2 * 16
    assert counted["doors"] >= 250
    assert counted["skops_files"] >= 1 + 15


def test_a_function_of_numbers_is_no_payload(tmp_path: Path) -> None:
    pipeline = fitted_pipeline()
    pipeline[0].func = np.log1p
    (tmp_path / "good.joblib").write_bytes(dumped(pipeline))
    assert load_original(tmp_path / "good.joblib")[0].func is np.log1p


def test_the_classic_payloads_run_where_nobody_looks(tmp_path: Path, marks: Path) -> None:
    wanted = [
        payload
        for payload in classic(marks)
        if payload.name.startswith(("p", "obj", "inst", "object_array"))
    ]
    assert (
        left_by_joblib(
            [payload for payload in wanted if payload.name != "partial_system"], tmp_path, marks
        )
        >= 10
    )


@pytest.mark.skipif(not memory_designs.working(), reason="offsets of 64-bit CPython 3.11")
def test_the_designs_through_memory_run_where_nobody_looks(tmp_path: Path, marks: Path) -> None:
    designs = [payload for payload in memory(marks) if payload.name.endswith("_generator")][:6]
    assert left_by_joblib(designs, tmp_path, marks) == len(designs)


def left_by_joblib(payloads: list[Payload], folder: Path, marks: Path) -> int:
    """How many of them leave a mark when joblib loads them, in a process of their own."""
    paths = []
    for number, payload in enumerate(payloads):
        paths.append(folder / f"{number}{payload.suffix}")
        paths[-1].write_bytes(payload.data)
    code = (
        "import contextlib, joblib, sys, numpy.ma, numpy.random._pickle\n"
        "import sklearn.gaussian_process.kernels\n"
        "for path in sys.argv[1:]:\n"
        "    with contextlib.suppress(Exception):\n"
        "        joblib.load(path)\n"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, paths)],
        check=False,
        capture_output=True,
    )
    return len(list(marks.iterdir()))


def test_a_good_file_that_was_cut_is_said_to_be_cut(tmp_path: Path) -> None:
    """The names in it are no news, though nobody can say what would have become of them."""
    data = dumped(fitted_pipeline())
    for size in range(50, len(data) - 1, 97):
        (tmp_path / "cut.joblib").write_bytes(data[:size])
        with pytest.raises(UserError, match="is not a whole joblib file"):
            load_original(tmp_path / "cut.joblib")
