"""What a held child cannot do, with each lock alone and with all, and how its end is reported."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from onnxpress import held
from onnxpress.held import answers, landlock, seccomp
from onnxpress.held.given_file import given_file
from onnxpress.held.locks import ALL, BUBBLEWRAP, LANDLOCK, SECCOMP
from onnxpress.held.system_calls import ARCHITECTURES, NUMBERS
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="locks are Linux's")

TASKS = {"attempt": "tests.support.held_tasks:attempt"}
NO_BUBBLEWRAP = "bubblewrap is not installed, or may not work here"
ALONE = [(SECCOMP,), (LANDLOCK,), (BUBBLEWRAP,), (LANDLOCK, SECCOMP), ALL]


def keeper(locks: tuple[str, ...]) -> held.Keeper:
    """A keeper with these locks alone; the test is skipped where the machine does not have them."""
    found = held.begin(held.settings(TASKS, locks=locks))
    if BUBBLEWRAP in locks and BUBBLEWRAP not in found.locks:
        pytest.skip(NO_BUBBLEWRAP)
    assert found.locks == [name for name in ALL if name in locks]
    return found


def attempted(
    locks: tuple[str, ...], source: str, file: Path = ROOT / "LICENSE", **limits: Any
) -> dict[str, Any]:
    """What source finds that a child with these locks runs."""
    order = held.Order(
        task="attempt", arguments=source, name="models/a.pkl", real=str(file), imports=(),
        **{"seconds": 20, "memory_mb": 2000, **limits},
    )  # fmt: skip
    with file.open("rb") as opened:
        return keeper(locks).answer(order, opened.fileno()).content


# What each lock forbids

NETWORK = {
    "TCP": ("socket.create_connection(('127.0.0.1', {tcp}), 2)", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "a unix socket": (
        "socket.socket(socket.AF_UNIX).connect('\\0{unix}')",
        {SECCOMP, LANDLOCK, BUBBLEWRAP},
    ),
    "UDP": ("socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp}))", {SECCOMP}),
    "listening": ("s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()", {SECCOMP, LANDLOCK}),
    "a pair of sockets": ("socket.socketpair()", {SECCOMP}),
}
FILES = {
    "a new file": ("Path('{folder}/new').write_text('x')", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "writing to one": ("open('{folder}/old', 'a')", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "truncating one": ("os.truncate('{folder}/old', 0)", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "removing one": ("os.unlink('{folder}/old')", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "renaming one": ("os.rename('{folder}/old', '{folder}/new')", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "a link to one": ("os.link('{folder}/old', '{folder}/new')", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "a symbolic link": (
        "os.symlink('{folder}/old', '{folder}/new')",
        {SECCOMP, LANDLOCK, BUBBLEWRAP},
    ),
    "a folder": ("os.mkdir('{folder}/new')", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "a pipe with a name": ("os.mkfifo('{folder}/new')", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "permissions": ("os.chmod('{folder}/old', 0o777)", {SECCOMP, BUBBLEWRAP}),
    "times": ("os.utime('{folder}/old', (1, 1))", {SECCOMP, BUBBLEWRAP}),
    "the given file": ("open(path, 'a')", {SECCOMP, LANDLOCK}),
    "a file in memory": ("os.memfd_create('x')", {SECCOMP}),
    "a file somewhere for a while": (
        "import tempfile; tempfile.TemporaryFile(dir='{folder}')",
        {SECCOMP, LANDLOCK, BUBBLEWRAP},
    ),
    "reading one": ("Path('{folder}/old').read_text()", {LANDLOCK, BUBBLEWRAP}),
    "reading one past a link": (
        "Path('/proc/self/root{folder}/old').read_text()",
        {LANDLOCK, BUBBLEWRAP},
    ),
    "reading a folder": ("os.listdir('{folder}')", {LANDLOCK, BUBBLEWRAP}),
    "reading passwords": ("Path('/etc/shadow').read_text()", {LANDLOCK, BUBBLEWRAP}),
    "reading another's variables": (
        "Path('/proc/{parent}/environ').read_bytes()",
        {LANDLOCK, BUBBLEWRAP},
    ),
}
PROCESSES = {
    "a program": ("subprocess.run(['true'], check=True)", {SECCOMP, LANDLOCK}),
    "a shell": ("if os.system('true'): raise OSError(1, '')", {SECCOMP, LANDLOCK}),
    "becoming a program": ("os.execv('/usr/bin/env', ['env'])", {SECCOMP, LANDLOCK}),
    "a process": ("os.fork() or os._exit(0)", {SECCOMP}),
    "a signal to the stage": ("os.kill({parent}, 0)", {SECCOMP, LANDLOCK, BUBBLEWRAP}),
    "a signal to the keeper": ("os.kill(os.getppid(), 0)", {SECCOMP, LANDLOCK}),
    "a signal to all": ("os.kill(-1, 0)", {SECCOMP}),
    "a signal by way of a file": (
        "import fcntl; r, w = os.pipe(); fcntl.fcntl(r, fcntl.F_SETOWN, {parent})",
        {SECCOMP},
    ),
    "tracing the keeper": (
        "if libc.ptrace(0x4206, os.getppid(), 0, 0): raise OSError(1, '')",
        {SECCOMP, LANDLOCK},
    ),
    "another namespace": ("if libc.unshare(0x10000000): raise OSError(1, '')", {SECCOMP}),
    "living on without the keeper": ("if libc.prctl(1, 0): raise OSError(1, '')", {SECCOMP}),
    "more memory": ("if libc.setrlimit(4, bytes(16)): raise OSError(1, '')", {SECCOMP}),
}
NOT_FOR_CONTROL = {
    *("becoming a program", "a process", "a signal to all"),  # no answer comes of them, or too much
    *(
        "reading passwords",
        "reading another's variables",
        "tracing the keeper",
    ),  # needs to be, or not to be, the superuser
}
"""Attempts that do not succeed without locks either."""

SYSTEM_CALLS = {
    "io_uring_setup": 425,
    "pidfd_open": 434,
    "bpf": 321,
    "keyctl": 250,
    "process_vm_readv": 310,
    "mount": 165,
}


def cases() -> Iterator[Any]:
    """Every attempt, with each set of locks of which one forbids it."""
    for table in (NETWORK, FILES, PROCESSES):
        for name, (source, forbidding) in table.items():
            for locks in ALONE:
                if forbidding & set(locks):
                    yield pytest.param(source, locks, id=f"{name} by {'+'.join(locks)}")


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Servers that would answer, and a file that anybody may read and write."""
    folder = tmp_path_factory.mktemp("surroundings")
    (folder / "old").write_text("secret")
    name = f"held-{os.getpid()}"
    with (
        socket.socket() as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        unix.bind(f"\0{name}")
        tcp.listen()
        unix.listen()
        ports = {"tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1], "unix": name}
        yield {**ports, "folder": folder, "parent": os.getpid()}


@pytest.mark.parametrize(("source", "locks"), list(cases()))
def test_what_a_lock_forbids_fails(
    source: str, locks: tuple[str, ...], surroundings: dict[str, Any]
) -> None:
    found = attempted(locks, source.format(**surroundings))
    assert found.keys() == {"error"}
    assert sorted(path.name for path in surroundings["folder"].iterdir()) == ["old"]
    assert (surroundings["folder"] / "old").read_text() == "secret"


def test_the_attempts_succeed_where_nothing_forbids_them(
    surroundings: dict[str, Any], tmp_path: Path
) -> None:
    for name, (source, _) in {**NETWORK, **FILES, **PROCESSES}.items():
        if name in NOT_FOR_CONTROL:
            continue
        own = tmp_path / re.sub(r"\W", "-", name)
        shutil.copytree(surroundings["folder"], own)
        (own / "file").touch()
        asked = source.format(**{**surroundings, "folder": own})
        assert attempted((), asked, own / "file") == {"found": None}, name


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are of x86_64")
@pytest.mark.parametrize("name", SYSTEM_CALLS)
def test_no_other_way_into_the_kernel_is_open(name: str) -> None:
    source = (
        f"if libc.syscall({SYSTEM_CALLS[name]}, 0, 0, 0, 0, 0) == -1: "
        "raise OSError(ctypes.get_errno(), '')"
    )
    assert attempted((SECCOMP,), source)["error"] in {errno.EPERM, errno.ENOSYS}


@pytest.mark.parametrize("locks", [(LANDLOCK, SECCOMP), ALL])
def test_a_child_reads_its_file_computes_and_has_threads(locks: tuple[str, ...]) -> None:
    source = """
import threading
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
rows = np.random.default_rng(0).normal(size=(300, 4))
model = HistGradientBoostingClassifier(max_iter=3).fit(rows, rows[:, 0] > 0)
says = []
thread = threading.Thread(target=lambda: says.append(float(model.score(rows, rows[:, 0] > 0))))
thread.start()
thread.join()
found = [path.read_text()[:3], says[0] > 0.9, str(np.ones((500, 500)) @ np.ones(500))[:5]]
"""
    assert attempted(locks, source, seconds=60) == {"found": ["MIT", True, "[500."]}


# What a child has


def test_a_child_has_no_variable_of_ours_but_those_of_numeric_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret-word")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with own_keeper({"attempt": TASKS["attempt"], "another": TASKS["attempt"]}) as started:
        source = (
            "found = dict(os.environ), Path('/proc/self/environ').read_text(), "
            "sys.stdin.read(), os.listdir('/proc/self/fd')"
        )
        found, told, stdin, _ = ask(started, source)
    assert found["OMP_NUM_THREADS"] == "1"
    assert "secret" not in told + json.dumps(found)
    expected = ("LC_", "LANG", "OMP_", "KMP_", "OPENBLAS_", "MALLOC_")
    others = {name for name in found if not name.startswith(expected)}
    assert others <= {"PATH", "HOME", "PWD", "TZ", "LD_LIBRARY_PATH"}
    assert stdin == ""


def test_a_child_has_no_open_file_of_ours_but_its_own_and_its_answer() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    with own_keeper({"attempt": TASKS["attempt"], "third": TASKS["attempt"]}) as started:
        source = (
            "found = [os.readlink(link) for link in Path('/proc/self/fd').iterdir() "
            "if int(link.name) > 2 and link.exists()]"
        )
        found = ask(started, source)
    os.close(reader)
    os.close(writer)
    kinds = sorted(_kind_of_file(name) for name in found)
    assert kinds == ["memfd", "pipe", "the file it reads"]


def _kind_of_file(opened: str) -> str:
    """What a link of /proc/self/fd names; bubblewrap may call the folder of a file otherwise."""
    if opened.startswith("pipe:"):
        return "pipe"
    if opened == "/memfd:held (deleted)":
        return "memfd"
    return "the file it reads" if Path(opened).name == "LICENSE" else opened


class own_keeper:  # noqa: N801 - used like a function
    """A keeper for one test."""

    def __init__(self, tasks: dict[str, str], locks: tuple[str, ...] = ALL) -> None:
        self.keeper = held.Keeper(held.settings(tasks, locks=locks))

    def __enter__(self) -> held.Keeper:
        return self.keeper

    def __exit__(self, *_: object) -> None:
        self.keeper.close()


def ask(started: held.Keeper, source: str) -> Any:
    """What source finds in a child of that keeper."""
    order = held.Order("attempt", source, "a", str(ROOT / "LICENSE"), (), 20, 2000)
    with (ROOT / "LICENSE").open("rb") as opened:
        return started.answer(order, opened.fileno()).content["found"]


# What becomes of it


@pytest.mark.parametrize(
    ("source", "loss", "words"),
    [
        ("bytearray(20 * 1024**3)", held.OutOfMemory, "needs more than 500 MB of memory"),
        (
            "kept = [bytearray(10**7) for _ in range(10**6)]",
            held.OutOfMemory,
            "needs more than 500 MB of memory",
        ),
        ("sum(iter(int, 1))", held.OutOfTime, "was not done within 0.5 s"),
        ("while True: pass", held.OutOfTime, "was not done within 0.5 s"),
        (
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); sum(iter(int, 1))",
            held.OutOfTime,
            "within 0.5 s",
        ),
        ("os.closerange(3, 200); sum(iter(int, 1))", held.Died, "ended before it was done"),
        (
            "kept = b'x' * (400 * 1024**2); os.abort()",
            held.OutOfMemory,
            "crashed with SIGABRT near its limit of 500 MB of memory",
        ),
        ("os.abort()", held.Died, "crashed with SIGABRT"),
        ("ctypes.string_at(0)", held.Died, "crashed with SIGSEGV"),
        ("os._exit(0)", held.Died, "ended without an answer"),
        ("os._exit(3)", held.Died, "ended before it was done"),
        ("sys.exit(0)", held.Failed, "SystemExit: 0"),
        ("raise KeyboardInterrupt", held.Failed, "KeyboardInterrupt"),
        ("raise GeneratorExit('a\\x1b[2Jb')", held.Failed, "GeneratorExit"),
        ("found = object()", held.Died, "ended before it was done"),
    ],
)
def test_the_end_of_a_child_is_told(source: str, loss: type[Exception], words: str) -> None:
    start = time.monotonic()
    with pytest.raises(loss, match=re.escape(words)):
        attempted(
            (LANDLOCK, SECCOMP),
            source,
            seconds=0.5 if "0.5" in words or "iter" in source else 20,
            memory_mb=500,
        )
    assert time.monotonic() - start < 15
    assert attempted((LANDLOCK, SECCOMP), "found = 1") == {"found": 1}  # the keeper serves on


def test_what_a_child_writes_is_limited() -> None:
    source = """
found = 0
for number in range(3, 200):
    try:
        while True:
            found += os.write(number, b'x' * 10**6)
    except OSError:
        pass
"""
    with pytest.raises(held.Died, match="ended before it was done"):
        attempted((LANDLOCK, SECCOMP), source, memory_mb=50)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        b"\0" * 8,
        b"\xff" * 100,
        (5).to_bytes(8, "big") + b"{}",
        (2).to_bytes(8, "big") + b"{}",
        (2).to_bytes(8, "big") + b"[]",
        (200_000).to_bytes(8, "big") + b"[" * 200_000,
        *(
            len(header).to_bytes(8, "big") + header + b"1234"
            for header in (
                b'{"content": {}, "sizes": [5]}',
                b'{"content": {}, "sizes": [3]}',
                b'{"content": {}, "sizes": [-1, 5]}',
                b'{"content": {}, "sizes": [true, 3]}',
                b'{"content": {}, "sizes": 4}',
                b'{"content": [], "sizes": [4]}',
                b'{"content": {}, "sizes": [4.0]}',
                b'{"content": {}}',
                b"nonsense",
                b"\xff\xfe",
            )
        ),
    ],
)
def test_an_answer_that_is_none_of_ours_is_refused(content: bytes) -> None:
    file = answers.nameless()
    os.write(file, content)
    with pytest.raises(held.Died):
        answers.read(file)
    os.close(file)


def test_an_answer_comes_back_as_it_was_given() -> None:
    file = answers.nameless()
    answers.write(file, {"a": [1, None, "é"]}, [b"one", b"", b"three"])
    answer = answers.read(file)
    os.close(file)
    assert answer.content == {"a": [1, None, "é"]}
    assert [bytes(blob) for blob in answer.blobs] == [b"one", b"", b"three"]


# Keepers

SCRIPT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
sys.path.insert(0, {root!r})
from onnxpress import held
keeper = held.begin(held.settings({tasks!r}, locks={locks!r}))
with open({file!r}, 'rb') as file:
    print(keeper.locks, flush=True)
    order = held.Order('attempt', 'sum(iter(int, 1))', 'a', {file!r}, (), 600, 2000)
    keeper.answer(order, file.fileno())
"""


def started(locks: tuple[str, ...]) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A process whose held child works without end, and all processes below it."""
    script = SCRIPT.format(root=str(ROOT), tasks=TASKS, locks=locks, file=str(ROOT / "LICENSE"))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    wanted = 4 if BUBBLEWRAP in locks else 2  # keeper and child, and bubblewrap's own two
    end = time.monotonic() + 30
    while len(family := psutil.Process(process.pid).children(recursive=True)) < wanted:
        assert time.monotonic() < end
        time.sleep(0.02)
    return process, family


@pytest.mark.parametrize(
    ("locks", "number"),
    [
        *((locks, signal.SIGKILL) for locks in [(LANDLOCK, SECCOMP), ALL, ()]),
        (ALL, signal.SIGINT),
        ((), signal.SIGTERM),
    ],
)
def test_keeper_and_child_end_with_the_process_that_started_them(
    locks: tuple[str, ...], number: signal.Signals
) -> None:
    if BUBBLEWRAP in locks:
        keeper(locks)
    process, family = started(locks)
    process.send_signal(number)
    _, alive = psutil.wait_procs(family, timeout=10)
    process.communicate(timeout=10)
    assert alive == []


def test_a_keeper_that_was_killed_is_followed_by_another() -> None:
    settings = held.settings({**TASKS, "fourth": TASKS["attempt"]})
    first = held.begin(settings)
    assert held.begin(settings) is first
    first._process.kill()
    first._process.wait()
    second = held.begin(settings)
    assert ask(second, "found = 1") == 1
    second.close()


def test_a_keeper_that_cannot_import_says_so() -> None:
    with pytest.raises(held.NotStarted, match="No module named 'nothing_here'"):
        held.Keeper(held.settings(TASKS, preload=["nothing_here"])).locks  # noqa: B018 - it raises


@pytest.mark.parametrize("behaviour", ["exit 1", "exec sleep 0"])
def test_a_bubblewrap_that_may_not_work_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    (tmp_path / "bwrap").write_text(f"#!/bin/sh\n{behaviour}\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with own_keeper(TASKS) as started:
        assert started.locks == [LANDLOCK, SECCOMP]
        assert ask(started, "found = 1") == 1


def test_modules_of_the_users_own_can_be_imported_and_nothing_beside_them_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_module_of_a_user.py").write_text("from own_sibling import VALUE\n")
    (tmp_path / "own_sibling.py").write_text("VALUE = 7\n")
    (tmp_path / ".env").write_text("PASSWORD=secret\n")
    monkeypatch.syspath_prepend(tmp_path)
    started = held.Keeper(held.settings(TASKS, own_modules=["own_module_of_a_user"]))
    assert ask(started, "from own_module_of_a_user import VALUE as found") == 7
    assert (
        ask(started, f"try: found = open('{tmp_path}/.env').read()\nexcept OSError: found = None")
        is None
    )
    started.close()


# The filter of system calls, by an interpreter of our own

ALLOW, KILL = 0x7FFF0000, 0x80000000


def verdict(machine: str, name: str | int, *arguments: int, audit: int | None = None) -> int:
    """What the filter says of a call: :data:`ALLOW`, :data:`KILL`, or an errno."""
    number = name if isinstance(name, int) else NUMBERS[name][list(ARCHITECTURES).index(machine)]
    assert number is not None
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack(
        "<iIQ6Q", number, ARCHITECTURES[machine] if audit is None else audit, 0, *padded
    )
    steps, position, value = seccomp.program(machine), 0, 0
    while True:
        code, then, otherwise, operand = steps[position]
        position += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, operand)
        elif code == 0x54:
            value &= operand
        elif code in {0x15, 0x35}:
            position += (
                then if (value == operand if code == 0x15 else value >= operand) else otherwise
            )
        else:
            assert code == 0x06
            return operand & 0xFFFF if operand & 0xFFFF0000 == 0x00050000 else operand


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_filter_decides_as_it_should_on_each_architecture(machine: str) -> None:
    own, thread = os.getpid(), 0x003D0F00
    assert (
        verdict(machine, "read", 0)
        == verdict(machine, "mmap")
        == verdict(machine, "futex")
        == ALLOW
    )
    assert verdict(machine, "openat", 0, 0, os.O_RDONLY | os.O_CLOEXEC) == ALLOW
    for flags in (
        os.O_WRONLY,
        os.O_RDWR,
        os.O_RDONLY | os.O_CREAT,
        os.O_RDONLY | os.O_TRUNC,
        os.O_TMPFILE | os.O_RDWR,
    ):
        assert verdict(machine, "openat", 0, 0, flags) == errno.EACCES
    assert verdict(machine, "clone", thread) == ALLOW
    assert (
        verdict(machine, "clone", signal.SIGCHLD)
        == verdict(machine, "clone", thread | 0x10000000)
        == errno.EPERM
    )
    assert verdict(machine, "tgkill", own) == ALLOW
    assert verdict(machine, "tgkill", own + 1) == errno.EPERM
    assert verdict(machine, "prlimit64", 0, 3, 0, 1) == ALLOW
    assert (
        verdict(machine, "prlimit64", 0, 3, 1 << 40, 0)
        == verdict(machine, "prlimit64", 0, 3, 8, 0)
        == errno.EPERM
    )
    assert verdict(machine, "prctl", 15) == ALLOW
    assert verdict(machine, "prctl", 1) == errno.EPERM
    assert verdict(machine, "fcntl", 5, 3) == ALLOW
    assert verdict(machine, "fcntl", 5, 8) == errno.EPERM
    assert verdict(machine, "ioctl", 0, 0x5412) == errno.ENOTTY
    assert (
        verdict(machine, 435) == verdict(machine, 425) == verdict(machine, 10_000) == errno.ENOSYS
    )
    socket_of = {"x86_64": 41, "aarch64": 198}[machine]
    assert (
        verdict(machine, socket_of)
        == verdict(machine, "capset")
        == verdict(machine, "seccomp")
        == errno.EPERM
    )
    assert verdict(machine, "read", audit=0x40000003) == KILL  # i386


def test_numbers_are_those_of_the_headers() -> None:
    files = ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h"]
    for column, file in enumerate(map(Path, files)):
        if not file.exists():
            pytest.skip(f"{file} is not installed")
        header = {
            name: int(number)
            for name, number in re.findall(r"define __NR(?:3264)?_(\w+)\s+(\d+)", file.read_text())
        }
        header.setdefault("newfstatat", header.get("fstatat", 0))
        assert {
            name: row[column] for name, row in NUMBERS.items() if row[column] != header.get(name)
        } == {}


def test_an_architecture_that_is_not_known_has_no_filter() -> None:
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program("riscv64")


# The rest


@pytest.mark.parametrize(
    ("locks", "lacking"),
    [
        (ALL, ""),
        ([LANDLOCK, SECCOMP], ""),
        ([BUBBLEWRAP, SECCOMP], ""),
        ([BUBBLEWRAP], "start programs inside bubblewrap"),
        ([SECCOMP], "read your files"),
        ([LANDLOCK], "use the network, start programs"),
        ([], "use the network, start programs, read your files, write files"),
    ],
)
def test_what_locks_that_are_missing_would_forbid_is_told(locks: list[str], lacking: str) -> None:
    assert held.missing(locks) == lacking


def test_a_kernel_without_landlock_has_version_0(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSYS, "")

    monkeypatch.setattr(landlock, "call", refuse)
    assert landlock.version() == 0


OPENING: dict[str, Callable[[Any], Any]] = {
    "Path.read_bytes": lambda path: path.read_bytes(),
    "open": lambda path: open(path, "rb").read(),  # noqa: SIM115, PTH123 - what libraries do
    "zipfile": lambda path: zipfile.ZipFile(path).read("a"),
    "numpy": lambda path: np.fromfile(path, np.uint8),
    "stat": lambda path: path.stat().st_size,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("way", OPENING)
def test_a_given_file_is_opened_by_its_descriptor_and_shown_by_its_name(
    way: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "real", "w") as archive:
        archive.writestr("a", b"content")
    with (tmp_path / "real").open("rb") as file:
        path = given_file("models/a.skops", file.fileno(), str(tmp_path / "real"))
        assert np.array_equal(OPENING[way](path), OPENING[way](tmp_path / "real"))
    assert (str(path), path.suffix, path.name) == ("models/a.skops", ".skops", "a.skops")
    assert f"{path}" == "models/a.skops"
