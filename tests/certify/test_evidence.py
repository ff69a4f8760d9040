"""In which releases a graph runs, by what was tried."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

import onnxpress
from onnxpress.certify.evidence import (
    bad_onnxruntime,
    evidence,
    max_onnxruntime,
    min_onnxruntime,
    right_releases,
    untried_operators,
)
from onnxpress.certify.features import features
from onnxpress.certify.releases import RELEASES, version_of
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def test_every_release_was_tried_on_hundreds_of_graphs() -> None:
    releases, kinds = evidence()
    assert releases == RELEASES
    assert len(kinds) > 300
    assert all(kind.not_right <= set(releases) for kind in kinds)


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_an_svc_with_probabilities_is_kept_from_the_releases_that_it_ends() -> None:
    """onnxruntime 1.20.1 ends the process, see tests/slow/test_certify.py; 1.26.0 does not."""
    model = onnxpress.convert(SVC(probability=True, random_state=0).fit(X, Y), X)
    right = right_releases(model)
    assert "1.20.1" not in right
    assert {"1.26.0", "1.32.0"} <= set(right)
    assert "1.20.1" in bad_onnxruntime(model) or version_of(min_onnxruntime(model)) > (1, 20)


@pytest.mark.parametrize(("ml_opset", "oldest"), [(3, "1.11"), (5, "1.21")])
def test_lossless_forests_run_where_their_operators_have_kernels(
    ml_opset: int, oldest: str
) -> None:
    plain = onnxpress.convert(RandomForestClassifier(5, random_state=0).fit(X, Y), X)
    model = rewrite_trees(plain, ml_opset=ml_opset)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if versions["ai.onnx.ml"] == ml_opset:
        assert min_onnxruntime(model) == oldest
    assert max_onnxruntime(model) == RELEASES[-1]


def test_an_operator_that_was_never_tried_is_named_and_left_to_its_version() -> None:
    value = helper.make_tensor_value_info
    node = helper.make_node("Erf", ["X"], ["y"])
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph([node], "g", [value("X", kind, [1])], [value("y", kind, [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    assert untried_operators(model) == ["Erf-13"]
    assert min_onnxruntime(model) == "1.6"  # of the operator set


def test_features_name_versions_operators_and_unusual_types() -> None:
    value = helper.make_tensor_value_info
    node = helper.make_node("Gemm", ["X", "w"], ["y"])
    kind = onnx.TensorProto.DOUBLE
    inputs = [value("X", kind, [2, 2]), value("w", kind, [2, 2])]
    graph = helper.make_graph([node], "g", inputs, [value("y", kind, [2, 2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    assert features(model) == {"ir 7", "ai.onnx 12", "Gemm-11 double"}
