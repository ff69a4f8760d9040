"""Every case of secrets by every command: none is printed or written, none hangs or crashes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support.secrecy import COMMANDS, LIMIT_SECONDS, all_cases, repository, run, traces

pytestmark = pytest.mark.filterwarnings(
    "ignore"
)  # libraries' own, many of them about what is wrong on purpose


def test_no_case_leaks_by_any_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = repository(tmp_path / "repository")
    wrong, runs = [], 0
    with all_cases(tmp_path) as cases:
        for case in cases:
            for command in COMMANDS:
                start, began = time.monotonic(), time.time()
                code = run(command, folder, case, monkeypatch)
                said = capfd.readouterr()
                runs += 1
                new = [
                    path
                    for path in folder.rglob("*")
                    if path.is_file() and path.stat().st_mtime > began - 1
                ]
                written = "".join(path.read_bytes().decode("latin-1") for path in new)
                message = {
                    "leaks": traces(said.out + said.err + written),
                    "code": [] if code in case.codes_of(command) else [code],
                    "traceback": ["Traceback"] if "Traceback" in said.err else [],
                    "hangs": [1] if time.monotonic() - start > LIMIT_SECONDS else [],
                    "lines": [] if said.err.count("\n") <= 1 or "--json" in command else [said.err],
                }
                if command.endswith("--json") and said.out:
                    json.loads(said.out)
                if any(message.values()):
                    wrong.append(
                        (
                            case.name,
                            command,
                            {key: value for key, value in message.items() if value},
                            said,
                        )
                    )
    assert runs > 500
    assert not wrong, "\n".join(map(str, wrong))
