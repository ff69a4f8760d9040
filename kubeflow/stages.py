"""The stages of dvc.yaml, run by DVC, with a remote as their cache."""

from __future__ import annotations

import subprocess

from onnxpress.commands.sweep.outcomes import failure
from onnxpress.errors import GateFailed, ServerError, UserError
from onnxpress.pipeline.console import say
from onnxpress.pipeline.external import run
from onnxpress.text import shortened

REMOTE = "kubeflow"
ERRORS: dict[int | None, type[UserError]] = {
    error.exit_code: error for error in (GateFailed, ServerError)
}


def run_stages(*arguments: str) -> None:
    """Run ``dvc repro`` with these arguments; its output is shown while it works.

    Raises:
        UserError: a stage failed; GateFailed or ServerError if it failed so.
    """
    with subprocess.Popen(
        ["dvc", "repro", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
    ) as process:
        lines = []
        try:
            for line in process.stdout or ():
                lines.append(line)
                print(line, end="", flush=True)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        outcome = failure("".join(lines))
        raise ERRORS.get(outcome.exit_code, UserError)(outcome.reason)


def fetch_cache_from(address: str) -> bool:
    """Make ``address`` the DVC remote of the repository; return whether there is a remote.

    Raises:
        UserError: DVC takes no such address.
    """
    if address:
        _dvc("remote", "add", "--quiet", "--local", "--force", "--default", REMOTE, address)
    return bool(run("dvc", "config", "core.remote").stdout.strip())


def push_cache() -> None:
    """Send the stages' results to the remote; say so if that fails, for nothing is wrong then."""
    try:
        _dvc("push", "--quiet", "--run-cache")
    except UserError as error:
        say(f"warning: {error}; the next run computes everything again")


def _dvc(*arguments: str) -> None:
    done = run("dvc", *arguments)
    if done.returncode:
        why = shortened(" ".join(done.stderr.split()))
        raise UserError(f"`dvc {arguments[0]}` failed: {why}; correct `cache`")
