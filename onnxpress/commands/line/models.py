"""The subcommands that work on models anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from onnxpress.commands.line.options import (
    BUDGET,
    DEVICE,
    FILE,
    in_json,
    one_or_several,
    positive,
    rows_if_any,
    rows_of_a_file,
    score,
    seed,
    task,
    trust,
)
from onnxpress.quantize.options import Level, MethodName, MlOpset, Objective

JOB = ("model", "data", "out", "task", "trust", "max_seconds", "max_memory_mb", "force")
"""Words of compress that say what is read and written; the others are settings."""


@click.command()
@click.argument("model", type=FILE)
@rows_of_a_file
@click.option(
    "--target",
    "targets",
    required=True,
    multiple=True,
    metavar="COLUMN",
    help="The column to predict. Can be given several times, for a model of several quantities.",
)
@click.option("-o", "--out", type=FILE, required=True, help="The ONNX file to write.")
@click.option("--force", is_flag=True, help="Replace OUT if it is there already.")
@score
@positive
@click.option(
    "--budget",
    "budgets",
    type=BUDGET,
    multiple=True,
    metavar="KEY=NUMBER",
    help="The most that may be lost: score (default 0), recall_worst_loss (of any class, default "
    "0.02), disagreement, log_loss, brier, the name of a scorer and others; none switches a key "
    "off. Can be given several times.",
)
@click.option(
    "--device",
    "has",
    type=DEVICE,
    multiple=True,
    metavar="KEY=NUMBER",
    help="What the device has that the model is for: flash_kb, ram_kb and row_us of its C on a "
    "Cortex-M4F, at clock_mhz (default 64); row_us alone: of onnxruntime on this machine. The best "
    "score that fits is chosen. Can be given several times.",
)
@click.option(
    "--method",
    type=click.Choice(get_args(MethodName)),
    default="auto",
    show_default=True,
    help="Try one method only; auto: all that fit the model.",
)
@click.option(
    "--objective",
    type=click.Choice(get_args(Objective)),
    default="size",
    show_default=True,
    help="What the best is chosen by; latency (one row a call) and throughput are measured.",
)
@click.option(
    "--level",
    type=click.Choice(get_args(Level)),
    default="auto",
    show_default=True,
    help="How far forests may be changed.",
)
@click.option(
    "--opset",
    type=click.IntRange(11, 22),
    default=12,
    show_default=True,
    help="Version of the ai.onnx operators.",
)
@click.option(
    "--ml-opset",
    type=click.Choice([str(version) for version in get_args(MlOpset)]),
    default="5",
    show_default=True,
    help="Version of the ai.onnx.ml operators: 5 is smallest, 3 runs in older runtimes.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(0, min_open=True),
    default=600.0,
    show_default=True,
    help="How long opening and trying MODEL may take.",
)
@click.option(
    "--max-memory-mb",
    type=click.IntRange(1),
    default=8192,
    show_default=True,
    help="How much memory it may take.",
)
@seed
@task
@trust
@in_json
def compress(*, in_json: bool, ml_opset: str, **words: Any) -> None:
    """Write the smallest or fastest ONNX model that keeps the score.

    MODEL is a fitted estimator stored as .joblib, .pkl or .skops, an ONNX model, or an exported
    program of PyTorch (.pt2). It is judged, opened and tried in a process without rights before it
    is loaded.
    """
    from onnxpress.commands.compress import Job, main

    target = one_or_several(words.pop("targets"))
    job = Job(target=target, **{name: words.pop(name) for name in JOB})
    budgets, device = dict(words.pop("budgets")), dict(words.pop("has"))
    main(
        job,
        {**words, "budgets": budgets, "device": device, "ml_opset": int(ml_opset)},
        in_json=in_json,
    )


@click.command()
@click.argument("original", type=FILE)
@click.argument("model", type=FILE)
@rows_of_a_file
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="COLUMN",
    help="The column to predict; with it, also scores. Can be given several times, for models of "
    "several quantities.",
)
@score
@click.option(
    "--also",
    multiple=True,
    metavar="NAME",
    help="One more scorer of scikit-learn. Can be given several times.",
)
@positive
@seed
@task
@trust
@in_json
def compare(*, seed: int, in_json: bool, **words: Any) -> None:
    """Show how the predictions of two models differ.

    ORIGINAL and MODEL are files of fitted estimators or ONNX models.
    """
    from onnxpress.commands.compare import Pair, main

    targets = words.pop("targets")
    target = one_or_several(targets) if targets else None
    main(Pair(**words, target=target), seed=seed, in_json=in_json)


@click.command()
@click.argument("file", type=FILE)
@trust
@in_json
def inspect(*, file: Path, trust: tuple[str, ...], in_json: bool) -> None:
    """Show what a model file holds; nothing of it runs.

    FILE is an ONNX model, or a fitted estimator stored as .joblib, .pkl or .skops.
    """
    from onnxpress.commands.inspect.inspecting import main

    main(file, trust=trust, in_json=in_json)


@click.command()
@click.argument("model", type=FILE, required=False)
@rows_if_any
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="COLUMN",
    help="A column of the file that MODEL does not take. Can be given several times.",
)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    metavar="NAME==VERSION",
    help="A runtime to try instead of the usual ones: onnxruntime, onnxruntime-node, "
    "onnxruntime-web, onnxruntime-aarch64, openvino, tract, or onnx for its reference evaluator. "
    "Can be given several times.",
)
@click.option("-o", "--out", type=FILE, help="Also write the findings as JSON.")
@click.option(
    "--refresh",
    is_flag=True,
    help="Instead, try every known kind of graph in every release of onnxruntime, and write the "
    "table that min_onnxruntime is read from.",
)
@seed
@in_json
def certify(*, runtimes: tuple[str, ...], refresh: bool, in_json: bool, **words: Any) -> None:
    """Replay rows in other runtimes and versions, and show where MODEL answers equally.

    MODEL is an ONNX file. Without MODEL and --data, the two ONNX models of the repository in this
    folder are tried on its test rows and probe rows. Runtimes are installed once, into the cache
    of the user.
    """
    if refresh:
        from onnxpress.commands.certify.refreshing import refresh as try_all

        try_all()
        return
    from onnxpress.commands.certify.certifying import main
    from onnxpress.commands.certify.replayed_rows import Files

    files = Files(words["model"], words["data"], words["targets"], words["seed"])
    main(files, runtimes, out=words["out"], in_json=in_json)
