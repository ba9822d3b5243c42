"""A private PostgreSQL cluster: made in a temporary directory, reached by a Unix socket.

``python -m tests.postgres keep PID DIRECTORY`` is the keeper: it makes the cluster that
all the workers of one test run share, and ends it when the run (process PID) ends,
however it ends.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

MISSING: Final = "PostgreSQL is not on this machine: `make test` brings it"
READY: Final = "ready"
FAILED: Final = "failed"

# Small, since many run beside it; fsync stays on, since what a commit means is under test.
_SETTINGS: Final = {
    "listen_addresses": "''",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "fsync": "on",
    "log_min_messages": "fatal",
    "timezone": "UTC",
}


class ServerUnavailable(RuntimeError):
    """A server that a test needs is missing or did not start."""


def find_binary(name: str) -> Path:
    """Find one of PostgreSQL's programs; the newest version, where there are several.

    Raises:
        ServerUnavailable: it is not on this machine.
    """
    folders = sorted(
        (*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")),
        key=lambda folder: [
            int(part) for part in str(folder).replace("-", "/").split("/") if part.isdigit()
        ],
    )
    for folder in reversed(folders):
        if os.access(folder / name, os.X_OK):
            return folder / name
    on_path = shutil.which(name)
    if on_path is None:
        raise ServerUnavailable(MISSING)
    return Path(on_path).resolve()


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: name another user, for subprocess."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    raise ServerUnavailable("PostgreSQL does not run as root, and there is no other user here")


@dataclass(frozen=True, slots=True)
class PostgresCluster:
    """One cluster; start, stop and kill it as a test needs.

    Attributes:
        directory: holds the data, the log and the socket; short, since the path of a
            Unix socket is at most 107 bytes.
    """

    directory: Path

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[PostgresCluster]:
        """Make a cluster of the caller's own, and remove it in the end."""
        cluster = cls(Path(tempfile.mkdtemp(prefix="heard-pg-")))
        try:
            cluster.create()
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
            shutil.rmtree(cluster.directory, ignore_errors=True)

    @property
    def data(self) -> Path:
        """Where the cluster keeps its files."""
        return self.directory / "data"

    def url(self, database: str = "postgres") -> str:
        """The address of a database, for SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://heard@/{database}?host={self.directory}"

    def create(self) -> None:
        """Make the files of the cluster."""
        owner = _unprivileged()
        if owner:
            os.chown(self.directory, owner["user"], owner["group"])
        self._run(
            "initdb", "--no-sync", "-U", "heard", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "-D", str(self.data),
        )  # fmt: skip
        lines = [f"{name} = {value}\n" for name, value in _SETTINGS.items()]
        lines.append(f"unix_socket_directories = '{self.directory}'\n")
        with (self.data / "postgresql.auto.conf").open("a") as settings:
            settings.writelines(lines)

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        log = self.directory / "log"
        self._run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), "-l", str(log))

    def stop(self, mode: str = "fast") -> None:
        """Stop it, cleanly (``fast``) or as a crash would (``immediate``); stopped is fine."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-t", "60", "-D", str(self.data), "-m", mode)

    def _run(self, program: str, *arguments: str) -> None:
        # Output goes to a file: a started server would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [find_binary(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                check=False,
                **_unprivileged(),
            )
            if done.returncode != 0:
                output.seek(0)
                raise ServerUnavailable(f"{program} failed: {output.read().strip()}")

    def execute(self, *statements: str) -> None:
        """Run statements in the cluster's own database, each for itself."""
        # A loop of its own, and never the current one: pytest-asyncio owns that.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._execute(statements))
        finally:
            loop.close()

    async def _execute(self, statements: tuple[str, ...]) -> None:
        connection = await asyncpg.connect(
            user="heard", database="postgres", host=str(self.directory)
        )
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


def start_keeper(run: int, state: Path) -> None:
    """Start the keeper of a run's cluster, and return when the cluster is there.

    Args:
        run: the process whose end is the end of the run.
        state: a directory for the keeper's word to the workers.

    Raises:
        ServerUnavailable: PostgreSQL is missing or did not start.
    """
    find_binary("initdb")
    read, write = os.pipe()
    # A session of its own: Ctrl-C at the terminal ends the run, and the run's end the keeper.
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.postgres", "keep", str(run), str(state), str(write)],
        cwd=Path(__file__).parent.parent,
        pass_fds=(write,),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(write)
    with os.fdopen(read) as word:
        said = word.read()  # ends when the keeper closes its side, or dies
    # The keeper outlives this worker by design; Popen must not warn of that.
    keeper.returncode = 0
    if not said.startswith(READY):
        raise ServerUnavailable(f"PostgreSQL did not start: {said or 'its keeper died'}")


def _keep(run: int, state: Path, write: int) -> None:
    ended = os.pidfd_open(run)
    # A pipe, since a signal alone does not end a select.
    asked, ask = os.pipe()
    os.set_blocking(ask, False)
    signal.set_wakeup_fd(ask)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    with os.fdopen(write, "w") as word:
        try:
            with PostgresCluster.running() as cluster:
                (state / "pid").write_text(str(os.getpid()))
                (state / "directory").write_text(str(cluster.directory))
                word.write(READY)
                word.close()
                select.select([ended, asked], [], [])
        except ServerUnavailable as error:
            if word.closed:
                raise
            word.write(f"{FAILED}: {error}")


def stop_keeper(state: Path) -> None:
    """End the run's cluster, if it ever began, and wait until it is gone."""
    try:
        pid = int((state / "pid").read_text())
        ended = os.pidfd_open(pid)
    except (OSError, ValueError):
        return
    try:
        os.kill(pid, signal.SIGTERM)
        select.select([ended], [], [], 60)
    finally:
        os.close(ended)


if __name__ == "__main__":
    _keep(int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
