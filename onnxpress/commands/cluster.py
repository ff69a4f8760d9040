"""Run a Dask cluster of this machine until a signal comes."""

from __future__ import annotations

import threading

from onnxpress.engine.starting import local_cluster
from onnxpress.pipeline.console import say
from onnxpress.pipeline.signals import Terminated


def main(workers: int, port: int) -> None:
    """Run a scheduler on ``port`` of loopback, and so many workers of one thread each.

    Ctrl-C and SIGTERM end it.

    Raises:
        UserError: the port is taken, or Dask is not installed.
    """
    try:
        with local_cluster(workers, port) as cluster:
            say(f"engine: {{scheduler: '{cluster.scheduler_address}'}} is the line for params.yaml")
            say(f"{workers} workers of one thread each, on this machine only; Ctrl-C ends them")
            threading.Event().wait()
    except (KeyboardInterrupt, Terminated):
        say("ended")
