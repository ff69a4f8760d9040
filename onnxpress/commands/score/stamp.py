"""What predictions were made from: written into their file, and compared when it is found again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from hashlib import file_digest, sha256
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from onnxpress.commands.score.files import ScoredFile
from onnxpress.errors import UserError
from onnxpress.reading import open_bytes
from onnxpress.tables.csv_types import CsvForm
from onnxpress.tables.schema import Schema
from onnxpress.text import json_text

KEY = b"onnxpress.score"
"""Of the stamp in the metadata of a Parquet file."""

Stamp = dict[str, str]
"""Everything that predictions follow from, by the keys of :data:`OTHER`."""

ROWS, OBJECT = "rows", "object"
"""Keys of the digest of a file, and of the tag that S3 gives the content of an object."""

OTHER = {
    "model": "by another model",
    "schema": "with another outputs/schema.json",
    "keep": "with other columns to --keep",
    "form": "with other keys of data in params.yaml",
    ROWS: "from other rows than it would be now",
    OBJECT: "from other rows than the object in S3 has now",
}
"""How predictions were made that have another value under this key."""


def stamp_of(model: bytes, schema: Schema, keep: tuple[str, ...], form: CsvForm) -> Stamp:
    """Return what the predictions of each file follow from beside its rows."""
    return {
        "model": sha256(model).hexdigest(),
        "schema": sha256(json_text(schema.to_json()).encode()).hexdigest(),
        "keep": json_text(keep, None),
        "form": json_text(asdict(form), None),
    }


def digest(path: Path) -> str:
    """Return the digest of the content of a file."""
    with open_bytes(path) as file:
        return file_digest(file, "sha256").hexdigest()


def metadata_of(stamp: Stamp) -> dict[bytes, bytes]:
    """Return the stamp as metadata of a Parquet file."""
    return {KEY: json_text(stamp, None).encode()}


def unfinished(
    files: list[ScoredFile], stamp: Stamp, made_from: Callable[[ScoredFile], Stamp]
) -> list[ScoredFile]:
    """Return the files without predictions; ``made_from`` says by what its rows are known.

    Raises:
        UserError: there are predictions that were made from something else.
    """
    found = {file: read_stamp(file.predictions) for file in files if file.predictions.exists()}
    for file, theirs in found.items():
        refuse_other(file.predictions, theirs, stamp)
    for file, theirs in found.items():  # reads each file, so it comes last
        refuse_other(file.predictions, theirs, made_from(file))
    return [file for file in files if file not in found]


def read_stamp(predictions: Path) -> Stamp:
    """Return what the predictions in a file were made from.

    Raises:
        UserError: it is another file.
    """
    try:
        with open_bytes(predictions) as opened:
            metadata = parquet.read_metadata(opened).metadata or {}
        return dict(json.loads(metadata[KEY]))
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise UserError(
            f"{predictions} is there and was not written by score; name another --output"
        ) from error


def refuse_other(predictions: Path, theirs: Stamp, ours: Stamp) -> None:
    """See that predictions were made from the same.

    Raises:
        UserError: they were not; the line says in which respect.
    """
    for key, how in OTHER.items():
        if key in ours and theirs.get(key) != ours[key]:
            raise UserError(f"{predictions} was made {how}; remove it, or name another --output")
