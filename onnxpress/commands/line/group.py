"""The command line as a whole: all subcommands, and how a line is run."""

from __future__ import annotations

from collections.abc import Sequence

import click

from onnxpress.commands.line import exports, models, repository
from onnxpress.errors import UserError
from onnxpress.extras import naming_extras

NOTHING_KEPT = "nothing was changed"
KEPT = {
    "reproduce": "the two clones are removed",
    "score": "finished files of predictions are kept, run it again to go on",
    "stability": "the temporary folder is removed",
    "sweep": "finished points are kept, `make sweep` goes on from here",
}
"""What an interrupt leaves, by command."""

WAITING_FOR_OTHERS = {"cluster", "reproduce", "serve", "sweep"}
"""Commands that wait for other processes after a signal, so they are given the time."""

SECTIONS = {
    "Models": (
        models.compress,
        models.compare,
        models.certify,
        models.inspect,
        exports.export_c,
        exports.export_sql,
    ),
    "The repository in this folder": (
        repository.report,
        repository.doctor,
        repository.promote,
        repository.rollback,
        repository.sweep,
        repository.reproduce,
        repository.stability,
        repository.serve,
        repository.cluster,
        repository.verify_endpoint,
        repository.score,
        repository.drift,
        repository.fresh,
        repository.mend,
        repository.migrate,
        repository.docs,
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
        for title, commands in SECTIONS.items():
            rows = [(str(each.name).ljust(width), each.get_short_help_str(80)) for each in commands]
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
    epilog="Exit codes: 0 done, 1 a bug, 2 wrong input, 3 a limit is broken, 4 a server fails, "
    "5 not reproducible, 130 interrupted, 143 terminated.",
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
    """Quantise fitted models as ONNX: smaller, faster, and checked against the original."""


for commands in SECTIONS.values():
    for command in commands:
        onnxpress.add_command(command)


def run(words: Sequence[str]) -> None:
    """Run one command line; without words, show the help.

    Raises:
        UserError: the words are not a command line, or what the command needs is not installed.
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
