"""A temporary copy of a packaged model repository, with the backend that the wheel of Triton has.

The wheel lacks the onnxruntime backend, which is in NVIDIA's images only. So in the copy the
Python backend runs the same ONNX file, by the same onnxruntime.

The wheel's Triton dies of its own traces at some thousand requests a second, as all before 25.04 do
(https://github.com/triton-inference-server/server/pull/8144). So in the copy the model's process
writes those that the drift component reads.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from onnxpress.commands.serve.installation import Installation
from onnxpress.errors import UserError
from onnxpress.serving.drift_component import SUFFIX, moved, trace_options, trace_parameters

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


def copy_for_python(
    model: Path, folder: Path, installation: Installation, *, by_triton: bool = False
) -> list[str]:
    """Lay out ``folder``: ``repository`` with a copy of ``model``, and ``backends`` to run it.

    With ``by_triton`` the traces for the drift component are Triton's own, as in production; then
    the options of the server for them are returned.

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
    traces = str(folder / "traces" / "t")
    every = _copy_drift(model.with_name(f"{model.name}{SUFFIX}"), folder, traces)
    if every and by_triton:
        return trace_options(every, traces)
    if every:
        with (copy / CONFIG).open("a", encoding="utf-8") as text:
            text.write(trace_parameters(every, traces))
    return []


def _copy_drift(component: Path, folder: Path, traces: str) -> int | None:
    """Copy the drift component, which reads ``traces`` then; return how many make one trace."""
    if not component.is_dir():
        return None
    copy = folder / "repository" / component.name
    shutil.copytree(component, copy)
    (folder / "traces").mkdir()
    try:
        config, every = moved((copy / CONFIG).read_text("utf-8"), traces)
    except (OSError, ValueError) as error:
        raise UserError(f"{component / CONFIG} is not ours ({error}); run `dvc repro`") from error
    (copy / CONFIG).write_text(config, encoding="utf-8")
    return every
