"""Rows of tensors are run in several calls, with the answers of one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnxpress.runtime import sessions
from onnxpress.runtime.sessions import open_session, run
from onnxpress.tables.rows import Feeds


class Counted:
    """A session that counts its calls."""

    def __init__(self, shape: list[int]) -> None:
        value = helper.make_tensor_value_info
        rows = value("x", TensorProto.FLOAT, [None, *shape])
        graph = helper.make_graph(
            [helper.make_node("Neg", ["x"], ["y"])],
            "negative",
            [rows],
            [value("y", TensorProto.FLOAT, [None, *shape])],
        )
        opsets = [helper.make_opsetid("", 13)]
        model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        self.session, self.sizes = open_session(model.SerializeToString()), list[int]()

    def run(self, outputs: list[str] | None, feeds: Feeds) -> list[Any]:
        self.sizes.append(len(feeds["x"]))
        return list(self.session.run(outputs, feeds))


@pytest.mark.parametrize(("shape", "sizes"), [([2, 5], [3, 3, 1]), ([40, 1], [1] * 7), ([5], [7])])
def test_tensors_are_run_in_calls_of_some_rows(
    shape: list[int], sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "VALUES_OF_CALL", 39)
    x = np.random.default_rng(0).normal(size=(7, *shape)).astype(np.float32)
    counted = Counted(shape)
    for outputs in (None, ["y"]):
        (found,) = run(counted, outputs, {"x": x})
        np.testing.assert_array_equal(found, -x)
    assert counted.sizes == [*sizes, *sizes]


def test_no_rows_are_one_call() -> None:
    (found,) = run(Counted([2, 5]), None, {"x": np.zeros((0, 2, 5), np.float32)})
    assert found.shape == (0, 2, 5)
