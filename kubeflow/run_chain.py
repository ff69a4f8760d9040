"""The second step: make, prove and publish the quantised model of a table.

Run as ``python -m kubeflow.run_chain`` with a JSON object of the arguments of :func:`main`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from kubeflow.settings import write_settings
from kubeflow.source_address import refuse_login
from kubeflow.stages import fetch_cache_from, push_cache, run_stages
from kubeflow.step import run_step
from kubeflow.tracking_server import tracking_server
from kubeflow.working_copy import working_copy
from onnxpress.commands.report import main as report
from onnxpress.errors import UserError
from onnxpress.pipeline import outputs as files
from onnxpress.pipeline.files import read_numbers, write_json
from onnxpress.pipeline.params import load_params
from onnxpress.tables.sources import SUFFIXES
from onnxpress.tracking.failures import server_errors
from onnxpress.tracking.preflight import opened
from onnxpress.tracking.store import Store

PARQUET = b"PAR1"
"""What a Parquet file begins with."""
PUBLISH = "publish"


def main(  # noqa: PLR0913 - the arguments of a step of the pipeline
    *,
    rows: str,
    target: str,
    settings: str,
    tracking_uri: str,
    cache: str,
    outputs: str,
    metrics: str,
    quantized: str,
    page: str,
) -> None:
    """Run the chain in a copy of the repository, and hand out what it has made.

    Args:
        rows: a CSV or Parquet file, or a folder with one.
        target: the column to predict.
        settings: changes to params.yaml, dotted keys with their values as YAML.
        tracking_uri: the MLflow server; if empty, that of ``MLFLOW_TRACKING_URI``.
        cache: address of a DVC remote that keeps the stages' results; if empty, the remote of the
            repository's own DVC configuration, or none.
        outputs: folder to be made, with params.yaml and outputs/ of this run.
        metrics: JSON file to be made, all metrics by name.
        quantized: file to be made, the quantised model.
        page: file to be made, the report in HTML.

    Raises:
        UserError: an argument is wrong, or a stage refuses its input.
        GateFailed: the models break a limit.
        ServerError: the tracking server fails.
    """
    table = table_in(Path(rows).resolve())
    refuse_login("cache", cache)
    store = tracking_server(tracking_uri)
    with working_copy():
        source = Path("data", file_name(table))
        shutil.copyfile(table, source)
        write_settings(settings, {"data.source": str(source), "data.target": target})
        refuse_dead(store)
        remote = fetch_cache_from(cache)
        run_all(pulling=remote)
        hand_out(Path(outputs), Path(metrics), Path(quantized), Path(page))


def run_all(*, pulling: bool) -> None:
    """Run the stages, those before publish only if they are stale.

    What is in a cache says nothing of what is in the server, so publish runs always: it finds the
    run of the same content, completes it, or makes it.
    """
    names = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    before = [name for name in names if name != PUBLISH]
    try:
        run_stages(*(["--pull"] if pulling else []), *before)
    finally:
        if pulling:  # also what was finished before a gate failed
            push_cache()
    run_stages("--single-item", "--force", PUBLISH)


def refuse_dead(store: Store) -> None:
    """Refuse a tracking server that would refuse the run, before anything is computed.

    Raises:
        ServerError: it does not answer, or does not take files.
    """
    experiment = load_params().publish.experiment
    with server_errors(store, "nothing was computed"), opened(store, experiment):
        pass


def table_in(path: Path) -> Path:
    """Return the table: ``path`` itself, or the only file in the folder.

    Raises:
        UserError: there is no file, or the folder holds several.
    """
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    if len(found) != 1 or not found[0].is_file():
        came = ", ".join(each.name for each in found) or "an empty folder"
        raise UserError(f"rows should be one CSV or Parquet file, got {came}; pass one")
    return found[0]


def file_name(table: Path) -> str:
    """Return the name of the table in data/; artefacts of other steps often have no suffix."""
    if table.name.endswith(SUFFIXES):
        return table.name
    with table.open("rb") as data:
        is_parquet = data.read(len(PARQUET)) == PARQUET
    return f"{table.name}{'.parquet' if is_parquet else '.csv'}"


def hand_out(outputs: Path, metrics: Path, quantized: Path, page: Path) -> None:
    """Copy what the next steps and people need out of the working copy."""
    report(html=True)
    skipped = shutil.ignore_patterns(files.CANDIDATES.name, ".gitignore")
    shutil.copytree(files.OUTPUTS, outputs / files.OUTPUTS, ignore=skipped, dirs_exist_ok=True)
    shutil.copyfile(files.PARAMS, outputs / files.PARAMS)
    write_json(metrics, {**read_numbers(files.METRICS), **read_numbers(files.LATENCY)})
    shutil.copyfile(files.QUANTIZED_MODEL, quantized)
    shutil.copyfile(files.REPORT, page)


if __name__ == "__main__":
    run_step("chain", main, "what the DVC remote has is kept; run the step again")
