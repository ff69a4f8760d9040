"""The first step: fetch the table that the pipeline learns from.

Run as ``python -m kubeflow.fetch_data '{"source": "s3://bucket/rows.csv", "rows": "folder"}'``.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from kubeflow.source_address import file_name
from kubeflow.step import run_step
from onnxpress.errors import UserError
from onnxpress.pipeline.console import say
from onnxpress.pipeline.external import run
from onnxpress.tables.sources import BUNDLED, load_bundled
from onnxpress.text import shortened


def main(source: str, rows: str) -> None:
    """Put the table into the folder ``rows``, byte for byte and under its own name.

    ``source`` is the name of a bundled data set, or the address of a CSV or Parquet file: S3,
    HTTP, or whatever else the installed DVC reads.

    Raises:
        UserError: there is no such data set or file.
    """
    folder = Path(rows)
    folder.mkdir(parents=True, exist_ok=True)
    if source in BUNDLED:
        path = folder / f"{source}.parquet"
        load_bundled(source).to_parquet(path, index=False)
    else:
        path = folder / file_name(source)
        done = run("dvc", "get-url", "--quiet", "--force", source, str(path))
        if done.returncode:
            why = shortened(" ".join(done.stderr.split()))
            raise UserError(f"source {source} cannot be fetched: {why}; correct the address")
    data = path.read_bytes()
    say(f"{path.name}: {len(data)} bytes, SHA-256 {sha256(data).hexdigest()}")


if __name__ == "__main__":
    run_step("data", main)
