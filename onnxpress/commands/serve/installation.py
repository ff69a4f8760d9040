"""Where an environment of its own holds tritonserver, from the wheel nvidia-pytriton."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from onnxpress.errors import UserError

ENVIRONMENT = Path(".venv-triton")
ASK = """
import importlib.util, json, sys, sysconfig
found = importlib.util.find_spec("pytriton")
print(json.dumps({
    "packages": found and found.submodule_search_locations[0],
    "python": sysconfig.get_config_var("LIBDIR"),
    "version": "%d.%d" % sys.version_info[:2],
}))
"""
"""Asks the environment's own Python, which need not be the one that runs."""


@dataclass(frozen=True)
class Installation:
    """A tritonserver, its Python backend, and the Python that the backend runs."""

    environment: Path
    pytriton: Path
    python_libraries: str
    """The folder of libpython: the backend links it, and must not find another Python's."""
    version: str
    """Of Python, such as 3.11."""

    @property
    def triton(self) -> Path:
        """The folder of the server and its backends."""
        return self.pytriton / "tritonserver"

    @property
    def program(self) -> Path:
        """The server."""
        return self.triton / "bin" / "tritonserver"

    @property
    def backend(self) -> list[Path]:
        """The files of the Python backend for this version of Python."""
        stub = self.triton / "python_backend_stubs" / self.version / "triton_python_backend_stub"
        return [*sorted((self.triton / "backends" / "python").iterdir()), stub]

    def variables(self) -> dict[str, str]:
        """Return the environment variables of the server.

        The backend takes the first ``python3`` on PATH, and ignores PYTHONPATH.
        """
        own = self.pytriton.with_name("nvidia_pytriton.libs")
        programs = self.environment.resolve() / "bin"
        return {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
            "LD_LIBRARY_PATH": f"{self.python_libraries}{os.pathsep}{own}",
        }


def find_installation(environment: Path = ENVIRONMENT) -> Installation:
    """Return the tritonserver of an environment.

    Raises:
        UserError: there is none.
    """
    cure = "run `make .venv-triton/installed`"
    command = [str(environment / "bin" / "python"), "-c", ASK]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise UserError(f"{environment} should hold a Python with tritonserver; {cure}") from error
    if found["packages"] is None:
        raise UserError(f"{environment} should hold the package nvidia-pytriton; {cure}")
    installation = Installation(
        environment, Path(found["packages"]), found["python"], found["version"]
    )
    missing = [path for path in (installation.program, *installation.backend) if not path.exists()]
    if missing:
        raise UserError(
            f"nvidia-pytriton in {environment} has no {missing[0].name} for Python "
            f"{found['version']}; {cure} with another Python"
        )
    return installation
