"""Hostile files in the train stage: exit code 2, one line, no traceback."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import default_params, write_params
from tests.support.hostile.classic import classic
from tests.support.hostile.doors import doors
from tests.support.hostile.memory import memory
from tests.support.hostile.payload import Payload
from tests.support.hostile.skops_files import skops_files
from tests.support.programs import run

CHOSEN = (
    *(
        "p2_os_system",
        "object_array_zlib",
        "function_transformer_system",
        "name_3",
        "inst",
        "raw_gzip",
    ),
    *(
        "memory_matrix_call_generator",
        "memory_valid_matrix_call_generator",
        "memory_valid_masked_new_partial",
    ),
    *(
        "skops_memory_matrix_constructor_kernel",
        "skops_memory_masked_frombuffer_estimator",
        "skops_module_that_runs",
    ),
    *(
        "door_tree_of_garbage",
        "door_twister_position",
        "door_dtype_object_over_number",
        "stream_gzip_bomb",
        "skops_bomb",
    ),
    *("estimator_input_filename", "door_list_in_itself"),
)
TEMPTING = ["numpy.matrix", "posix.system", "sklearn.gaussian_process.kernels.ConstantKernel"]
WITHOUT_TRUST = ("p2_os_system", "door_tree_of_garbage", "skops_module_that_runs", "skops_bomb")
"""One of each kind; tests/onnx_file/test_hostile_files.py has every file, without trust too."""


@pytest.fixture
def payloads(tmp_path: Path) -> dict[str, Payload]:
    marks = tmp_path / "marks"
    marks.mkdir()
    makers: list[Iterable[Payload]] = [
        classic(marks),
        memory(marks),
        doors(marks),
        skops_files(marks),
    ]
    return {
        payload.name: payload for maker in makers for payload in maker if payload.name in CHOSEN
    }


def trained(
    payload: Payload, trust: list[str], capfd: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Exit code and stderr of the train stage with the payload as the given model."""
    path = payload.write(Path("models"))
    params = default_params(
        train__model_path=str(path), train__trust=trust, data__calibration_size=0.2
    )
    write_params(Path(), params)
    return run("train"), capfd.readouterr().err


@pytest.mark.parametrize(
    ("trust", "chosen"),
    [([], WITHOUT_TRUST), (TEMPTING, CHOSEN)],
    ids=["no trust", "tempting trust"],
)
def test_train_refuses_a_hostile_file_in_one_line(
    workspace: Path,
    payloads: dict[str, Payload],
    trust: list[str],
    chosen: tuple[str, ...],
    capfd: pytest.CaptureFixture[str],
) -> None:
    (workspace / "models").mkdir()
    write_params(workspace, default_params(data__calibration_size=0.2))
    assert run("prepare") == 0
    capfd.readouterr()
    before = {path.name for path in (workspace / "outputs").iterdir()}
    assert set(payloads) == set(CHOSEN)
    found = {name: trained(payloads[name], trust, capfd) for name in chosen}
    assert {name: code for name, (code, _) in found.items() if code != 2} == {}
    lines = {
        name: [line for line in said.splitlines() if not line.startswith("train: warning")]
        for name, (_, said) in found.items()
    }
    assert {
        name: said for name, said in lines.items() if len(said) != 1 or "Traceback" in said[0]
    } == {}
    assert list((workspace / "marks").iterdir()) == []
    assert {path.name for path in (workspace / "outputs").iterdir()} == before
