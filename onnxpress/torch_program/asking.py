"""What torch itself answers, and its ONNX export.

It gets programs that :func:`~onnxpress.torch_program.archive.read_program` has written. Their
numbers are computed on the CPU, without gradients.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.torch_program.archive import Program
from onnxpress.torch_program.program import TensorInput

Arrays = Mapping[str, NDArray[Any]]
"""By the names of inputs or outputs, rows first."""

Asked = Callable[[Arrays, int], dict[str, NDArray[Any]]]
"""Takes rows and a number of threads; returns all outputs."""

OPSET = 20
"""The version of ai.onnx that is written: the default of torch 2.9 to 2.13."""


def check_installed(name: str) -> None:
    """See that torch is there to read the program that errors call ``name``.

    Raises:
        UserError: it is not.
    """
    from importlib.util import find_spec  # finds it without its import of seconds

    missing = next((each for each in ("torch", "onnxscript") if find_spec(each) is None), None)
    if missing is not None:
        raise UserError(
            f"{name} needs {missing}, which is not installed: pip install 'onnxpress[torch]', or "
            "give the .onnx file that torch.onnx.export makes of it"
        )


def open_program(program: Program) -> Asked:
    """Load a program into torch.

    Raises:
        UserError: torch refuses it.
        MemoryError: there is not enough of it.
    """
    import torch
    from torch.utils import _pytree

    with _loading(), _refusing("load"):
        loaded = torch.export.load(io.BytesIO(program.data))
        module = loaded.module()
    nested = loaded.call_spec.in_spec

    def ask(rows: Arrays, threads: int) -> dict[str, NDArray[Any]]:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        given = [torch.from_numpy(taken(each, rows)) for each in program.interface.inputs]
        args, kwargs = _pytree.tree_unflatten(given, nested)
        with torch.inference_mode(), _refusing("run"):
            found = _pytree.tree_leaves(module(*args, **kwargs))
        return {
            name: values.float().numpy() if values.dtype == torch.bfloat16 else values.numpy()
            for name, values in zip(program.interface.outputs, found, strict=True)
        }

    return ask


def taken(item: TensorInput, rows: Arrays) -> NDArray[Any]:
    """Return what an input takes of the rows: a lone one under any name, in its type and shape.

    Columns of a table, (rows, columns), become an image in their order.
    """
    values = rows[item.name] if item.name in rows or len(rows) > 1 else next(iter(rows.values()))
    if None not in item.shape[1:]:
        values = values.reshape(len(values), *item.shape[1:])
    return np.ascontiguousarray(values, item.dtype)


def to_onnx(program: Program) -> bytes:
    """Return the ONNX model that torch makes of a program.

    Raises:
        UserError: it makes none.
        MemoryError: there is not enough of it.
    """
    import torch

    with _loading(), _refusing("export"):
        loaded = torch.export.load(io.BytesIO(program.data))
        exported = torch.onnx.export(
            loaded,
            dynamo=True,
            input_names=[item.name for item in program.interface.inputs],
            output_names=list(program.interface.outputs),
            opset_version=OPSET,
            verbose=False,
        )
        return bytes(exported.model_proto.SerializeToString(deterministic=True))


@contextmanager
def _loading() -> Iterator[None]:
    """Keep what torch says of itself meanwhile off the console."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Say in one line that torch cannot do ``what`` with the program.

    Raises:
        UserError: it cannot.
        MemoryError: for want of memory.
    """
    import torch

    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # of any type: torch's exceptions share no base class
        said = " ".join(str(error).split())[:300]
        if "allocate memory" in said:
            raise MemoryError from error
        raise UserError(f"torch {torch.__version__} cannot {what} the program: {said}") from error
