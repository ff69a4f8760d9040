"""What can be typed after `onnxpress`: every subcommand, its options, and the function it calls.

Only click is imported here. A subcommand imports its own function when it runs, so that
``onnxpress --help`` is quick, and a command needs only what it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from onnxpress.errors import UserError
from onnxpress.extras import naming_extras

NOTHING_KEPT = "nothing was changed"
KEPT = {
    "reproduce": "the two clones are removed",
    "sweep": "finished points are kept, `make sweep` goes on from here",
}
"""What an interrupt leaves, by command."""

WAITING_FOR_OTHERS = {"reproduce", "sweep"}
"""Commands that wait for other processes after a signal, so they are given the time."""

SECTIONS = {
    "Models": ("compress", "compare", "inspect"),
    "The repository in this folder": (
        "report",
        "doctor",
        "promote",
        "sweep",
        "reproduce",
        "fresh",
        "mend",
        "migrate",
        "docs",
    ),
}
"""The subcommands as ``--help`` lists them."""


class Sectioned(click.Group):
    """A group whose help lists the subcommands by section."""

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the subcommands of each section with their first sentence."""
        width = max(map(len, self.commands))
        for title, names in SECTIONS.items():
            commands = [(name, self.commands[name]) for name in names if name in self.commands]
            rows = [
                (name.ljust(width), command.get_short_help_str(80)) for name, command in commands
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _show_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if not asked or context.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("onnxpress")
    except PackageNotFoundError:
        found = "(run from its source)"
    click.echo(f"onnxpress {found}")
    context.exit()


@click.group(
    cls=Sectioned,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a bug, 2 wrong input, 3 a limit is broken, 4 the tracking server "
    "fails, 5 not reproducible, 130 interrupted, 143 terminated.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def onnxpress() -> None:
    """Quantise fitted models as ONNX: smaller, faster, and proved against the original."""


def run(words: Sequence[str]) -> None:
    """Run one command line; without words, show the help.

    Raises:
        UserError: the words are no command line, or what the command needs is not installed.
    """
    try:
        with (
            naming_extras(),
            onnxpress.make_context("onnxpress", list(words) or ["--help"]) as context,
        ):
            onnxpress.invoke(context)
    except click.exceptions.Exit:
        return
    except click.ClickException as error:
        raise UserError(_one_line(error)) from error


def _one_line(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "onnxpress"
    return f"{message}; see `{command} --help`"


in_json: Callable[[Any], Any] = click.option(
    "--json", "in_json", is_flag=True, help="Print one JSON document and nothing else on stdout."
)


trust = click.option(
    "--trust",
    multiple=True,
    metavar="CLASS",
    help="A class, package.module.Class, that a stored model may hold besides scikit-learn's; "
    "it runs its own code. Can be given several times.",
)


@onnxpress.command()
@click.argument("file", type=click.Path(path_type=Path))
@trust
@in_json
def inspect(*, file: Path, trust: tuple[str, ...], in_json: bool) -> None:
    """Show what a model file holds; nothing of it runs.

    FILE is an ONNX model, or a fitted estimator stored as .joblib, .pkl or .skops.
    """
    from onnxpress.commands.inspect.inspecting import main

    main(file, trust=trust, in_json=in_json)


@onnxpress.command()
@click.option("--html", is_flag=True, help="Also write outputs/report.html.")
@in_json
def report(*, html: bool, in_json: bool) -> None:
    """Print the summary of the last run of the chain."""
    from onnxpress.commands.report import main

    main(html=html, in_json=in_json)


@onnxpress.command()
@in_json
def doctor(*, in_json: bool) -> None:
    """Check this machine and the tracking server."""
    from onnxpress.commands.doctor.checking import main

    main(in_json=in_json)


@onnxpress.command()
@in_json
def promote(*, in_json: bool) -> None:
    """Make the candidate the champion of its registered model, if it is better."""
    from onnxpress.commands.promote.promoting import main

    main(in_json=in_json)


@onnxpress.command()
@click.argument("file", type=click.Path(path_type=Path), default="sweep.yaml")
@in_json
def sweep(*, file: Path, in_json: bool) -> None:
    """Run a grid or a list of experiments and compare them.

    FILE is the sweep file, sweep.yaml unless given.
    """
    from onnxpress.commands.sweep.sweeping import main

    main(file, in_json=in_json)


@onnxpress.command()
@click.option(
    "--cpu",
    type=click.Choice(["baseline"]),
    help="Use the kernels that every x86-64 CPU with AVX2 has.",
)
@click.option(
    "--until",
    type=click.Choice(["prepare", "train", "convert", "quantize", "evaluate"]),
    default="evaluate",
    show_default=True,
    help="Check the chain up to this stage only.",
)
@in_json
def reproduce(*, cpu: str | None, until: str, in_json: bool) -> None:
    """Make the outputs in two fresh clones of HEAD and compare their bytes."""
    from onnxpress.commands.reproduce.reproducing import main

    main(cpu=cpu, until=until, in_json=in_json)


@onnxpress.command()
def fresh() -> None:
    """Fail if dvc.lock does not belong to the code, params and data here; run nothing."""
    from onnxpress.commands.fresh import main

    main()


@onnxpress.command()
def mend() -> None:
    """Repair the files that a killed dvc has left cut off."""
    from onnxpress.commands.mend import main

    main()


@onnxpress.command()
@in_json
def migrate(*, in_json: bool) -> None:
    """Bring a repository of the first edition up to date; name what cannot be."""
    from onnxpress.commands.migrate.migrating import main

    main(in_json=in_json)


@onnxpress.command()
def docs() -> None:
    """Bring the generated parts of README and docs up to date."""
    from onnxpress.commands.reference import main

    main()
