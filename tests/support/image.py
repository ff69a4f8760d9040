"""A Dockerfile replayed without Docker: its steps run in bubblewrap, on folders that begin bare.

The base image's Python is this machine's, at /usr/local, and its system is this machine's,
read-only. So the steps of apt-get are left out, and what they install has to be here.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT

OWN = ("opt", "src")
"""Top folders that a stage makes itself; all others are this machine's."""
CACHED = {"UV_NO_CACHE": "0", "UV_COMPILE_BYTECODE": "0"}
"""What the replay sets otherwise: a gigabyte from the network, and a minute of compiling."""
NETWORK = re.compile(r"(https?|no|all)_proxy|(PIP|SSL)_\w+", re.IGNORECASE)
USER = 10001


def can_replay() -> bool:
    """Whether bubblewrap is here and may make namespaces."""
    user = ["--unshare-user"] if os.geteuid() else []
    try:
        probe = ["bwrap", *user, "--unshare-net", "--ro-bind", "/", "/", "true"]
        return subprocess.run(probe, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction of the Dockerfile in order: its word, and the rest of its lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


@dataclass
class Stage:
    """The folders that a stage of the Dockerfile has made, and its settings."""

    root: Path
    variables: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin"})
    folder: str = "/"
    user: str = "0"

    def __post_init__(self) -> None:
        for name in OWN:
            (self.root / name).mkdir(parents=True)
            (self.root / name).chmod(0o755)

    def path(self, inside: str) -> Path:
        """The place of a path of the image on this machine."""
        return self.root / str(Path(self.folder, inside)).lstrip("/")

    def sandbox(self, *options: str, bind: str) -> list[str]:
        """The command that enters the stage's file system, with an empty /tmp."""
        here = [path for path in Path("/").iterdir() if path.name not in {*OWN, "dev", "proc"}]
        binds = [word for path in here for word in ("--ro-bind", str(path), str(path))]
        binds += ["--ro-bind", sys.base_prefix, "/usr/local"]
        binds += [word for name in OWN for word in (bind, str(self.root / name), f"/{name}")]
        # another user cannot read where this Python was built to find its own library
        binds += ["--setenv", "LD_LIBRARY_PATH", "/usr/local/lib"]
        given = [word for pair in self.variables.items() for word in ("--setenv", *pair)]
        places = ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]  # noqa: S108 - its own
        kept = [name for name in os.environ if not NETWORK.fullmatch(name)]
        dropped = [word for name in kept for word in ("--unsetenv", name)]
        return ["bwrap", "--die-with-parent", *dropped, *given, *binds, *places, *options]

    def build(self, script: str, caches: Path) -> None:
        """Do a RUN step, as root."""
        options = ["--bind", str(caches), "/caches", "--setenv", "UV_CACHE_DIR", "/caches"]
        options += [word for pair in CACHED.items() for word in ("--setenv", *pair)]
        options += ["--chdir", self.folder]
        options += ["--unshare-user", "--uid", "0", "--gid", "0"] if os.geteuid() else []
        done = subprocess.run(
            [*self.sandbox(*options, bind="--bind"), "sh", "-ec", script],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"

    def run(self, *command: str, shared: Path) -> subprocess.CompletedProcess[str]:
        """Run a command as the image's user, with its files read-only and without a network.

        ``shared`` is the only folder to write to besides /tmp; it is at /shared.
        """
        assert self.user == f"{USER}:0"
        options = ["--bind", str(shared), "/shared", "--unshare-net", "--chdir", self.folder]
        options += [
            "--setenv",
            "PYTHONPYCACHEPREFIX",
            "/shared/bytecode",
        ]  # in place of the image's
        drop: list[str] = []
        if os.geteuid():
            options += ["--unshare-user", "--uid", str(USER), "--gid", "0"]
        else:
            os.chown(shared, USER, 0)
            options += ["--cap-add", "ALL", "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
            drop = ["setpriv", "--reuid", str(USER), "--regid", "0", "--clear-groups"]
            drop += ["--bounding-set=-all", "--inh-caps=-all"]
        return subprocess.run(
            [*self.sandbox(*options, bind="--ro-bind"), *drop, *command],
            check=False,
            capture_output=True,
            text=True,
        )


def build(context: Path, folder: Path, caches: Path) -> Stage:
    """Replay the Dockerfile on the files of ``context``; the last stage is the image."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder / "none")
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = Stage(folder / (name or "image"))
            assert base in stages or base.startswith("python:")
            stages[name] = stage
        elif word == "COPY":
            copy(stage, stages, context, shlex.split(rest))
        elif word == "RUN" and not rest.startswith("apt-get "):
            stage.build(rest, caches)
        elif word == "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                stage.variables[name] = value.replace("$PATH", stage.variables["PATH"])
        elif word == "WORKDIR":
            stage.folder = rest
            stage.path("").mkdir(parents=True, exist_ok=True)
        elif word == "USER":
            stage.user = rest
    return stage


def copy(stage: Stage, stages: dict[str, Stage], context: Path, words: list[str]) -> None:
    """Do a COPY step; what .dockerignore excludes is not in the context."""
    if words[0].startswith("--from="):
        other = stages[words[0].removeprefix("--from=")]
        sources = [other.path(name) for name in words[1:-1]]
    elif words[:-1] == ["."]:
        sources = [context / name for name in context_names()]
    else:
        sources = [context / name for name in words[:-1]]
        assert all(Path(name).parts[0] in context_names() for name in words[:-1])
    target = stage.path(words[-1])
    into = len(sources) > 1 or words[:-1] == ["."]
    (target if into else target.parent).mkdir(parents=True, exist_ok=True)
    command = ["cp", "--archive", "--link"] if words[0].startswith("--from=") else ["cp", "-a"]
    subprocess.run([*command, *map(str, sources), str(target)], check=True)


def context_names() -> list[str]:
    """The names that .dockerignore lets into the build: it excludes all and names exceptions."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    first, *others = [line for line in lines if line and not line.startswith("#")]
    assert first == "*"
    return [line.removeprefix("!") for line in others]
