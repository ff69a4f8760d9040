"""The subcommands that write a model for where no runtime is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxpress.commands.line.options import FILE, in_json, seed

rows = click.option(
    "--data", type=FILE, help="A CSV, Parquet, .npz or .npy file of rows for the test program."
)
output = click.option(
    "-o", "--output", type=FILE, default=Path(), help="The folder to write to; default: this one."
)
force = click.option("--force", is_flag=True, help="Replace files that are there already.")


@click.command(name="export-c")
@click.argument("model", type=FILE)
@output
@rows
@click.option(
    "--wasm",
    is_flag=True,
    help="Compile it to WebAssembly, too, with a module of JavaScript; needs clang and lld.",
)
@force
@seed
@in_json
def export_c(*, wasm: bool, seed: int, in_json: bool, **words: Any) -> None:
    """Write an ONNX model as one C99 header and source, with a test program.

    MODEL is a forest, a linear model or a small net of float32 columns, also behind a scaler, as
    compress writes it. The C needs no runtime, no library and no memory but its stack, and gives
    the answers of onnxruntime, which the test program has.
    """
    from onnxpress.commands.export import Export
    from onnxpress.commands.export import export_c as main

    main(Export(**words), wasm=wasm, seed=seed, in_json=in_json)


@click.command(name="export-sql")
@click.argument("model", type=FILE)
@click.option(
    "-o", "--output", type=FILE, help="The file to write; default: MODEL's name with .sql."
)
@click.option(
    "--probabilities",
    is_flag=True,
    help="Write a column for the probability of each class, and not the label.",
)
@force
@in_json
def export_sql(*, model: Path, output: Path | None, **words: bool) -> None:
    """Write an ONNX model as one SQL expression over the columns of a table.

    MODEL is a refined forest, a small tree or a linear model of float32 columns. The expression is
    the label of a classifier, or the prediction, in the SQL of SQLite and DuckDB.
    """
    from onnxpress.commands.export import export_sql as main

    main(model, output, **words)
