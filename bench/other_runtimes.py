"""Models of ai.onnx alone in runtimes that are not onnxruntime: OpenVINO, and TensorRT on a GPU.

Each is compared with onnxruntime on the same rows: labels, probabilities, and time side by side.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from onnxpress.runtime.sessions import open_session
from onnxpress.tables.names import LABEL, PROBABILITIES
from onnxpress.tables.rows import Feeds, take

Answers = dict[str, NDArray[Any]]
Ask = Callable[[Feeds], Answers]
"""Computes the outputs of a model for rows, by their names."""

ROUNDS, CALLS = 30, {1: 64, 256: 4}
"""Rounds in turn, and how often a batch of so many rows is asked for in each."""

OPENVINO_AS_WRITTEN = {
    "INFERENCE_NUM_THREADS": 1,
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
}
"""What the model says, and no more: by default OpenVINO computes in bfloat16 where the CPU can, and
rounds the inputs of products whose weights are stored in int8."""


class NotRun(Exception):
    """Raised where a runtime is not here, or does not take a model; the message says why."""


def openvino(model: bytes) -> Ask:
    """Compile a model for this CPU.

    Raises:
        NotRun: OpenVINO is not installed, or has no such operator.
    """
    try:
        import openvino as ov
    except ImportError as error:
        raise NotRun("it is not installed; requirements/peers.in names it") from error
    core = ov.Core()
    try:
        compiled = core.compile_model(
            core.read_model(io.BytesIO(model)), "CPU", OPENVINO_AS_WRITTEN
        )
    except RuntimeError as error:
        raise NotRun(str(error).split("Summary:")[-1].strip().splitlines()[0]) from error
    names = [output.get_any_name() for output in compiled.outputs]
    request = compiled.create_infer_request()

    def ask(feeds: Feeds) -> Answers:
        found = request.infer(feeds)
        return {name: np.array(found[place]) for place, name in enumerate(names)}

    return ask


def tensorrt(model: bytes) -> Ask:
    """Open a model in TensorRT, through onnxruntime's build for GPUs.

    Raises:
        NotRun: this onnxruntime has no TensorRT, or that finds no GPU.
    """
    provider = "TensorrtExecutionProvider"
    if provider not in ort.get_available_providers():
        raise NotRun("it takes a GPU, TensorRT and onnxruntime-gpu, and these are not here")
    session = ort.InferenceSession(model, providers=[provider])
    if provider not in session.get_providers():
        raise NotRun("it finds no GPU here")
    return _asking(session)


RUNTIMES: dict[str, Callable[[bytes], Ask]] = {"OpenVINO": openvino, "TensorRT": tensorrt}


@dataclass(frozen=True)
class Beside:
    """What another runtime gives, beside onnxruntime."""

    other_labels: int
    """Rows with another label."""
    difference: float
    """The largest of two probabilities."""
    times: tuple[float, ...]
    """Its time over onnxruntime's, by the sizes of batches in ``CALLS``."""


def beside(ask: Ask, model: bytes, feeds: Feeds) -> Beside:
    """Compare a runtime with onnxruntime, with one thread each."""
    plain = _asking(open_session(model))
    expected, found = plain(feeds), ask(feeds)
    return Beside(
        int((found[LABEL].ravel() != expected[LABEL]).sum()),
        float(np.abs(found[PROBABILITIES] - expected[PROBABILITIES]).max()),
        tuple(_relative_time(ask, plain, feeds, rows) for rows in CALLS),
    )


def lines(models: dict[str, bytes], feeds: Feeds) -> list[str]:
    """Return a table of the models for each runtime, and a line for what did not run in it."""
    made = []
    for runtime, opened in RUNTIMES.items():
        rows: list[str] = []
        refused: dict[str, list[str]] = {}
        for name, model in models.items():
            try:
                found = beside(opened(model), model, feeds)
            except NotRun as reason:
                refused.setdefault(str(reason), []).append(name)
                continue
            times = " | ".join(f"{ratio:.2f}" for ratio in found.times)
            rows.append(f"| {name} | {found.other_labels} | {found.difference:.1g} | {times} |")
        if rows:
            made += [f"| in {runtime} | other labels | largest difference | 1 row | 256 rows |"]
            made += ["|---|---:|---:|---:|---:|", *rows, ""]
        for reason, names in refused.items():
            which = ", ".join(names) if rows else "All"
            made += [f"Not run in {runtime}: {which}; {reason}.", ""]
    return made


def _asking(session: ort.InferenceSession) -> Ask:
    names = [output.name for output in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(None, feeds), strict=True))


def _relative_time(ask: Ask, plain: Ask, feeds: Feeds, rows: int) -> float:
    """The median over rounds in turn of the time of one over that of the other."""
    size = len(next(iter(feeds.values())))
    starts = np.arange(CALLS[rows]) * rows
    batches = [take(feeds, (start + np.arange(rows)) % size) for start in starts]
    ratios = []
    for _ in range(ROUNDS):
        spent = []
        for asked in (ask, plain):
            begun = time.perf_counter()
            for batch in batches:
                asked(batch)
            spent.append(time.perf_counter() - begun)
        ratios.append(spent[0] / spent[1])
    return float(np.median(ratios))
