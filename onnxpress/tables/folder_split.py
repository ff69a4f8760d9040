"""Training, calibration and test rows of a table that is larger than memory.

The files are read twice: for the target (and the times, if the rows are split by time) first, and
then for all columns. Test rows are passed on as they come. Of the others, a sample is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from onnxpress.errors import UserError
from onnxpress.tables.arrow_types import decoded, is_text, meaning, numbers, present, texts
from onnxpress.tables.column_types import AnyTask, as_float32, feature_names, plain
from onnxpress.tables.groups import check_group
from onnxpress.tables.joined_files import JoinedColumn, JoinedFiles
from onnxpress.tables.kept_rows import CLASS, PLACE, KeptRows, shares_of
from onnxpress.tables.pieces import Piece
from onnxpress.tables.places import (
    Places,
    check_time,
    content_hashes,
    cut_of,
    group_hashes,
    mixed,
    time_places,
)
from onnxpress.tables.schema import Column, Schema, Target, columns_of
from onnxpress.tables.sources import Source, known_target, typed_rows
from onnxpress.tables.split import Parts, calibration_share, deviation
from onnxpress.tables.target_survey import labelled_rows_of, survey_target
from onnxpress.tables.wording import shown


@dataclass(frozen=True)
class FolderSplit:
    """What is predicted, and how the rows are split."""

    target: Target | None
    task: AnyTask
    text: tuple[str, ...]
    group: str | None
    time: str | None
    """The column by which the newest rows are the test rows; None: by hashes of the rows."""
    test_size: float
    calibration_size: float | None
    most: int
    """Training and calibration rows, at most."""
    seed: int


@dataclass
class FolderParts:
    """The parts of a folder's rows."""

    parts: Parts
    """Without the test rows, which are written already."""
    source: Source
    """The rows that were kept, as they came."""
    frame: pd.DataFrame
    """The same, typed."""
    rows: int
    """With a target, in all files."""
    unlabelled: int
    test_rows: int = 0
    test_missing: Counter[str] = field(default_factory=Counter)
    """Test rows without a value, by column."""


def split_folder(
    files: JoinedFiles, wanted: FolderSplit, write_test: Callable[[pa.Table], None]
) -> FolderParts:
    """Split the rows of a folder, pass the test rows on in pieces, and keep a sample of the others.

    Rows with the same content fall to the same side, and so do rows of one group. Which rows are
    kept follows from their content and the seed, not from the files and their order.

    Raises:
        UserError: a file or a column cannot be used, or a class would lack in a part.
    """
    return _FolderSplitter(files, wanted).split(write_test)


class _FolderSplitter:
    def __init__(self, files: JoinedFiles, wanted: FolderSplit) -> None:
        empty = files.empty()
        self.files, self.wanted = files, wanted
        target = known_target(files.paths[0].parent, empty, wanted.target, ())
        self.targets = columns_of(target)
        if wanted.group is not None:
            check_group(empty, wanted.group, (*self.targets, *wanted.text))
        if wanted.time is not None:
            check_time(empty, wanted.time, (*self.targets, *wanted.text), wanted.group)
            empty = empty.drop_columns(wanted.time)
        features = feature_names(empty, self.targets, wanted.text, wanted.group)
        self.columns = tuple(self._column(name, files.columns[name]) for name in features)
        looked_at = [*self.targets, *filter(None, [wanted.time])]
        self.survey = survey_target(files.pieces(looked_at), target, wanted.task)
        cut = (
            self._time_cut()
            if wanted.time
            else min(round((1 - wanted.test_size) * 2**64), 2**64 - 1)
        )
        self.cut = np.uint64(cut)

    def _column(self, name: str, joined: JoinedColumn) -> Column:
        """Return a feature; whether values are missing is not known yet."""
        if types.is_null(joined.kind):
            raise UserError(f"column {shown(name)} has no value in any row; drop it")
        means = meaning(pa.chunked_array([], joined.kind), name)
        if name in self.wanted.text:
            if joined.other is not None:
                raise UserError(
                    f"column {shown(name)} (`text`) has another type in {joined.other} than in "
                    "files before it, so the same value would be two texts; write all with one type"
                )
            return Column(name, "text", missing=False)
        return Column(name, "number" if means == "number" else "category", missing=False)

    def _time_cut(self) -> np.uint64:
        """Return the time from which on rows are test rows.

        Raises:
            UserError: all rows are of one time.
        """
        cut = cut_of(self._times, self.wanted.test_size)
        if cut is None:
            raise UserError(f"{shown(str(self.wanted.time))} (`split`) is the same in every row")
        return cut

    def _times(self) -> Iterator[Places]:
        for piece in self.files.pieces([*self.targets, str(self.wanted.time)]):
            yield self._places(piece, labelled_rows_of(piece.table, self.targets), None)

    def _places(self, piece: Piece, rows: NDArray[np.intp], hashes: Places | None) -> Places:
        """Return the place of some rows of a piece: by their hashes, or else their time."""
        if hashes is not None:
            return mixed(hashes, self.wanted.seed)
        what = f"{piece.path}: column {shown(self.wanted.time)}"
        return time_places(piece.table[self.wanted.time].take(rows), what, piece.first + rows)

    def split(self, write_test: Callable[[pa.Table], None]) -> FolderParts:
        """Read all columns, and divide the rows."""
        survey, classes = self.survey, len(self.survey.classes)
        if 2 * classes > self.wanted.most:
            raise UserError(
                f"`max_rows` should be at least {2 * classes}, two rows for each class of the "
                f"target, got {self.wanted.most}"
            )
        kept = KeptRows(shares_of(survey.counts, self.wanted.most, 2))
        in_parts = np.zeros((2, classes), np.int64)
        missing, test_missing, test_rows = Counter[str](), Counter[str](), 0
        for piece in self.files.pieces(list(self.files.columns)):
            rows = labelled_rows_of(piece.table, self.targets)
            frame, hashes = self._typed(piece, rows)
            by = hashes
            if self.wanted.group is not None:
                what = f"{piece.path}: group {shown(self.wanted.group)}"
                groups = piece.table[self.wanted.group].take(rows)
                by = group_hashes(groups, what, piece.first + rows)
                frame[self.wanted.group] = (by >> np.uint64(1)).astype(np.int64)
            places = self._places(piece, rows, by if self.wanted.time is None else None)
            codes = self.survey.codes({name: frame[name] for name in self.targets})
            is_test = places >= self.cut
            np.add.at(in_parts, (is_test.astype(int), codes), 1)
            lacks = {each.name: _lacks(frame[each.name]) for each in self.columns}
            missing.update({name: int(own.sum()) for name, own in lacks.items()})
            test_missing.update({name: int((own & is_test).sum()) for name, own in lacks.items()})
            if is_test.any():
                write_test(_as_table(frame[is_test]))
            test_rows += int(is_test.sum())
            others = np.flatnonzero(~is_test)
            # equal rows of two groups or times are two different rows
            order = mixed(hashes[others] ^ mixed(places[others], 1), self.wanted.seed)
            kept.add(piece.table.take(rows[others]), order, codes[others], places[others])
        self._refuse_lacking(in_parts)
        parts, source, frame = self._kept(kept, missing)
        return FolderParts(
            parts, source, frame, survey.rows, survey.unlabelled, test_rows, test_missing
        )

    def _typed(self, piece: Piece, rows: NDArray[np.intp]) -> tuple[pd.DataFrame, Places]:
        """Return some rows of a piece in their final types, and the hashes of their content.

        Raises:
            UserError: a value is infinite, or has a NUL character.
        """
        values: dict[str, Any] = {}
        for column in self.columns:
            what = f"{piece.path}: column {shown(column.name)}"
            found = decoded(piece.table[column.name]).take(rows)
            if column.kind == "number":
                values[column.name] = as_float32(numbers(found), what, piece.first + rows)
            else:
                values[column.name] = _words(found, what, piece.first + rows)
        values |= self.survey.typed(piece, rows)
        frame = pd.DataFrame(values)
        return frame, content_hashes(frame)

    def _refuse_lacking(self, in_parts: NDArray[np.int64]) -> None:
        """See that each class has rows on both sides.

        Raises:
            UserError: one has not.
        """
        for part, name in zip(in_parts, ("training", "test"), strict=True):
            if not part.all():
                number = int(np.flatnonzero(part == 0)[0])
                if self.survey.task == "regression":
                    raise UserError(f"no row falls to the {name} rows; change `test_size`")
                label = plain(self.survey.classes[number])
                raise UserError(
                    f"class {label!r} with {self.survey.counts[number]} rows is in no {name} row: "
                    "expected every class in every part; leave its rows out, or change `test_size`"
                )

    def _kept(self, kept: KeptRows, missing: Counter[str]) -> tuple[Parts, Source, pd.DataFrame]:
        """Return the parts of the rows that were kept, and these rows as they came and typed."""
        table, notes = kept.drawn()
        if self.wanted.time is not None:
            table = table.drop_columns(self.wanted.time)
        for column in self.columns:
            if not present(table[column.name]).any():
                every = missing[column.name] == self.survey.rows
                of = "row" if every else f"of the {table.num_rows} rows that are kept for the fit"
                raise UserError(f"column {shown(column.name)} has no value in any {of}; drop it")
        source = Source(table, self.survey.target, self.files.lines)
        task, text, group = self.survey.task, self.wanted.text, self.wanted.group
        try:
            frame, schema = typed_rows(source, task, text, group)
        except UserError as error:
            kept_rows = f"the {table.num_rows} rows that are kept for the fit"
            raise UserError(f"of {kept_rows}, in their order: {error}") from error
        columns = tuple(replace(each, missing=missing[each.name] > 0) for each in schema.columns)
        schema = replace(schema, columns=columns)
        return self._calibrated(frame, schema, notes), source, frame

    def _calibrated(self, frame: pd.DataFrame, schema: Schema, notes: pd.DataFrame) -> Parts:
        """Set calibration rows aside: those with the last places, of each class by itself.

        Rows of a group, and rows by time, are not divided by classes.
        """
        share = self.wanted.calibration_size
        share = calibration_share(len(frame)) if share is None else share
        chosen = np.zeros(len(frame), bool)
        places, codes = notes[PLACE].to_numpy(), notes[CLASS].to_numpy()
        if self.wanted.time is not None or self.wanted.group is not None:
            codes = np.zeros(len(frame), np.intp)
        for code in np.unique(codes) if share else ():
            own = codes == code
            cut = cut_of(lambda own=own: [places[own]], share)  # type: ignore[misc]
            if cut is None:
                raise UserError(
                    f"`calibration_size` {share} cannot split {int(own.sum())} rows that are the "
                    "same or of one group; set it to 0.0, or leave them out"
                )
            chosen |= own & (places >= cut)
        if chosen.any() and len(set(notes[CLASS][chosen])) + len(
            set(notes[CLASS][~chosen])
        ) < 2 * len(self.survey.classes):
            raise UserError(
                f"`calibration_size` {share} leaves a class without training or calibration rows; "
                "change it, or leave the rows of rare classes out"
            )
        train, calibration = frame[~chosen], frame[chosen]
        if schema.task == "regression":
            schema = replace(schema, target_std=deviation(train, schema.target))
        return Parts(train, calibration, frame.iloc[:0], schema)


def _words(values: pa.ChunkedArray, what: str, rows: NDArray[np.intp]) -> pd.Series:
    """Return texts, (rows,), empty where they are missing.

    Raises:
        UserError: one has a NUL character.
    """
    if not is_text(values.type):
        return pd.Series(texts(values), dtype="str")
    values = pc.fill_null(values, "")
    with_nul = pc.match_substring(values, "\0")
    if pc.any(with_nul).as_py():
        raise UserError(
            f"{what} has a NUL character in row {rows[pc.index(with_nul, True).as_py()] + 1}; "
            "remove it"
        )
    words: pd.Series = values.to_pandas().astype("str")
    return words


def _lacks(values: pd.Series) -> NDArray[np.bool_]:
    empty = values.isna() if values.dtype.kind == "f" else values == ""
    return empty.to_numpy(dtype=bool)


def _as_table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
