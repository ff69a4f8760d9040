"""Other runtimes in the bench of nets: their answers, and what is said of those not here."""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier

from bench import nets, other_runtimes
from onnxpress.conversion.converting import to_onnx
from onnxpress.graph.canonical import to_bytes

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # no need to converge

X, Y = load_digits(return_X_y=True)
FEEDS = {"X": X[:300].astype(np.float32)}


@pytest.fixture(scope="module")
def net() -> bytes:
    trained = MLPClassifier((16,), max_iter=300, random_state=0).fit(X, Y)
    return to_bytes(to_onnx(trained, nets.schema_of(64), nets.OPSET))


def test_onnxruntime_agrees_with_itself_and_another_net_does_not(net: bytes) -> None:
    here = other_runtimes.beside(other_runtimes.asking(net), net, FEEDS)
    assert (here.other_labels, here.difference) == (0, 0)
    assert len(here.times) == 2
    wrong = MLPClassifier((16,), max_iter=300, random_state=0).fit(X, (Y + 1) % 10)
    other = to_bytes(to_onnx(wrong, nets.schema_of(64), nets.OPSET))
    found = other_runtimes.beside(other_runtimes.asking(other), net, FEEDS)
    assert found.other_labels > 250
    assert found.difference > 0.9


def test_what_is_not_here_is_said_in_one_line(net: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPU"])
    lines = other_runtimes.lines({"net": net}, FEEDS)
    assert lines[::2] == [
        "Not run in OpenVINO: it is not installed; requirements/peers.in names it.",
        "Not run in TensorRT: it takes a GPU, TensorRT and onnxruntime-gpu, which are not here.",
    ]


def test_openvino_answers_alike_and_has_no_tree_ensemble(net: bytes) -> None:
    pytest.importorskip("openvino", reason="in the environment of make bench")
    found = other_runtimes.beside(other_runtimes.openvino(net), net, FEEDS)
    assert found.other_labels == 0
    assert found.difference < 1e-5
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)
    model = to_bytes(to_onnx(forest, nets.schema_of(64), nets.OPSET))
    with pytest.raises(other_runtimes.NotRun, match="TreeEnsembleClassifier"):
        other_runtimes.openvino(model)
