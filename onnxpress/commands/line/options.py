"""Options that several subcommands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path)


class _Budget(click.ParamType):  # type: ignore[type-arg] # no parameter at run time
    """``KEY=NUMBER``, or ``KEY=none``, as a pair."""

    name = "budget"
    example = "score=0.01 or score=none"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, float | None]:
        """See click; the keys and the range of the number are checked with the model."""
        if isinstance(value, tuple):
            return value
        key, _, number = value.partition("=")
        try:
            return key, None if number.lower() in {"none", "null"} else float(number)
        except ValueError:
            expected = f"should be a key and a number, such as {self.example}"
            self.fail(f"{expected}, got {value!r}", param, ctx)


class _Device(_Budget):
    """``KEY=NUMBER`` of what a device has."""

    name = "device"
    example = "flash_kb=32"


BUDGET, DEVICE = _Budget(), _Device()

score = click.option(
    "--score",
    metavar="NAME",
    help="scikit-learn's name of a scorer, such as roc_auc, or ndcg; default: accuracy of "
    "classifiers, r2 of regressors, ndcg of boosters that rank rows in groups.",
)

positive = click.option(
    "--positive",
    metavar="CLASS",
    help="Of two classes, the one that recall and average precision are about; default: the "
    "greater.",
)

in_json = click.option(
    "--json", "in_json", is_flag=True, help="Print one JSON document and nothing else on stdout."
)

trust = click.option(
    "--trust",
    multiple=True,
    metavar="CLASS",
    help="A class, package.module.Class, that a stored model may hold besides scikit-learn's; "
    "it runs its own code. Can be given several times.",
)

task = click.option(
    "--task",
    type=click.Choice(["auto", "classification", "regression"]),
    default="auto",
    show_default=True,
    help="What the target is; auto decides by its values (compress) or by the model (compare).",
)

seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Of every random choice.",
)

DATA = "A CSV, Parquet, .npz or .npy file of rows."
TABLE = (
    click.option(
        "--text",
        multiple=True,
        metavar="COLUMN",
        help="A column of free text. Can be given several times.",
    ),
    click.option(
        "--group",
        metavar="COLUMN",
        help="The column that says which rows belong together, such as those of a query: no split "
        "divides them, and ndcg ranks them. It is no feature.",
    ),
    click.option(
        "--missing",
        multiple=True,
        metavar="CELL",
        help="A CSV cell that means missing, besides empty ones. Can be given several times.",
    ),
    click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        default=".",
        show_default=True,
        help="Decimal mark of a CSV file.",
    ),
    click.option("--thousands", metavar="MARK", help="Thousands separator of a CSV file."),
)


def one_or_several(columns: tuple[str, ...]) -> str | tuple[str, ...]:
    """Return the target that the columns are.

    Raises:
        UsageError: one is named twice.
    """
    if len(set(columns)) < len(columns):
        raise click.UsageError(f"--target should name each column once, got {', '.join(columns)}")
    return columns if len(columns) > 1 else columns[0]


def _rows_of_a_file(*, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a command the argument ``data`` from the options about a file of rows.

    It is a :class:`TableFile`, or None where no file has to be named and none is.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_table(**words: Any) -> None:
            from onnxpress.commands.given_table import TableFile
            from onnxpress.tables.csv_types import CsvForm

            form = CsvForm(words.pop("missing"), words.pop("decimal"), words.pop("thousands"))
            text, group, path = words.pop("text"), words.pop("group"), words["data"]
            data = None if path is None else TableFile(path, form, text, group)
            command(**words | {"data": data})

        data = click.option("--data", type=FILE, required=required, help=DATA)
        for option in reversed((data, *TABLE)):
            with_table = option(with_table)
        return with_table

    return decorate


rows_of_a_file = _rows_of_a_file(required=True)
rows_if_any = _rows_of_a_file(required=False)
