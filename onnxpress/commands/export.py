"""Write a model as C, as WebAssembly, or as an SQL expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.commands.given_table import TableFile, read_features, refuse_other_files
from onnxpress.commands.option_names import options_named
from onnxpress.errors import UserError
from onnxpress.pipeline.console import answering, say
from onnxpress.pipeline.files import write_bytes
from onnxpress.reading import read_bytes
from onnxpress.runtime.checked import checked_onnx

ROWS, VALUES = 1000, 100_000
"""The most rows of a test program, and the most numbers in them."""


@dataclass(frozen=True)
class Export:
    """What to write, and where."""

    model: Path
    output: Path = Path()
    """A folder, which is made if it is missing."""
    data: Path | None = None
    """Rows for the test program; None: rows are made from the model's thresholds."""
    force: bool = False
    """Whether files may be there already."""


def export_c(export: Export, *, wasm: bool = False, seed: int = 0, in_json: bool = False) -> None:
    """Write a header, a source, and a program that tests them; with ``wasm`` WebAssembly, too.

    Raises:
        UserError: a file is wrong, or the model has no form in C.
    """
    with answering(in_json=in_json) as answer, options_named():
        model = _opened(export.model)
        from onnxpress.bodies.c_source import c_sources, symbol
        from onnxpress.bodies.c_test import c_test
        from onnxpress.bodies.reading import read_program
        from onnxpress.bodies.rows import answers, probe
        from onnxpress.bodies.wasm import compiled, javascript

        name = symbol(export.model.stem)
        program = read_program(model)
        sources = c_sources(program, name, export.model.name)
        given = None if export.data is None else _rows(export.data, program.inputs.names)
        count = min(ROWS, max(1, VALUES // program.inputs.size))
        expected = answers(model, program, probe(program, given, count, seed))
        files = {
            f"{name}.h": sources.header.encode(),
            f"{name}.c": sources.source.encode(),
            f"{name}_test.c": c_test(program, expected, name).encode(),
        }
        if wasm:
            files[f"{name}.wasm"] = compiled(program, sources, name)
            files[f"{name}.js"] = javascript(program, name).encode()
        _write(export, files)
        test = " ".join(str(export.output / each) for each in files if each.endswith(".c"))
        answer(
            {
                "model": str(export.model),
                "files": [str(export.output / each) for each in files],
                "exact": program.is_exact,
                "test_rows": len(expected.rows),
                "left_out": expected.left_out,
            }
        )
        if not in_json:
            say(f"{export.model}: written as {', '.join(str(export.output / e) for e in files)}")
            for line in _about(expected.left_out, len(expected.rows)):
                say(line)
            say(f"test it: cc -std=c99 -O2 {test} -o {name}_test && ./{name}_test")


def export_sql(
    model: Path, output: Path | None, *, probabilities: bool, force: bool, in_json: bool
) -> None:
    """Write the label or the prediction as an SQL expression, or the probabilities as columns.

    Raises:
        UserError: a file is wrong, or the model has no such form.
    """
    with answering(in_json=in_json) as answer:
        opened = _opened(model)
        from onnxpress.bodies.reading import read_program
        from onnxpress.bodies.sql import quoted, sql_columns, sql_expression

        program = read_program(opened)
        written = sql_columns(program) if probabilities else {}
        columns = [f"{text} AS {quoted(name)}" for name, text in written.items()]
        text = ",\n".join(columns or [sql_expression(program)]) + "\n"
        path = Path(f"{model.stem}.sql") if output is None else output
        if path.exists() and not force:
            raise UserError(f"{path} is there already; choose another --output, or pass --force")
        if not path.parent.is_dir():
            raise UserError(f"--output should lie in a folder that is there, got {str(path)!r}")
        write_bytes(path, text.encode())
        names = list(program.inputs.names)
        answer({"model": str(model), "file": str(path), "columns": names, "gives": list(written)})
        if not in_json:
            say(f"{model}: written as {path}, {len(text):,} characters over {len(names)} columns")
            for name in written:
                say(f"it gives {name}")


def _about(left_out: int, rows: int) -> list[str]:
    if not left_out:
        return [f"the test has {rows} rows"]
    why = "rounding could decide their label, or they have no finite answer"
    return [f"the test has {rows} rows; {left_out} others are left out: {why}"]


def _opened(path: Path) -> Any:
    """The ONNX model in a file, judged before anything runs it.

    Raises:
        UserError: it is no ONNX model.
    """
    if path.suffix != ".onnx":
        cure = "write one with `onnxpress compress`"
        raise UserError(f"MODEL should be an .onnx file, got {str(path)!r}; {cure}")
    return checked_onnx(read_bytes(path), str(path))


def _rows(path: Path, names: tuple[str, ...]) -> NDArray[np.float32]:
    """The columns of a file that the model takes, by name or else by place, (rows, columns).

    Raises:
        UserError: the file has other columns, or a column of text.
    """
    file = TableFile(path)
    refuse_other_files(file)
    from onnxpress.api.table_arguments import features

    table = features(read_features(file))
    found = [column.name for column in table.columns]
    if set(names) <= set(found):
        found = list(names)
    elif len(found) != len(names):
        raise UserError(
            f"{path} should have the columns {', '.join(names)}, or {len(names)} columns in their "
            f"order; it has {', '.join(found)}"
        )
    kinds = {column.name: column.kind for column in table.columns}
    text = [name for name in found if kinds[name] != "number"]
    if text:
        raise UserError(f"{path} should have numbers in the column {text[0]}, it has text")
    return np.stack([table.values[name] for name in found], axis=1, dtype=np.float32)


def _write(export: Export, files: Mapping[str, bytes]) -> None:
    """Write all files, or none of them where one is there already.

    Raises:
        UserError: a file is there already, or the folder is a file or cannot be made.
    """
    folder = export.output
    there = [folder / name for name in files if (folder / name).exists()]
    if there and not export.force:
        raise UserError(f"{there[0]} is there already; choose another --output, or pass --force")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output should be a folder, {folder} is a file")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {folder} cannot be made: {error.strerror}") from error
    for name, data in files.items():
        write_bytes(folder / name, data)
