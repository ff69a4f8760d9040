"""Each kind of case, made from a seed and a number, and what must hold for its reader."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from bench.fuzz import descriptions, mutations, onnx_files, opcodes
from bench.fuzz.estimators import files, fitted, small_rows
from bench.fuzz.watch import FORBIDDEN, HARMFUL, watched
from bench.fuzz.workers import Outcome, enter
from bench.fuzz.writing import write
from onnxpress.estimators import stored

Kind = Literal["pickle", "skops"]
Loads = Callable[[bytes, Kind], Any]
DOCUMENTED: dict[type[Exception], str] = {
    stored.Refused: "refused by name",
    stored.Damaged: "damaged",
    stored.OtherVersion: "of another scikit-learn",
}
"""What reading may raise, and how it is counted."""


@dataclass(frozen=True)
class Case:
    """The bytes of a file, and which reader they are for."""

    data: bytes
    kind: Kind = "pickle"


def _named(changed: tuple[str, bytes]) -> Case:
    name, data = changed
    return Case(data, "skops" if name.endswith(".skops") else "pickle")


STORED: dict[str, tuple[str, Callable[[Random], Case]]] = {
    "opcodes": ("opcodes at random", lambda random: Case(opcodes.stream(random))),
    "made": (
        "descriptions at random, as pickles",
        lambda random: Case(write(descriptions.made(random), random, random.randrange(6))),
    ),
    "changed": (
        "descriptions of real estimators, changed, as pickles",
        lambda random: Case(write(descriptions.changed(random), random, random.randrange(6))),
    ),
    "numbers": (
        "real estimators with other numbers, shapes and bytes of arrays, as pickles",
        lambda random: Case(write(descriptions.renumbered(random), random, random.randrange(6))),
    ),
    "shuffled": (
        "opcodes of real pickles, changed",
        lambda random: _named(mutations.opcodes_changed(random)),
    ),
    "damaged": (
        "bytes of real joblib, pickle and skops files, changed",
        lambda random: _named(mutations.damaged(random)),
    ),
    "skops": (
        "descriptions in real skops files, changed",
        lambda random: _named(mutations.skops_changed(random)),
    ),
}
"""What the cases of a kind are, and how one is made."""

ONNX = {
    "onnx_bytes": ("bytes of real ONNX models, changed", onnx_files.damaged),
    "onnx_fields": ("fields of real ONNX models, changed", onnx_files.changed),
}
SHARES = {
    "opcodes": 20,
    "made": 15,
    "changed": 16,
    "numbers": 16,
    "shuffled": 8,
    "damaged": 10,
    "skops": 8,
    "onnx_bytes": 3,
    "onnx_fields": 4,
}
"""Percent of all cases."""


def attempt(seed: int, kind: str, number: int, loads: Loads | None = None) -> Outcome:
    """Make a case and check what must hold; ``loads`` is the reader, ours if none is given."""
    random = Random(f"{seed} {kind} {number}")
    if kind in ONNX:
        return onnx_files.judged(kind, number, ONNX[kind][1](random))
    case = STORED[kind][1](random)
    return tried(kind, number, case, loads or _ours)


def _ours(data: bytes, kind: Kind) -> Any:
    return stored.loads(data, kind=kind)


def tried(kind: str, number: int, case: Case, loads: Loads) -> Outcome:
    """Read a case; what can be read is dumped, read again, and predicts rows."""
    enter("reading")
    finding, names = "", tuple[str, ...]()
    with warnings.catch_warnings(), watched(FORBIDDEN) as seen:
        warnings.simplefilter("ignore")
        try:
            loaded = loads(case.data, case.kind)
            outcome = "loaded"
        except tuple(DOCUMENTED) as error:
            outcome = DOCUMENTED[type(error)]
            names = (
                tuple(name[:100] for name in error.names[:3])
                if isinstance(error, stored.Refused)
                else ()
            )
        except Exception as error:  # whatever is not documented is a finding
            outcome, finding = "raised", _place(error)
    if seen:
        finding = "; ".join(seen)
    elif outcome == "loaded":
        finding = _round_trip(loaded) or predicted(loaded)
        outcome = "loaded, a predictor" if hasattr(loaded, "predict") else "loaded, no predictor"
    return Outcome(kind, number, outcome, finding, names)


def _place(error: BaseException) -> str:
    """The exception and the line of code that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = (
        f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "nowhere"
    )
    return f"{type(error).__name__}: {str(error)[:150]} at {'/'.join(where.split('/')[-3:])}"


def _round_trip(loaded: Any) -> str:
    """What is wrong with the loaded object dumped anew."""
    enter("dumping again")
    try:
        first = stored.dump(loaded)
        second = stored.dump(stored.loads(first))
    except Exception as error:
        return f"loads, but not again: {_place(error)}"
    return "" if first == second else "dumped anew, it has other bytes each time"


def predicted(loaded: Any) -> str:
    """What predicting did that it must not; it may raise anything."""
    if not hasattr(loaded, "predict"):
        return ""
    enter("predicting")
    with warnings.catch_warnings(), watched(HARMFUL) as seen:
        warnings.simplefilter("ignore")
        for rows in small_rows(loaded):
            for method in ("predict", "predict_proba", "decision_function"):
                with suppress(Exception):
                    getattr(loaded, method)(rows)
    return "; ".join(seen)


def warm_up(loads: Loads | None = None) -> None:
    """Read, dump and predict with every real file once.

    What is imported for that, is imported before any case is watched.
    """
    import onnxpress.estimators.onnx_estimator  # noqa: F401 # held by no file here, and known to the grammar

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in files().items():
            with suppress(*DOCUMENTED):
                loaded = (loads or _ours)(data, "skops" if name.endswith(".skops") else "pickle")
                predicted(loaded)
                stored.dump(loaded)
        for estimator in fitted().values():
            predicted(estimator)
            repr(estimator)  # as scikit-learn does in its messages
    descriptions.real()
