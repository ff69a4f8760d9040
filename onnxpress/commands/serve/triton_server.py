"""The process of a tritonserver on loopback: started, ready, ended."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import psutil

from onnxpress.commands.serve.installation import Installation
from onnxpress.errors import ServerError, UserError
from onnxpress.serving.triton import LATENCIES

HOST = "127.0.0.1"
START_SECONDS = 60.0
END_SECONDS = 10
"""How long the server answers on open connections after SIGTERM; new ones it refuses at once."""
LOOK_SECONDS = 0.5
"""How often the process of the model is looked for."""
LAST_SECONDS = 1
"""How long the server may take to end after its model's process has."""
STACK_BYTES = 2**30
"""Of each thread. Triton before 25.07 keeps a request's body on the stack (CVE-2025-23310): with
the usual 8 MB a body of 4.5 MB ends the server. Only what is used takes memory."""
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_ERROR = re.compile(r"(?:E\d{4} (?!.*Cuda)|\[libprotobuf ERROR|error: |Signal )")
"""How an error begins in Triton's log; on a machine without a GPU the first is always that."""
_LIBC = ctypes.CDLL(None)
_LOCAL = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Ports:
    """Where the server listens."""

    http: int
    grpc: int
    metrics: int

    @staticmethod
    def following(first: int) -> Ports:
        """Return ``first`` and the two after it, as Triton has them by default.

        Raises:
            UserError: one is taken.
        """
        ports = Ports(first, first + 1, first + 2)
        for port in (ports.http, ports.grpc, ports.metrics):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    raise UserError(
                        f"port {port} on {HOST} cannot be used ({error.strerror}); "
                        "choose three others, such as `make serve PORT=8100`"
                    ) from error
        return ports


def command(
    installation: Installation, folder: Path, ports: Ports, options: Sequence[str] = ()
) -> list[str]:
    """Return the command line for what :func:`copy_for_python` has laid out in ``folder``."""
    return [
        str(installation.program),
        f"--model-repository={folder / 'repository'}",
        f"--backend-directory={folder / 'backends'}",
        f"--backend-config=python,shm-region-prefix-name={_shared_memory(folder)}",
        f"--http-address={HOST}",
        f"--grpc-address={HOST}",
        f"--metrics-address={HOST}",
        f"--http-port={ports.http}",
        f"--grpc-port={ports.grpc}",
        f"--metrics-port={ports.metrics}",
        f"--exit-timeout-secs={END_SECONDS}",
        "--allow-gpu-metrics=false",
        LATENCIES,
        "--disable-auto-complete-config",
        *options,
    ]


@contextmanager
def running(
    installation: Installation, folder: Path, ports: Ports, options: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server; enter the block once it is ready, and end it after the block.

    What was sent on open connections is answered before. Its log is ``folder / "log"``.

    Raises:
        ServerError: it does not start.
    """
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(installation, folder, ports, options),
            cwd=folder,
            env=installation.variables(),
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches only this process, which then ends it
            preexec_fn=_prepare,  # noqa: PLW1509 - there are no threads yet
        )
    try:
        _wait_until_ready(process, ports, log)
        yield process
    finally:
        try:
            _end(process)
        finally:
            for left in Path("/dev/shm").glob(f"{_shared_memory(folder)}*"):  # noqa: S108 - Triton's
                left.unlink(missing_ok=True)


def ended(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server or the process of its model has ended; return which, in a clause.

    Triton starts the model's process once; without it every request fails.
    """
    backend = psutil.Process(process.pid).children(recursive=True)
    while process.poll() is None:
        if not all(map(_lives, backend)):
            with suppress(subprocess.TimeoutExpired):
                process.wait(LAST_SECONDS)  # it may be ending itself
            break
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
    if process.returncode is None:
        return "the process of the model has ended"
    return f"tritonserver has ended (exit code {process.returncode}): {reason(log)}"


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def reason(log: Path) -> str:
    """Return the line of Triton's log that says why the server has ended, without time and place.

    That is the signal that it names, or else its first error: later ones follow from it.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if _ERROR.match(line)]
    if not errors:
        return "its log names no error"
    signals = [line for line in errors if line.startswith("Signal")]
    told = (signals or errors)[-1 if signals else 0]
    return told.partition("] ")[2] or told


def _shared_memory(folder: Path) -> str:
    """Return how the backend's shared memory is named; a killed server leaves it behind."""
    return folder.name


def _prepare() -> None:
    """Prepare the server's process: a roomy stack, and an end with the parent's."""
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_ready(process: subprocess.Popen[bytes], ports: Ports, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(f"http://{HOST}:{ports.http}/v2/health/ready"):
        if process.poll() is not None:
            raise ServerError(f"tritonserver does not start: {reason(log)}")
        if time.monotonic() > deadline:
            raise ServerError(f"tritonserver is not ready after {START_SECONDS:g} s: {reason(log)}")
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Return whether a server on this machine answers with success."""
    try:
        with _LOCAL.open(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the server answer what it has, then end it; a second signal ends it at once."""
    try:
        process.terminate()
        process.wait(END_SECONDS + 5)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the backend's process, too
        process.wait()
