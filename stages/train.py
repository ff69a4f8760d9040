"""Build the estimator, make sure that it converts, fit it, and dump it once; or try a given one and pass it on."""

from __future__ import annotations

import time
from typing import Any

from onnxpress.errors import UserError
from onnxpress.given import opening as given
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.model_digest import write_original
from onnxpress.pipeline.outputs import CALIBRATION, ORIGINAL_MODEL, TRAIN, size_kb
from onnxpress.pipeline.params import Params, Train, load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.tables.schema import Schema


def main() -> None:
    """Training rows in, model.joblib and its digest out."""
    params, schema = load_params(), read_schema()
    if params.train.model_path is None:
        fit_own(params, schema)
    else:
        take_given(params.train, schema)


def take_given(train: Train, schema: Schema) -> None:
    """Have the user's model tried, and write it anew."""
    given.begin(train)
    rows, calibration = read_rows(TRAIN, schema), read_rows(CALIBRATION, schema)
    write_original(given.given_model(train, rows, calibration, schema))
    say(f"{train.model_path} taken, not fitted: {size_kb(ORIGINAL_MODEL):.1f} KB")


def fit_own(params: Params, schema: Schema) -> None:
    """Fit the estimator that params.yaml asks for, and write it."""
    from onnxpress.conversion.rehearsal import NotAsOnnx, rehearse
    from onnxpress.estimators.building import build
    from onnxpress.estimators.fitting import fit
    from onnxpress.evaluate.baseline import baseline_warning

    train, rows = params.train, read_rows(TRAIN, schema)
    estimator = build(train, schema, params.seed)
    with working(f"fitting {train.estimator} on {len(rows)} rows"):
        try:
            rehearsed = rehearse(estimator, rows, schema)
        except NotAsOnnx as error:
            raise UserError(f"params.yaml: train.estimator {error.clause}") from error
        start = time.perf_counter()
        warned = fit(estimator, rows)
        seconds = time.perf_counter() - start
    write_original(dumped(estimator, train))
    calibration = read_rows(CALIBRATION, schema)
    kept, name = (calibration, "calibration") if len(calibration) else (rows, "training")
    if line := baseline_warning(estimator, kept, schema, name):
        say(line)
    for line in warned:
        say(f"scikit-learn warns: {line}")
    for line in sorted(set(rehearsed) - set(warned)):
        say(f"scikit-learn warns of a short rehearsal on a few rows: {line}")
    say(
        f"{train.estimator} fitted on {len(rows)} rows in {seconds:.1f} s: {size_kb(ORIGINAL_MODEL):.1f} KB"
    )


def dumped(estimator: Any, train: Train) -> bytes:
    """The bytes of model.joblib, which later stages will load.

    Raises:
        UserError: they will not, because of what the estimator holds.
    """
    from onnxpress.estimators import stored
    from onnxpress.estimators.loading import cure_of, shown_names
    from onnxpress.estimators.stored.dumping import dump

    try:
        data = dump(estimator)
        stored.judge(data, train.trusted)
    except stored.Refused as error:
        raise UserError(
            f"params.yaml: the fitted {train.estimator} holds {shown_names(error.names)}, which later stages would refuse "
            f"to load; {cure_of(error.names)}"
        ) from error
    except stored.Damaged as error:
        raise UserError(
            f"params.yaml: the fitted {train.estimator} cannot be stored: {error}; choose another estimator"
        ) from error
    return data


if __name__ == "__main__":
    run_stage("train", main)
