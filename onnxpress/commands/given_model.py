"""The model file that a command is given, opened in the sandbox that the pipeline uses.

The file itself is only parsed there, in a process without rights, time limit and memory limit set.
What comes back is a dump of our own, which is judged again before it is loaded here.
"""

from __future__ import annotations

from typing import Any

from onnxpress.commands.given_table import Table
from onnxpress.commands.option_names import with_options
from onnxpress.errors import UserError
from onnxpress.given.sandbox import SUFFIXES, GivenFile, begin, try_model
from onnxpress.given.torch_files import refuse_torch
from onnxpress.pipeline.console import say, working


def start_sandbox(file: GivenFile) -> None:
    """Start the process that opens the model; what it imports, it imports while tables are read.

    Raises:
        UserError: the file is missing or of another kind, or no process can be started.
    """
    refuse_torch(file.path, str(file.path))
    if file.path.suffix not in SUFFIXES:
        expected = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise UserError(f"MODEL should be a {expected} file, got {str(file.path)!r}")
    if not file.path.is_file():
        raise UserError(f"MODEL names {str(file.path)!r}, which is not a file; correct the path")
    from onnxpress.given.exports.weights import check_size  # imports onnx: 0.2 s

    check_size(file.path, str(file.path))
    begin(file)


def opened(file: GivenFile, table: Table) -> Any:
    """Return the estimator in a file, or the bytes of an ONNX model, tried on the rows.

    Raises:
        UserError: the model is refused: by what the file holds, or because it does not fit the
            rows, has no ONNX form, or predicts something else in it.
    """
    rows = table.rows()
    with working(f"trying {file.path}"):
        tried = try_model(file, rows, rows, table.schema)
    for line in tried.lines:
        say(with_options(line))
    from onnxpress.estimators import stored

    estimator = stored.loads(tried.accepted(), file.trusted)
    return estimator.model if file.path.suffix == ".onnx" else estimator
