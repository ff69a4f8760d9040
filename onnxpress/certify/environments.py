"""A folder of packages per runtime, installed once into the user's cache.

pip, uv, npm and debootstrap install from where the user has configured them to.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from onnxpress.certify.releases import (
    FIRST_WITH_NUMPY_2,
    WHEELS,
    Version,
    has_wheel,
    version_of,
)
from onnxpress.runtimes import Kind, Runtime
from onnxpress.text import visible

SCRIPTS = Path(__file__).parent / "scripts"
INSTALL_SECONDS = 900
UNFINISHED = ".unfinished-"
LONGEST_REASON = 200
NPM_LOG = re.compile(r"npm (error|ERR!) (A complete log|Log files)")
"""How a line begins that names a file by the time."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QEMU = ("qemu-aarch64-static", "qemu-aarch64")


class NotToBeHad(Exception):
    """A runtime cannot be had on this machine; the message is the reason, in one line."""


@dataclass(frozen=True)
class Environment:
    """Where a runtime is installed."""

    runtime: Runtime
    packages: Path
    program: tuple[str, ...]
    """What runs the script of this runtime: an interpreter with its options, node, or a browser."""


def installed(runtime: Runtime) -> Environment:
    """Return the environment of a runtime; what is not in the cache is installed.

    Raises:
        NotToBeHad: something that it needs is not on this machine, or the package index has no
            such version for it.
    """
    if runtime.kind is Kind.NODE:
        return Environment(runtime, _npm(runtime), (_program("node"),))
    if runtime.kind is Kind.WEB:
        browser = _program(*BROWSERS)
        return Environment(runtime, _npm(runtime), (browser,))
    if runtime.kind is Kind.AARCH64:
        return _emulated(runtime)
    python, interpreter = _python_for(runtime)
    packages = _wheels(runtime, python, interpreter)
    return Environment(runtime, packages, (interpreter, "-I", "-S"))


def cache() -> Path:
    """Return the folder that environments are kept in."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "onnxpress" / "runtimes"


def last_words(text: str) -> str:
    """Return the end of what a program has said, as one visible line of whole words."""
    lines = (line for line in text.splitlines() if not NPM_LOG.match(line))
    line = " ".join(" ".join(lines).split())
    if len(line) > LONGEST_REASON:
        line = line[-LONGEST_REASON:].partition(" ")[2]
    return visible(line.lstrip(" :;,.")) or "it says nothing"


def _python_for(runtime: Runtime) -> tuple[Version, str]:
    """Return a Python that the runtime has a wheel for: this one, or another on this machine."""
    own: Version = sys.version_info[:2]
    if runtime.kind is not Kind.ONNXRUNTIME or has_wheel(version_of(runtime.version), own):
        return own, sys.executable
    fitting = [python for python in WHEELS if has_wheel(version_of(runtime.version), python)]
    for python in reversed(fitting):
        for interpreter in _interpreters(python):
            return python, interpreter
    names = " or ".join("Python {}.{}".format(*python) for python in fitting)
    raise NotToBeHad(f"it needs {names or 'another Python'}, and there is none here")


def _interpreters(python: Version) -> Iterator[str]:
    """Yield the interpreters of a version that start: on PATH, and those that pyenv has built."""
    name = "python{}.{}".format(*python)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    built = sorted(pyenv.glob("{}.{}.*/bin/{}".format(*python, name)))
    for found in filter(None, [shutil.which(name), *map(str, built)]):
        started = subprocess.run([found, "-c", ""], capture_output=True, check=False)
        if not started.returncode:
            yield found


def _wheels(runtime: Runtime, python: Version, interpreter: str, *, aarch64: bool = False) -> Path:
    """Return the folder with the wheels of a runtime and what they need."""
    package = "onnxruntime" if aarch64 else runtime.kind
    wanted = [f"{package}=={runtime.version}", "numpy"]
    if package == Kind.ONNXRUNTIME and version_of(runtime.version) < FIRST_WITH_NUMPY_2:
        wanted[1] = "numpy<2"
    version = "{}.{}".format(*python)
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        command = [uv, "pip", "install", "--quiet", "--python", interpreter]
        other = ["--python-platform", "aarch64-manylinux_2_28", "--python-version", version]
    else:
        command = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        other = ["--python-version", version, "--implementation", "cp"]
        for tag in ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64"):
            other += ["--platform", tag]
    command += ["--only-binary", ":all:", *(other if aarch64 else [])]

    def install(folder: Path) -> None:
        _run([*command, "--target", str(folder), *wanted])

    return _made(f"{runtime}-python{version}", install)


def _npm(runtime: Runtime) -> Path:
    """Return the folder with a package of npm; no script of a package runs."""
    npm = _program("npm")
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]

    def install(folder: Path) -> None:
        package = f"{runtime.kind}@{runtime.version}"
        _run([npm, "install", "--prefix", str(folder), *options, package])

    return _made(str(runtime), install)


def _emulated(runtime: Runtime) -> Environment:
    """Return the wheel for aarch64 with a Debian for aarch64 around it, to run in QEMU."""
    if platform.machine() in {"aarch64", "arm64"}:
        raise NotToBeHad("this machine is of that kind itself; see onnxruntime")
    qemu = _program(*QEMU)
    system = _made(f"debian-aarch64-{_codename()}", _bootstrap)
    interpreter = (system / "usr/bin/python3").resolve()
    python = version_of(interpreter.name.removeprefix("python"))
    packages = _wheels(runtime, python, sys.executable, aarch64=True)
    program = (qemu, "-L", str(system), str(interpreter), "-I", "-S")
    return Environment(runtime, packages, program)


def _bootstrap(folder: Path) -> None:
    """Unpack Python for aarch64 and all it needs; nothing of it is run or configured."""
    debootstrap = _program("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin")
    root = [] if os.geteuid() == 0 else [_program("fakeroot")]  # it asks for root, and needs none
    options = ["--foreign", "--arch=arm64", "--variant=minbase", "--include=python3,libstdc++6"]
    _run([*root, debootstrap, *options, _codename(), str(folder)])
    archives = folder / "var/cache/apt/archives"
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(archive), str(folder)])
    shutil.rmtree(archives)


def _codename() -> str:
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")


def _program(*names: str, path: str | None = None) -> str:
    """Return the first of these programs that is installed."""
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    raise NotToBeHad(f"{names[0]} is not installed here")


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache; it is made beside its place, so it is there whole or not."""
    folder = cache() / name
    if folder.exists():
        return folder
    try:
        cache().mkdir(parents=True, exist_ok=True)
        _sweep()
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=cache()))
    except OSError as error:
        cure = "XDG_CACHE_HOME may name another folder"
        raise NotToBeHad(f"{cache()} cannot be written: {error.strerror}; {cure}") from error
    try:
        make(unfinished)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.exists():  # else another process has made it meanwhile
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _sweep() -> None:
    """Remove what was left by a process that was killed: no other installs for so long."""
    for folder in cache().glob(f"{UNFINISHED}*"):
        if time.time() - folder.stat().st_mtime > 2 * INSTALL_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str]) -> None:
    """Run an installer.

    Raises:
        NotToBeHad: it fails.
    """
    surroundings = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            timeout=INSTALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotToBeHad(f"it does not install: {last_words(str(error))}") from error
    if done.returncode:
        raise NotToBeHad(f"it does not install: {last_words(done.stderr or done.stdout)}")
