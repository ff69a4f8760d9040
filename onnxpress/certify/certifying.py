"""Replay the rows in one runtime after another, and record what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxpress.certify.comparing import TOLERANCE, Finding, Outcome, Outputs, finding
from onnxpress.certify.environments import NotToBeHad, installed
from onnxpress.certify.replaying import replay
from onnxpress.errors import UserError
from onnxpress.progress import Progress, show_nothing
from onnxpress.runtime.sessions import open_session, run
from onnxpress.runtimes import Kind, Runtime
from onnxpress.tables.rows import Feeds

Findings = dict[str, Finding]
"""By the name of the model."""


@dataclass(frozen=True)
class Certificate:
    """What became of models in runtimes."""

    models: Mapping[str, bytes]
    rows: Mapping[str, int]
    """How many there were of each kind, such as ``test`` and ``probe``."""
    found: Mapping[Runtime, Findings]

    def to_json(self) -> dict[str, Any]:
        """Return the content of runtimes.json; all of it but ``times`` is reproducible."""
        import onnxruntime

        return {
            "models": {name: _sha256(model) for name, model in self.models.items()},
            "rows": dict(self.rows),
            "compared_with": f"{Kind.ONNXRUNTIME}=={onnxruntime.__version__}",
            "tolerance": TOLERANCE,
            "runtimes": [
                {
                    "runtime": str(runtime),
                    "models": {name: each.to_json() for name, each in found.items()},
                }
                for runtime, found in self.found.items()
            ],
            "times": {
                str(runtime): {name: each.times() for name, each in found.items() if each.rows}
                for runtime, found in self.found.items()
            },
        }


def _sha256(model: bytes) -> str:
    return hashlib.sha256(model).hexdigest()


def certify(
    models: Mapping[str, bytes],
    feeds: Feeds,
    rows: Mapping[str, int],
    runtimes: Sequence[Runtime],
    progress: Progress = show_nothing,
) -> Certificate:
    """Replay the rows of ``feeds`` with each of ``models`` in each of ``runtimes``.

    The models are of our own making, or have passed the checks. ``rows`` says how many rows of
    which kind ``feeds`` has.

    Raises:
        UserError: the onnxruntime installed here cannot run a model, or a model has an output that
            is no tensor.
    """
    expected = {name: outputs_of(name, model, feeds) for name, model in models.items()}
    found = {}
    for runtime in progress(runtimes, len(runtimes), "replaying rows"):
        found[runtime] = _findings(runtime, models, expected, feeds)
    return Certificate(models, rows, found)


def outputs_of(name: str, model: bytes, feeds: Feeds) -> Outputs:
    """Return what the onnxruntime installed here answers.

    Raises:
        UserError: it cannot run the model, or an output is no tensor.
    """
    outputs = run(open_session(model), None, feeds)
    if not all(isinstance(output, np.ndarray) for output in outputs):
        cure = "convert it without ZipMap (options={'zipmap': False} of skl2onnx)"
        raise UserError(f"{name} has an output that is no tensor; {cure}")
    return outputs


def _findings(
    runtime: Runtime, models: Mapping[str, bytes], expected: Mapping[str, Outputs], feeds: Feeds
) -> Findings:
    try:
        environment = installed(runtime)
    except NotToBeHad as reason:
        return dict.fromkeys(models, Finding(Outcome.NOT_TRIED, str(reason)))
    answers = replay(environment, models, feeds)
    return {name: finding(expected[name], answers[name]) for name in models}
