"""prepare for a folder or a glob of Parquet files, whose rows are read in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from onnxpress.errors import UserError
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.files import atomic_path, write_bytes, write_json
from onnxpress.pipeline.named_file import placed
from onnxpress.pipeline.named_source import NamedSource
from onnxpress.pipeline.outputs import CALIBRATION, PARAMS, SCHEMA, TEST, TRAIN
from onnxpress.pipeline.params import Data
from onnxpress.tables.folder_split import FolderParts, FolderSplit, split_folder
from onnxpress.tables.folders import files_in
from onnxpress.tables.joined_files import JoinedFiles, join_files
from onnxpress.tables.parquet_file import parquet_bytes
from onnxpress.tables.table_warnings import folder_warnings

SUFFIX = ".parquet"

ROWS_OF_GROUP = 2**17
"""At least so many rows are a row group of the test rows, but for the last."""


def prepare_folder(data: Data, source: NamedSource, most: int, seed: int) -> list[str]:
    """Read and split the rows, write the parts and their schema, and return warnings.

    ``source`` is where the rows are. At most ``most`` training and calibration rows are kept.

    Raises:
        UserError: the files cannot be used, as :func:`.split_folder` says.
    """
    wanted = FolderSplit(
        target=data.predicted,
        task=data.task,
        text=tuple(data.text),
        group=data.group,
        time=data.times,
        test_size=data.test_size,
        calibration_size=data.calibration_size,
        most=most,
        seed=seed,
    )
    files, left_out = named_files(source)
    reading = working(f"reading {len(files.paths)} files of {data.source}")
    with reading, atomic_path(TEST) as path, open_rows_file(path) as rows_file:
        found = split_folder(files, wanted, rows_file.write)
    parts = found.parts
    write_bytes(TRAIN, parquet_bytes(parts.train))
    write_bytes(CALIBRATION, parquet_bytes(parts.calibration))
    write_json(SCHEMA, parts.schema.to_json())
    for line in folder_lines(found, data.source, len(files.paths)):
        say(line)
    return [*left_out, *folder_warnings(found, decided=data.task != "auto")]


def named_files(source: NamedSource) -> tuple[JoinedFiles, list[str]]:
    """Return the Parquet files that ``data.source`` names, and a line about other files.

    Raises:
        UserError: there are none, or one is not a file that can be read, or lies elsewhere.
    """
    folder, every = files_in(source.path)
    paths = [path for path in every if path.suffix == SUFFIX]
    others = [path for path in every if path.suffix != SUFFIX]
    if not paths:
        came = f"; there is {others[0]}" if others else ""
        raise UserError(
            f"{PARAMS}: data.source names {source.path!r}, which has no {SUFFIX} file{came}; "
            "put the files there or correct the name"
        )
    try:
        for path in paths:
            placed(str(path), source.within, "data.source")
    except FileNotFoundError as error:
        raise UserError(f"{path} is a link to a file that does not exist; remove it") from error
    line = f"{len(others)} files that do not end with {SUFFIX} are left out, such as "
    return join_files(paths, folder), [f"{line}{others[0]}"] if others else []


class RowsFile:
    """The Parquet file of the test rows, which come in pieces of any size."""

    def __init__(self, path: Path) -> None:
        """Write to ``path``."""
        self._file = path.open("wb")
        self._writer: parquet.ParquetWriter | None = None
        self._held: list[pa.Table] = []

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        self._held.append(rows)
        if sum(each.num_rows for each in self._held) >= ROWS_OF_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        if not self._held:
            return
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, self._held[0].schema)
        self._writer.write_table(pa.concat_tables(self._held).combine_chunks())
        self._held = []

    def close(self) -> None:
        """Write what is left."""
        self._write_group()
        if self._writer is not None:
            self._writer.close()
        self._file.close()


@contextmanager
def open_rows_file(path: Path) -> Iterator[RowsFile]:
    """Yield the file of the test rows, which is whole after the block."""
    file = RowsFile(path)
    try:
        yield file
    finally:
        file.close()


def folder_lines(found: FolderParts, source: str, files: int) -> list[str]:
    """Return what was read, and how it was split."""
    parts, schema = found.parts, found.parts.schema
    kept, others = len(found.frame), found.rows - found.test_rows
    lines = [f"{source}: {found.rows} rows of {files} files, {schema.describe_columns()}"]
    if found.unlabelled:
        lines.append(f"{found.unlabelled} rows without a target are left out")
    if kept < others:
        lines.append(f"{kept} of {others} rows that are no test rows are kept (train.max_rows)")
    sizes = f"{len(parts.train)} training, {len(parts.calibration)} calibration"
    return [
        *lines,
        f"{schema.task} of {schema.target_name!r}: {parts.describe_target()}",
        f"{sizes}, {found.test_rows} test rows",
    ]
