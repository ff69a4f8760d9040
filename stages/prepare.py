"""Read the data, type its columns, split its rows, and write each part as Parquet."""

from __future__ import annotations

from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.pipeline.keys import keys_named, with_keys
from onnxpress.pipeline.named_file import named_file
from onnxpress.pipeline.outputs import CALIBRATION, SCHEMA, TEST, TRAIN
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.prepared_folder import DATA, prepare_folder
from onnxpress.pipeline.running import run_stage
from onnxpress.tables.csv_types import CsvForm
from onnxpress.tables.folders import names_several
from onnxpress.tables.parquet_file import parquet_bytes
from onnxpress.tables.sources import BUNDLED, INSTEAD, SUFFIXES, load_source, typed_rows, with_times
from onnxpress.tables.split import split
from onnxpress.tables.table_warnings import source_warnings, split_warnings


@keys_named("data", "train")
def main() -> None:
    """params.yaml and data/ in, three Parquet files and their schema out."""
    params = load_params()
    data = params.data
    if data.source not in BUNDLED and names_several(data.source):
        warn(prepare_folder(data, params.train.max_rows, params.seed))
        return
    if data.source not in BUNDLED:
        named_file(data.source, "data.source", DATA, SUFFIXES, INSTEAD)
    form = CsvForm(tuple(data.missing_values), data.decimal, data.thousands)
    with working(f"reading {data.source}"):
        source = load_source(data.source, data.predicted, form, data.text, data.group)
        with keys_named("data", about="data.source"):
            source, places = with_times(source, data.times, data.text, data.group)
            frame, schema = typed_rows(source, data.task, data.text, data.group)
        surprises = source_warnings(source, frame, schema, decided=data.task != "auto")
    say(f"{data.source}: {len(frame)} rows, {schema.describe_columns()}")
    if left_out := source.table.num_rows - len(frame):
        say(f"{left_out} rows without a target are left out")
    warn(surprises)
    parts = split(frame, schema, data.test_size, data.calibration_size, params.seed, places)
    write_bytes(TRAIN, parquet_bytes(parts.train, source.tensors))
    write_bytes(CALIBRATION, parquet_bytes(parts.calibration, source.tensors))
    write_bytes(TEST, parquet_bytes(parts.test, source.tensors))
    write_json(SCHEMA, parts.schema.to_json())
    say(f"{schema.task} of {schema.target_name!r}: {parts.describe_target()}")
    say(parts.describe_sizes())
    warn(split_warnings(parts, source.tensors))


def warn(lines: list[str]) -> None:
    """Say each line as a warning."""
    for line in lines:
        say(f"warning: {with_keys(line, 'data')}")


if __name__ == "__main__":
    run_stage("prepare", main)
