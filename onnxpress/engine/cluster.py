"""The workers of a Dask cluster as an engine.

What is shared is the result of a task whose argument the scheduler keeps, so it is made again where
the worker that held it is lost; what is scattered would be gone. A call computes with as many
threads as this process would, and what it says beside its result is said here.
"""

from __future__ import annotations

import asyncio
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from onnxpress.engine.engine import Task
from onnxpress.engine.said import Said, kept
from onnxpress.engine.sameness import (
    computing_with,
    differences,
    identity,
    loaded_code,
    threads,
)
from onnxpress.errors import ServerError, UserError
from onnxpress.extras import naming_extras
from onnxpress.progress import Say

Out = TypeVar("Out")

CONNECT_SECONDS = 20
WORKER_SECONDS = 60.0
"""How long a cluster may be without any worker."""

POLL_SECONDS = 1.0
LOST_TIMES = 20
"""How often a call is begun again whose workers are killed: each time, Dask tries four workers."""

CURE = "or set engine.scheduler to null, and run again; what is done is kept"
NOT_READ = "Error during deserialization of the task graph"
"""What Dask says where the scheduler cannot read what we send."""

NOISY = ("asyncio", "distributed", "distributed.client", "distributed.gc", "tornado.application")
"""Loggers with a level of their own, by Dask's configuration; our lines say what matters."""
LOCAL = ("127.0.0.1", "localhost", "::1")


@contextmanager
def cluster(address: str, warn: Say) -> Iterator[Cluster]:
    """Connect to the scheduler at ``address``, such as ``tcp://127.0.0.1:8786``.

    Certificates for ``tls://`` come from Dask's configuration.

    Raises:
        UserError: there are no certificates here.
        ServerError: there is no scheduler, it has no worker, or one would give other results.
    """
    with naming_extras():
        import dask
        from distributed import Client

    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    place = urlsplit(address)
    if place.scheme != "tls" and place.hostname not in LOCAL:
        warn(
            f"engine.scheduler {address}: models and rows go there neither encrypted nor signed, "
            "and whoever reaches it can run code here; use tls://"
        )
    if place.scheme == "tls":
        refuse_no_certificates(address)
    large = {"distributed.admin.large-graph-warning-threshold": "1TiB"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that versions differ, which is refused below
            connect: Any = Client  # it has no types
            client = connect(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        words = " ".join(str(error).split())
        raise ServerError(
            f"engine.scheduler {address} does not answer ({words}); start it, {CURE}"
        ) from error
    with dask.config.set(large):
        try:
            found = Cluster(client, address)
            found.refuse_unequal()
            yield found
        finally:
            with suppress(Exception):  # what was asked for is here, or is known to have failed
                client.close()


def refuse_no_certificates(address: str) -> None:
    """See that this process can speak TLS; Dask would say so after 40 seconds, in many lines.

    Raises:
        UserError: Dask's configuration names no certificates, or not where they are.
    """
    from distributed.security import Security

    security: Any = Security  # it has no types
    try:
        found = security().get_connection_args("client").get("ssl_context")
        why = "it names none"
    except OSError as error:
        found, why = None, str(error)
    if found is None:
        raise UserError(
            f"engine.scheduler {address} needs an authority, a certificate and its key from Dask's "
            f"configuration ({why}); set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
            "..._TLS__CLIENT__CERT and ..._TLS__CLIENT__KEY"
        )


class Cluster:
    """Workers that give the results of this machine."""

    def __init__(self, client: Any, address: str) -> None:
        """Take a ``distributed.Client``."""
        self._client, self._address, self._seen = client, address, time.monotonic()

    @property
    def workers(self) -> int:
        """How many workers there are now, at least one."""
        return max(len(self._workers()), 1)

    def share(self, value: Any) -> Any:
        """Have the scheduler keep a value, for any number of calls."""
        return _Shared(self, value)

    def submit(self, function: Callable[..., Out], *arguments: Any) -> Task[Out]:
        """Send a call to the worker that is free first."""
        return _Call(self, function, arguments)

    def begin(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Return the ``distributed.Future`` of a call."""
        known = [each.future() if isinstance(each, _Shared) else each for each in arguments]
        return self.send(_checked, Here(identity(), threads()), function, *known)

    def send(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have Dask call a function; return the ``distributed.Future``.

        Raises:
            ServerError: the scheduler is gone.
        """
        self._refuse_ended()
        return self._client.submit(function, *arguments, pure=False)

    def wait_for(self, future: Any) -> Any:
        """Return what a ``distributed.Future`` holds, or raise what it or the way to it raises.

        Dask is asked once and then watched. Its own timeout gives up the transfer of a result that
        takes longer, and if its event loop is held up, two that it has begun end each other.

        Raises:
            ServerError: the scheduler is gone, or was without workers.
        """
        self._seen = time.monotonic()
        asked = asyncio.run_coroutine_threadsafe(
            self._client.gather(future, asynchronous=True), self._client.loop.asyncio_loop
        )
        try:
            while not wait([asked], POLL_SECONDS).done:
                self.refuse_gone()
            return asked.result()
        finally:
            asked.cancel()

    def refuse_unequal(self) -> None:
        """See that there are workers, and that each would give the results of this machine.

        The scheduler reads what is sent to them, so it has to have our code, too.

        Raises:
            ServerError: there are none in time, one would not, or the scheduler lacks our code.
        """
        self._asked("the scheduler", self._client.run_on_scheduler, identity)
        while not self._workers():
            self.refuse_gone()
            time.sleep(POLL_SECONDS / 10)
        ask = partial(self._client.run, on_error="return")
        for worker, there in self._asked("a worker", ask, _identity_of).items():
            if isinstance(there, OSError):
                continue  # it was lost meanwhile
            if isinstance(there, Exception):
                raise ServerError(
                    f"worker {worker} lacks our code ({there}); install it there, {CURE}"
                )
            _refuse(worker, identity(), there)

    def _asked(self, whom: str, ask: Callable[..., Any], question: Callable[..., Any]) -> Any:
        """Return an answer; Dask raises what one cannot read in several ways."""
        try:
            return ask(question)
        except OSError as error:
            self.refuse_gone()
            raise ServerError(f"{whom} of {self._address} does not answer ({error})") from error
        except Exception as error:
            raise ServerError(
                f"{whom} of {self._address} lacks our code ({error}); install it there, {CURE}"
            ) from error

    def refuse_gone(self) -> None:
        """See that the scheduler is there, and that it was not without workers for long.

        Raises:
            ServerError: it is gone, or was.
        """
        self._refuse_ended()
        now = time.monotonic()
        if self._workers():
            self._seen = now
        elif now - self._seen > WORKER_SECONDS:
            raise ServerError(
                f"the scheduler at {self._address} has had no worker for "
                f"{WORKER_SECONDS:.0f} seconds; start one, {CURE}"
            )

    def _refuse_ended(self) -> None:
        if self._client.status != "running":
            raise ServerError(f"the scheduler at {self._address} is gone; start it again, {CURE}")

    def _workers(self) -> dict[str, Any]:
        """The workers that the scheduler knows; none if it is gone."""
        found: dict[str, Any] = self._client.scheduler_info(n_workers=-1).get("workers", {})
        return found


class _Shared:
    """A value that the scheduler keeps."""

    def __init__(self, cluster: Cluster, value: Any) -> None:
        self._cluster, self._value = cluster, value
        self._future = self._sent()

    def _sent(self) -> Any:
        return self._cluster.send(_same, self._value)

    def future(self) -> Any:
        """Its ``distributed.Future``, a new one where too many workers were lost with it."""
        if self._future.status in ("error", "cancelled", "lost"):
            self._future = self._sent()
        return self._future


@dataclass(frozen=True)
class Here:
    """What a worker has to be like."""

    identity: dict[str, str]
    threads: dict[str, int]


@dataclass(frozen=True)
class Done(Generic[Out]):
    """What comes back."""

    result: Out
    said: Said
    worker: str
    code: dict[str, str]
    """What the worker has loaded, as :func:`loaded_code` tells."""


class _Call:
    """A call on some worker, begun again where its workers are lost."""

    def __init__(self, cluster: Cluster, function: Callable[..., Any], arguments: Any) -> None:
        self._cluster, self._function, self._arguments = cluster, function, arguments
        self._future = cluster.begin(function, arguments)

    def result(self) -> Any:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        lost = 0
        while True:
            try:
                done = self._cluster.wait_for(self._future)
                break
            except (KilledWorker, FutureCancelledError, CancelledError) as error:
                self._cluster.refuse_gone()
                lost += 1
                if lost > LOST_TIMES:
                    raise ServerError(
                        f"a call of {self._function!r} was lost {lost} times ({error}); "
                        f"give the workers more memory, {CURE}"
                    ) from error
                self._future = self._cluster.begin(self._function, self._arguments)
            except OSError:
                if self._future.status == "error":  # the call has raised it
                    raise
                time.sleep(POLL_SECONDS / 10)  # the connection fails: is the scheduler gone?
                self._cluster.refuse_gone()
            except ImportError as error:
                raise ServerError(
                    f"a worker lacks code that this machine has ({error}); install it there, {CURE}"
                ) from error
            except RuntimeError as error:
                if NOT_READ not in str(error):
                    raise
                raise ServerError(
                    "the scheduler lacks code that this machine has "
                    f"({error.__cause__ or 'it could not read a call'}); install it there, {CURE}"
                ) from error
        _refuse_other_code(done)
        done.said.again()
        return done.result

    def cancel(self) -> None:
        from distributed.client import ClosedClientError

        with suppress(ClosedClientError):  # the scheduler is gone
            self._future.cancel()


def _same(value: Any) -> Any:
    return value


def _identity_of(dask_worker: Any) -> dict[str, str]:
    """What a worker is; Dask knows the argument by its name."""
    return {**identity(), "threads": str(dask_worker.state.nthreads)}


def _checked(here: Here, function: Callable[..., Out], *arguments: Any) -> Done[Out]:
    """Call a function on a worker, which may have joined a moment ago."""
    from distributed import get_worker

    worker = get_worker()
    _refuse(worker.address, here.identity, _identity_of(worker))
    with kept() as said, computing_with(here.threads):
        return Done(function(*arguments), said, worker.address, loaded_code())


def _refuse(worker: str, here: dict[str, str], there: dict[str, str]) -> None:
    """See that a worker is like this machine, and does one thing at a time.

    Raises:
        ServerError: it is not, or does not.
    """
    if differing := differences(here, there):
        raise ServerError(_unequal(worker, differing))
    if there["threads"] != "1":
        raise ServerError(
            f"worker {worker} has {there['threads']} threads, and calls share no process; "
            f"start it with --nthreads 1, {CURE}"
        )


def _refuse_other_code(done: Done[Any]) -> None:
    """See that what a worker had loaded is equal to what is loaded here, too.

    Raises:
        ServerError: it is not.
    """
    here = loaded_code()
    if other := differences({name: here[name] for name in done.code.keys() & here}, done.code):
        raise ServerError(_unequal(done.worker, other))


def _unequal(worker: str, differing: str) -> str:
    return f"worker {worker} would give other results: {differing}; make them equal, {CURE}"
