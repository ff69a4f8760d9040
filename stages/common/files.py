"""The files that stages hand to each other, and the one way to write them: atomically, always the same bytes."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.common.errors import UserError

PARAMS = Path("params.yaml")
OUTPUTS = Path("outputs")

TRAIN = OUTPUTS / "train.parquet"
CALIBRATION = OUTPUTS / "calibration.parquet"
TEST = OUTPUTS / "test.parquet"
SCHEMA = OUTPUTS / "schema.json"
ORIGINAL_MODEL = OUTPUTS / "model.joblib"
ONNX_MODEL = OUTPUTS / "model.onnx"
QUANTIZED_MODEL = OUTPUTS / "model_quantized.onnx"
QUANTIZATION = OUTPUTS / "quantization.json"
METRICS = OUTPUTS / "metrics.json"
PREDICTIONS = OUTPUTS / "predictions.csv"
LATENCY = OUTPUTS / "latency.json"
LATENCY_DETAIL = OUTPUTS / "latency_detail.json"
GATE = OUTPUTS / "gate.json"
MLFLOW_RUN = OUTPUTS / "mlflow_run.json"

MODELS = {"original": ORIGINAL_MODEL, "onnx": ONNX_MODEL, "quantized": QUANTIZED_MODEL}
"""The three models in the order of the chain; the keys are the prefixes of the contract's metric names."""

SIGNIFICANT_DIGITS = 6
TEMPORARY = ".unfinished-"
"""What the name of a file begins with until it is whole; then the id of the process that writes it."""


def size_kb(path: Path) -> float:
    """Size of a file in KB of 1024 bytes."""
    return path.stat().st_size / 1024


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it when the block ends well, and is removed when it does not.

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        prefix = f"{TEMPORARY}{os.getpid()}-{path.stem}-"
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes private files; outputs are as readable as any other file
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; free or unlock the folder and run again") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove the temporary files of processes that are no more: SIGKILL leaves nobody to do it."""
    for left in folder.glob(f"{TEMPORARY}*"):
        import psutil  # hardly ever needed

        owner = left.name.removeprefix(TEMPORARY).partition("-")[0]
        if not (owner.isdigit() and psutil.pid_exists(int(owner))):
            left.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write sorted, rounded JSON with a newline at its end. NaN and infinities raise ValueError: leave them out."""
    text = json.dumps(_rounded(content), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_bytes(path, f"{text}\n".encode())


def read_json(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON object that an earlier stage has written.

    Raises:
        UserError: the file is missing, is not a JSON object, or lacks one of ``keys``.
    """
    try:
        content = json.loads(read_bytes(path))
    except ValueError as error:
        raise UserError(f"{path} should hold JSON but does not ({error}); run `dvc repro` to make it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} should hold a JSON object, got {type(content).__name__}; run `dvc repro` to make it again")
    if missing := [key for key in keys if key not in content]:
        raise UserError(f"{path} lacks {missing[0]!r}; run `dvc repro` to make it again")
    return content


def read_numbers(path: Path) -> dict[str, float]:
    """Read a flat JSON object of numbers.

    Raises:
        UserError: as :func:`read_json`, or a value is not a number.
    """
    content = read_json(path)
    for key, value in content.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"{path} should hold numbers only, got {key}: {value!r}; run `dvc repro` to make it again")
    return content


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that an earlier stage has written.

    Raises:
        UserError: the file is missing or unreadable.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}); run `dvc repro` to make it") from error


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return _round_significant(value)
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value


def _round_significant(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
