"""What is timed: one answer of each model, and the floor that no model in the same runtime can go below.

The original is timed by ``estimator.predict``, the call that a user makes for an answer, on input that it needs not
convert; the ONNX models by ``session.run``, which returns labels *and* probabilities. So the speed-ups are conservative:
scikit-learn would need ``predict_proba`` as well to say as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from onnxpress.benchmark.measure import Calls
from onnxpress.estimators.layout import original_input
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, sklearn_input, take
from onnxpress.tables.schema import Schema

FLOOR_OPSET, FLOOR_IR_VERSION = 12, 7  # any runtime that loads the models loads these


def sessions(models: Mapping[str, bytes], threads: int) -> dict[str, Any]:
    """A session of each ONNX model; equal models share one, for two copies differ by 1 % from where they lie in memory."""
    opened = {data: open_session(data, threads) for data in dict.fromkeys(models.values())}
    return {name: opened[data] for name, data in models.items()}


def calls(
    estimator: Any, sessions: Mapping[str, Any], feeds: Feeds, schema: Schema | None = None
) -> Calls:
    """The calls to time on ``feeds``, by model: ``original`` and one per session; a given original needs the schema."""
    rows = sklearn_input(feeds) if schema is None else original_input(estimator, feeds, schema)
    return {"original": partial(estimator.predict, rows), **onnx_calls(sessions, feeds)}


def onnx_calls(sessions: Mapping[str, Any], feeds: Feeds) -> Calls:
    """The calls of ONNX models alone."""
    return {name: partial(session.run, None, feeds) for name, session in sessions.items()}


def batch(feeds: Feeds, rows: int) -> Feeds:
    """Exactly ``rows`` rows: the first ones, and all over again where there are not enough."""
    available = len(next(iter(feeds.values())))
    return take(feeds, np.resize(np.arange(available), rows))


def floor_model(feeds: Feeds) -> bytes:
    """An ONNX model with the inputs of ``feeds`` whose only node is an Identity on the first of them."""
    import onnx
    from onnx import TensorProto, helper

    inputs = [
        helper.make_tensor_value_info(
            name,
            TensorProto.FLOAT if values.dtype.kind == "f" else TensorProto.STRING,
            [None, values.shape[1]],
        )
        for name, values in feeds.items()
    ]
    output = onnx.ValueInfoProto()
    output.CopyFrom(inputs[0])
    output.name = f"{max(feeds, key=len)}_same"  # longer than every input's
    graph = helper.make_graph(
        [helper.make_node("Identity", [inputs[0].name], [output.name])], "floor", inputs, [output]
    )
    opsets = [helper.make_opsetid("", FLOOR_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=FLOOR_IR_VERSION)
    return bytes(model.SerializeToString())


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Limit BLAS, OpenMP and joblib, which scikit-learn computes with, to ``threads``; sessions have their own setting."""
    import joblib
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads), joblib.parallel_config(n_jobs=threads):
        yield
