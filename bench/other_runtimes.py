"""Models of ai.onnx alone in runtimes that are not onnxruntime: OpenVINO, and TensorRT on a GPU.

Each is compared with onnxruntime on the same rows: labels, probabilities, and time in turn.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
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

CALLS = {1: 16, 256: 1}
"""How often a batch of so many rows is asked for in one go: a few milliseconds for most nets."""

ROUNDS, FEWEST_ROUNDS, SECONDS = 200, 5, 20.0
"""After so many seconds no further round is begun, but for the fewest."""

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
        read = core.read_model(io.BytesIO(model))
        compiled = core.compile_model(read, "CPU", OPENVINO_AS_WRITTEN)
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

    Operators that it lacks run in onnxruntime.

    Raises:
        NotRun: this onnxruntime has no TensorRT, or that finds no GPU.
    """
    provider = "TensorrtExecutionProvider"
    if provider not in ort.get_available_providers():
        raise NotRun("it takes a GPU, TensorRT and onnxruntime-gpu, which are not here")
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
    here = asking(model)
    expected, found = here(feeds), ask(feeds)
    times = [least_times([ask, here], feeds, rows) for rows in CALLS]
    return Beside(
        int((found[LABEL].ravel() != expected[LABEL]).sum()),
        float(np.abs(found[PROBABILITIES] - expected[PROBABILITIES]).max()),
        tuple(float(own / plain) for own, plain in times),
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
        for why, names in refused.items():
            which = f"{', '.join(names)}; " if rows else ""
            made += [f"Not run in {runtime}: {which}{why}.", ""]
    return made


def asking(model: bytes) -> Ask:
    """Open a model in onnxruntime, with one thread."""
    return _asking(open_session(model))


def _asking(session: ort.InferenceSession) -> Ask:
    names = [output.name for output in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(None, feeds), strict=True))


def least_times(asks: Sequence[Ask], feeds: Feeds, rows: int) -> NDArray[np.float64]:
    """Time each model on batches of so many rows, in turn; return the seconds of its best round.

    Another process that takes the core for a while only makes a round longer.
    """
    size = len(next(iter(feeds.values())))
    starts = np.arange(CALLS[rows]) * rows
    batches = [take(feeds, (start + np.arange(rows)) % size) for start in starts]
    rounds: list[list[float]] = []
    begun = time.perf_counter()
    while len(rounds) < ROUNDS:
        if len(rounds) >= FEWEST_ROUNDS and time.perf_counter() - begun > SECONDS:
            break
        rounds.append([_seconds(ask, batches) for ask in asks])
    return np.asarray(np.min(rounds, axis=0))


def _seconds(ask: Ask, batches: list[Feeds]) -> float:
    begun = time.perf_counter()
    for batch in batches:
        ask(batch)
    return time.perf_counter() - begun
