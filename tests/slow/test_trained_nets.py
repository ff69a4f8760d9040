"""What training in blocks of 4 bits gives back of what rounding to them loses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.neural_network import MLPClassifier

from onnxpress.conversion.converting import to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Share
from onnxpress.quantize.dense.stored import dense_candidates
from onnxpress.quantize.dense.trained import trained_net
from onnxpress.quantize.options import Options
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema

TRAINED = 4000
NETS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "two layers": ({"n_features": 20, "n_classes": 8, "random_state": 0}, (64, 64)),
    "four layers": ({"n_features": 20, "n_classes": 8, "random_state": 1}, (64,) * 4),
    "twelve classes": ({"n_features": 24, "n_classes": 12, "random_state": 5}, (48,) * 5),
}


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_training_gives_back_half_of_what_four_bits_lose(name: str) -> None:
    table, hidden = NETS[name]
    informative = table["n_features"] // 2
    shape = {"n_informative": informative, "n_clusters_per_class": 4, "class_sep": 1.5}
    x, y = make_classification(6000, **shape, **table)
    x = x.astype(np.float32)
    net = MLPClassifier(hidden, max_iter=100, random_state=0).fit(x[:TRAINED], y[:TRAINED])
    model = to_onnx(net, numeric_schema(x.shape[1]), 12)
    rows = Rows({"X": x[:TRAINED]}, y[:TRAINED])

    def correct(candidate: Any) -> float:
        found = predict_onnx(open_session(to_bytes(candidate)), {"X": x[TRAINED:]})
        return float((found.values == y[TRAINED:]).mean())

    (rounded,) = [one for one in dense_candidates(model, Options()) if one.form == "int4"]
    lost = net.score(x[TRAINED:], y[TRAINED:]) - correct(rounded.apply(model, rows))
    assert lost >= 0.005
    trained = [correct(trained_net(model, rows, share=Share(1), seed=seed)) for seed in range(4)]
    assert net.score(x[TRAINED:], y[TRAINED:]) - np.mean(trained) <= lost / 2
