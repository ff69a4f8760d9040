"""Fit the estimator once it is known to convert, and dump it; or try a given model instead."""

from __future__ import annotations

from onnxpress.given.sandbox import GivenFile, begin, try_model
from onnxpress.given.torch_files import PROGRAM
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.copies import absent_modules_named
from onnxpress.pipeline.given_path import given_path
from onnxpress.pipeline.keys import keys_named, with_keys
from onnxpress.pipeline.model_digest import write_original
from onnxpress.pipeline.outputs import ORIGINAL_MODEL, size_kb
from onnxpress.pipeline.params import Train, load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.pipeline.score_check import read_checked


@keys_named("train", "data")
def main() -> None:
    """Training rows in, model.joblib and its digest out."""
    params = load_params()
    train = params.train
    done = fit_own(train, params.seed) if train.model_path is None else take_given(train)
    say(f"{done}: {size_kb(ORIGINAL_MODEL):.1f} KB")


def take_given(train: Train) -> str:
    """Have the user's model tried, and write it anew."""
    path = given_path(str(train.model_path))
    file = GivenFile(path, train.trusted, train.max_seconds, train.max_memory_mb)
    begin(file)  # it imports while the tables are read
    schema, rows, calibration, _ = read_checked()
    with working(f"trying {path}"):
        tried = try_model(file, rows, calibration, schema)
    for line in tried.lines:
        say(with_keys(line, "train", "data"))
    write_original(tried.accepted())
    form = " and its ONNX form" if path.suffix == PROGRAM else ""
    return f"{path}{form} taken, not fitted"


def fit_own(train: Train, seed: int) -> str:
    """Fit the estimator that params.yaml names, and write it."""
    from onnxpress.conversion.rehearsed_fit import fit_rehearsed
    from onnxpress.estimators.building import ColumnSteps, build
    from onnxpress.estimators.loading import dumped

    schema, rows, calibration, check = read_checked()
    steps = ColumnSteps(train.scale, train.text.max_features, train.text.ngram_range)
    with absent_modules_named(), working(f"fitting {train.estimator} on {len(rows)} rows"):
        estimator = build(train.estimator, train.params, schema, seed, steps)
        fit = fit_rehearsed(estimator, rows, calibration, schema, check)
    write_original(dumped(estimator, train.estimator, train.trusted))
    for line in fit.lines:
        say(line)
    return f"{train.estimator} fitted on {len(rows)} rows in {fit.seconds:.1f} s"


if __name__ == "__main__":
    run_stage("train", main)
