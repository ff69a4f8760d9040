"""A published model as MLflow loads it: rows in any form are matched to its inputs by name.

This file travels with every model and runs where the rest of the project is not installed. It
imports numpy, pandas, onnxruntime and MLflow only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

COLUMNS = "columns.json"
"""Beside the model: names, kinds and ONNX inputs of its columns."""
NUMBER = (bool, int, float, Decimal)
SHOWN, MOST = 5, 20
"""Names in a line: usually, and of all the columns that a model takes."""
LONGEST_NAME = 400
"""Characters of a name in a line."""
Array = NDArray[Any]


def _load_pyfunc(path: str) -> ServedModel:  # the name that MLflow looks for
    return ServedModel(Path(path))


class ServedModel:
    """An ONNX model that takes rows by the names of their columns."""

    def __init__(self, model: Path) -> None:
        """Load ``model`` and the description of its columns beside it."""
        content = json.loads((model.parent / COLUMNS).read_text(encoding="utf-8"))
        self.columns: list[dict[str, Any]] = content["columns"]
        self.names: list[str] = [column["name"] for column in self.columns]
        self.matrix: str | None = content["matrix"]
        self.session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]

    def predict(self, data: Any) -> dict[str, Array]:
        """Return the model's outputs by name, with a row for each row of ``data``.

        ``data`` is a frame, a mapping of columns, a list of rows (mappings or lists), or an array
        (rows, columns) in the order of training. None, NaN and pandas.NA are missing values.

        Raises:
            MlflowException: the rows do not fit the model; one line says what was expected.
        """
        try:
            feeds = self.feeds(data)
        except ValueError as error:
            line = " ".join(str(error).split())
            raise MlflowException.invalid_parameter_value(line) from None
        try:
            values = list(map(np.asarray, self.session.run(self.outputs, feeds)))
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            line = " ".join(str(error).split())[:300]
            raise MlflowException(f"the model cannot be run on these rows: {line}") from None
        return dict(zip(self.outputs, values, strict=True))

    def feeds(self, data: Any) -> dict[str, Array]:
        """Return the inputs of the ONNX model by name.

        Raises:
            ValueError: as :meth:`predict`.
        """
        if self.columns[0]["kind"] == "tensor":
            return self.tensors(data)
        table = self.table(data)
        if not len(table[0]):
            raise ValueError("there are no rows; expected at least one")
        arrays = [_as_input(*pair) for pair in zip(self.columns, table, strict=True)]
        if self.matrix is not None:
            return {self.matrix: np.stack(arrays, axis=1)}
        inputs = [column["input"] for column in self.columns]
        return {name: array.reshape(-1, 1) for name, array in zip(inputs, arrays, strict=True)}

    def tensors(self, data: Any) -> dict[str, Array]:
        """Return the inputs of a model that takes tensors, by name.

        ``data`` is a mapping from names to arrays (rows, ...); the array alone of a model of one.

        Raises:
            ValueError: arrays are missing or unknown, or have another shape or other numbers.
        """
        if not isinstance(data, Mapping):
            if len(self.names) > 1:
                came = type(data).__name__
                raise ValueError(
                    f"expected a mapping of {_shown(self.names)} to arrays; got {came}"
                )
            data = {self.names[0]: data}
        self.check_names([str(name) for name in data])
        found = {column["input"]: _tensor(column, data[column["name"]]) for column in self.columns}
        lengths = {name: len(values) for name, values in found.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the arrays should have as many rows each, got {lengths}")
        return found

    def table(self, data: Any) -> list[Array]:
        """Return the values of each column (rows,), in the model's order.

        Raises:
            ValueError: columns are missing, unknown or duplicated, or ``data`` is not a table.
        """
        if isinstance(data, pd.Series):
            data = data.to_frame()
        elif isinstance(data, list):
            data = _listed(data)
        elif hasattr(data, "toarray"):  # a sparse matrix
            data = data.toarray()
        elif isinstance(data, np.ma.MaskedArray):
            data = _unmasked(data)
        if isinstance(data, Mapping):
            return self.of_mapping(data)
        if isinstance(data, pd.DataFrame):
            return self.of_frame(data)
        if isinstance(data, np.ndarray):
            return self.of_array(data)
        came = type(data).__name__
        raise ValueError(f"expected a table of the columns {_shown(self.names)}; got {came}")

    def of_mapping(self, data: Mapping[Any, Any]) -> list[Array]:
        """Return the columns of a mapping; a matrix may have the name of the model's input."""
        columns = {str(name): _column(str(name), values) for name, values in data.items()}
        lone = columns.get(self.matrix or "") if len(columns) == 1 else None
        if lone is not None and (lone.ndim == 2 or self.matrix not in self.names):
            return self.of_array(lone)
        self.check_names([str(name) for name in data])
        for name, values in columns.items():
            if values.ndim != 1:
                came = f"an array of shape {values.shape}"
                raise ValueError(f"column {name!r} should have one value per row, got {came}")
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns should have as many rows each, got {lengths}")
        return [columns[name] for name in self.names]

    def of_frame(self, data: pd.DataFrame) -> list[Array]:
        """Return the columns of a frame by name; a frame without names is taken as an array."""
        names = [str(name) for name in data.columns]
        numbered = list(data.columns) == [*range(len(names))]
        if numbered and set(names) != set(self.names):
            return self.of_array(data.to_numpy())
        self.check_names(names)
        places = {name: place for place, name in enumerate(names)}
        return [_column(name, data.iloc[:, places[name]]) for name in self.names]

    def of_array(self, data: Array) -> list[Array]:
        """Return the columns of an array (rows, columns) in the order of training."""
        if not data.size:
            return [np.empty(0, object) for _ in self.names]
        if data.ndim == 1 and len(self.names) == 1:
            data = data.reshape(-1, 1)
        if data.ndim != 2 or data.shape[1] != len(self.names):
            expected = f"of shape (rows, {len(self.names)}), its columns {_shown(self.names)}"
            raise ValueError(f"expected an array {expected}; got shape {data.shape}")
        if data.dtype.kind != "U":
            return list(data.T)
        return [
            _unquoted(values) if column["kind"] == "number" else values
            for column, values in zip(self.columns, data.T, strict=True)
        ]

    def check_names(self, names: list[str]) -> None:
        """Check that ``names`` are those of the columns, in any order.

        Raises:
            ValueError: some are missing, unknown or duplicated.
        """
        counts, known = Counter(names), set(self.names)
        wrong = {
            "lacks": [name for name in self.names if name not in counts],
            "has unknown": [name for name in names if name not in known],
            "has more than once": sorted(name for name, count in counts.items() if count > 1),
        }
        said = [f"{what} {_shown(which)}" for what, which in wrong.items() if which]
        if said:
            takes = f"the model takes the columns {_shown(self.names, MOST)}"
            raise ValueError(f"the input {' and '.join(said)}; {takes}")


def _tensor(column: Mapping[str, Any], values: Any) -> Array:
    """Return an array as the model takes it.

    Raises:
        ValueError: it has another shape, no rows, or a value that the model cannot take.
    """
    expected = f"array {column['name']!r} should be {column['dtype']} numbers of the shape "
    expected += str(("rows", *column["shape"])).replace("'", "")
    try:
        array = np.asarray(values)
        with np.errstate(over="ignore", invalid="ignore"):
            typed = array.astype(column["dtype"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{expected}; {error}") from None
    if typed.shape[1:] != tuple(column["shape"]) or not len(typed):
        raise ValueError(f"{expected}; got {array.shape}")
    wrong = ~np.isfinite(typed) if typed.dtype.kind == "f" else typed != array
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise ValueError(f"{expected}; got {array[place]} in row {place[0] + 1}")
    return typed


def _as_input(column: Mapping[str, Any], values: Array) -> Array:
    """Return the values as the model takes them: float32 with NaN, or text, empty if missing."""
    return _numbers(column, values) if column["kind"] == "number" else _texts(column, values)


def _numbers(column: Mapping[str, Any], values: Array) -> Array:
    simple = values.dtype.kind in "biuf"
    numbers = values.astype(np.float64) if simple else _floats(column, values)
    with np.errstate(over="ignore"):
        single = numbers.astype(np.float32)
    _refuse(column, np.isinf(single), numbers, "should be finite float32 numbers")
    if not column["missing"]:
        never = "had no missing value in training, so the model takes none"
        _refuse(column, np.isnan(single), numbers, never)
    return single


def _floats(column: Mapping[str, Any], values: Array) -> Array:
    plain = [_plain(value) for value in values]
    missing = [_is_missing(value) for value in plain]
    wrong = [not isinstance(value, NUMBER) for value in plain]
    stray = [row for row, other in enumerate(wrong) if other and not missing[row]]
    if stray:  # in CSV and in arrays, one word turns the numbers beside it into text
        row = next((row for row in stray if _read(plain[row]) is None), stray[0])
        came = f"got {_quoted(plain[row])} in row {row + 1}"
        raise ValueError(f"column {column['name']!r} should be numbers, {came}")
    return np.array([np.nan if missing[row] else _float(value) for row, value in enumerate(plain)])


def _refuse(column: Mapping[str, Any], wrong: Array, values: Array, why: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"column {column['name']!r} {why}; got {values[row]} in row {row + 1}")


def _texts(column: Mapping[str, Any], values: Array) -> Array:
    texts = [_text(column, row, _plain(value)) for row, value in enumerate(values)]
    if values.dtype.kind == "U" and "nan" in texts:  # numpy writes a NaN among text so
        came = f"has the text 'nan' in row {texts.index('nan') + 1}, which may be a missing value"
        cure = "send null, or the rows as dataframe_split or dataframe_records"
        raise ValueError(f"column {column['name']!r} {came}; {cure}")
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def _text(column: Mapping[str, Any], row: int, value: Any) -> str:
    if _is_missing(value):
        return ""
    if isinstance(value, str):
        return value
    came = f"got {_quoted(value)} in row {row + 1}"
    raise ValueError(f"column {column['name']!r} should be text, {came}; send JSON, with quotes")


def _is_missing(value: Any) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float) and value != value  # noqa: PLR0124 - NaN


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # of an integer
        return np.inf


def _unquoted(values: Array) -> Array:
    """Return the numbers that numpy has turned into text; other text is refused later."""
    numbers = np.empty(len(values), object)
    for row, text in enumerate(values.tolist()):
        number = _read(text)
        numbers[row] = text if number is None else number
    return numbers


def _read(value: Any) -> float | None:
    words = {"True": 1.0, "False": 0.0}
    try:
        return words[value] if value in words else float(value)
    except (TypeError, ValueError):
        return None


def _column(name: str, values: Any) -> Array:
    """Return the values of a column as an array, (rows,) if there is one per row."""
    if isinstance(values, (pd.Series, pd.Index)):
        simple = isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf"
        values = values.to_numpy() if simple else values.to_numpy(dtype=object)
    elif isinstance(values, (list, tuple)):
        values = _array(values, f"column {name!r}")
    elif isinstance(values, np.ma.MaskedArray):
        values = _unmasked(values)
    array = np.atleast_1d(np.asarray(values))
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _unmasked(values: Any) -> Array:
    """Return a masked array with None where it is masked."""
    filled: Array = np.array(values.data, object)
    filled[np.ma.getmaskarray(values)] = None
    return filled


def _listed(rows: list[Any]) -> Any:
    """Return a list of rows as a mapping of columns if all rows are mappings, else as an array."""
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        return _array(rows, "the list of rows")
    for number, row in enumerate(rows, 1):
        if row.keys() != rows[0].keys():
            different = sorted(map(str, row.keys() ^ rows[0].keys()))
            raise ValueError(f"rows 1 and {number} differ in their columns: {_shown(different)}")
    return {name: _array([_plain(row[name]) for row in rows], str(name)) for name in rows[0]}


def _array(values: Any, what: str) -> Array:
    """Return a list as an array in which each value keeps its own type."""
    try:
        return np.array(values, dtype=object)
    except ValueError as error:
        raise ValueError(f"{what} should have as many values in each row ({error})") from error


def _plain(value: Any) -> Any:
    """Return a numpy scalar as a Python object."""
    scalar = isinstance(value, (np.generic, np.ndarray)) and value.size == 1
    return value.item() if scalar else value


def _shown(names: list[str], most: int = SHOWN) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(_quoted(name, LONGEST_NAME) for name in names[:most]) + more


def _quoted(value: Any, longest: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
