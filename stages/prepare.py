"""Read the data, type its columns, split its rows, and write each part as Parquet."""

from __future__ import annotations

from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.pipeline.keys import keys_named, with_keys
from onnxpress.pipeline.named_source import NamedSource, named_source
from onnxpress.pipeline.outputs import CALIBRATION, SCHEMA, TEST, TRAIN
from onnxpress.pipeline.params import Data, load_params
from onnxpress.pipeline.prepared_folder import prepare_folder
from onnxpress.pipeline.running import run_stage
from onnxpress.tables.csv_types import CsvForm
from onnxpress.tables.parquet_file import parquet_bytes
from onnxpress.tables.sources import load_source, typed_rows, with_times
from onnxpress.tables.split import split
from onnxpress.tables.table_warnings import source_warnings, split_warnings


@keys_named("data", "train")
def main() -> None:
    """params.yaml and data/ in, three Parquet files and their schema out."""
    params = load_params()
    with named_source(params.data.source) as source:
        if source.is_several:
            warn(prepare_folder(params.data, source, params.train.max_rows, params.seed), source)
        else:
            prepare_file(params.data, source, params.seed)


def prepare_file(data: Data, place: NamedSource, seed: int) -> None:
    """Prepare the rows of a file, or bundled ones."""
    form = CsvForm(tuple(data.missing_values), data.decimal, data.thousands)
    with working(f"reading {data.source}"):
        source = load_source(place.path, data.predicted, form, data.text, data.group)
        with keys_named("data", about="data.source"):
            source, places = with_times(source, data.times, data.text, data.group)
            frame, schema = typed_rows(source, data.task, data.text, data.group)
        surprises = source_warnings(source, frame, schema, decided=data.task != "auto")
    say(f"{data.source}: {len(frame)} rows, {schema.describe_columns()}")
    if left_out := source.table.num_rows - len(frame):
        say(f"{left_out} rows without a target are left out")
    warn(surprises, place)
    parts = split(frame, schema, data.test_size, data.calibration_size, seed, places)
    for path, rows in ((TRAIN, parts.train), (CALIBRATION, parts.calibration), (TEST, parts.test)):
        write_bytes(path, parquet_bytes(rows, source.tensors))
    write_json(SCHEMA, parts.schema.to_json())
    say(f"{schema.task} of {schema.target_name!r}: {parts.describe_target()}")
    say(parts.describe_sizes())
    warn(split_warnings(parts, source.tensors), place)


def warn(lines: list[str], place: NamedSource) -> None:
    """Say each line as a warning."""
    for line in lines:
        say(f"warning: {with_keys(place.shown(line), 'data')}")


if __name__ == "__main__":
    run_stage("prepare", main)
