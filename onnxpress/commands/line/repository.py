"""The subcommands that work on the repository in the current folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxpress.commands.line.options import FILE, in_json


@click.command()
@click.option("--html", is_flag=True, help="Also write outputs/report.html.")
@in_json
def report(*, html: bool, in_json: bool) -> None:
    """Print the summary of the last run of the chain."""
    from onnxpress.commands.report import main

    main(html=html, in_json=in_json)


@click.command()
@in_json
def doctor(*, in_json: bool) -> None:
    """Check this machine and the tracking server."""
    from onnxpress.commands.doctor.checking import main

    main(in_json=in_json)


@click.command()
@in_json
def promote(*, in_json: bool) -> None:
    """Make the candidate the champion of its registered model, if it is better."""
    from onnxpress.commands.promote.promoting import main

    main(in_json=in_json)


@click.command()
@in_json
def rollback(*, in_json: bool) -> None:
    """Make the champion before the champion again, and write its manifest for KServe."""
    from onnxpress.commands.rollback.rolling_back import main

    main(in_json=in_json)


@click.command()
@click.argument("file", type=FILE, default="sweep.yaml")
@in_json
def sweep(*, file: Path, in_json: bool) -> None:
    """Run a grid or a list of experiments and compare them.

    FILE is the sweep file, sweep.yaml unless given.
    """
    from onnxpress.commands.sweep.sweeping import main

    main(file, in_json=in_json)


@click.command()
@click.option(
    "--cpu",
    type=click.Choice(["baseline"]),
    help="Use the kernels that every x86-64 CPU with AVX2 has.",
)
@click.option(
    "--until",
    type=click.Choice(["prepare", "train", "convert", "quantize", "evaluate", "package"]),
    default="package",
    show_default=True,
    help="Check the chain up to this stage only.",
)
@in_json
def reproduce(*, cpu: str | None, until: str, in_json: bool) -> None:
    """Make the outputs in two fresh clones of HEAD and compare their bytes."""
    from onnxpress.commands.reproduce.reproducing import main

    main(cpu=cpu, until=until, in_json=in_json)


@click.command()
@click.option(
    "--seeds",
    type=click.IntRange(2, 1000),
    default=10,
    show_default=True,
    help="How many seeds, from that of params.yaml on.",
)
@in_json
def stability(*, seeds: int, in_json: bool) -> None:
    """Show how often each gate would fail with other seeds.

    Split, fit, choice and test are repeated in a temporary folder, on the data and the parameters
    of this repository.
    """
    from onnxpress.commands.stability.repeating import main

    main(seeds, in_json=in_json)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65533),
    default=8000,
    show_default=True,
    help="Of HTTP; gRPC and metrics have the two after it.",
)
@click.option(
    "--environment",
    type=FILE,
    default=".venv-triton",
    show_default=True,
    help="The Python environment that holds Triton.",
)
def serve(*, port: int, environment: Path) -> None:
    """Answer requests with the packaged model by a real Triton, on this machine only.

    It runs until Ctrl-C or SIGTERM, and answers before it ends what was sent on open connections.
    """
    from onnxpress.commands.serve.serving import main

    main(port, environment)


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    default=2,
    show_default=True,
    help="How many, of one thread each.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8786,
    show_default=True,
    help="Of the scheduler.",
)
def cluster(*, workers: int, port: int) -> None:
    """Run a Dask cluster on this machine only, for engine.scheduler, until Ctrl-C or SIGTERM."""
    from onnxpress.commands.cluster import main

    main(workers, port)


@click.command("verify-endpoint")
@click.argument("url")
@click.option("--model", metavar="NAME", help="Its name there; default: package.name.")
@click.option(
    "--batch",
    type=click.IntRange(1, 1024),
    default=32,
    show_default=True,
    help="Rows of a request.",
)
@click.option(
    "--host", metavar="NAME", help="The header Host (gRPC: authority), by which ingresses route."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="How long an answer may take.",
)
@click.option(
    "--binary",
    is_flag=True,
    help="Over HTTP, send rows in the protocol's binary extension: some take no NaN in JSON.",
)
@in_json
def verify_endpoint(*, url: str, in_json: bool, **words: Any) -> None:
    """Compare what an endpoint answers with what model_quantized.onnx predicts.

    URL is an address that speaks the Open Inference Protocol 2, such as http://127.0.0.1:8000 or
    grpc://127.0.0.1:8001. Test rows and probe rows are sent. The value of ONNXPRESS_ENDPOINT_TOKEN
    is sent as a bearer token.
    """
    from onnxpress.commands.verify_endpoint.verifying import Target, main

    main(Target(url, **words), in_json=in_json)


@click.command()
@click.argument("table")
@click.option(
    "--limit",
    type=click.FloatRange(0, min_open=True),
    help="A population stability index above it is drift; default: that of the profile, 0.2.",
)
@in_json
def drift(*, table: str, limit: float | None, in_json: bool) -> None:
    """Show how far rows have drifted from the training rows.

    TABLE has the columns of the training rows: a .csv, .parquet, .npz or .npy file, or a folder or
    a glob ('rows/*.parquet') of Parquet files. Or it is a log of requests (.jsonl, .ndjson, .log,
    .json): a JSON object per line, as the Open Inference Protocol 2 or KServe's logger has them.
    It is read in pieces. Exit code 3: something has drifted.
    """
    from onnxpress.commands.drift.drifting import Question, main

    main(Question(table, limit), in_json=in_json)


@click.command()
@click.argument("model", type=FILE)
@click.argument("table")
@click.option("--output", type=FILE, required=True, help="The folder of the predictions.")
@click.option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help="A column of the rows to write beside the predictions, such as their key. Can be given "
    "several times.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="The scheduler of a Dask cluster whose workers predict, such as tcp://10.0.0.5:8786. "
    "Default: engine.scheduler; without it, the cores of this machine.",
)
@in_json
def score(
    *,
    model: Path,
    table: str,
    output: Path,
    keep: tuple[str, ...],
    scheduler: str | None,
    in_json: bool,
) -> None:
    """Write the predictions of a model for all rows of a table of any size.

    TABLE is a .csv or .parquet file, a folder of such files, or a glob ('rows/*.parquet'), here or
    in S3 (s3://bucket/rows). Each becomes a Parquet file of the same name and the same order of
    rows in the folder of --output. MODEL takes the columns of outputs/schema.json, as
    outputs/model_quantized.onnx does. After a kill, the same line goes on with the files that are
    not there.
    """
    from onnxpress.commands.score.scoring import Job, main

    main(Job(model, table, output, tuple(dict.fromkeys(keep)), scheduler), in_json=in_json)


@click.command()
def fresh() -> None:
    """Fail if dvc.lock does not belong to the code, params and data here; run nothing."""
    from onnxpress.commands.fresh import main

    main()


@click.command()
def mend() -> None:
    """Repair the files that a killed dvc has left cut off."""
    from onnxpress.commands.mend import main

    main()


@click.command()
@in_json
def migrate(*, in_json: bool) -> None:
    """Bring a repository of the first edition up to date; name what cannot be."""
    from onnxpress.commands.migrate.migrating import main

    main(in_json=in_json)


@click.command()
def docs() -> None:
    """Bring the generated parts of README and docs up to date."""
    from onnxpress.commands.reference import main

    main()
