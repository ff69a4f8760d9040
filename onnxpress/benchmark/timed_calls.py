"""What is timed: one prediction of each model, and of an empty graph in the same runtime.

The original is timed by ``estimator.predict``, the call that a user makes, on input that it need
not convert; the ONNX models by ``session.run``, which returns labels *and* probabilities. So the
speed-ups are conservative: scikit-learn would need ``predict_proba`` too for the same result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np

from onnxpress.benchmark.measure import Call, Calls
from onnxpress.estimators.layout import original_input
from onnxpress.models import ORIGINAL
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, sklearn_input, take
from onnxpress.tables.schema import Schema

DIFFERENT_ROWS = 2048
"""Rows that calls take in turns. A processor learns by heart how the trees branch for one row that
comes again and again, and then takes as little as a tenth of the time."""

FLOOR_OPSET, FLOOR_IR_VERSION = 12, 7  # any runtime that loads the models loads these


def sessions(models: Mapping[str, bytes], threads: int) -> dict[str, Any]:
    """Open a session of each ONNX model, by its name.

    Equal models share one, for two copies differ by 1 % because of their places in memory.
    """
    opened = {data: open_session(data, threads) for data in dict.fromkeys(models.values())}
    return {name: opened[data] for name, data in models.items()}


def calls(
    estimator: Any,
    sessions: Mapping[str, Any],
    parts: Sequence[Feeds],
    schema: Schema | None = None,
) -> Calls:
    """Return the calls to time on ``parts``, in turns: ``original``, and one per session.

    A given original needs the schema, which says how it takes its columns.
    """
    rows = [
        sklearn_input(feeds) if schema is None else original_input(estimator, feeds, schema)
        for feeds in parts
    ]
    original = in_turns([partial(estimator.predict, each) for each in rows])
    return {ORIGINAL: original, **onnx_calls(sessions, parts)}


def onnx_calls(sessions: Mapping[str, Any], parts: Sequence[Feeds]) -> Calls:
    """Return the calls of ONNX models alone."""
    return {
        name: in_turns([partial(session.run, None, feeds) for feeds in parts])
        for name, session in sessions.items()
    }


def in_turns(calls: Sequence[Call]) -> Call:
    """Return a call that makes the next of ``calls`` each time, the first again after the last."""
    following = cycle(calls)

    def call() -> object:
        return next(following)()

    return call


def batches(feeds: Feeds, rows: int) -> list[Feeds]:
    """Return batches of exactly ``rows`` rows that differ, ``DIFFERENT_ROWS`` rows in all.

    Each begins where the one before has ended; after the last row comes the first again. There are
    fewer batches where the next would be the first again.
    """
    # batches of 2 of 3 rows: [0, 1], [2, 0], [1, 2]
    available = len(next(iter(feeds.values())))
    count = min(max(DIFFERENT_ROWS // rows, 1), available // math.gcd(rows, available))
    return [take(feeds, (np.arange(rows) + number * rows) % available) for number in range(count)]


def rows_needed(sizes: Sequence[int]) -> int:
    """Return how many rows make all batches of these sizes, however many more there are."""
    return max(DIFFERENT_ROWS, *sizes)


def floor_model(feeds: Feeds) -> bytes:
    """Return an ONNX model with the inputs of ``feeds`` and one Identity, of the first input.

    Its latency is what no model in the same runtime can go below.
    """
    import onnx
    from onnx import TensorProto, helper

    inputs = []
    for name, values in feeds.items():
        texts = values.dtype.kind in "OU"
        kind = TensorProto.STRING if texts else helper.np_dtype_to_tensor_dtype(values.dtype)
        inputs.append(helper.make_tensor_value_info(name, kind, [None, *values.shape[1:]]))
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
