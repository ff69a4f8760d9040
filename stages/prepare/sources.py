"""Where rows come from: scikit-learn's bundled datasets, and CSV or Parquet files under data/."""

from __future__ import annotations

import csv
import warnings
from collections import Counter
from pathlib import Path

import pandas as pd

from onnxpress.pipeline.copies import absent
from stages.common.errors import UserError

BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")
DATA = Path("data")


def load_source(source: str, target: str | None) -> tuple[pd.DataFrame, str]:
    """All rows as they come, and the name of the target column.

    Raises:
        UserError: the source is unknown, unreadable, or has no such target column.
    """
    if source in BUNDLED:
        return load_bundled(source), "target"
    path = Path(source)
    if path.suffix not in {".csv", ".parquet"}:
        raise UserError(
            f"params.yaml: data.source should be one of {', '.join(BUNDLED)}, or a .csv or .parquet file in data/, got {source!r}"
        )
    if not path.resolve().is_relative_to(DATA.resolve()):
        raise UserError(
            f"params.yaml: data.source should lie under data/ so that DVC sees it change, got {source!r}; move it there"
        )
    if not path.is_file():
        usual = "which does not exist; put the file there or correct the name"
        raise UserError(f"params.yaml: data.source names {source!r}, {absent(source, usual)}")
    frame = read_csv(path) if path.suffix == ".csv" else read_parquet(path)
    columns = ", ".join(map(str, frame.columns[:20]))
    if target is None:
        raise UserError(
            f"params.yaml: data.target should name the column of {source} to predict, got null; its columns: {columns}"
        )
    if target not in frame.columns:
        raise UserError(f"params.yaml: data.target {target!r} is no column of {source}; its columns: {columns}")
    return frame, target


def load_bundled(name: str) -> pd.DataFrame:
    """One of scikit-learn's small real datasets, with the column ``target`` last."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    names = [str(feature).replace(" (cm)", "_cm").replace(" ", "_") for feature in bunch.feature_names]
    frame = pd.DataFrame(bunch.data, columns=names)
    frame["target"] = bunch.target
    return frame


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file with a header line, in UTF-8, separated by commas.

    Raises:
        UserError: the file is empty, is not UTF-8, is ragged, or names a column twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, encoding="utf-8-sig", low_memory=False, index_col=False)
    except pd.errors.ParserWarning as error:  # without index_col=False the first column would silently become an index
        raise UserError(
            f"{path}: rows have more values than the header has names ({len(header)}); complete the header"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} should be UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise UserError(f"{path} should be a CSV file with a header line and commas: {error}") from error
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice:
        raise UserError(f"{path}: column {twice[0]!r} stands in the header more than once; rename or drop one")
    if "" in header:
        raise UserError(f"{path}: column {header.index('') + 1} has no name in the header; name it or drop it")
    if len(header) == 1:
        raise UserError(
            f"{path} has one column only, {header[0]!r}; expected commas between the columns and at least one feature"
        )
    return frame


def read_parquet(path: Path) -> pd.DataFrame:
    """A Parquet file.

    Raises:
        UserError: the file is no Parquet file.
    """
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} should be a Parquet file: {error}") from error
