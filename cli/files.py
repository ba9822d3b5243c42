"""The files in the home folder: secrets, and the word on what runs there."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from broker_config.private_files import write_private
from broker_config.secret import new_secret
from cli.failures import Failure
from cli.settings import Settings

RUN_NAME: Final = "run.json"
LOCK_NAME: Final = "up.lock"
SERVICES_NAME: Final = "services.secret"
ADMIN_NAME: Final = "admin.secret"
SEAL_NAME: Final = "seal.key"


@dataclass(frozen=True, slots=True)
class Running:
    """What `heard up` says of itself to the other commands."""

    pid: int
    host: str
    port: int
    broker: str
    database: str
    """Its whole address: the file can be read by its owner alone."""
    gateway: str = ""
    """Where the gateway answers."""


def make_home(settings: Settings) -> Path:
    """Make the home folder, for its owner alone."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings.home


def services_secret(settings: Settings) -> str:
    """The services' password at the broker: as set, else made once and kept."""
    if settings.services_secret is not None:
        return settings.services_secret.get_secret_value()
    return _kept(make_home(settings) / SERVICES_NAME)


def admin_secret(settings: Settings) -> str:
    """heard-admin's password at Mosquitto: as set, else made once and kept."""
    if settings.admin_secret is not None:
        return settings.admin_secret.get_secret_value()
    return _kept(make_home(settings) / ADMIN_NAME)


def seal_key(settings: Settings) -> str:
    """What the database's own secrets are sealed with: as set, else made once and kept."""
    if settings.seal_key is not None:
        return settings.seal_key.get_secret_value()
    return _kept(make_home(settings) / SEAL_NAME)


def _kept(path: Path) -> str:
    try:
        found = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        secret = new_secret()
        write_private(path, secret + "\n")
        return secret
    if not found:
        raise Failure(f"{path} is empty: remove it, and a new secret is made")
    return found


@contextmanager
def said_to_run(settings: Settings) -> Iterator[Path]:
    """Hold the home folder for one `heard up`; gives where to write what runs.

    Raises:
        Failure: another one holds it.
    """
    home = make_home(settings)
    path = home / RUN_NAME
    with (home / LOCK_NAME).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read(path)
            who = "" if other is None else f" (process {other.pid}, port {other.port})"
            raise Failure(
                f"heard is up in {home} already{who}: stop it, or take another --home"
            ) from None
        path.unlink(missing_ok=True)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def say_running(path: Path, running: Running) -> None:
    """Tell the other commands what runs."""
    write_private(path, json.dumps(asdict(running)) + "\n")


def running(settings: Settings) -> Running | None:
    """What runs in this home folder; None where nothing does, whatever a dead one left."""
    found = _read(settings.home / RUN_NAME)
    if found is None:
        return None
    try:
        with (settings.home / LOCK_NAME).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return found
    except FileNotFoundError:
        return None
    return None


def _read(path: Path) -> Running | None:
    try:
        return Running(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
