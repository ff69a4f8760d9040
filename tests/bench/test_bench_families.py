from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import families, families_report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the sample run has written, with what it printed beside it."""
    folder = tmp_path_factory.mktemp("families")
    with (
        pytest.MonkeyPatch.context() as patch,
        (folder / "printed").open("w", encoding="utf-8") as printed,
    ):
        patch.setattr(sys, "argv", ["families", "--quick", "--output", str(folder)])
        patch.setattr(sys, "stdout", printed)
        families.main()
    return folder


@pytest.fixture(scope="module")
def records(folder: Path) -> list[dict[str, Any]]:
    stored: list[dict[str, Any]] = json.loads(
        (folder / "families.json").read_text(encoding="utf-8")
    )["records"]
    return stored


def test_the_sample_run_stores_what_it_prints(folder: Path) -> None:
    assert (
        (folder / "printed")
        .read_text(encoding="utf-8")
        .endswith((folder / "families.md").read_text(encoding="utf-8"))
    )


def test_every_family_has_size_answers_and_latency_in_each_form(
    records: list[dict[str, Any]],
) -> None:
    assert [record["family"] for record in records] == [
        name for name in families.FAMILIES if name not in families.ONLY
    ]
    for record in records:
        for form in families_report.NAMES:
            assert record["kb"][form] > 0
            assert all(latency["us_per_row"][form] > 0 for latency in record["latency"].values())
        assert list(record["latency"]) == ["1", "1024", "32"]  # sorted in the file


def test_model_onnx_answers_as_scikit_learn_does_and_is_not_larger_than_the_default(
    records: list[dict[str, Any]],
) -> None:
    for record in records:
        assert record["agreement"]["onnx"] == 1
        assert record["kb"]["onnx"] < record["kb"]["skl2onnx"]


def test_the_default_is_skl2onnxs_own_graph() -> None:
    from sklearn.neighbors import KNeighborsRegressor

    from bench.plain import plainly_converted
    from onnxpress.conversion.converting import to_onnx
    from tests.conftest import numeric_schema

    estimator = KNeighborsRegressor(1).fit([[0.0], [1.0]], [0.0, 1.0])
    ours = to_onnx(estimator, numeric_schema(1, "regression"), 12)
    assert "Scan" in {node.op_type for node in plainly_converted(estimator, 1).graph.node}
    again = to_onnx(
        estimator, numeric_schema(1, "regression"), 12
    )  # our converters are back in their place
    assert "Gemm" in {node.op_type for node in again.graph.node}
    assert again == ours
