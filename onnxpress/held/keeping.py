"""The side of whoever has a file to open.

Starts keepers, gives them orders, and takes what comes back for data.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any

from onnxpress.held import answers, bubblewrap
from onnxpress.held.answers import Answer, Order
from onnxpress.held.errors import Died, Failed, NotStarted, OutOfMemory, OutOfTime
from onnxpress.held.kernel import LINUX
from onnxpress.held.locks import BUBBLEWRAP
from onnxpress.held.settings import Settings, environment

BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path']; "
    "from onnxpress.held.keeper import start; start(sys.argv[1:])"
)
PYTHON = (sys.executable, "-I", "-X", "utf8", "-W", "ignore", "-c", BOOTSTRAP)
START_SECONDS = 300
"""Imports from a cold disk can take a minute."""
GRACE_SECONDS = 30
"""How much longer than its limit an order may take until the keeper is no longer waited for."""
CLOSE_SECONDS = 5
MOST_MESSAGE_BYTES = 100_000
MOST_REASON = 500
NEAR = 0.4
"""Share of its limit that a child has in use when it is denied more.

What is reserved counts, and is not all in use.
"""


class Keeper:
    """A process that serves orders one after another, and dies with this one."""

    def __init__(self, settings: Settings) -> None:
        """Start it, and return while it is still importing."""
        self.settings = settings
        self._locks: list[str] | None = None
        before = bubblewrap.prefix(settings.readable) if BUBBLEWRAP in settings.locks else None
        self._wrapped = before is not None
        self._start(before or [])

    def _start(self, before: list[str]) -> None:
        self._control, theirs = socket.socketpair()
        number, parent = str(theirs.fileno()), "0" if before else str(os.getpid())
        command = [*before, *PYTHON, json.dumps(asdict(self.settings)), number, parent]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                cwd="/",
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches us alone, and we end it
            )
        except OSError as error:
            self._control.close()
            raise NotStarted(f"cannot be started ({error.strerror})") from error
        finally:
            theirs.close()

    @property
    def locks(self) -> list[str]:
        """The locks that its children have.

        Raises:
            NotStarted: it cannot import what it needs.
        """
        if self._locks is None:
            hello = self._received(START_SECONDS)
            ready = hello is not None and "locks" in hello
            if not ready:
                self.close()
            if (
                not ready and self._wrapped
            ):  # bubblewrap is forbidden here, or hides what Python needs
                self._wrapped = False
                self._start([])
                return self.locks
            if hello is None or not ready:
                why = "ended" if hello is None else hello.get("error", "")
                raise NotStarted(f"cannot be started ({why})")
            self._locks = [BUBBLEWRAP] * self._wrapped + list(hello["locks"])
        return self._locks

    @property
    def alive(self) -> bool:
        """Whether it is still there."""
        return self._process.poll() is None

    def answer(self, order: Order, file: int) -> Answer:
        """What a child returns that has carried out the order about the open ``file``.

        Raises:
            Lost: it gave no answer, for the reason that the class says.
        """
        self.locks  # noqa: B018 - waits until it has started
        ordered, answer = answers.put(order), answers.nameless()
        try:
            _refuse_loss(self._ended(order, [file, ordered, answer]), order)
            return _refuse_failure(answers.read(answer), order)
        finally:
            os.close(ordered)
            os.close(answer)

    def _ended(self, order: Order, descriptors: list[int]) -> dict[str, Any]:
        """How the child ended; whatever happens meanwhile, it does end."""
        try:
            socket.send_fds(self._control, [b"x"], descriptors)
            ended = self._received(order.seconds + GRACE_SECONDS)
        except BaseException:  # also Ctrl-C and SIGTERM
            self.close()
            raise
        if ended is None:
            self.close()
            raise Died("did not come back")
        return ended

    def _received(self, seconds: float) -> dict[str, Any] | None:
        """The next message; None if none came in time, or none will."""
        end, message = time.monotonic() + seconds, b""
        while not message.endswith(b"\n"):
            if not select.select([self._control], [], [], max(end - time.monotonic(), 0))[0]:
                return None
            came = self._control.recv(MOST_MESSAGE_BYTES)
            message += came
            if not came or len(message) > MOST_MESSAGE_BYTES:
                return None
        return dict(json.loads(message))

    def close(self) -> None:
        """End it, and the child that is at work."""
        self._control.close()
        if LINUX:  # its child dies with it; elsewhere it has to be given the time to end that
            self._process.kill()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_keepers: dict[Settings, Keeper] = {}


def begin(settings: Settings) -> Keeper:
    """The keeper with these settings, started if there is none yet.

    It serves this process as long as that lives.

    Raises:
        NotStarted: no process can be started.
    """
    keeper = _keepers.get(settings)
    if keeper is None or not keeper.alive:
        keeper = _keepers[settings] = Keeper(settings)
        atexit.register(keeper.close)
    return keeper


def _refuse_loss(ended: dict[str, Any], order: Order) -> None:
    """Raise Lost unless the child came to its own end."""
    how, number = ended["ended"], ended["number"]
    if how == "time":
        raise OutOfTime(f"was not done within {order.seconds:g} s")
    if how == "signal" and number == signal.SIGKILL:  # nobody else sends it to a child
        raise OutOfMemory("was killed by the system, which is short of memory")
    died = Died.by_signal(number) if how == "signal" else Died("ended before it was done")
    if (
        number and ended["grown_mb"] > NEAR * order.memory_mb
    ):  # native code does not say why it fails
        raise OutOfMemory(f"{died} near its limit of {order.memory_mb} MB of memory")
    if number:
        raise died


def _refuse_failure(answer: Answer, order: Order) -> Answer:
    """The answer, unless it says that there is none.

    Raises:
        Lost: for the reason that it gives.
    """
    lost = answer.content.get("lost")
    if lost == "memory":
        raise OutOfMemory(f"needs more than {order.memory_mb} MB of memory")
    if lost is not None:
        raise Failed(str(answer.content.get("why"))[:MOST_REASON])
    return answer
