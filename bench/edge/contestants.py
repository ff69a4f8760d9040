"""One forest as C by onnxpress and by three other generators, each behind one function.

That is ``int label(const VALUE *row)``, the number of the class.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.bodies.c_source import c_sources
from onnxpress.bodies.reading import read_program

INT16 = 10_000
"""The greatest feature where emlearn takes whole numbers."""


@dataclass(frozen=True)
class Contestant:
    """C files, of which ``label.c`` has the function."""

    files: dict[str, str]
    value: str = "float"
    includes: str = ""
    """A folder of headers."""


def onnxpress(model: onnx.ModelProto) -> Contestant:
    """The body of an ONNX model."""
    sources = c_sources(read_program(model), "m", "model.onnx")
    label = '#include "m.h"\nint label(const float *row);\n'
    label += "int label(const float *row) { return m_predict(row); }\n"
    return Contestant({"m.h": sources.header, "m.c": sources.source, "label.c": label})


def emlearn(forest: Any) -> Contestant:
    """emlearn, trees as nested conditions over float."""
    import emlearn as library

    code = library.convert(forest, method="inline", dtype="float").save(name="em", format="c")
    columns = forest.n_features_in_
    label = f"{code}\nint label(const float *row) {{ return em_predict(row, {columns}); }}\n"
    return Contestant({"label.c": label})


def emlearn_int16(forest: Any) -> Contestant:
    """emlearn's table of nodes, over features in int16."""
    import emlearn as library

    code = library.convert(forest, method="loadable", dtype="int16_t").save(name="em", format="c")
    columns = forest.n_features_in_
    label = f"{code}\nint label(const int16_t *row) {{ return em_predict(row, {columns}); }}\n"
    return Contestant({"label.c": label}, "int16_t", str(Path(library.__file__).parent))


def m2cgen(forest: Any) -> Contestant:
    """m2cgen, which computes in double."""
    import m2cgen as library

    columns, classes = forest.n_features_in_, len(forest.classes_)
    label = library.export_to_c(forest)
    label += f"""
int label(const float *row) {{
    double input[{columns}], output[{classes}];
    int i, best = 0;
    for (i = 0; i < {columns}; i++) input[i] = row[i];
    score(input, output);
    for (i = 1; i < {classes}; i++) if (output[i] > output[best]) best = i;
    return best;
}}
"""
    return Contestant({"label.c": label})


def tl2cgen(forest: Any) -> Contestant:
    """tl2cgen, which computes in double."""
    import tl2cgen as library
    import treelite

    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "model"
        treelite.sklearn.import_model(forest).serialize(stored)
        model = treelite.Model.deserialize(stored)
        library.generate_c_code(model, dirpath=f"{folder}/c", params={})
        files = {
            f"{name}.{kind}": (Path(folder) / "c" / f"{name}.{kind}").read_text()
            for name, kind in (("main", "c"), ("header", "h"))
        }
    columns, classes = forest.n_features_in_, len(forest.classes_)
    label = f"""#include "header.h"
int label(const float *row) {{
    union Entry data[{columns}];
    double result[{classes}] = {{0}};
    int i, best = 0;
    for (i = 0; i < {columns}; i++) data[i].fvalue = row[i];
    predict(data, 0, result);
    for (i = 1; i < {classes}; i++) if (result[i] > result[best]) best = i;
    return best;
}}
"""
    return Contestant({"model.c": files["main.c"], "header.h": files["header.h"], "label.c": label})


PEERS: dict[str, Callable[[Any], Contestant]] = {
    "emlearn": emlearn,
    "emlearn, int16": emlearn_int16,
    "m2cgen": m2cgen,
    "tl2cgen": tl2cgen,
}


def rows_for(contestant: Contestant, rows: NDArray[np.float32]) -> NDArray[Any]:
    """The rows in the type that a contestant takes."""
    return rows.astype(np.int16) if contestant.value == "int16_t" else rows.astype(np.float32)
