"""What a library line says of its arguments becomes what params.yaml calls them."""

from __future__ import annotations

import pytest

from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.keys import keys_named, with_keys


def named(line: str, *sections: str, about: str = "") -> str:
    """The error line of the block in which the library raised ``line``."""
    with pytest.raises(UserError) as error, keys_named(*sections, about=about):
        raise UserError(line)
    return str(error.value)


def test_an_argument_becomes_its_key_and_one_to_change_its_file_too() -> None:
    assert with_keys("text is numbers; set `decimal`: ','", "data") == (
        "text is numbers; set data.decimal in params.yaml: ','"
    )
    assert with_keys("group them, or name it in `text`", "data") == (
        "group them, or name it in data.text"
    )


def test_the_first_section_that_has_the_key_counts() -> None:
    assert with_keys("(see `text`)", "train", "data") == "(see train.text)"
    assert with_keys("(see `text`, `task`)", "data", "train") == "(see data.text, data.task)"


def test_a_command_in_backquotes_stays() -> None:
    line = "a pointer of Git LFS; run `git lfs pull` or `pull`"
    assert with_keys(line, "train", "data") == line


def test_an_error_about_an_argument_begins_with_the_file() -> None:
    assert named(
        "`test_size` 0.2 cannot split 3 rows; set `task`", "data", about="data.source"
    ) == ("params.yaml: data.test_size 0.2 cannot split 3 rows; set data.task")


def test_any_other_error_begins_with_what_it_is_about() -> None:
    assert named("column 'a' holds dates", "data", about="data.source") == (
        "data.source: column 'a' holds dates"
    )
    assert named("data/a.csv is not UTF-8", "data") == "data/a.csv is not UTF-8"


def test_the_exit_code_of_an_error_stays() -> None:
    with pytest.raises(ServerError, match="^params.yaml: data.source is away$"), keys_named("data"):
        raise ServerError("`source` is away")
