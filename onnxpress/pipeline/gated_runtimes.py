"""The runtimes of ``gate.runtimes``, in which the quantised model has to answer equally."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx

from onnxpress.certify.elsewhere import NOWHERE, Elsewhere, elsewhere
from onnxpress.evaluate.probes.probe_rows import probe_rows
from onnxpress.evaluate.probes.row_sets import joined
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.forest.lossless.rewrite import has_trees, rewrite_trees
from onnxpress.quantize.options import Options
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtimes import runtime_of
from onnxpress.tables.rows import Feeds, Rows

KEY = "gate.runtimes"
MOST_ROWS, PROBES, SEED = 1000, 500, 0


def gated_runtimes(names: Sequence[str], plain: bytes, known: Sequence[Rows]) -> Elsewhere:
    """Install the runtimes.

    They answer rows of the first set of ``known`` that has any, and probe rows at the thresholds of
    ``plain``.

    Raises:
        UserError: one cannot be had on this machine.
    """
    runtimes = [runtime_of(name) for name in names]
    if not runtimes:
        return NOWHERE
    rows = next(each for each in known if len(each))
    given = {name: values[:MOST_ROWS] for name, values in rows.feeds.items()}
    probes = probe_rows(onnx.load_from_string(plain), given, _refuse, PROBES, SEED).feeds
    return elsewhere(runtimes, joined(given, probes), KEY)


def portable(options: Options, plain: bytes, runtimes: Elsewhere) -> Options:
    """Return options whose forests load in the runtimes.

    Where trees in ai.onnx.ml 5 do not answer equally in one of them, forests are tried in 3.
    """
    model = onnx.load_from_string(plain)
    if not runtimes.environments or options.ml_opset == 3 or not has_trees(model):
        return options
    newest = to_bytes(rewrite_trees(model, ml_opset=options.ml_opset), packed=True)
    return replace(options, ml_opset=3) if runtimes.failures(newest) else options


def _refuse(_: Feeds) -> Predictions:
    """Take no missing number or unseen category that the rows themselves do not have."""
    raise ValueError
