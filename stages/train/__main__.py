"""Build the estimator, make sure that it converts, fit it, and dump it once; or check a fitted one and pass it on."""

from __future__ import annotations

import time

from stages.common.console import say, working
from stages.common.errors import run_stage
from stages.common.files import CALIBRATION, ORIGINAL_MODEL, TRAIN, atomic_path, size_kb, write_bytes
from stages.common.models import fit
from stages.common.params import load_params
from stages.common.parts import set_threads
from stages.common.table import read_rows, read_schema
from stages.train.estimator import build
from stages.train.given import given_model, say_if_worthless
from stages.train.rehearsal import rehearse


def main() -> None:
    """Training rows in, model.joblib out."""
    import joblib

    params, schema = load_params(), read_schema()
    rows = read_rows(TRAIN, schema)
    if params.train.model_path is not None:
        write_bytes(ORIGINAL_MODEL, given_model(params.train, rows, read_rows(CALIBRATION, schema), schema))
        say(f"{params.train.model_path} taken, not fitted: {size_kb(ORIGINAL_MODEL):.1f} KB")
        return
    estimator = build(params.train, schema, params.seed)
    with working(f"fitting {params.train.estimator} on {len(rows)} rows"):
        rehearsed = rehearse(estimator, rows, schema)
        start = time.perf_counter()
        warned = fit(estimator, rows)
        seconds = time.perf_counter() - start
    with atomic_path(ORIGINAL_MODEL) as temporary:
        joblib.dump(set_threads(estimator, None), temporary)
    calibration = read_rows(CALIBRATION, schema)
    kept, name = (calibration, "calibration") if len(calibration) else (rows, "training")
    say_if_worthless(estimator, kept, schema, name)
    for line in warned:
        say(f"scikit-learn warns: {line}")
    for line in sorted(set(rehearsed) - set(warned)):
        say(f"scikit-learn warns of a short rehearsal on a few rows: {line}")
    say(f"{params.train.estimator} fitted on {len(rows)} rows in {seconds:.1f} s: {size_kb(ORIGINAL_MODEL):.1f} KB")


if __name__ == "__main__":
    run_stage("train", main)
