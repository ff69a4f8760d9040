"""Training, calibration and test rows, each row in exactly one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.column_types import plain
from onnxpress.tables.groups import split_groups
from onnxpress.tables.places import Places, cut_of
from onnxpress.tables.schema import Schema, Target

CALIBRATION_FROM_ROWS = 1000
CALIBRATION_SHARE = 0.2


@dataclass(frozen=True)
class Parts:
    """The rows of each part, and the schema with the target's spread in the training rows."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    schema: Schema

    def describe_sizes(self) -> str:
        """Return how many rows each part has, in a clause."""
        parts, group = (self.train, self.calibration, self.test), self.schema.group
        sizes = "{} training, {} calibration, {} test rows".format(*map(len, parts))
        if group is None:
            return sizes
        counts = [part[group].nunique() for part in parts]
        return sizes + ", of {}, {} and {} groups".format(*counts)

    def describe_target(self) -> str:
        """Return one clause about the target in the training rows."""
        if self.schema.task == "regression":
            return f"standard deviation {_listed(self.schema.target_std)}"
        counts = self.train[self.schema.target_name].value_counts(sort=False)
        return f"{len(counts)} classes, the rarest with {counts.min()} training rows"


def split(
    frame: pd.DataFrame,
    schema: Schema,
    test_size: float,
    calibration_size: float | None,
    seed: int,
    places: Places | None = None,
) -> Parts:
    """Split rows at random, stratified by class for classification; groups of rows stay whole.

    Args:
        frame: the typed columns of all rows.
        schema: their schema.
        test_size: share of the rows, in (0, 1).
        calibration_size: share of the rows that are not test rows. None takes 20 % of 1,000 rows
            and more, and none of fewer: there, candidates are scored by cross-fitting.
        seed: of the random choice.
        places: in time, (rows,): the newest rows are the test rows then, and the newest of the
            others the calibration rows. Rows of one time are never divided, so that the shares are
            about those asked for.

    Raises:
        UserError: a class is too rare to be in every part.
    """
    if places is not None:
        return _split_by_time(frame, schema, places, test_size, calibration_size)
    train, test = split_off(frame, schema, test_size, "`test_size`", seed)
    share = calibration_share(len(train)) if calibration_size is None else calibration_size
    calibration = train.iloc[:0]
    if share > 0:
        train, calibration = split_off(train, schema, share, "`calibration_size`", seed)
    if schema.task == "regression":
        schema = replace(schema, target_std=deviation(train, schema.target))
    return Parts(train, calibration, test, schema)


def _split_by_time(
    frame: pd.DataFrame,
    schema: Schema,
    places: Places,
    test_size: float,
    calibration_size: float | None,
) -> Parts:
    train, test = _newest(frame, schema, places, test_size, "`test_size`")
    share = calibration_share(len(train)) if calibration_size is None else calibration_size
    known, calibration = frame.iloc[train], frame.iloc[:0]
    if share > 0:
        parts = _newest(known, schema, places[train], share, "`calibration_size`")
        known, calibration = known.iloc[parts[0]], known.iloc[parts[1]]
    if schema.task == "regression":
        schema = replace(schema, target_std=deviation(known, schema.target))
    return Parts(known, calibration, frame.iloc[test], schema)


def _newest(
    frame: pd.DataFrame, schema: Schema, places: Places, share: float, what: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the other rows, and of about ``share`` of them that are newest."""
    cut = cut_of(lambda: [places], share)
    if cut is None:
        raise UserError(f"{what} {share} cannot split {len(frame)} rows: they are of one time")
    parts = np.flatnonzero(places < cut), np.flatnonzero(places >= cut)
    if schema.task == "classification":
        classes = frame[schema.target_name]
        for label in classes.unique():
            if not all((classes.iloc[part] == label).any() for part in parts):
                raise UserError(
                    f"{what} {share} cannot split {len(frame)} rows by time: class "
                    f"{plain(label)!r} would be in one part only; leave its rows out, or change "
                    "the share"
                )
    return parts


def deviation(frame: pd.DataFrame, target: Target) -> float | tuple[float, ...]:
    """Return the standard deviation of the target, or of each of several."""
    if isinstance(target, str):
        return float(frame[target].std(ddof=0))
    return tuple(float(frame[name].std(ddof=0)) for name in target)


def _listed(numbers: float | tuple[float, ...] | None) -> str:
    every = numbers if isinstance(numbers, tuple) else (numbers,)
    return ", ".join(f"{number:.4g}" for number in every)


def calibration_share(training_rows: int) -> float:
    """Return the share of the training rows that is set aside where the user names none."""
    return CALIBRATION_SHARE if training_rows >= CALIBRATION_FROM_ROWS else 0.0


def split_off(
    frame: pd.DataFrame, schema: Schema, share: float, what: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split ``share`` of the rows off at random, stratified by class for classification.

    Rows in groups are split off by whole groups, so that it is about that share.

    Returns:
        The other rows, and those split off.

    Raises:
        UserError: a class is too rare to be in both parts, or there is one group only; ``what`` is
            what the line calls the share.
    """
    from sklearn.model_selection import train_test_split

    classes = frame[schema.target_name] if schema.task == "classification" else None
    try:
        if schema.group is not None:
            labels = None if classes is None else classes.to_numpy()
            places = split_groups(frame[schema.group].to_numpy(), share, seed, labels)
            return frame.iloc[places[0]], frame.iloc[places[1]]
        rest, part = train_test_split(frame, test_size=share, random_state=seed, stratify=classes)
    except ValueError as error:
        rarest = "" if classes is None else _rarest(classes)
        raise UserError(
            f"{what} {share} cannot split {len(frame)} rows: {error}{rarest}"
        ) from error
    return rest, part


def _rarest(classes: pd.Series) -> str:
    """Return the class that is too rare, and a hint that numbers may not be classes."""
    counts = classes.value_counts()
    numeric = pd.api.types.is_numeric_dtype(classes)
    hint = "; if it is a quantity, set `task`: regression" if numeric else ""
    return f" (rarest class: {plain(counts.idxmin())!r}, {counts.min()} rows{hint})"
