"""Read the data, settle its schema, split it, and write each part as Parquet."""

from __future__ import annotations

from stages.common.console import say, working
from stages.common.errors import run_stage
from stages.common.files import CALIBRATION, SCHEMA, TEST, TRAIN, write_json
from stages.common.params import load_params
from stages.prepare.frames import settle, write_parquet
from stages.prepare.sources import load_source
from stages.prepare.split import split


def main() -> None:
    """params.yaml and data/ in, three Parquet files and their schema out."""
    params = load_params()
    with working(f"reading {params.data.source}"):
        source, target = load_source(params.data.source, params.data.target)
        frame, schema = settle(source, target, params.data.task, params.data.text)
        parts = split(frame, schema, params.data.test_size, params.data.calibration_size, params.seed)
        for path, part in zip((TRAIN, CALIBRATION, TEST), (parts.train, parts.calibration, parts.test), strict=True):
            write_parquet(path, part)
    write_json(SCHEMA, parts.schema.to_json())
    kinds = [column.kind for column in schema.columns]
    texts = f", {kinds.count('text')} texts" if params.data.text else ""
    say(f"{params.data.source}: {len(frame)} rows, {kinds.count('number')} numbers, {kinds.count('category')} categories{texts}")
    if left_out := len(source) - len(frame):
        say(f"{left_out} rows without a target are left out")
    say(f"{schema.task} of {schema.target!r}: {parts.describe_target()}")
    say(f"{len(parts.train)} training, {len(parts.calibration)} calibration, {len(parts.test)} test rows")


if __name__ == "__main__":
    run_stage("prepare", main)
