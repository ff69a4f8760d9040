"""What is timed: one prediction of each model, and of an empty graph in the same runtime.

The original is timed by ``estimator.predict``, the call that a user makes, on input that it need
not convert; the ONNX models by ``session.run``, which returns labels *and* probabilities. So the
speed-ups are conservative: scikit-learn would need ``predict_proba`` too for the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from onnxpress.benchmark.measure import Calls
from onnxpress.estimators.layout import original_input
from onnxpress.models import ORIGINAL
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, sklearn_input, take
from onnxpress.tables.schema import Schema

FLOOR_OPSET, FLOOR_IR_VERSION = 12, 7  # any runtime that loads the models loads these


def sessions(models: Mapping[str, bytes], threads: int) -> dict[str, Any]:
    """Open a session of each ONNX model, by its name.

    Equal models share one, for two copies differ by 1 % because of their places in memory.
    """
    opened = {data: open_session(data, threads) for data in dict.fromkeys(models.values())}
    return {name: opened[data] for name, data in models.items()}


def calls(
    estimator: Any, sessions: Mapping[str, Any], feeds: Feeds, schema: Schema | None = None
) -> Calls:
    """Return the calls to time on ``feeds``: ``original``, and one per session.

    A given original needs the schema, which says how it takes its columns.
    """
    rows = sklearn_input(feeds) if schema is None else original_input(estimator, feeds, schema)
    return {ORIGINAL: partial(estimator.predict, rows), **onnx_calls(sessions, feeds)}


def onnx_calls(sessions: Mapping[str, Any], feeds: Feeds) -> Calls:
    """Return the calls of ONNX models alone."""
    return {name: partial(session.run, None, feeds) for name, session in sessions.items()}


def batch(feeds: Feeds, rows: int) -> Feeds:
    """Return exactly ``rows`` rows: the first ones, and all over again if there are too few."""
    # 7 of 3 rows: resize([0, 1, 2], 7) is [0, 1, 2, 0, 1, 2, 0]
    available = len(next(iter(feeds.values())))
    return take(feeds, np.resize(np.arange(available), rows))


def floor_model(feeds: Feeds) -> bytes:
    """Return an ONNX model with the inputs of ``feeds`` and one Identity, of the first input.

    Its latency is what no model in the same runtime can go below.
    """
    import onnx
    from onnx import TensorProto, helper

    inputs = []
    for name, values in feeds.items():
        kind = TensorProto.FLOAT if values.dtype.kind == "f" else TensorProto.STRING
        inputs.append(helper.make_tensor_value_info(name, kind, [None, values.shape[1]]))
    output = onnx.ValueInfoProto()
    output.CopyFrom(inputs[0])
    output.name = f"{max(feeds, key=len)}_same"  # longer than every input's
    node = helper.make_node("Identity", [inputs[0].name], [output.name])
    graph = helper.make_graph([node], "floor", inputs, [output])
    opsets = [helper.make_opsetid("", FLOOR_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=FLOOR_IR_VERSION)
    return bytes(model.SerializeToString())


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Limit BLAS, OpenMP and joblib, with which scikit-learn computes, to ``threads``.

    Sessions have a setting of their own.
    """
    import joblib
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads), joblib.parallel_config(n_jobs=threads):
        yield
