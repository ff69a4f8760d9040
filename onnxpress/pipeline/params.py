"""The schema of params.yaml; every stage checks the whole file before it does anything else."""

from __future__ import annotations

import difflib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from onnxpress.errors import UserError
from onnxpress.limits import (
    CALIBRATION,
    ERROR_QUANTILES,
    MAX_ERROR,
    SCORERS,
    TEST,
    Limits,
    about_unknown,
    error_quantile,
    is_known,
    is_ndcg,
    is_scorer,
    nearest,
    with_defaults,
)
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.repository import refuse_place, repository_root
from onnxpress.pipeline.yaml_file import read_yaml
from onnxpress.pipeline.yaml_secrets import refuse_secrets
from onnxpress.runtimes import Kind, runtime_of
from onnxpress.text import shortened

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def _at_most(limit: int) -> AfterValidator:
    """Limit a value far above any use, where libraries fail in ways of their own.

    The limit is not in the schema, so docs/parameters.md does not list it.
    """

    def checked(value: int) -> int:
        if value > limit:
            raise PydanticCustomError(
                "less_than_equal", "Input should be {limit} or less", {"limit": limit}
            )
        return value

    return AfterValidator(checked)


PositiveInt = Annotated[int, Field(ge=1), _at_most(2**31 - 1)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _class_path(text: str) -> str:
    """Check the form ``package.module.Class``; whether it is a class is checked later."""
    parts = text.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise PydanticCustomError("class_path", "It should name a class as package.module.Class")
    return text


ClassPath = Annotated[str, AfterValidator(_class_path)]


def _of_a_registered_model(name: str) -> str:
    """Check that MLflow accepts the name for a registered model, and can search for it.

    Its search has two kinds of quotes and no escape.
    """
    if {"/", ":"} & set(name) or name == "." or name.startswith("..") or not name.strip():
        raise PydanticCustomError(
            "name", "Input should be a name without / and :, not empty, and not begin with .."
        )
    if {"'", '"'} <= set(name):
        raise PydanticCustomError(
            "name",
            "Input should be a name that MLflow can search, not one that has quotes of both kinds",
        )
    return name


def _limit_key(key: str) -> str:
    """Check the key of a limit; whether it fits the task is checked later."""
    if not is_known(key):
        raise PydanticCustomError("limit_key", "{hint}", {"hint": about_unknown(key)})
    return key


def _scorer_name(name: str) -> str:
    """Check the name of a score; whether it fits the task is checked later."""
    if not is_scorer(name):
        near = nearest(name, SCORERS)
        hint = f" (did you mean {near!r}?)" if near else ""
        raise PydanticCustomError(
            "scorer", "It should name a scorer of scikit-learn{hint}", {"hint": hint}
        )
    return name


ScorerName = Annotated[str, AfterValidator(_scorer_name)]


def _target(value: Any) -> Any:
    """Check that this is null, a column's name, or a list of names, each there once."""
    names = value if isinstance(value, list) and value else [value]
    if value is not None and not all(isinstance(name, str) for name in names):
        raise PydanticCustomError(
            "target", "Input should be the name of a column, or a list of several names"
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PydanticCustomError(
            "different",
            "Input should name each column once, and {twice} is there twice",
            {"twice": repr(twice)},
        )
    return value


Target = Annotated[str | list[str] | None, BeforeValidator(_target)]


def _storage_uri(text: str) -> str:
    """Check the place that packaged models are uploaded to, and return it without a last slash.

    A manifest is read on other machines, so a folder has its whole path.
    """
    known = re.fullmatch(r"(?:(?:s3|gs)://[a-z0-9][a-z0-9._-]+|(?:file://)?/[\w.-])[\w./=-]*", text)
    if not known or ".." in text.split("/"):
        raise PydanticCustomError(
            "storage",
            "Input should be s3://bucket/folder, gs://bucket/folder or the whole path of a folder, "
            "of plain letters and without a login",
        )
    return f"file://{text}".rstrip("/") if text.startswith("/") else text.rstrip("/")


def _of_form(pattern: str, expected: str) -> AfterValidator:
    """Require a text of a form that ``expected`` puts into words."""

    def checked(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("form", "Input should be {expected}", {"expected": expected})
        return text

    return AfterValidator(checked)


ServedName = Annotated[
    str,
    _of_form(
        "[a-z]([a-z0-9-]{0,38}[a-z0-9])?",
        "at most 40 lower-case letters, digits and hyphens, the first a letter, the last no hyphen",
    ),
]
Cpu = Annotated[
    str,
    _of_form(
        r"[1-9][0-9]*m|[1-9][0-9]*(\.[0-9]{1,3})?|0\.(?!0+$)[0-9]{1,3}",
        'cores, such as "1" or "0.5", or thousandths of one, such as "500m"',
    ),
]
Memory = Annotated[
    str, _of_form("[1-9][0-9]*([kMGT]|[KMGT]i)?", "an amount of memory, such as 512Mi or 2Gi")
]
StorageUri = Annotated[str, AfterValidator(_storage_uri)]


def _runtime_name(text: str) -> str:
    """Refuse what names no runtime."""
    try:
        return str(runtime_of(text))
    except UserError as error:
        expected = f"a runtime with its version, such as onnxruntime==1.20.1: {', '.join(Kind)}"
        raise PydanticCustomError(
            "form", "Input should be {expected}", {"expected": expected}
        ) from error


RuntimeName = Annotated[str, AfterValidator(_runtime_name)]


SCHEDULER_FORM = "tcp://host:port or tls://host:port, such as tcp://127.0.0.1:8786"


def is_scheduler(text: str) -> bool:
    """Whether a text is the address of a Dask scheduler; whether one is there is seen later."""
    known = re.fullmatch(r"(?:tcp|tls)://(?:[\w.-]+|\[[\da-fA-F:.]+\]):(\d{1,5})", text, re.ASCII)
    return known is not None and 0 < int(known[1]) < 2**16


def _scheduler(text: str) -> str:
    if not is_scheduler(text):
        raise PydanticCustomError("scheduler", f"Input should be {SCHEDULER_FORM}")
    return text


Scheduler = Annotated[str, AfterValidator(_scheduler)]

RuntimeNames = Annotated[
    list[RuntimeName], BeforeValidator(lambda given: [] if given is None else given)
]
"""Null switches the gate off, as it does others."""


def _completed_by(defaults: Limits) -> AfterValidator:
    """Add the limits that are left out."""
    return AfterValidator(lambda limits: with_defaults(limits, defaults))


Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
LimitKey = Annotated[str, AfterValidator(_limit_key)]
CalibrationLimits = Annotated[dict[LimitKey, Limit], _completed_by(CALIBRATION)]
TestLimits = Annotated[dict[LimitKey, Limit], _completed_by(TEST)]


class Section(BaseModel):
    """One section of params.yaml; unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def __getattribute__(self, name: str) -> Any:
        """Raise an audit event for each key of a section that is read, as ``evaluate.score``.

        ``make reproduce`` compares these events with dvc.yaml, where a stage may declare a section
        or single keys of it.
        """
        if name in type(self).model_fields and type(self).__name__ in SECTIONS:
            sys.audit("onnxpress.params", f"{SECTIONS[type(self).__name__]}.{name}")
        return super().__getattribute__(name)

    def model_dump(self, **settings: Any) -> dict[str, Any]:
        """Return the section as a mapping, which is a reading of every key."""
        for name in type(self).model_fields:
            getattr(self, name)
        return super().model_dump(**settings)


SECTIONS: dict[str, str] = {}
"""The names of the sections by the names of their classes; those inside others have none."""

ENGINE = "engine"
"""The section that decides where work is done, and so about no result.

No stage depends on it, it is no part of what is published, and reading it raises no event.
"""


class Split(Section):
    """Another way to split the rows than at random."""

    by: Literal["time"] = Field(description="time: the newest rows are the test rows")
    column: str = Field(min_length=1, description="the column of times, which is no feature")


class Data(Section):
    """Where the rows come from and how they are split."""

    source: str = Field(
        min_length=1,
        description="a bundled dataset, or under data/ a CSV, Parquet, .npz or .npy file, or a "
        "folder or glob of Parquet files; or such in S3: s3://bucket/rows",
    )
    target: Target = Field(
        description="the column or array to predict (files only), or a list of several quantities"
    )
    task: Literal["auto", "classification", "regression"] = Field(
        description="auto decides by the target's type"
    )
    text: list[str] = Field(
        default=[], description="columns of free text, whose words are counted (files only)"
    )
    group: str | None = Field(
        default=None,
        min_length=1,
        description="the column that says which rows belong together, such as those of a query: "
        "they stay together in every split, and it is no feature (files only); null: none",
    )
    missing_values: list[str] = Field(
        default=[], description="cells of a CSV file that mean missing, besides empty ones: [NA]"
    )
    decimal: str = Field(
        default=".", pattern="^[.,]$", description="decimal mark of a CSV file's numbers: . or ,"
    )
    thousands: str | None = Field(
        default=None,
        pattern="^[^0-9A-Za-z+-]$",
        description="thousands separator of a CSV file's numbers; null: none",
    )
    split: Split | None = Field(
        default=None,
        description="{by: time, column: NAME}: the newest rows are the test rows (files only); "
        "null: at random, and those of a folder by hashes of their content",
    )
    test_size: Fraction = Field(description="share of rows kept for the final test")
    calibration_size: Share | None = Field(
        description="share of the training rows set aside to choose the quantisation; "
        "null: 0.2 from 1000 training rows on"
    )

    @property
    def predicted(self) -> str | tuple[str, ...] | None:
        """The column to predict, or several."""
        if not isinstance(self.target, list):
            return self.target
        return tuple(self.target) if len(self.target) > 1 else self.target[0]

    @property
    def times(self) -> str | None:
        """The column by whose times the rows are split; None: they are not."""
        return None if self.split is None else self.split.column


class Text(Section):
    """How columns of free text become numbers."""

    max_features: PositiveInt | None = Field(
        description="keep that many of the most frequent words; null: all"
    )
    ngram_range: list[PositiveInt] = Field(
        min_length=2, max_length=2, description="words that are counted together: [from, to]"
    )


class Train(Section):
    """The estimator to fit, or the fitted model to take."""

    estimator: str = Field(
        min_length=1, description="a scikit-learn class by name, or any class by its import path"
    )
    params: dict[str, Any] = Field(description="its constructor arguments")
    scale: bool = Field(description="standardise numeric columns before the estimator")
    model_path: str | None = Field(
        description="a fitted file under models/ instead of a fit: .joblib, .pkl, .skops, .onnx, "
        ".pt2, or a booster's own"
    )
    text: Text = Field(
        default=Text(max_features=None, ngram_range=[1, 1]),
        description="how columns of data.text become numbers (TF-IDF)",
    )
    max_rows: PositiveInt = Field(
        default=1_000_000,
        description="of a folder of Parquet files: training and calibration rows, at most",
    )
    max_seconds: PositiveFloat = Field(
        default=600, description="seconds that loading and trying the file of model_path may take"
    )
    max_memory_mb: PositiveInt = Field(default=8192, description="MB of memory that it may take")
    trust: list[ClassPath] = Field(
        description="classes, package.module.Class, that a stored model may hold besides "
        "scikit-learn's; they run their own code"
    )

    @property
    def title(self) -> str:
        """The model's name for people: the estimator's class or the given file."""
        return Path(self.model_path).name if self.model_path else self.estimator.rpartition(".")[2]

    @property
    def trusted(self) -> tuple[str, ...]:
        """The classes that a stored model may hold: ``trust``, and an estimator not of sklearn."""
        package, _, rest = self.estimator.partition(".")
        return (*self.trust, self.estimator) if rest and package != "sklearn" else tuple(self.trust)


class Convert(Section):
    """scikit-learn to ONNX."""

    target_opset: Annotated[int, Field(ge=11, le=22)] = Field(
        description="version of the ai.onnx operator set"
    )


class Budget(Section):
    """What a device has that the model is for."""

    flash_kb: PositiveFloat | None = Field(default=None, description="KB of flash")
    ram_kb: PositiveFloat | None = Field(default=None, description="KB of RAM")
    row_us: PositiveFloat | None = Field(default=None, description="microseconds a row")
    clock_mhz: PositiveFloat | None = Field(default=None, description="clock; null: 64")


class Quantize(Section):
    """ONNX to quantised ONNX; chosen on calibration rows, never on test rows."""

    method: Literal[
        "auto", "none", "dynamic", "static", "dense", "float16", "forest", "kernel", "neighbors"
    ] = Field(description="auto tries what fits the graph")
    objective: Literal["size", "latency", "throughput"] = Field(
        description="what the best candidate is chosen by; latency (one row per call) and "
        "throughput are measured, so not reproducible"
    )
    level: Literal["auto", "lossless", "faithful", "refined"] = Field(
        description="how far the answers of forests and nets may differ"
    )
    ml_opset: Literal[3, 5] = Field(
        description="ai.onnx.ml version of forests: 5 is smallest, 3 runs in older runtimes"
    )
    max_drop: CalibrationLimits = Field(
        default=dict(CALIBRATION),
        description="the most that calibration rows may lose, 0.01 = one point: of score (see "
        "evaluate.score), recall_worst_loss, target_worst_loss, disagreement, log_loss, brier, "
        "within_tolerance, "
        "max_abs_error, max_abs_error_p95, or a scorer of scikit-learn; null: no limit",
    )
    budget: Budget | None = Field(
        default=None,
        description="what the device has, as {flash_kb: 32, ram_kb: 4, row_us: 50, clock_mhz: 64}: "
        "of the candidates whose C is predicted to fit on a Cortex-M4F the best score is chosen; "
        "row_us alone is measured in onnxruntime, so not reproducible; null: no device",
    )

    @field_validator("budget")
    @classmethod
    def _limits_something(cls, budget: Budget | None, info: ValidationInfo) -> Budget | None:
        """Refuse a budget that limits nothing, or beside another objective."""
        if budget is None:
            return None
        if budget.flash_kb is budget.ram_kb is budget.row_us is None:
            raise PydanticCustomError("budget", "Input should limit flash_kb, ram_kb or row_us")
        if info.data.get("objective", "size") != "size":
            raise PydanticCustomError(
                "budget",
                "Input should be null beside another quantize.objective than size, for it picks "
                "the best score",
            )
        return budget


class Evaluate(Section):
    """The proof against the original."""

    score: ScorerName | None = Field(
        default=None,
        description="what score means: a scorer of scikit-learn by name, or ndcg or ndcg_at_10 "
        "for rows in groups; null: accuracy or r2, and ndcg for rankers",
    )
    also: list[ScorerName] = Field(default=[], description="more scorers that are recorded")
    positive: int | str | bool | None = Field(
        default=None,
        description="of two classes, the one that recall, f1 and the like are about; "
        "null: the greater",
    )

    probe_rows: Annotated[int, Field(ge=0), _at_most(10_000_000)] = Field(
        description="rows built at the model's own split thresholds"
    )
    tolerance: PositiveFloat = Field(
        description="regression: allowed difference in standard deviations of the target"
    )


class Benchmark(Section):
    """How latency is measured."""

    n_iterations: PositiveInt = Field(description="timed calls per model on the default batch")
    max_seconds: PositiveFloat = Field(
        description="upper bound on the measuring time of the whole stage"
    )
    batch_sizes: list[Annotated[PositiveInt, _at_most(1_000_000)]] = Field(
        min_length=1, description="rows per call of the batch sweep"
    )
    threads: Annotated[PositiveInt, _at_most(1024)] = Field(description="threads of every runtime")


class Gate(Section):
    """Limits on the test metrics; null switches one off."""

    min_onnx_agreement: Share | None = Field(
        description="share of test rows on which ONNX gives the original's prediction"
    )
    max_score_diff: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        description="largest difference of ONNX's scores or predictions from the original's, "
        "relative where a score is above 1"
    )
    max_drop: TestLimits = Field(
        default=dict(TEST),
        description="the most that test rows may lose, with the keys of quantize.max_drop",
    )
    max_size_ratio: PositiveFloat | None = Field(
        description="size of the quantised model over size of the ONNX model"
    )
    min_onnx_speedup: PositiveFloat | None = Field(
        description="latency of scikit-learn over the ONNX model's"
    )
    min_quantized_vs_onnx_speedup: PositiveFloat | None = Field(
        description="latency of the ONNX model over the quantised one's"
    )
    runtimes: RuntimeNames = Field(
        default=[],
        description="runtimes that the quantised model must answer equally in: candidates that do "
        "not are not chosen (see docs/edge.md)",
    )


class Package(Section):
    """How the quantised model is served."""

    name: ServedName = Field(
        description="the model's name on servers, and that of its InferenceService",
    )
    storage_uri: StorageUri | None = Field(
        description="where publish uploads the model repository for KServe: s3:, gs: or a folder; "
        "null: nowhere"
    )
    instances: Annotated[PositiveInt, _at_most(1024)] = Field(
        description="copies of the model in a server, with one thread each"
    )
    max_batch_size: Annotated[PositiveInt, _at_most(1_000_000)] = Field(
        description="the most rows of a request"
    )
    queue_delay_us: Annotated[int, Field(ge=0), _at_most(1_000_000)] = Field(
        description="how long a request may wait to form a batch with others, in microseconds"
    )
    cpu: Cpu = Field(
        description='CPU of a replica on Kubernetes: "1", or "500m" for half a core',
    )
    memory: Memory = Field(
        description="memory of a replica on Kubernetes: 512Mi",
    )
    canary_percent: Annotated[int, Field(ge=0, le=100)] | None = Field(
        description="share of requests that go to this model while the one before is served too; "
        "null: all"
    )
    drift_every: Annotated[PositiveInt, _at_most(1_000_000)] | None = Field(
        description="the server counts the rows of one request in so many for its drift metrics; "
        "null: it has none"
    )
    p99_ms: Annotated[PositiveInt, _at_most(600_000)] = Field(
        description="an alert fires if more than 1 % of the requests take longer inside a server, "
        "in milliseconds"
    )


class Promote(Section):
    """When ``make promote`` makes the candidate the champion."""

    by: Literal["score", "size", "latency"] = Field(
        description="what the quantised models are compared by"
    )
    min_gain: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        description="how much better: score as difference, 0.01 = one point; "
        "size and latency as share saved"
    )


class Publish(Section):
    """Where the results are recorded."""

    experiment: str = Field(
        min_length=1, max_length=500, description="name of the MLflow experiment"
    )
    tracking_uri: str | None = Field(
        description="MLflow store; MLFLOW_TRACKING_URI wins; null: sqlite:///mlflow.db"
    )
    # The key is `register`; pydantic's classes have a method of that name.
    registered_model: Annotated[str, AfterValidator(_of_a_registered_model)] | None = Field(
        alias="register",
        min_length=1,
        max_length=250,
        description="registered model that gets a version per content; null: none",
    )
    promote: Promote


class Engine(Section):
    """Where independent calculations run."""

    scheduler: Scheduler | None = Field(
        default=None,
        description="the scheduler of a Dask cluster, tcp://host:port or tls://host:port, whose "
        "workers share the work (see docs/cluster.md); results are equal; null: this machine",
    )


class Params(Section):
    """The whole of params.yaml, one section per stage."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(description="of every random choice")
    data: Data
    train: Train
    convert: Convert
    quantize: Quantize
    evaluate: Evaluate
    benchmark: Benchmark
    gate: Gate
    package: Package
    publish: Publish
    engine: Engine = Engine()

    def __getattribute__(self, name: str) -> Any:
        """Raise an audit event for each section that is read.

        ``make reproduce`` compares these events with dvc.yaml.
        """
        if name in Params.model_fields and name != ENGINE:
            sys.audit("onnxpress.params", name)
        return super().__getattribute__(name)


@dataclass(frozen=True)
class Asked:
    """The scores and the limits on losses that ``params.yaml`` asks for."""

    score: str | None
    also: tuple[str, ...]
    positive: int | str | bool | None
    calibration: Limits
    """Of quantize."""
    test: Limits
    """Of the gates."""


SECTIONS |= {
    field.annotation.__name__: name
    for name, field in Params.model_fields.items()
    if name != ENGINE
    and isinstance(field.annotation, type)
    and issubclass(field.annotation, Section)
}


def load_params() -> Params:
    """Read and check the whole of ``params.yaml`` in the current folder.

    Raises:
        UserError: the file is missing, is not YAML, or a key is unknown, missing, of the wrong
            type or out of range; or the repository is in a place where the chain would fail later.
    """
    content = read_yaml(PARAMS, f"the sections {', '.join(Params.model_fields)}")
    params = parse_params(content)
    # From the mapping, not from `params`: only publish may read that section.
    refuse_place(repository_root(), content["publish"]["tracking_uri"])
    return params


def load_asked() -> Asked:
    """Read which scores and limits ``params.yaml`` asks for, beside the sections of the stage.

    Train refuses a score that does not fit before it fits anything. It does not depend on these
    keys: another score makes no other model, so it must not make the fitted one stale. So they are
    read from a copy that notes no reading, as ``make reproduce`` would hold it against dvc.yaml.

    Raises:
        UserError: as :func:`load_params`.
    """
    params = parse_params(read_yaml(PARAMS, f"the sections {', '.join(Params.model_fields)}"))
    evaluate, quantize, gate = (
        vars(vars(params)[section]) for section in ("evaluate", "quantize", "gate")
    )
    return Asked(
        evaluate["score"],
        tuple(evaluate["also"]),
        evaluate["positive"],
        quantize["max_drop"],
        gate["max_drop"],
    )


def parse_params(content: dict[str, Any], origin: Path = PARAMS) -> Params:
    """Check the content of a params file; ``origin`` is the file that errors name.

    Raises:
        UserError: with the first wrong key, what was expected there and what came; or with the key
            that holds a secret, without the secret.
    """
    refuse_secrets(content, origin)
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{origin}: {_explain(error)}") from error
    # From the mapping, not from `params`: this is not the reading of a section.
    _check_scorers(origin, content["gate"].get("max_drop") or {}, content["evaluate"])
    if content["data"].get("group") is None:
        _check_groups(origin, content)
    return params


def _check_groups(origin: Path, content: dict[str, Any]) -> None:
    """Raise UserError if a score or a limit is about groups, which the rows are not in."""
    evaluate = content["evaluate"]
    asked = {
        "evaluate.score": [evaluate.get("score")],
        "evaluate.also": evaluate.get("also") or [],
        "quantize.max_drop": content["quantize"].get("max_drop") or {},
        "gate.max_drop": content["gate"].get("max_drop") or {},
    }
    for key, names in asked.items():
        for name in names:
            if name is not None and is_ndcg(name):
                raise UserError(
                    f"{origin}: {key} has {name!r}, which compares rows of one group; name the "
                    "column that says which rows belong together in data.group"
                )


def _check_scorers(origin: Path, limits: Limits, evaluate: dict[str, Any]) -> None:
    """Raise UserError if a gate limits a scorer or a quantile that evaluate does not record."""
    recorded = [evaluate.get("score"), *(evaluate.get("also") or [])]
    for name in limits:
        if is_scorer(name) and name not in recorded:
            raise UserError(
                f"{origin}: gate.max_drop limits {name!r}, which is not measured; "
                "add it to evaluate.also"
            )
        share = error_quantile(name)
        if share is not None and round(100 * share) not in ERROR_QUANTILES:
            measured = ", ".join(f"{MAX_ERROR}_p{percent}" for percent in ERROR_QUANTILES)
            raise UserError(
                f"{origin}: gate.max_drop limits {name!r}, which is not measured on test rows; "
                f"choose one of {measured}"
            )


RENAMED = "max_accuracy_drop"
"""A key of an earlier edition, in two sections."""


def _explain(error: ValidationError) -> str:
    first, more = error.errors()[0], error.error_count() - 1
    place = [str(part) for part in first["loc"] if part != "[key]"]
    key = shortened(".".join(place))
    if first["type"] == "extra_forbidden" and place[-1] == RENAMED:
        message = (
            f"{key} is now {place[0]}.max_drop.score; run `onnxpress migrate`, or write "
            f"`max_drop: {{score: {first['input']}}}`".replace("None", "null")
        )
    elif first["type"] == "limit_key":
        message = f"unknown key {key!r}; {first['msg']}"
    elif first["type"] == "extra_forbidden":
        message = f"unknown key {key!r}; {_nearest(place)}"
    elif first["type"] == "missing":
        message = f"key {key!r} is missing; add it (docs/parameters.md lists every key)"
    else:
        section = first["type"] in {"model_type", "dict_type"}
        form = (
            "mapping of limits, as {score: 0.01}" if place[-1] == "max_drop" else "section of keys"
        )
        expected = f"be a {form}" if section else re.sub(r"^\w+ should ", "", first["msg"])
        message = f"{key} should {expected}, got {shortened(repr(first['input']))}"
    return message + (f" (and {more} more)" if more else "")


def _nearest(place: list[str]) -> str:
    section: Any = Params
    for part in place[:-1]:
        found = section.model_fields[part].annotation
        section = next((each for each in get_args(found) if each is not type(None)), found)
    valid = [field.alias or name for name, field in section.model_fields.items()]
    near = difflib.get_close_matches(place[-1], valid, n=1)
    return f"did you mean {near[0]!r}?" if near else f"valid keys: {', '.join(valid)}"
