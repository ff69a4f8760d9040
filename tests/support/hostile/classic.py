"""The payloads that every checker of pickles is tried with.

Calls of what can be imported, in every way that pickle has.
"""

from __future__ import annotations

import builtins
import bz2
import functools
import gzip
import io
import lzma
import operator
import os
import pickle
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.fuzz.assembler import Assembler
from tests.support.hostile.payload import Call, Payload, opened, touch

CALLED_BY_NAME = [
    *[
        ("numpy", "core.os.system"),
        ("numpy", "f2py.os.system"),
        ("numpy", "ctypeslib.ctypes._os.system"),
    ],
    *[
        ("sklearn", "os.system"),
        ("sklearn.utils", "_testing.os.system"),
        ("sklearn.datasets._base", "os.system"),
    ],
    *[
        ("scipy", "_lib._util.os.system"),
        ("scipy._lib.doccer", "sys.modules"),
        ("scipy.io", "loadmat"),
    ],
    *[
        ("joblib", "os.system"),
        ("joblib.numpy_pickle", "os.system"),
        ("joblib", "load"),
        ("joblib.memory", "Memory"),
    ],
    *[
        ("onnxpress", "pipeline.files.os.system"),
        ("onnxpress.commands.sweep.queue", "_dvc"),
        ("onnxpress.pipeline.signals", "end_with_dvc"),
    ],
    *[
        ("numpy.lib._npyio_impl", "os.system"),
        ("numpy.lib._datasource", "open"),
        ("numpy.f2py", "compile"),
    ],
    *[
        ("collections", "_sys.modules"),
        ("copyreg", "sys.modules"),
        ("builtins", "getattr"),
        ("builtins", "eval"),
    ],
    *[("__builtin__", "eval"), ("", "eval"), ("builtins ", "eval"), ("numpy\x00", "load")],
    *[
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.testing", "runstring"),
        ("numpy.ma", "MaskedArray.tofile"),
    ],
    *[
        ("numpy", "ndarray.tofile"),
        ("numpy", "memmap"),
        ("numpy", "fromfile"),
        ("numpy", "load"),
        ("numpy", "savetxt"),
    ],
    *[
        ("numpy", "vectorize"),
        ("numpy", "frompyfunc"),
        ("sklearn.utils._joblib", "Memory"),
        ("sklearn.utils.fixes", "delayed"),
    ],
]
"""Functions behind dots, modules and classes that look allowed, and functions that use files."""

COMPRESSORS = ("zlib", "gzip", "bz2", "lzma", "xz")


def classic(marks: Path) -> Iterator[Payload]:
    """All 87; those that work leave a mark of their own name in the folder ``marks``."""
    yield from _pickled_calls(marks)
    yield from _old_opcodes(marks)
    yield from _by_name(marks)
    yield from _helpers(marks)
    yield from _in_arrays(marks)
    yield from _compressed(marks)
    yield from _in_pipelines(marks)


def _pickled_calls(marks: Path) -> Iterator[Payload]:
    for protocol in range(6):
        name = f"p{protocol}_os_system"
        yield Payload(
            name,
            pickle.dumps(Call(os.system, touch(marks, name)), protocol),
            ("posix.system", "nt.system"),
        )
    calls: dict[str, tuple[Any, str]] = {
        "eval": (Call(eval, opened(marks, "eval")), "builtins.eval"),
        "exec": (Call(exec, opened(marks, "exec")), "builtins.exec"),
        "import": (Call(__import__, "antigravity"), "builtins.__import__"),
        "partial_system": (functools.partial(os.system, touch(marks, "partial")), "system"),
        "partial_in_dict": (
            {"a": [functools.partial(os.system, touch(marks, "partial2"))]},
            "system",
        ),
        "attrgetter": (Call(operator.attrgetter, "os.system"), "operator.attrgetter"),
        "methodcaller": (
            Call(operator.methodcaller, "system", touch(marks, "methodcaller")),
            "operator.methodcaller",
        ),
    }
    for name, (value, culprit) in calls.items():
        yield Payload(name, pickle.dumps(value), (culprit,), ".joblib")


def _old_opcodes(marks: Path) -> Iterator[Payload]:
    yield Payload("inst", f"(S'{touch(marks, 'inst')}'\nios\nsystem\n.".encode(), ("os.system",))
    yield Payload(
        "inst_posix",
        f"(S'{touch(marks, 'inst_posix')}'\niposix\nsystem\n.".encode(),
        ("posix.system",),
    )
    yield Payload("obj", f"(cos\nsystem\nS'{touch(marks, 'obj')}'\no.".encode(), ("os.system",))
    yield Payload("extension_1", b"\x80\x02\x82\x01.", ("outside the file",))
    yield Payload("extension_4", b"\x80\x02\x84\xff\xff\x00\x00.", ("outside the file",))
    yield Payload("persistent", b"Psomething\n.", ("outside the file",))
    yield Payload("persistent_binary", b"\x80\x02X\x01\x00\x00\x00aQ.", ("outside the file",))
    yield Payload("next_buffer", b"\x80\x05\x97.", ("outside the file",))


def _by_name(marks: Path) -> Iterator[Payload]:
    for number, (module, name) in enumerate(CALLED_BY_NAME):
        label = f"name_{number}"
        data = (
            Assembler()
            .stack_name(module, name)
            .text(touch(marks, label))
            .tuple_of(1)
            .reduce()
            .stop()
        )
        path = f"{module.replace('__builtin__', 'builtins')}.{name}"
        shown = (path, path.replace("\x00", "\\x00"), name)
        yield Payload(label, data, shown)


def _helpers(marks: Path) -> Iterator[Payload]:
    """The functions of pickle, numpy and collections that call what they are given."""
    a = (
        Assembler()
        .name("numpy._core.multiarray", "_reconstruct")
        .name("os", "system")
        .text(touch(marks, "reconstruct"))
    )
    yield Payload("reconstruct", a.data(b"b").tuple_of(3).reduce().stop(), ("os.system",))
    a = (
        Assembler()
        .name("copyreg", "_reconstructor")
        .name("posix", "system")
        .name("posix", "system")
    )
    yield Payload(
        "reconstructor",
        a.text(touch(marks, "reconstructor")).tuple_of(3).reduce().stop(),
        ("posix.system",),
    )
    a = Assembler().name("collections", "defaultdict").name("os", "system").tuple_of(1).reduce()
    yield Payload("defaultdict", a.stop(), ("os.system",))
    a = (
        Assembler()
        .name("numpy.random._pickle", "__generator_ctor")
        .text(touch(marks, "generator"))
        .name("os", "system")
    )
    yield Payload("generator", a.tuple_of(2).reduce().stop(), ("os.system",))
    a = Assembler().name("sklearn.gaussian_process.kernels", "ConstantKernel").tuple_of(0).new()
    a.empty_dict().text("__setstate__").name("os", "system").set_item().build()
    yield Payload("setstate", a.text(touch(marks, "setstate")).build().stop(), ("os.system",))


def _in_arrays(marks: Path) -> Iterator[Payload]:
    """joblib keeps arrays of objects as pickles within the pickle."""
    array = np.empty(1, object)
    array[0] = Call(os.system, touch(marks, "object_array"))
    system = ("posix.system", "nt.system")
    yield Payload("object_array", dumped(array), system, ".joblib")
    yield Payload("object_array_in_list", dumped([array, {"x": array}]), system, ".joblib")
    for method in COMPRESSORS:
        yield Payload(f"object_array_{method}", dumped(array, (method, 3)), system, ".joblib")
        call = Call(os.system, touch(marks, f"system_{method}"))
        yield Payload(f"system_{method}", dumped(call, (method, 3)), system, ".joblib")


def _compressed(marks: Path) -> Iterator[Payload]:
    """Plain pickles in compressed files, and the file format of joblib 0.9."""
    compressors: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zlib": zlib.compress,
    }
    for name, compress in compressors.items():
        call = pickle.dumps(Call(os.system, touch(marks, f"raw_{name}")))
        yield Payload(f"raw_{name}", compress(call), ("posix.system", "nt.system"))
    old = (
        b"ZF0x"
        + b"10".ljust(19)
        + zlib.compress(pickle.dumps(Call(os.system, touch(marks, "joblib_0.9"))))
    )
    yield Payload("joblib_0.9", old, ("joblib 0.9", "older", "system"), ".joblib")


def _in_pipelines(marks: Path) -> Iterator[Payload]:
    """Good estimators that hold a function to be called at predict, or a folder to write to."""
    functions = {
        "system": (os.system, "system"),
        "eval": (builtins.eval, "builtins.eval"),
        "load": (np.load, "numpy.load"),
    }
    for name, (function, culprit) in functions.items():
        pipeline = fitted_pipeline()
        pipeline[0].func = function
        yield Payload(f"function_transformer_{name}", dumped(pipeline), (culprit,), ".joblib")
    pipeline = fitted_pipeline()
    pipeline.memory = str(marks / "memory")
    yield Payload("memory_folder", dumped(pipeline), ("memory",), ".joblib")


def fitted_pipeline() -> Any:
    """A FunctionTransformer and a LogisticRegression, fitted on iris."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    x, y = load_iris(return_X_y=True)
    return make_pipeline(FunctionTransformer(), LogisticRegression(max_iter=500)).fit(
        x.astype(np.float32), y
    )


def dumped(value: Any, compress: Any = 0) -> bytes:
    """As joblib dumps it."""
    import joblib

    file = io.BytesIO()
    joblib.dump(value, file, compress=compress)
    return file.getvalue()
