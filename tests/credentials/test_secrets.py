"""Secrets: one reading of addresses, nothing shown that has a secret in it, none in params.yaml."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from onnxpress.commands.sweep.points import read_sweep
from onnxpress.credentials.addresses import Address, Unreadable, public, read
from onnxpress.credentials.redaction import redacted, redacted_data, repeats_secret, secret_in
from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.params import parse_params
from onnxpress.pipeline.redacted_streams import RedactedStream
from onnxpress.pipeline.yaml_file import read_yaml
from onnxpress.tracking.failures import explain
from onnxpress.tracking.publishing import refuse_strange_id
from onnxpress.tracking.store import Store, resolve_store
from tests.conftest import ROOT, default_params
from tests.support.secrecy import (
    COMMANDS,
    KEY_ID,
    PASSWORD,
    SECRET_KEY,
    TOKEN,
    USER,
    Case,
    admitting,
    all_cases,
    repository,
    run,
    traces,
)

SAMPLE = 30
LOGIN = f"{USER}:{PASSWORD}"
BASIC = base64.b64encode(LOGIN.encode()).decode()
UNPLAIN = "/?#@[]\\% \n\t:&=+'\"<>한é"


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was given a login and keys in its environment."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


# ── addresses ───


@given(
    st.text(f"ab1{UNPLAIN}", min_size=1),
    st.text(f"ab1{UNPLAIN}", min_size=1),
    st.sampled_from(["https", "postgresql"]),
)
def test_a_percent_encoded_login_is_read_as_other_parsers_read_it_and_never_shown(
    user: str, password: str, scheme: str
) -> None:
    text = f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@example.org:5000/path"
    address = read(text)
    assert address.login == (user, password)
    assert address.public == f"{scheme}://example.org:5000/path"
    assert (urlsplit(text).hostname, urlsplit(text).port) == (address.host, int(address.port))
    assert (make_url(text).username, make_url(text).password, make_url(text).host) == (
        user,
        password,
        address.host,
    )


@given(
    st.text(f"ab1.-:@/{UNPLAIN}", max_size=40),
    st.sampled_from(["http", "https", "postgresql", "mysql+pymysql"]),
)
def test_what_is_read_at_all_is_read_as_other_parsers_read_it(rest: str, scheme: str) -> None:
    text = f"{scheme}://{rest}"
    address = readable(text)
    if address is None:
        assert public(text) == f"{scheme}:***"
        return
    parts = urlsplit(text)
    assert parts.netloc.rpartition("@")[2] == address.host + (
        f":{address.port}" if address.port else ""
    )
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (
        address.login or ("", "")
    )
    if scheme in {"postgresql", "mysql+pymysql"}:
        url = make_url(text)
        assert (url.host or "") == address.host.strip("[]")
        assert (url.username or "", url.password or "") == (address.login or ("", ""))


def readable(text: str) -> Address | None:
    try:
        return read(text)
    except Unreadable:
        return None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HTTPS://me:pw@[::1]:5000/a/b?x=y#z", "https://[::1]:5000/a/b"),
        ("https://host/access/abc123/ui", "https://host/access/***/ui"),
        ("https://host/AbCdEf123456GhIjKl7890x/", "https://host/***/"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("file:///tmp/a%20b#c", "file:///tmp/a%20b#c"),
        (
            "mlflow-artifacts:/1/0123456789abcdef0123456789abcdef",
            "mlflow-artifacts:/1/0123456789abcdef0123456789abcdef",
        ),
        (
            "wasbs://container@account.blob.core.windows.net/x",
            "wasbs://account.blob.core.windows.net/x",
        ),
        ("databricks://profile", "databricks:"),
        ("databricks://scope:12345", "databricks:"),
        ("http://me:pa/ss@host", "http:***"),
        ("http://me:12/ss@host", "http:***"),
        ("http://me:12?ss@host", "http:***"),
        ("http://me:12#ss@host", "http:***"),
        ("http://me:p%zz@host", "http:***"),
        ("postgresql://me:p/w@host/db", "postgresql:***"),
        ("postgresql://host:1/db?password=a@b", "postgresql:***"),
        ("me:pw@host:9", "***"),
        ("sqlite://me:pw@host/db", "sqlite:***"),
        ("sqlite://token@/db", "sqlite:***"),
        ("sqlite:///me:pw@host/db", "sqlite:***"),
    ],
)
def test_of_an_address_only_scheme_host_port_and_path_are_shown_and_of_a_doubtful_one_its_scheme(
    text: str, shown: str
) -> None:
    assert public(text) == shown


def test_a_store_is_used_with_the_login_of_its_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", f"https://me:{quote('a/b#c?d@e%2F f', safe='')}@example.org/mlflow/"
    )
    store = resolve_store(None, tmp_path)
    assert store.login == ("me", "a/b#c?d@e%2F f")
    assert (store.uri, store.public_uri) == ("https://example.org/mlflow",) * 2


@pytest.mark.parametrize("letter", "/#?@[]\\ %")
def test_a_raw_password_that_can_be_read_in_two_ways_is_refused_with_how_to_write_it(
    letter: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{LOGIN}{letter}pwtail@127.0.0.1:9")
    with pytest.raises(
        UserError,
        match=r"cannot be read \(http:\*\*\*\); if its user or password has a / .* percent-encode",
    ) as error:
        resolve_store(None, tmp_path)
    assert not traces(str(error.value))


@pytest.mark.filterwarnings("ignore")  # libraries' own
@pytest.mark.parametrize(
    "password", ["a/b", "a#b?c", "a@b", "a%2Fb", "a b", "a:b", "한글", "[\\]\"'<>&+="]
)
def test_a_server_gets_the_login_that_its_address_has_percent_encoded(
    password: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(default_params()), encoding="utf-8")
    with admitting(f"me:{password}") as port:

        def doctor(secret: str) -> int:
            address = f"http://me:{quote(secret, safe='')}@127.0.0.1:{port}"
            return run("doctor", tmp_path, Case("", {"MLFLOW_TRACKING_URI": address}), monkeypatch)

        admitted, shown = doctor(password), capfd.readouterr()
        refused = doctor(f"{password}x")
    assert (admitted, refused) == (0, 4), shown
    assert "refuses the credentials" in capfd.readouterr().out
    assert f"http://127.0.0.1:{port}, MLflow 3.1.0" in shown.out


# ── what is shown ───

FORMS = {
    "raw": PASSWORD,
    "key": SECRET_KEY,
    "key quoted": quote(SECRET_KEY, safe=""),
    "other case": PASSWORD.swapcase(),
    "header": f"Authorization: Basic {BASIC}",
    "base64": BASIC,
    "base64 without =": BASIC.rstrip("="),
    "base64 in other case": BASIC.swapcase(),
    "base64 in two lines": f"{BASIC[:9]}\n    {BASIC[9:]}",
    "base64 within base64": base64.b64encode(f"he said {PASSWORD} to me".encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(f"?>{PASSWORD}".encode()).decode(),
    "hex": PASSWORD.encode().hex(),
    "address": f"http://{LOGIN}@host/x?token={TOKEN}",
    "raw address": f"http://{USER}:{PASSWORD}/pwtail@host/",
    "dsn": f"host=h password={TOKEN} dbname=x",
    "json": json.dumps({"password": TOKEN, "n": 1}),
    "dict": repr({"secret": TOKEN}),
    "presigned": f"https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA12345678%2F2026&X-Amz-Signature={TOKEN}",
    "signed": "AWS4-HMAC-SHA256 Credential=AKIA12345678/2026/s3, SignedHeaders=host;x, "
    f"Signature={TOKEN}",
    "xml": f"<SignatureProvided>{TOKEN}</SignatureProvided>"
    f"<AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId>",
    "unknown bearer": f"Bearer {TOKEN}",
    "unknown login": base64.b64encode(f"someone:{TOKEN}".encode()).decode(),
    "no scheme": f"connect to someone:{TOKEN}@host failed",
    "private key": f"-----BEGIN PRIVATE KEY-----\n{TOKEN}\n-----END PRIVATE KEY-----",
}


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form_in_which_it_may_come_back(form: str) -> None:
    shown = redacted(f"server says: {FORMS[form]} (end)")
    assert shown.startswith("server says: ")
    assert not traces(shown, PASSWORD, TOKEN, KEY_ID, SECRET_KEY, "pwtail")
    assert redacted(shown) == shown


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize(
    "text",
    [
        "prepare: data.source names data/a:b.csv, which is a folder",
        "token_pattern='(?u)\\b\\w\\w+\\b' and lowercase=True, sort_key=name",
        "basic authentication is required; a token is refused",
        "ok    S3 identity      arn:aws:iam::123456789012:user/publisher (env)",
        "in sqlite:////home/me@work/mlflow.db",
        "publish.tracking_uri should hold no password, because git and dvc.lock keep it",
        (
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; "
            "everything in outputs/ is kept"
        ),
        'File "/usr/lib/python3.11/site.py", line 3, in main',
        "published: run 0123456789abcdef0123456789abcdef of experiment lab3-3-model-optimization",
        "lock:/tmp/x PATH=/bin:/usr/bin, 12:30:01 mail me@example.org",
        "RandomForestClassifier(max_features='sqrt') 3f2a9c81d2e4b7a6c5d4e3f2a1b0c9d8e7f6a5b4",
    ],
)
def test_lines_without_secrets_stay_as_they_are(text: str) -> None:
    assert redacted(text) == text


def test_a_short_or_common_password_spoils_no_line_and_cannot_be_guessed_from_gaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    line = "a test of the password of mlflow in tests/test.py: e"
    for password in ("a", "e", "in", "test", "mlflow", "password"):
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        assert redacted(line) == line
        header = base64.b64encode(f"admin:{password}".encode()).decode()
        assert (
            redacted(f"saw {header}, http://admin:{password}@h, password={password}")
            == "saw ***, http://h, password=***"
        )
        assert repeats_secret(f"header was {header}")


def test_a_password_of_middle_length_is_masked_where_it_is_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunt2r")
    assert redacted("denied: hunt2r/x_hunt2r, not hunt2rs") == "denied: ***/x_***, not hunt2rs"
    assert repeats_secret("xhunt2rx")


@pytest.mark.parametrize(
    "unit",
    ["a", "a-", "a:", "x_", "password", "http://", "eyJaaaaaa.", "@", " ", "<a", "sk-a", "?a=b"],
)
def test_no_text_takes_long_to_look_through(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    start = time.process_time()
    for look in (redacted, repeats_secret, secret_in):
        look(text)
    assert time.process_time() - start < 1


@pytest.mark.usefixtures("logged_in")
def test_json_stays_json_when_something_in_it_is_masked() -> None:
    data = {
        "a": [f'x "{LOGIN}@h" \\', {f"http://{LOGIN}\\@h": None}],
        "password": PASSWORD,
        "n": 5,
        "token": False,
    }
    shown = json.dumps(redacted_data(data))
    assert not traces(shown)
    assert redacted_data({"n": 5, "a": [None, True, 1.5, "plain"]}) == {
        "n": 5,
        "a": [None, True, 1.5, "plain"],
    }


@pytest.mark.usefixtures("logged_in")
def test_a_stream_masks_what_comes_in_pieces_and_keeps_all_else() -> None:
    beneath = io.StringIO()
    stream = RedactedStream(beneath)
    for piece in ("one ", PASSWORD[:3], PASSWORD[3:], " two\nthr", "ee\n", "bar", "\r"):
        stream.write(piece)
    stream.flush()
    assert beneath.getvalue() == "one *** two\nthree\nbar\r"


BUG = f"""
import logging, sys, warnings
from onnxpress.pipeline.running import run_stage
def main():
    print("printed {LOGIN}")
    sys.stdout.write("half {PASSWORD}")
    logging.warning("logged {BASIC}")
    warnings.warn("warned https://{LOGIN}@host")
    raise ValueError("raised\\n  {PASSWORD} in lines")
run_stage("x", main)
"""


@pytest.mark.usefixtures("logged_in")
def test_what_libraries_log_and_the_traceback_of_a_bug_hold_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run([sys.executable, "-c", BUG], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert not traces(done.stdout + done.stderr)
    assert done.stdout == "printed ***\nhalf ***"
    for words in (
        "logged ***",
        "warned https://host",
        "Traceback",
        "ValueError: raised\n  *** in lines",
    ):
        assert words in done.stderr


class ForeignError(OSError):
    """As a store's library raises it."""


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("form", [form for form in FORMS if form not in {"private key", "hex"}])
def test_an_error_of_a_store_that_repeats_a_secret_is_not_shown(form: str) -> None:
    said = explain(ForeignError(f"teapot {FORMS[form]}"), Store("http://h", "http://h"))
    assert not traces(said, PASSWORD, TOKEN, KEY_ID, SECRET_KEY, "pwtail")
    assert said.startswith("http://h failed")


@pytest.mark.usefixtures("logged_in")
def test_an_error_of_a_store_without_a_secret_is_shown() -> None:
    assert (
        explain(ForeignError("teapot"), Store("http://h", "http://h")) == "http://h failed: teapot"
    )


@pytest.mark.parametrize(
    "run_id", [f"Basic {BASIC}", f"Basic_{BASIC}", PASSWORD, "../x", "", "a" * 65]
)
@pytest.mark.usefixtures("logged_in")
def test_what_a_server_calls_a_run_is_stored_only_if_it_may_be_an_id(run_id: str) -> None:
    store = Store("http://h", "http://h")
    refuse_strange_id("0123456789abcdef0123456789abcdef", store)
    with pytest.raises(
        ServerError, match=r"^http://h gives a run an id that MLflow never gives"
    ) as error:
        refuse_strange_id(run_id, store)
    assert not traces(str(error.value))


# ── what is kept ───

IN_PARAMS = [
    *(
        ("publish__tracking_uri", f"{scheme}://{LOGIN}{more}@host")
        for scheme in ("http", "mysql", "ftp")
        for more in ("", "/p", "#p")
    ),
    *(
        ("publish__tracking_uri", f"http://{LOGIN}{letter}pwtail@host")
        for letter in "/#?@[]\\ %:\n"
    ),
    ("publish__tracking_uri", f"{LOGIN}@host"),
    ("publish__tracking_uri", f"http:/{LOGIN}@host"),
    ("publish__tracking_uri", f"http://{TOKEN}@host"),
    ("publish__tracking_uri", f"http://host/?token={TOKEN}"),
    ("publish__tracking_uri", f"http://host/#{TOKEN}"),
    ("publish__tracking_uri", f"http://host/access/{TOKEN}"),
    ("publish__tracking_uri", f"databricks://{LOGIN}"),
    ("publish__tracking_uri", f"postgresql://h/db?user=me&password={TOKEN}"),
    ("publish__tracking_uri", [f"http://{LOGIN}@host"]),
    ("publish__tracking_uri", f"sqlite:///{LOGIN}@host/db"),
    ("publish__experiment", f"runs of {LOGIN} http://{LOGIN}@host"),
    ("publish__experiment", "AKIAIOSFODNN7EXAMPLE"),
    ("publish__password", PASSWORD),
    ("publish__token", 12345678),
    ("data__source", f"s3://key:{PASSWORD}@bucket/rows.csv"),
    ("data__source", f"https://host/rows.csv?sig={TOKEN}"),
    ("data__missing_values", ["NA", f"Bearer {TOKEN}"]),
    ("train__params", {"api_key": TOKEN}),
    ("train__params", {"deep": [{"er": f"password={TOKEN}"}]}),
    ("train__params", {f"http://{LOGIN}@host": 1}),
    ("train__params", f"http://{LOGIN}@host"),
    ("train__params", {"x": "-----BEGIN RSA PRIVATE KEY-----\nabc"}),
    ("train__trust", [f"ghp_{TOKEN}{TOKEN}"]),
    ("train__model_path", base64.b64encode(f"me:{TOKEN}".encode()).decode()),
]


@pytest.mark.parametrize(("key", "value"), IN_PARAMS)
def test_a_params_file_that_holds_a_secret_is_refused_in_one_line_that_does_not_repeat_it(
    key: str, value: Any
) -> None:
    with pytest.raises(
        UserError, match=r"params\.yaml: [\w.]+ should hold no (password|secret), because git"
    ) as error:
        parse_params(default_params(**{key: value}))
    assert not traces(str(error.value), PASSWORD, TOKEN, "pwtail", "AKIAIOSFODNN7EXAMPLE")
    assert key.partition("__")[0] in str(error.value)


@pytest.mark.usefixtures("logged_in")
def test_a_params_file_that_holds_what_the_environment_keeps_secret_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"publish\.experiment should hold no secret.*process's environment"
    ):
        parse_params(default_params(publish__experiment=f"with {PASSWORD}"))


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("publish__tracking_uri", "https://mlflow.example.org/team/a"),
        ("publish__tracking_uri", "postgresql://db.example.org/mlflow?sslmode=require"),
        ("publish__tracking_uri", "sqlite:////home/me@work/mlflow.db"),
        ("publish__experiment", "key=value, 50 % @ home: a/b #1?"),
        ("train__params", {"token_pattern": r"(?u)\b\w+\b", "key": "x", "pad_token": "[PAD]"}),
        ("data__target", "time:utc@station"),
    ],
)
def test_a_params_file_without_a_secret_is_taken(key: str, value: Any) -> None:
    parse_params(default_params(**{key: value}))


@pytest.mark.parametrize(
    "value",
    [
        f"*{PASSWORD}",
        f"!{PASSWORD} x",
        f"&{PASSWORD}",
        f"http://{LOGIN}: x",
        f"'{PASSWORD}",
        f"%{PASSWORD}",
    ],
)
def test_a_file_that_is_not_yaml_is_reported_by_line_and_column_alone(
    value: str, tmp_path: Path
) -> None:
    (tmp_path / "params.yaml").write_text(
        f"publish:\n  tracking_uri: {value}\n  x: [", encoding="utf-8"
    )
    with pytest.raises(UserError, match=r"line \d+, column \d+: ") as error:
        read_yaml(tmp_path / "params.yaml", "the sections")
    assert not traces(str(error.value))


@pytest.mark.parametrize(
    "key", ["publish.tracking_uri", "train.params.password", "publish.experiment"]
)
def test_a_sweep_file_that_holds_a_secret_is_refused(key: str, workspace: Path) -> None:
    (workspace / "sweep.yaml").write_text(
        yaml.safe_dump({"grid": {key: [f"http://{LOGIN}@host", "x"]}}), encoding="utf-8"
    )
    with pytest.raises(UserError, match=r"sweep\.yaml: .* should hold no") as error:
        read_sweep(Path("sweep.yaml"), "")
    assert not traces(str(error.value))


# ── commands ───


@pytest.mark.filterwarnings("ignore")  # libraries' own, many of them about what is wrong on purpose
def test_a_sample_of_cases_leaks_by_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = repository(tmp_path / "repository")
    with all_cases(tmp_path) as cases:
        for number, case in enumerate(random.Random(0).sample(cases, SAMPLE)):  # noqa: S311 - a choice of tests
            command = COMMANDS[number % len(COMMANDS)]
            code = run(command, folder, case, monkeypatch)
            said = capfd.readouterr()
            assert not traces(said.out + said.err), (case.name, command)
            assert code in case.codes_of(command), (case.name, command, said)
            assert "Traceback" not in said.err, (case.name, command)
    written = [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]
    assert not [found for text in written if (found := traces(text))]
