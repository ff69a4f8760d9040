"""The one place that starts git, dvc and stages; callers say what a failure means."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from onnxpress.errors import UserError

Program = Literal["git", "dvc"]
Done = subprocess.CompletedProcess[str]
Running = subprocess.Popen[str]
END_WITH_PARENT = Path(__file__).with_name("end_with_parent.py")


class NotStarted(UserError):
    """The program is not installed, or not on PATH."""


def run(
    program: Program, *arguments: str, folder: Path | None = None, seconds: float | None = None
) -> Done:
    """Run a program to its end; its exit code is the caller's to judge.

    ``folder`` is where it runs, by default the current folder. Bytes of its output that are not
    UTF-8 become lone surrogates, as in file names.

    Raises:
        NotStarted: there is no such program.
        subprocess.TimeoutExpired: it took longer than ``seconds``.
    """
    try:
        return subprocess.run(
            [program, *arguments],
            cwd=folder,
            timeout=seconds,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
    except OSError as error:
        raise _not_started(program, error) from error


def git(*arguments: str, cure: str) -> str:
    """Run git in the current folder and return what it prints.

    Raises:
        UserError: it is missing or fails; the line ends with ``cure``.
    """
    done = run("git", *arguments)
    if done.returncode:
        command = next(word for word in arguments if not word.startswith("-"))
        raise UserError(f"git {command} failed: {' '.join(done.stderr.split())}; {cure}")
    return done.stdout


def start(
    program: Program,
    *arguments: str,
    folder: Path | None = None,
    environment: Mapping[str, str],
) -> Running:
    """Start a program that runs beside this process; only its stderr is kept.

    Raises:
        NotStarted: there is no such program.
    """
    try:
        return subprocess.Popen(
            [program, *arguments],
            cwd=folder,
            env=dict(environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise _not_started(program, error) from error


def run_apart(program: Program, *arguments: str, environment: Mapping[str, str]) -> Done:
    """Run a program in a session of its own, and wait for its end even if interrupted.

    Its output goes through files: what it leaves running would keep pipes open.

    Raises:
        NotStarted: there is no such program.
    """
    import tempfile

    command = [program, *arguments]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        try:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise _not_started(program, error) from error
        try:
            process.wait()
        except BaseException:
            process.wait()
            raise
        output.seek(0)
        errors.seek(0)
        return Done(command, process.returncode, output.read(), errors.read())


def run_bound(*command: str, folder: Path, environment: Mapping[str, str]) -> Done:
    """Run a command of this Python's environment to its end, or to the end of this process."""
    bound = [sys.executable, "-I", "-S", str(END_WITH_PARENT), str(os.getpid()), *command]
    return subprocess.run(
        bound,
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    )


def with_own_programs() -> dict[str, str]:
    """Return the environment with the programs of this Python first on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path}


def _not_started(program: str, error: OSError) -> NotStarted:
    if isinstance(error, FileNotFoundError):
        return NotStarted(
            f"{program} is not installed, or not on PATH; install it, or correct PATH"
        )
    return NotStarted(f"{program} does not start ({error.strerror}); install it, or correct PATH")
