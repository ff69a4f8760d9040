"""What users get wrong, as a table.

How it comes about, the stage that must say so, and words of the line it says.

Add a row to extend it. Each starts from a project whose chain has run on iris; ``spoil`` changes
that folder, ``before`` names stages that must still succeed then, and ``stage`` must end with its
exit code and one line that has ``words``.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import yaml
from pyarrow import parquet as pq
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from onnxpress.conversion.converting import to_onnx
from tests.conftest import changed, numeric_schema, sign, write_params

Spoil = Callable[[Path], None]
"""Changes a finished project, given its folder."""


@dataclass(frozen=True)
class Bad:
    """A row of the table."""

    name: str
    stage: str
    spoil: Spoil
    words: str
    before: tuple[str, ...] = ()
    exit_code: int = 2


def params(**overrides: Any) -> Spoil:
    """Change params.yaml: ``section__key=value``."""

    def spoil(folder: Path) -> None:
        content = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
        write_params(folder, changed(content, **overrides))

    return spoil


def file(path: str, content: str | bytes) -> Spoil:
    """Replace a file."""
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: void((folder / path).write_bytes(data))


def without(path: str) -> Spoil:
    """Remove a file."""
    return lambda folder: (folder / path).unlink()


def linked(path: str, to: str) -> Spoil:
    """A link in a file's place."""

    def spoil(folder: Path) -> None:
        (folder / path).unlink(missing_ok=True)
        (folder / path).symlink_to(to)

    return spoil


def pipe(path: str) -> Spoil:
    """A pipe in a file's place, whose reader would wait for ever."""

    def spoil(folder: Path) -> None:
        (folder / path).unlink(missing_ok=True)
        os.mkfifo(folder / path)

    return spoil


def bomb(line: str) -> str:
    """YAML in which each of eleven lines stands for nine times the one before.

    ``line`` says how.
    """
    lines = ["a0: &a0 {x: 1}"]
    lines += [
        f"a{number}: &a{number} " + line.format(",".join([f"*a{number - 1}"] * 9))
        for number in range(1, 12)
    ]
    return "\n".join(lines)


def cut(path: str, share: float = 0.5) -> Spoil:
    """Keep only the beginning of a file."""

    def spoil(folder: Path) -> None:
        data = (folder / path).read_bytes()
        (folder / path).write_bytes(data[: int(len(data) * share)])

    return spoil


def swapped(path: str, other: str) -> Spoil:
    """Put the content of another file in a file's place."""
    return lambda folder: void((folder / path).write_bytes((folder / other).read_bytes()))


def edited(path: str, change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """Change a JSON file in place."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / path).read_text(encoding="utf-8"))
        change(content)
        (folder / path).write_text(json.dumps(content), encoding="utf-8")

    return spoil


def both(*spoils: Spoil) -> Spoil:
    """One after the other."""

    def spoil(folder: Path) -> None:
        for each in spoils:
            each(folder)

    return spoil


def void(_: object) -> None:
    """Drop a value."""


def csv(content: str | bytes, target: str | None = "y", **overrides: Any) -> Spoil:
    """A data file and the params that name it."""
    return both(
        file("data/x.csv", content),
        params(data__source="data/x.csv", data__target=target, **overrides),
    )


def parquet(columns: dict[str, Any]) -> Spoil:
    """A Parquet file and the params that name it."""

    def spoil(folder: Path) -> None:
        pd.DataFrame(columns).to_parquet(folder / "data" / "x.parquet")

    return both(spoil, params(data__source="data/x.parquet", data__target="y"))


def arrays(**values: Any) -> Spoil:
    """A file of arrays and the params that name it."""

    def spoil(folder: Path) -> None:
        np.savez(folder / "data" / "x.npz", **values)

    return both(spoil, params(data__source="data/x.npz", data__target="y"))


def rows(*lines: str, times: int = 1) -> str:
    """A CSV text of these lines below the header ``a,y``."""
    return "\n".join(["a,y", *(lines * times)]) + "\n"


def dumped(make: Callable[[], Any]) -> Spoil:
    """Another object in model.joblib."""
    return signed(lambda folder: void(joblib.dump(make(), folder / "outputs" / "model.joblib")))


def signed(spoil: Spoil) -> Spoil:
    """As if train had written the spoilt model.joblib."""
    return both(spoil, sign)


def exchanged(folder: Path) -> None:
    """Another model in the place of the fitted one."""
    joblib.dump(wine_forest(), folder / "outputs" / "model.joblib")


def wine_forest() -> Any:
    """A forest of 13 features where iris has 4."""
    return RandomForestClassifier(3, random_state=0).fit(*load_wine(return_X_y=True))


def wine_onnx(path: str) -> Spoil:
    """The ONNX form of a forest of other data."""
    return lambda folder: void((folder / path).write_bytes(wine_model().SerializeToString()))


def wine_model() -> onnx.ModelProto:
    """The ONNX form of a forest of other data."""
    return to_onnx(wine_forest(), numeric_schema(13), 12)


def iris_onnx(classes: str = "") -> onnx.ModelProto:
    """A forest on iris as ONNX, its classes named by the letters of ``classes``."""
    x, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(3, random_state=0).fit(
        x.astype(np.float32), np.array(list(classes))[y] if classes else y
    )
    return to_onnx(forest, numeric_schema(4), 12)


def only_output(made: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The model with one of its outputs."""
    kept = [value for value in made.graph.output if value.name == name]
    del made.graph.output[:]
    made.graph.output.extend(kept)
    return made


def outside(made: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a weight that lies in another file."""
    weight = made.graph.initializer.add(name="w", data_type=onnx.TensorProto.FLOAT, dims=[1])
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="params.yaml")
    return made


def model(name: str, content: bytes | Callable[[], onnx.ModelProto], **overrides: Any) -> Spoil:
    """A given model and the params that name it."""

    def spoil(folder: Path) -> None:
        (folder / "models").mkdir()
        data = content if isinstance(content, bytes) else content().SerializeToString()
        (folder / "models" / name).write_bytes(data)

    return both(
        spoil,
        params(
            **{"train__model_path": f"models/{name}", "data__calibration_size": 0.2, **overrides}
        ),
    )


def given(spoil: Spoil) -> Spoil:
    """Something that is no file in the place of a given model."""
    named = params(train__model_path="models/x.onnx", data__calibration_size=0.2)
    return both(lambda folder: (folder / "models").mkdir(), spoil, named)


def two_targets() -> Any:
    """A forest that predicts two values per row."""
    x, y = load_iris(return_X_y=True)
    return RandomForestRegressor(3, random_state=0).fit(
        x.astype(np.float32), np.column_stack([y, y])
    )


def link_out(folder: Path) -> None:
    """A link under data/ to a file elsewhere."""
    outside = folder.parent / f"{folder.name}-outside.csv"
    outside.write_text(rows("1,0", "2,1", times=30))
    (folder / "data" / "x.csv").symlink_to(outside)


NOT_UTF8 = pa.array([b"a", b"\xff"]).view(pa.string())


def arrow(names: list[str], values: Any = (0.0, 1.0)) -> Spoil:
    """A Parquet file of columns with these names, which need not be those of a DataFrame."""
    table = pa.Table.from_arrays([pa.array(values)] * len(names), names=names)
    return both(
        lambda folder: pq.write_table(table, folder / "data" / "x.parquet"),
        params(data__source="data/x.parquet", data__target="y"),
    )


def indexed(name: str, columns: Sequence[str] = ("a", "b")) -> Spoil:
    """A Parquet file of a DataFrame whose index has a name."""

    def spoil(folder: Path) -> None:
        frame = pd.DataFrame(
            {column: [1.0, 2.0] for column in columns}, index=pd.Index([7, 5], name=name)
        )
        frame.to_parquet(folder / "data" / "x.parquet")

    return both(spoil, params(data__source="data/x.parquet", data__target="y"))


LOOP = "which cannot be opened (Symlink loop from"
DAY = dt.date(2024, 1, 17)
REFUSED: dict[str, tuple[Any, str, str]] = {
    "days": ([DAY, DAY], "dates", "turn it into numbers, such as days"),
    "dates": (pd.to_datetime(["2020-01-01"] * 2), "dates with a time", "turn it into numbers"),
    "dates of a time zone": (
        pd.date_range("2020", periods=2, tz="Asia/Seoul"),
        "dates with a time",
        "turn it into numbers",
    ),
    "categories of days": (pd.Categorical([DAY, DAY]), "dates", "turn it into numbers"),
    "times": ([dt.time(1), dt.time(2)], "times of day", "turn it into numbers, such as seconds"),
    "durations": (
        pd.to_timedelta([1, 2], "s"),
        "durations",
        "turn it into numbers, such as seconds",
    ),
    "periods": (pd.period_range("2020", periods=2, freq="D"), "values of the type extension", ""),
    "intervals": (pd.interval_range(0, 2), "values of the type extension", ""),
    "mappings": ([{"k": 1}, {"k": 2}], "struct values", "expected one number or text per row"),
    "bytes": ([b"p", b"q"], "bytes", "expected one number or text per row"),
    "arrays": ([np.zeros(2), np.zeros(2)], "list values", "expected one number or text per row"),
}
"""Values of a column that no model takes, what the line calls them, and what it says to do."""

MANY = [f"{number},{number % 2}" for number in range(40)]
WIDE = ",".join(f"c{number}" for number in range(10_000))
OUT = "outputs"

IN_PARAMS = [
    Bad(
        "misspelt key",
        "prepare",
        params(quantize__methd="auto"),
        "unknown key 'quantize.methd'; did you mean 'method'?",
    ),
    Bad(
        "misspelt section",
        "train",
        params(quantise={}),
        "unknown key 'quantise'; did you mean 'quantize'?",
    ),
    Bad(
        "unknown key",
        "gate",
        params(gate__colour=1),
        "unknown key 'gate.colour'; valid keys: min_onnx_agreement",
    ),
    Bad(
        "a misspelt limit of a device",
        "quantize",
        params(quantize__budget={"flash_kB": 32}),
        "unknown key 'quantize.budget.flash_kB'; did you mean 'flash_kb'?",
    ),
    Bad(
        "a device without flash",
        "prepare",
        params(quantize__budget={"flash_kb": 0}),
        "quantize.budget.flash_kb should be greater than 0, got 0",
    ),
    Bad(
        "a clock alone as the budget of a device",
        "quantize",
        params(quantize__budget={"clock_mhz": 64}),
        "quantize.budget should limit flash_kb, ram_kb or row_us, got {'clock_mhz': 64}",
    ),
    Bad(
        "a device and an objective of time",
        "quantize",
        params(quantize__budget={"row_us": 50}, quantize__objective="latency"),
        "quantize.budget should be null beside another quantize.objective than size, for it picks "
        "the best score, got {'row_us': 50}",
    ),
    Bad(
        "a runtime of the gate without its version",
        "gate",
        params(gate__runtimes=["onnxruntime"]),
        "gate.runtimes.0 should be a runtime with its version, such as onnxruntime==1.20.1: ",
    ),
    Bad(
        "text for a number",
        "prepare",
        params(seed="forty-two"),
        "seed should be a valid integer, got 'forty-two'",
    ),
    Bad(
        "boolean for a number",
        "benchmark",
        params(benchmark__n_iterations=True),
        "should be a valid integer, got True",
    ),
    Bad(
        "number for a text",
        "prepare",
        params(data__source=7),
        "data.source should be a valid string, got 7",
    ),
    Bad(
        "number for a section", "train", params(train=3), "train should be a section of keys, got 3"
    ),
    Bad(
        "section without content",
        "train",
        params(train=None),
        "train should be a section of keys, got None",
    ),
    Bad(
        "a target twice",
        "prepare",
        params(data__target=["a", "a"]),
        "data.target should name each column once, and 'a' is there twice, got ['a', 'a']",
    ),
    Bad(
        "a number for a target",
        "prepare",
        params(data__target=["a", 2]),
        "data.target should be the name of a column, or a list of several names, got ['a', 2]",
    ),
    Bad(
        "share above one",
        "prepare",
        params(data__test_size=1.5),
        "data.test_size should be less than 1, got 1.5",
    ),
    Bad(
        "share of nothing",
        "prepare",
        params(data__test_size=0.0),
        "data.test_size should be greater than 0, got 0.0",
    ),
    Bad(
        "not a number",
        "evaluate",
        params(evaluate__tolerance=float("nan")),
        "evaluate.tolerance should be a finite number",
    ),
    Bad(
        "endless time",
        "benchmark",
        params(benchmark__max_seconds=float("inf")),
        "max_seconds should be a finite number",
    ),
    Bad(
        "negative count",
        "evaluate",
        params(evaluate__probe_rows=-1),
        "evaluate.probe_rows should be greater than or equal to 0",
    ),
    Bad("seed too large", "prepare", params(seed=2**40), "seed should be less than 4294967296"),
    Bad(
        "unknown opset",
        "convert",
        params(convert__target_opset=99),
        "target_opset should be less than or equal to 22, got 99",
    ),
    Bad(
        "old opset",
        "convert",
        params(convert__target_opset=3),
        "target_opset should be greater than or equal to 11, got 3",
    ),
    Bad(
        "experiment name too long",
        "publish",
        params(publish__experiment="x" * 501),
        "should have at most 500 characters",
    ),
    Bad(
        "register with both quotes",
        "publish",
        params(publish__register="a'\""),
        "has quotes of both kinds",
    ),
    Bad(
        "no batch sizes",
        "benchmark",
        params(benchmark__batch_sizes=[]),
        "batch_sizes should have at least 1 item",
    ),
    Bad(
        "empty batch",
        "benchmark",
        params(benchmark__batch_sizes=[0]),
        "benchmark.batch_sizes.0 should be greater than or equal",
    ),
    Bad(
        "unknown method",
        "quantize",
        params(quantize__method="int4"),
        "quantize.method should be 'auto', 'none', 'dynamic'",
    ),
    Bad(
        "tree opset of nobody",
        "quantize",
        params(quantize__ml_opset=4),
        "quantize.ml_opset should be 3 or 5, got 4",
    ),
    Bad("broken YAML", "prepare", file("params.yaml", "seed: [1"), "params.yaml is not valid YAML"),
    Bad(
        "tab in YAML",
        "prepare",
        file("params.yaml", "data:\n\tsource: iris\n"),
        "params.yaml is not valid YAML",
    ),
    Bad(
        "Python in YAML",
        "prepare",
        file("params.yaml", "seed: !!python/name:os.system"),
        "params.yaml is not valid YAML",
    ),
    Bad(
        "key given twice",
        "prepare",
        file("params.yaml", "seed: 1\nseed: 2\n"),
        "key 'seed' occurs twice",
    ),
    Bad(
        "number of 5,000 digits",
        "prepare",
        file("params.yaml", f"seed: {'9' * 5000}"),
        "a number of 5,000 digits in line 1",
    ),
    Bad(
        "hexadecimal number of 5,000 digits",
        "gate",
        file("params.yaml", f"seed: 0x{'f' * 5000}"),
        "of 5,002 digits in line 1",
    ),
    Bad(
        "day that is none",
        "prepare",
        file("params.yaml", "seed: 2024-02-31"),
        "day is out of range for month",
    ),
    Bad(
        "value not of its tag",
        "prepare",
        file("params.yaml", "seed: !!int ''"),
        "a value is not of its form",
    ),
    Bad(
        "aliases for billions of values",
        "prepare",
        file("params.yaml", bomb("[{}]")),
        "holds more than 50,000 values",
    ),
    Bad(
        "merged keys for billions",
        "prepare",
        file("params.yaml", bomb("{{<<: [{}]}}")),
        "holds more than 50,000 values",
    ),
    Bad(
        "alias of what it is in",
        "prepare",
        file("params.yaml", "a: &a [*a]"),
        "an alias refers to what it is part of",
    ),
    Bad(
        "lists in lists without end",
        "prepare",
        file("params.yaml", "[" * 20_000),
        "nested too deep",
    ),
    Bad(
        "keys of two kinds",
        "prepare",
        params(train__params={"class_weight": {0: 1.0, "a": 2.0}}),
        "all text or all numbers",
    ),
    Bad(
        "half of a letter",
        "prepare",
        file("params.yaml", 'seed: "\\ud800"'),
        "has a half of a letter",
    ),
    Bad(
        "params.yaml in UTF-16",
        "prepare",
        file("params.yaml", "seed: 1".encode("utf-16")),
        "should be UTF-8 text",
    ),
    Bad(
        "endless params.yaml",
        "prepare",
        file("params.yaml", "#" * 2**19),
        "should be smaller than 256 KB",
    ),
    Bad(
        "params.yaml that links to itself",
        "prepare",
        linked("params.yaml", "params.yaml"),
        "Too many levels of symbolic links",
    ),
    Bad(
        "params.yaml that is a device",
        "prepare",
        linked("params.yaml", "/dev/zero"),
        "got a folder or a device",
    ),
    Bad("params.yaml that is a pipe", "prepare", pipe("params.yaml"), "got a folder or a device"),
    Bad(
        "endless limit",
        "gate",
        params(gate__max_score_diff=float("inf")),
        "gate.max_score_diff should be a finite number",
    ),
    Bad(
        "threads without number",
        "benchmark",
        params(benchmark__threads=10**6),
        "benchmark.threads should be 1024 or less",
    ),
    Bad(
        "registered model in a folder",
        "prepare",
        params(publish__register="../x"),
        "should be a name without / and :",
    ),
    Bad("long value", "prepare", params(data__task="x" * 10_000), "... (10,002 characters)"),
    Bad(
        "empty params.yaml",
        "prepare",
        file("params.yaml", ""),
        "params.yaml should hold the sections seed, data, train",
    ),
    Bad(
        "list in params.yaml",
        "prepare",
        file("params.yaml", "- a\n- b\n"),
        "should hold the sections seed, data, train",
    ),
    Bad(
        "params.yaml in Latin-1",
        "prepare",
        file("params.yaml", "seed: é".encode("latin-1")),
        "should be UTF-8 text",
    ),
    Bad(
        "no params.yaml",
        "prepare",
        without("params.yaml"),
        "cannot read params.yaml (No such file or directory)",
    ),
    Bad("one section only", "prepare", file("params.yaml", "seed: 42\n"), "key 'data' is missing"),
]

IN_DATA = [
    Bad(
        "misspelt data set",
        "prepare",
        params(data__source="iri"),
        "data.source should be one of iris, wine",
    ),
    Bad(
        "spreadsheet",
        "prepare",
        params(data__source="data/x.xlsx"),
        "or a .csv, .parquet, .npz or .npy file in data/, got 'data/x.xlsx'",
    ),
    Bad(
        "missing data file",
        "prepare",
        params(data__source="data/none.csv", data__target="y"),
        "which does not exist",
    ),
    Bad(
        "folder of data",
        "prepare",
        both(
            lambda folder: (folder / "data" / "x.parquet").mkdir(),
            params(data__source="data/x.parquet"),
        ),
        "data.source names 'data/x.parquet', which has no .parquet file; put the files there",
    ),
    Bad(
        "data outside the repository",
        "prepare",
        params(data__source="../x.csv"),
        "should lie under data/",
    ),
    Bad("absolute path", "prepare", params(data__source="/etc/x.csv"), "should lie under data/"),
    Bad(
        "NUL in a path",
        "prepare",
        params(data__source="data/a\0b.csv"),
        "which cannot be opened (embedded null byte)",
    ),
    Bad(
        "path of 600 letters",
        "prepare",
        params(data__source=f"data/{'x' * 600}.csv"),
        "cannot be opened (File name too long)",
    ),
    Bad(
        "array of objects",
        "prepare",
        arrays(image=np.array([{}] * 40, object), y=np.arange(40) % 2),
        "array 'image' should be numbers (uint8, int64, float16, float32, float64), got Python",
    ),
    Bad(
        "array of other rows",
        "prepare",
        arrays(image=np.zeros((39, 1, 2, 2)), y=np.arange(40) % 2),
        "array 'image' has 39 rows, and the target has 40",
    ),
    Bad(
        "array without a target",
        "prepare",
        arrays(image=np.zeros((40, 1, 2, 2)), label=np.arange(40) % 2),
        "data.target 'y' is not an array of data/x.npz; its arrays: 'image', 'label'",
    ),
    Bad(
        "estimator of tables on images",
        "train",
        arrays(image=np.arange(160.0).reshape(40, 1, 2, 2), y=np.arange(40) % 2),
        "RandomForestClassifier takes a table of numbers, and the data have 'image' 1 x 2 x 2",
        before=("prepare",),
    ),
    Bad(
        "data that link to themselves",
        "prepare",
        both(linked("data/x.csv", "x.csv"), params(data__source="data/x.csv")),
        LOOP,
    ),
    Bad(
        "data that are a pipe",
        "prepare",
        both(pipe("data/x.csv"), params(data__source="data/x.csv")),
        "a pipe or a device",
    ),
    Bad(
        "data that are a device",
        "prepare",
        both(linked("data/x.csv", "/dev/zero"), params(data__source="data/x.csv")),
        "under data/",
    ),
    Bad(
        "link out of data",
        "prepare",
        both(link_out, params(data__source="data/x.csv", data__target="y")),
        "under data/",
    ),
    Bad(
        "no target named",
        "prepare",
        csv(rows(*MANY), None),
        "data.target should name the column of data/x.csv",
    ),
    Bad(
        "missing target column",
        "prepare",
        csv(rows(*MANY), "z"),
        "data.target 'z' is not a column of data/x.csv; its columns: 'a', 'y'",
    ),
    Bad("empty file", "prepare", csv(""), "data/x.csv should be a CSV file with a header line"),
    Bad("header only", "prepare", csv("a,y\n"), "has a header but no rows"),
    Bad("header only, its line not ended", "prepare", csv("a,y"), "has a header but no rows"),
    Bad(
        "duplicate columns",
        "prepare",
        csv("a,a,y\n1,2,0\n"),
        "column 'a' is in the header more than once",
    ),
    Bad("column without a name", "prepare", csv("a,,y\n1,2,0\n"), "column 2 has no name"),
    Bad("target alone", "prepare", csv("y\n1\n0\n"), "has one column only, 'y'"),
    Bad(
        "one class only",
        "prepare",
        csv(rows("1,u", "2,u", times=20)),
        "target 'y' has one class only, 'u'",
    ),
    Bad(
        "a class of one row",
        "prepare",
        csv(rows(*MANY, "3,7")),
        "rarest class: 7, 1 rows; if it is a quantity, set data.task: regression",
    ),
    Bad(
        "a class for every row", "prepare", csv(rows(*(f"{i},name{i}" for i in range(30)))), "1 row"
    ),
    Bad("more parts than rows", "prepare", csv(rows("1,0", "2,1")), "cannot split 2 rows"),
    Bad(
        "infinite value",
        "prepare",
        csv(rows(*MANY, "inf,1")),
        "column 'a' has inf in row 41; expected finite float32 numbers",
    ),
    Bad(
        "value beyond float32",
        "prepare",
        csv(rows(*MANY, "1e300,1")),
        "column 'a' has 1e+300 in row 41",
    ),
    Bad(
        "empty column",
        "prepare",
        csv("a,b,y\n1,,0\n2,,1\n"),
        "column 'b' has no value in any row; drop it",
    ),
    Bad(
        "a row without its last value",
        "prepare",
        csv("a,b,y\n1,2,0\n1,2\n1\n"),
        "row 2 has 2 values, the header has 3 names",
    ),
    Bad(
        "a comma at the end of each row",
        "prepare",
        csv("a,y\n1,0,\n2,1,\n"),
        "row 1 has 3 values, the header has 2 names",
    ),
    Bad("a word behind a quote", "prepare", csv('a,y\n"1"x,0\n'), "expected after"),
    Bad(
        "a quote that closes 40 rows later",
        "prepare",
        csv(rows('"1,0', *MANY, '"2,0', *MANY)),
        "close the quote",
    ),
    Bad(
        "NUL in a CSV file", "prepare", csv(rows(*MANY, "1\0,0")), "has a NUL character in line 42"
    ),
    Bad(
        "word for a missing number",
        "prepare",
        csv(rows(*MANY, "NA,1")),
        "add it to data.missing_values in params.yaml",
    ),
    Bad(
        "nan among numbers",
        "prepare",
        csv(rows(*MANY, "nan,1")),
        "text in 1, first 'nan' in row 41",
    ),
    Bad(
        "thousands among numbers",
        "prepare",
        csv(rows(*MANY, '"1,000",1')),
        'set data.thousands in params.yaml: ","',
    ),
    Bad(
        "word for a missing quantity",
        "prepare",
        csv(rows(*(f"1,{i}.5" for i in range(40)), "1,NA")),
        "target 'y' holds numbers in",
    ),
    Bad(
        "prices to predict",
        "prepare",
        csv(rows(*(f"{i},${i}.50" for i in range(40)))),
        "target 'y' is text that looks like amounts",
    ),
    Bad(
        "infinite value after rows without a target",
        "prepare",
        csv(rows("1,", "2,", *MANY, "inf,1")),
        "has inf in row 43",
    ),
    Bad(
        "decimal mark of nobody",
        "prepare",
        csv(rows(*MANY), data__decimal=";"),
        "data.decimal should match pattern '^[.,]$', got ';'",
    ),
    Bad(
        "thousands of two letters",
        "prepare",
        csv(rows(*MANY), data__thousands="ab"),
        "data.thousands should match pattern",
    ),
    Bad(
        "one mark for two things",
        "prepare",
        csv(rows(*MANY), data__decimal=",", data__thousands=","),
        "the same character",
    ),
    Bad(
        "null for a missing word",
        "prepare",
        csv(rows(*MANY), data__missing_values=[None]),
        "missing_values.0 should be a valid",
    ),
    Bad(
        "target without values",
        "prepare",
        csv("a,y\n1,\n2,\n"),
        "target 'y' has no value in any row",
    ),
    Bad(
        "text among numbers",
        "prepare",
        csv(rows(*MANY, "n/k,1")),
        "column 'a' holds numbers in 40 rows and text in 1",
    ),
    Bad(
        "text to regress on",
        "prepare",
        csv(rows("1,u", "2,v"), data__task="regression"),
        "holds text; regression expects numbers",
    ),
    Bad(
        "infinite target",
        "prepare",
        csv(rows("1,0.5", "2,inf"), data__task="regression"),
        "target 'y' has inf in row 2",
    ),
    Bad(
        "target beyond float32",
        "prepare",
        csv(rows(*MANY, "1,", "2,1e39"), data__task="regression"),
        "target 'y' has 1e+39 in row 42; expected finite float32 numbers",
    ),
    Bad(
        "target that never varies",
        "prepare",
        csv(rows("1,2.5", "2,2.5", times=20)),
        "target 'y' has one value only, 2.5",
    ),
    Bad("CSV in Latin-1", "prepare", csv("a,y\né,2\n".encode("latin-1")), "should be UTF-8 text"),
    Bad("CSV in UTF-16", "prepare", csv("a,y\n1,2\n".encode("utf-16")), "should be UTF-8 text"),
    Bad("semicolons", "prepare", csv("a;y\n1;0\n"), "has one column only, 'a;y'; expected commas"),
    Bad("tabs", "prepare", csv("a\ty\n1\t0\n"), "expected commas between the columns"),
    Bad(
        "ragged rows",
        "prepare",
        csv("a,y\n1,2\n1,2,3,4\n"),
        "row 2 has 4 values, the header has 2 names; correct the row",
    ),
    Bad(
        "a column more than the header",
        "prepare",
        csv("a,y\n1,2,3\n4,5,6\n"),
        "row 1 has 3 values, the header has 2 names (and 1 more rows)",
    ),
    Bad(
        "open quote",
        "prepare",
        csv('a,y\n"1,2\n'),
        "should be a CSV file with a header line and commas",
    ),
    Bad("zeros for text", "prepare", csv(b"\x00\x01\x02\x00"), "data/x.csv"),
    Bad(
        "10,000 text columns",
        "prepare",
        csv(f"{WIDE},y\n" + (",".join("u" * 10_000) + ",0\n") * 2),
        "has 10000 feature columns, 10000 of them text",
    ),
    Bad(
        "10,000 columns, no target",
        "prepare",
        csv(f"{WIDE}\n" + ",".join("1" * 10_000) + "\n"),
        "data.target 'y' is not a column",
    ),
    Bad(
        "Parquet that is none",
        "prepare",
        both(parquet({"a": [1], "y": [0]}), file("data/x.parquet", "PAR?")),
        "be a Parquet file",
    ),
    Bad(
        "half a Parquet file",
        "prepare",
        both(parquet({"a": [1], "y": [0]}), cut("data/x.parquet")),
        "should be a Parquet file",
    ),
    *(
        Bad(
            f"{kind} in a column",
            "prepare",
            parquet({"a": values, "y": [0, 1]}),
            f"column 'a' holds {came}" + (f"; {cure}" if cure else ""),
        )
        for kind, (values, came, cure) in REFUSED.items()
    ),
    Bad(
        "no column of that group",
        "prepare",
        csv(rows("1,2", "3,4", times=20), data__group="query"),
        "data.group 'query' is not a column of the table; its columns: 'a', 'y'",
    ),
    Bad(
        "a row in no group",
        "prepare",
        csv("a,q,y\n" + "1,2,3\n3,4,5\n" * 20 + "1,,3\n", data__group="q"),
        "group 'q' has no value in row 41",
    ),
    Bad(
        "all rows in one group",
        "prepare",
        csv("a,q,y\n" + "1,2,3\n3,2,5\n" * 20, data__group="q"),
        "data.test_size 0.2 cannot split 40 rows: they are of one group",
    ),
    Bad(
        "dates to predict",
        "prepare",
        parquet({"a": [1, 2], "y": [DAY, DAY]}),
        "target 'y' holds dates; turn it into numbers",
    ),
    Bad(
        "bytes to predict",
        "prepare",
        parquet({"a": [1, 2], "y": [b"u", b"v"]}),
        "target 'y' holds bytes",
    ),
    Bad(
        "NUL in a category",
        "prepare",
        parquet({"a": ["p", "p\0q"], "y": [0, 1]}),
        "column 'a' has a NUL character in row 2",
    ),
    Bad(
        "NUL in a class",
        "prepare",
        parquet({"a": [1, 2], "y": ["p", "p\0q"]}),
        "target 'y' has a NUL character in row 2",
    ),
    Bad(
        "a name twice in Parquet",
        "prepare",
        arrow(["a", "a", "y"]),
        "column 'a' is there more than once; rename or drop one",
    ),
    Bad(
        "a NUL in a name",
        "prepare",
        arrow(["a", "b\0c", "y"]),
        "column 'b\\x00c' has a NUL character in its name",
    ),
    Bad(
        "text that is not UTF-8 in Parquet",
        "prepare",
        arrow(["a", "b", "y"], NOT_UTF8),
        "should be a Parquet file: ",
    ),
    Bad(
        "word for a missing quantity to regress on",
        "prepare",
        csv(rows(*(f"1,{i}.5" for i in range(40)), "1,NA"), data__task="regression"),
        "add it to data.missing_values",
    ),
    Bad("no name in Parquet", "prepare", arrow(["a", "", "y"]), "column 2 has no name"),
    Bad(
        "nothing but nulls",
        "prepare",
        parquet({"a": [None, None], "y": [0, 1]}),
        "column 'a' has no value in any row",
    ),
    Bad(
        "the index to predict",
        "prepare",
        indexed("y"),
        "the DataFrame's index 'y' is left out; call reset_index()",
    ),
    Bad(
        "an index and nothing else",
        "prepare",
        indexed("y", []),
        "has no columns beside its index 'y'; use reset_index()",
    ),
    Bad(
        "lists in a column",
        "prepare",
        parquet({"a": [[1], [2]], "y": [0, 1]}),
        "column 'a' holds list",
    ),
    Bad(
        "lists in the target",
        "prepare",
        parquet({"a": [1, 2], "y": [[1, 0], [0, 1]]}),
        "target 'y' holds list",
    ),
]

IN_ESTIMATORS = [
    Bad(
        "misspelt estimator",
        "train",
        params(train__estimator="RandomForestClasifier"),
        "did you mean 'RandomForestClassifier'?",
    ),
    Bad(
        "unknown estimator",
        "train",
        params(train__estimator="Oracle"),
        "is not a scikit-learn classifier or regressor",
    ),
    Bad(
        "unknown import path",
        "train",
        params(train__estimator="sklearn.ensemble.Oracle"),
        "cannot be imported",
    ),
    Bad(
        "import path of a function",
        "train",
        params(train__estimator="os.path.join"),
        "should be a scikit-learn estimator class",
    ),
    Bad(
        "import path from two dots", "train", params(train__estimator="..x.y"), "cannot be imported"
    ),
    Bad("import path with a NUL", "train", params(train__estimator="a\0b.C"), "cannot be imported"),
    Bad("model that links to itself", "train", given(linked("models/x.onnx", "x.onnx")), LOOP),
    Bad(
        "model in a pipe",
        "train",
        given(pipe("models/x.onnx")),
        "names 'models/x.onnx', which is a pipe or a device",
    ),
    Bad(
        "folder for a model",
        "train",
        given(lambda folder: (folder / "models/x.onnx").mkdir()),
        "which is a folder; name a file",
    ),
    Bad(
        "import path from a dot", "train", params(train__estimator=".Oracle"), "cannot be imported"
    ),
    Bad(
        "transformer for a model",
        "train",
        params(train__estimator="sklearn.decomposition.PCA", train__params={}),
        "a classifier",
    ),
    Bad(
        "unknown parameter",
        "train",
        params(train__params={"n_estimator": 3}),
        "did you mean 'n_estimators'?",
    ),
    Bad(
        "parameter out of range",
        "train",
        params(train__params={"n_estimators": -3}),
        "RandomForestClassifier cannot be fitted",
    ),
    Bad(
        "parameter of a wrong type",
        "train",
        params(train__params={"max_depth": "deep"}),
        "RandomForestClassifier cannot be fitted",
    ),
    Bad(
        "required parameter missing",
        "train",
        params(train__estimator="VotingClassifier", train__params={}),
        "VotingClassifier needs an estimator inside, which train.params cannot give",
    ),
    Bad(
        "regressor for classes",
        "train",
        params(train__estimator="Ridge", train__params={}),
        "should be a classifier",
    ),
    Bad(
        "no ONNX form",
        "train",
        params(train__estimator="LabelPropagation", train__params={}),
        "cannot become ONNX, so it was not",
    ),
    Bad(
        "a class of fewer rows than folds",
        "train",
        csv(
            rows(*MANY, "3,7", "4,7", "5,7"),
            train__estimator="CalibratedClassifierCV",
            train__params={"cv": 5},
        ),
        "CalibratedClassifierCV cannot be fitted to these rows",
        before=("prepare",),
    ),
]

IN_MODELS = [
    Bad(
        "model of an unknown kind",
        "train",
        model("a.h5", b""),
        ".txt or .ubj file in models/, got 'models/a.h5'",
    ),
    Bad(
        "an empty given model",
        "train",
        model("a.pkl", b""),
        "models/a.pkl is not a whole",
        ("prepare",),
    ),
    Bad(
        "no time for a given model",
        "train",
        params(train__max_seconds=0),
        "train.max_seconds should be greater than 0, got 0",
    ),
    Bad(
        "half a megabyte",
        "train",
        params(train__max_memory_mb=0.5),
        "train.max_memory_mb should be a valid integer, got 0.5",
    ),
    Bad(
        "text for a given ONNX model",
        "train",
        model("a.onnx", b"hello"),
        "models/a.onnx is no ONNX model",
        ("prepare",),
    ),
    Bad(
        "half a given ONNX model",
        "train",
        both(model("a.onnx", wine_model), cut("models/a.onnx")),
        "is no ONNX",
        ("prepare",),
    ),
    Bad(
        "given ONNX model of other data",
        "train",
        model("a.onnx", wine_model),
        "the table needs one float32",
        ("prepare",),
    ),
    Bad(
        "text for a given skops model",
        "train",
        model("a.skops", b"hello"),
        "is not a whole skops file",
        ("prepare",),
    ),
    Bad(
        "given ONNX model of other classes",
        "train",
        model("a.onnx", lambda: iris_onnx("xyz")),
        "models/a.onnx does not know the class 0 of 'target'",
        ("prepare",),
    ),
    Bad(
        "given ONNX model without scores",
        "train",
        model("a.onnx", lambda: only_output(iris_onnx(), "label")),
        "gives label: tensor(int64); expected a label (int64 or string) and scores",
        ("prepare",),
    ),
    Bad(
        "given ONNX classifier for a quantity",
        "train",
        model("a.onnx", wine_model, data__source="diabetes"),
        "the table needs one float32 input of 10 columns",
        ("prepare",),
    ),
    Bad(
        "given ONNX model with weights elsewhere",
        "train",
        model("a.onnx", lambda: outside(iris_onnx())),
        "keeps weights in 'params.yaml'; expected a file of weights beside it",
        ("prepare",),
    ),
]

IN_OUTPUTS = [
    Bad(
        "no training rows",
        "train",
        without(f"{OUT}/train.parquet"),
        "cannot read outputs/train.parquet",
    ),
    Bad(
        "training rows that are JSON",
        "train",
        swapped(f"{OUT}/train.parquet", f"{OUT}/schema.json"),
        "not what the prepare stage",
    ),
    Bad(
        "half the training rows",
        "quantize",
        cut(f"{OUT}/train.parquet"),
        "train.parquet is not what the prepare stage writes",
    ),
    Bad("no schema", "train", without(f"{OUT}/schema.json"), "cannot read outputs/schema.json"),
    Bad(
        "schema of nothing",
        "convert",
        file(f"{OUT}/schema.json", "{}"),
        "schema.json is not what the prepare stage writes",
    ),
    Bad(
        "half a schema",
        "evaluate",
        cut(f"{OUT}/schema.json"),
        "outputs/schema.json should hold JSON but does not",
    ),
    Bad(
        "schema of other columns",
        "train",
        edited(f"{OUT}/schema.json", lambda it: it["columns"][0].update(name="z")),
        'Field "z" does not exist',
    ),
    Bad(
        "no fitted model",
        "convert",
        without(f"{OUT}/model.joblib"),
        "cannot read outputs/model.joblib",
    ),
    *(
        Bad(
            f"a fitted model exchanged before {stage}",
            stage,
            exchanged,
            "outputs/model.joblib is not what train has written",
        )
        for stage in ("convert", "evaluate", "benchmark")
    ),
    Bad(
        "no digest of the fitted model",
        "convert",
        without(f"{OUT}/model.sha256"),
        "is missing; run `dvc repro train`",
    ),
    Bad(
        "another's digest",
        "convert",
        file(f"{OUT}/model.sha256", "0" * 64),
        "dvc repro --force train",
    ),
    Bad(
        "half a fitted model",
        "convert",
        signed(cut(f"{OUT}/model.joblib")),
        "outputs/model.joblib is not a whole joblib file",
    ),
    Bad(
        "empty fitted model",
        "convert",
        signed(file(f"{OUT}/model.joblib", b"")),
        "outputs/model.joblib",
    ),
    Bad(
        "text for a fitted model",
        "convert",
        signed(file(f"{OUT}/model.joblib", "hello")),
        "outputs/model.joblib",
    ),
    Bad(
        "ONNX for a fitted model",
        "convert",
        signed(swapped(f"{OUT}/model.joblib", f"{OUT}/model.onnx")),
        "outputs/model.joblib",
    ),
    Bad("a dict for a fitted model", "convert", dumped(lambda: {"a": 1}), "outputs/model.joblib"),
    Bad("an unfitted model", "convert", dumped(RandomForestClassifier), "RandomForestClassifier"),
    Bad(
        "a fitted model of other data",
        "convert",
        dumped(wine_forest),
        "takes 13 features, outputs/schema.json has 4",
    ),
    Bad(
        "a pickled model that is half there",
        "evaluate",
        signed(file(f"{OUT}/model.joblib", pickle.dumps({"a": 1})[:-3])),
        "model.joblib",
    ),
    Bad("a fitted model of two targets", "convert", dumped(two_targets), "RandomForestRegressor"),
    Bad(
        "fitted model of other data",
        "evaluate",
        dumped(wine_forest),
        "takes 13 features, outputs/schema.json has 4",
    ),
    Bad(
        "timing a model of other data",
        "benchmark",
        dumped(wine_forest),
        "takes 13 features, outputs/schema.json has 4",
    ),
    Bad(
        "no ONNX model", "quantize", without(f"{OUT}/model.onnx"), "cannot read outputs/model.onnx"
    ),
    Bad(
        "text for an ONNX model",
        "quantize",
        file(f"{OUT}/model.onnx", "hello"),
        "outputs/model.onnx is no ONNX model",
    ),
    Bad(
        "half an ONNX model",
        "quantize",
        cut(f"{OUT}/model.onnx"),
        "outputs/model.onnx is no ONNX model",
    ),
    Bad(
        "empty ONNX model",
        "quantize",
        file(f"{OUT}/model.onnx", b""),
        "outputs/model.onnx is no ONNX model",
    ),
    Bad(
        "joblib for an ONNX model",
        "evaluate",
        swapped(f"{OUT}/model.onnx", f"{OUT}/model.joblib"),
        "outputs/model.onnx",
    ),
    Bad(
        "ONNX model of other data",
        "evaluate",
        wine_onnx(f"{OUT}/model.onnx"),
        "outputs/model.onnx takes",
    ),
    Bad(
        "quantised model of other data",
        "evaluate",
        wine_onnx(f"{OUT}/model_quantized.onnx"),
        "model_quantized.onnx takes",
    ),
    Bad(
        "ONNX model of other data to quantise",
        "quantize",
        wine_onnx(f"{OUT}/model.onnx"),
        "outputs/model.onnx takes",
    ),
    Bad(
        "ONNX model of other data to time",
        "benchmark",
        wine_onnx(f"{OUT}/model.onnx"),
        "outputs/model.onnx takes",
    ),
    Bad(
        "no quantised model",
        "evaluate",
        without(f"{OUT}/model_quantized.onnx"),
        "cannot read outputs/model_quantized.onnx",
    ),
    Bad(
        "half a quantised model",
        "benchmark",
        cut(f"{OUT}/model_quantized.onnx"),
        "outputs/model_quantized.onnx",
    ),
    Bad(
        "no plain candidate",
        "benchmark",
        without(f"{OUT}/candidates/none.onnx"),
        "cannot read outputs/candidates/none.onnx",
    ),
    Bad(
        "half a candidate",
        "benchmark",
        cut(f"{OUT}/candidates/none.onnx"),
        "outputs/candidates/none.onnx is no ONNX model",
    ),
    Bad(
        "no record of the choice",
        "evaluate",
        without(f"{OUT}/quantization.json"),
        "cannot read outputs/quantization.json",
    ),
    Bad(
        "record without the choice",
        "evaluate",
        file(f"{OUT}/quantization.json", "{}"),
        "quantization.json lacks 'modified'",
    ),
    Bad(
        "nothing to draw",
        "plot",
        without(f"{OUT}/latency_detail.json"),
        "cannot read outputs/latency_detail.json",
    ),
    Bad(
        "no bins to draw",
        "plot",
        file(f"{OUT}/metrics_detail.json", "{}"),
        "metrics_detail.json lacks 'reliability'",
    ),
    Bad(
        "no candidates to draw",
        "plot",
        file(f"{OUT}/quantization.json", "{}"),
        "quantization.json lacks 'candidates'",
    ),
    Bad(
        "half a model to draw",
        "plot",
        cut(f"{OUT}/model_quantized.onnx"),
        "outputs/model_quantized.onnx is no ONNX model",
    ),
    Bad(
        "no predictions",
        "plot",
        file(f"{OUT}/predictions.csv", "target,original,onnx,quantized\n"),
        "holds no row",
    ),
    Bad(
        "predictions of others",
        "plot",
        file(f"{OUT}/predictions.csv", "a,b\n1,2\n"),
        "not what the evaluate stage writes",
    ),
    Bad("no metrics", "gate", without(f"{OUT}/metrics.json"), "cannot read outputs/metrics.json"),
    Bad(
        "metrics that are a list",
        "gate",
        file(f"{OUT}/metrics.json", "[]"),
        "should hold a JSON object, got list",
    ),
    Bad(
        "metrics in words",
        "gate",
        edited(f"{OUT}/metrics.json", lambda it: it.update(onnx_agreement="high")),
        "numbers only",
    ),
    Bad("no latency", "gate", without(f"{OUT}/latency.json"), "cannot read outputs/latency.json"),
    Bad(
        "half a latency",
        "gate",
        cut(f"{OUT}/latency.json"),
        "outputs/latency.json should hold JSON but does not",
    ),
    Bad(
        "limit out of reach",
        "gate",
        params(gate__max_size_ratio=0.0001),
        "1 of 3 gates failed",
        exit_code=3,
    ),
    Bad("no verdict", "publish", without(f"{OUT}/gate.json"), "cannot read outputs/gate.json"),
    Bad(
        "no picture",
        "publish",
        without(f"{OUT}/plots/size.png"),
        "cannot read outputs/plots/size.png",
    ),
    Bad(
        "nothing to report",
        "report",
        without(f"{OUT}/latency.json"),
        "cannot read outputs/latency.json",
    ),
    Bad(
        "report on half a record",
        "report",
        file(f"{OUT}/quantization.json", "{}"),
        "outputs/quantization.json lacks 'summary'",
    ),
]

CORPUS = [*IN_PARAMS, *IN_DATA, *IN_ESTIMATORS, *IN_MODELS, *IN_OUTPUTS]
