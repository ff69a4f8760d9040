"""A temporary copy of a packaged model repository, with the backend that the wheel of Triton has.

The wheel lacks the onnxruntime backend, which is in NVIDIA's images only. So in the copy the
Python backend runs the same ONNX file, by the same onnxruntime.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from onnxpress.commands.serve.installation import Installation
from onnxpress.errors import UserError
from onnxpress.serving.drift_component import SUFFIX, moved

MODEL = Path(__file__).with_name("python_backend.py")
PACKAGED, LOCAL = 'backend: "onnxruntime"', 'backend: "python"'
CONFIG = "config.pbtxt"
_FOR_THE_SHELL = re.compile(r"""[\s"'$`\\;&|<>(){}\[\]*?!#~]""")
"""What the backend's paths must not hold: it starts its process by an unquoted line of bash."""


def model_in(repository: Path) -> Path:
    """Return the folder of the one model in a repository.

    Raises:
        UserError: there is no repository, or not one model in it.
    """
    cure = "run `dvc repro` to make it"
    try:
        folders = sorted(path for path in repository.iterdir() if path.is_dir())
        folders = [path for path in folders if not path.name.endswith(SUFFIX)] or folders
    except OSError as error:
        raise UserError(f"cannot read {repository} ({error.strerror}); {cure}") from error
    if len(folders) != 1 or not (folders[0] / "1" / "model.onnx").is_file():
        names = ", ".join(path.name for path in folders) or "nothing"
        raise UserError(
            f"{repository} should hold a folder of one model with 1/model.onnx in it, "
            f"got {names}; {cure}"
        )
    return folders[0]


def copy_for_python(model: Path, folder: Path, installation: Installation) -> list[str]:
    """Lay out ``folder``: ``repository`` with a copy of ``model``, and ``backends`` to run it.

    Returns the options of the server that the drift component needs, if there is one.

    Raises:
        UserError: the configuration is not one for the onnxruntime backend, or the backend cannot
            be started in ``folder``.
    """
    if found := _FOR_THE_SHELL.search(str(folder)):
        raise UserError(
            f"Triton's Python backend cannot start in {folder}, because of the {found[0]!r} in it; "
            "set TMPDIR to another folder, such as TMPDIR=/tmp"
        )
    copy = folder / "repository" / model.name
    shutil.copytree(model, copy)
    config = (copy / CONFIG).read_text(encoding="utf-8")
    if config.count(PACKAGED) != 1:
        raise UserError(f"{model / CONFIG} should have the line `{PACKAGED}`; run `dvc repro`")
    (copy / CONFIG).write_text(config.replace(PACKAGED, LOCAL), encoding="utf-8")
    shutil.copyfile(MODEL, copy / "1" / "model.py")
    backend = folder / "backends" / "python"
    backend.mkdir(parents=True)
    for file in installation.backend:
        (backend / file.name).symlink_to(file)
    return _copy_drift(model.with_name(f"{model.name}{SUFFIX}"), folder)


def _copy_drift(component: Path, folder: Path) -> list[str]:
    """Copy the drift component, which reads traces within ``folder`` then; return the options."""
    if not component.is_dir():
        return []
    copy = folder / "repository" / component.name
    shutil.copytree(component, copy)
    (folder / "traces").mkdir()
    try:
        config, options = moved((copy / CONFIG).read_text("utf-8"), str(folder / "traces" / "t"))
    except (OSError, ValueError) as error:
        raise UserError(f"{component / CONFIG} is not ours ({error}); run `dvc repro`") from error
    (copy / CONFIG).write_text(config, encoding="utf-8")
    return options
