"""The file of an exported program, read without torch and written anew.

A ``.pt2`` file is a zip archive that is not compressed, with a folder around its members:

    archive_format                        "pt2"
    models/model.json                     the program
    data/weights/model_weights_config.json    the weights by name, and which member each is in
    data/weights/weight_0                 raw numbers
    data/constants/…                      the same for tensors that are no weights
    data/sample_inputs/model.pt           the rows of the export, a pickle: never read

See ``torch/export/pt2_archive`` in the sources of PyTorch.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from onnxpress.torch_program.fields import BadProgram, Check
from onnxpress.torch_program.program import (
    Interface,
    check_within,
    exported_program,
    interface,
    payloads,
    weights,
)

MODEL = "models/model.json"
LISTS = {
    "data/weights/": "data/weights/model_weights_config.json",
    "data/constants/": "data/constants/model_constants_config.json",
}
CONTENT_OF_OTHERS = {
    "archive_format": b"pt2",
    "archive_version": b"0",
    "byteorder": b"little",
    ".data/version": b"3\n",
    "data/sample_inputs/model.pt": b"",
}
"""The members that are the same in every program that is written."""

MACHINE_CODE = "data/aotinductor/"
LONGEST_JSON = 2**26
CURE = "give the .onnx file that torch.onnx.export(torch.export.load(path), f='model.onnx') makes"
AGAIN = "save it again with torch.export.save of a newer PyTorch"


@dataclass(frozen=True)
class Program:
    """A judged program."""

    data: bytes
    """The file, written anew."""
    interface: Interface


def read_program(data: bytes) -> Program:
    """Return the program in the bytes of a ``.pt2`` file, written anew of what is understood.

    What is written again from its own bytes is the same. Nothing of the file is unpickled, imported
    or evaluated.

    Raises:
        BadProgram: it is no such file, keeps pickles or machine code, or has a part that is not
            known here.
    """
    members = _Members(data)
    program = members.json(MODEL, exported_program)
    written = {MODEL: _dumped(program)}
    for folder, name in LISTS.items():
        listed = members.json(name, weights)
        written[name] = _dumped(listed)
        for member, meta in payloads(listed):
            place = folder + member
            written[place] = written.get(place) or members.read(place)
            check_within(place, meta, len(written[place]))
    found = interface(program)
    return Program(_archive(written | CONTENT_OF_OTHERS), found)


class _Members:
    """The members of an archive, by their names without the folder around them."""

    def __init__(self, data: bytes) -> None:
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise BadProgram(f"is no archive of torch.export.save ({error})") from error
        infos = self._archive.infolist()
        self._infos = {info.filename.partition("/")[2]: info for info in infos}
        if len(self._infos) != len(infos):
            raise BadProgram("is damaged: a member of the archive is there twice")
        self._check_names()

    def _check_names(self) -> None:
        if any(name.startswith(MACHINE_CODE) or name.endswith(".so") for name in self._infos):
            raise BadProgram(f"holds machine code (AOTInductor), which is not run; {CURE}")
        if "data/weights/model.pt" in self._infos or "archive_format" not in self._infos:
            raise BadProgram(f"is of an older form, which keeps its weights as a pickle; {AGAIN}")
        models = [name for name in self._infos if name.startswith("models/")]
        if models != [MODEL]:
            raise BadProgram(f"should hold one program, and holds {len(models)}; save one alone")
        objects = [
            name for name in self._infos if name.rpartition("/")[2].startswith(("custom_", "opaq"))
        ]
        if objects:
            raise BadProgram(f"holds an object of its own, {objects[0][:60]!r}, a pickle; {CURE}")

    def read(self, name: str) -> bytes:
        """Return a member.

        Raises:
            BadProgram: it is missing, compressed, or not whole.
        """
        info = self._infos.get(name)
        if info is None:
            raise BadProgram(f"is damaged: {name!r} is missing in it")
        if info.compress_type != zipfile.ZIP_STORED:
            raise BadProgram("is compressed, as torch.export.save leaves none; save it again")
        try:
            return self._archive.read(info)
        except (zipfile.BadZipFile, ValueError, EOFError, RuntimeError, OSError) as error:
            raise BadProgram(f"is damaged: {error}") from error

    def json(self, name: str, check: Check) -> dict[str, Any]:
        """Return a checked member."""
        content = self.read(name)
        if len(content) > LONGEST_JSON:
            raise BadProgram(f"is damaged: {name!r} has {len(content)} bytes")
        try:
            found: dict[str, Any] = check(json.loads(content))
        except (ValueError, RecursionError) as error:
            raise BadProgram(f"is damaged: {name!r} is no JSON") from error
        except BadProgram as error:
            cure = "" if ";" in str(error) else f"; {CURE}"
            raise BadProgram(f"{error}{cure}") from error
        return found


def _dumped(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _archive(members: dict[str, bytes]) -> bytes:
    """Return an archive of members, the same bytes for the same members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(f"program/{name}"), members[name])
    return file.getvalue()
