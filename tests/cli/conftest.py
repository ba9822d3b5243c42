"""The command line as people run it: a process of its own, a home of its own."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from cli.main import run
from tests.brokers import PrivateMosquitto
from tests.children import Child
from tests.cli.beside import Beside
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent
_OF_ITS_OWN = {"up", "serve", "replay"}
"""Commands that run for long and on threads: these get a process of their own."""
_WHOLE_S = 3 * PATIENCE_S
"""How long one of these may take from its beginning to its end."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line in which it said what was wrong."""
        lines = [line for line in self.err.splitlines() if line.startswith("heard: ")]
        assert len(lines) == 1, self.err
        return lines[0].removeprefix("heard: ")


@dataclass
class Heard:
    """`heard`, with a home folder and settings."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HEARD_")}
        return clean | {
            "HEARD_HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error::ResourceWarning",
            **self.env,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests in the background has them ignore Ctrl-C.
            preexec_fn=_hear_interrupts,  # noqa: PLW1509 - it calls nothing that takes a lock
        )

    def __call__(self, *arguments: str, timeout: float = _WHOLE_S) -> Ended:
        """Run a command to its end; short ones in this process, which is much quicker."""
        if not _OF_ITS_OWN & set(arguments):
            return self._inside(*arguments)
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"heard {' '.join(arguments)} did not end: {out}\n{err}")
        return Ended(process.returncode, out, err)

    def _inside(self, *arguments: str) -> Ended:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        before = dict(os.environ)
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        try:
            os.environ.clear()
            os.environ.update(self.environment())
            with chdir(self.home), redirect_stdout(out), redirect_stderr(err):
                code = run(list(arguments))
        finally:
            os.environ.clear()
            os.environ.update(before)
            _forget_logs()
        return Ended(code, *(_written(each) for each in (out, err)))

    def done(self, *arguments: str, timeout: float = _WHOLE_S) -> Ended:
        """Run a command that must succeed."""
        ended = self(*arguments, timeout=timeout)
        assert ended.code == 0, f"heard {' '.join(arguments)}: {ended.out}\n{ended.err}"
        return ended

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs beside the test, and is asked to end after it."""
        process = self.start(*arguments)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def _forget_logs() -> None:
    """Leave no trace of a command's logs in this process, where other tests run too."""
    root = logging.getLogger()
    for handler in [each for each in root.handlers if getattr(each, "heard", False)]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(logging.WARNING)
    structlog.reset_defaults()


def until(condition: Callable[[], object], what: str, within: float = PATIENCE_S) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)


def looked(look: Callable[[str], str], enough: Callable[[str], object]) -> str:
    """What a command has seen that looks for so long; on a slow machine it looks for longer."""
    told = ""
    for seconds in (3, 12, 48):
        told = look(f"{seconds}s")
        if enough(told):
            break
    return told


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    """`heard` in a fresh home, on any free port."""
    return Heard(tmp_path / "home")


@contextmanager
def up(heard: Heard, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`heard up`, once other commands can find it."""
    with heard.running("--broker-port", "0", "up", *arguments) as process:
        until(
            lambda: (heard.home / "run.json").exists() or process.poll() is not None,
            "heard up is up",
        )
        assert process.poll() is None, process.communicate()
        yield process


@contextmanager
def beside(heard: Heard, *arguments: str) -> Iterator[Child]:
    """`heard` beside a test, in a process that was forked and not begun: it is there sooner."""
    heard.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    given = Beside(arguments=arguments, home=heard.home, environment=heard.environment())
    child = Child("tests.cli.beside", given, heard.home.with_name("said.txt"))
    try:
        yield child
    finally:
        child.end()


@contextmanager
def up_beside(heard: Heard, *arguments: str) -> Iterator[Child]:
    """`heard up`, forked, once other commands can find it."""
    with beside(heard, "--broker-port", "0", "up", *arguments) as child:
        until(
            lambda: (heard.home / "run.json").exists() or child.ended is not None,
            "heard up is up",
        )
        assert child.ended is None, child.last_words()
        yield child


@pytest.fixture
def embedded(heard: Heard, sqlite_template: Path) -> Iterator[Heard]:
    """`heard` beside a `heard up`, whose database is migrated already."""
    heard.home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, heard.home / "heard.db")
    with up_beside(heard):
        yield heard


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Heard]:
    """`heard` beside one `heard up` for many tests, each of which opens a house of its own."""
    home = tmp_path_factory.mktemp("shared") / "home"
    home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, home / "heard.db")
    heard = Heard(home)
    with up_beside(heard):
        yield heard


@pytest.fixture
def production(
    tmp_path: Path, mosquitto_broker: PrivateMosquitto, postgresql_url: str
) -> Iterator[Heard]:
    """`heard` beside a `heard serve`, on Mosquitto and PostgreSQL."""
    heard = Heard(
        tmp_path / "home",
        {
            "HEARD_BROKER": "mosquitto",
            "HEARD_BROKER_PORT": str(mosquitto_broker.port),
            "HEARD_DATABASE": postgresql_url,
            "HEARD_SERVICES_SECRET": mosquitto_broker.services.secret,
            "HEARD_ADMIN_SECRET": mosquitto_broker.admin.secret,
        },
    )
    heard.done("db", "upgrade")
    with beside(heard, "serve"):
        until(lambda: heard("doctor", "--json").code == 0, "the services serve")
        yield heard


@pytest.fixture(params=["embedded", "production"])
def stack(request: pytest.FixtureRequest) -> Heard:
    """Each stack in turn."""
    heard: Heard = request.getfixturevalue(request.param)
    return heard
