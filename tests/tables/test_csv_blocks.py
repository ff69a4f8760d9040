"""CSV files read in blocks: the cells that Python's own parser reads, wherever a block ends."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from onnxpress.errors import UserError
from onnxpress.tables import csv_file
from onnxpress.tables.csv_file import cells_in_blocks, read_cells

CELLS = ("", "1", "제주", 'a "b", c', "two\nlines", " padded ", "é")


@pytest.fixture(params=[40, 41, 42, 43, 97])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes of a block, in which the longest row just fits."""
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", request.param)
    return int(request.param)


def written(folder: Path, content: bytes) -> Path:
    (folder / "x.csv").write_bytes(content)
    return folder / "x.csv"


def table(rows: int) -> tuple[list[list[str]], bytes]:
    generator = np.random.default_rng(0)
    cells = [[CELLS[at] for at in generator.integers(len(CELLS), size=2)] for _ in range(rows)]
    cells = [["x", *row] for row in cells]  # a row of empty cells alone would be an empty line
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["n", "a", "b"], *cells])
    return cells, text.getvalue().encode()


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_cells_are_those_of_pythons_parser(mark: bytes, tmp_path: Path) -> None:
    cells, content = table(300)
    path = written(tmp_path, mark + content)
    found = read_cells(path)
    assert found.column_names == ["n", "a", "b"]
    rows = [[value or "" for value in row.values()] for row in found.to_pylist()]
    assert rows == cells
    assert len([*cells_in_blocks(path)]) > 20


@pytest.mark.usefixtures("block")
def test_what_is_wrong_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    lines = [b"a,b", *(b"%d,\xc3\xa9" % number for number in range(100))]
    for wrong, expected in (
        (b"1,\0", "has a NUL character in line 52;"),
        (b"1,2,3", "row 51 has 3 values, the header has 2 names (and 1 more rows)"),
    ):
        spoilt = [*lines[:51], wrong, *lines[51:], wrong]
        with pytest.raises(UserError) as caught:
            read_cells(written(tmp_path, b"\n".join(spoilt)))
        assert expected in str(caught.value)
    content = b"\n".join(lines)
    for place in (content.index(b"50,") + 3, len(content) - 2):
        spoilt_bytes = content[:place] + b"\xff" + content[place + 1 :]
        with pytest.raises(UserError, match=f"at byte {place}\\)"):
            read_cells(written(tmp_path, spoilt_bytes))
