"""A network of its own for servers that listen on every address: nobody else can reach them."""

from __future__ import annotations

import os
import subprocess


def prefix() -> list[str]:
    """Return the words before a command that runs it where there is a loopback and nothing else.

    The command keeps the process id that its starter sees.
    """
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def entering(process: int) -> list[str]:
    """Return the words before a command that runs it in the network of a process."""
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", f"--target={process}", *user, "--net"]


def refusal() -> str | None:
    """Return why this machine gives no such network, None if it does."""
    try:
        done = subprocess.run([*prefix(), "true"], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return done.stderr.strip() or "unshare fails" if done.returncode else None
