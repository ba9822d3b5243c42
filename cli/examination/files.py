"""What others may read, and secrets that others may guess."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from cli.application import Application
from cli.examination.finding import Finding, bad, good
from cli.settings import FILE, Settings
from services.runtime.database import parse_url

_SECRET: Final = ("*.secret", "*.key", "run.json", "demo.json", "tls/*.key")
"""What nobody else may read, wherever the home folder stands."""
_KEPT: Final = ("*.db", "*.db-wal", "*.db-shm", "*.outbox*", "outboxes/*")
"""What is no secret itself, but holds orders and hashes: guarded by the folder, usually."""
_SHORTEST: Final = 32
_FEWEST_LETTERS: Final = 10
_KNOWN: Final = frozenset(
    {
        "admin",
        "administrator",
        "changeme",
        "default",
        "demo",
        "guest",
        "heard",
        "letmein",
        "mosquitto",
        "mqtt",
        "pass",
        "passw",
        "passw0rd",
        "password",
        "postgres",
        "qwerty",
        "root",
        "secret",
        "test",
    }
)


def look_at_files(app: Application, *, mend: bool) -> list[Finding]:
    """Secrets must be readable by their owner alone."""
    home = app.settings.home
    findings = []
    for path in _open_to_others(home, mend=mend):
        mode = 700 if path.is_dir() else 600
        findings.append(bad("files", f"others may read {path}", f"chmod {mode} {path}"))
    if not findings:
        says = (
            f"the secrets in {home} are their owner's alone"
            if home.is_dir()
            else f"{home} is made when it is needed"
        )
        findings.append(good("files", says))
    return findings


def _open_to_others(home: Path, *, mend: bool) -> Iterator[Path]:
    """What others may read; with `mend` it is closed to them instead."""
    found = [path for pattern in _SECRET for path in sorted(home.glob(pattern)) if _is_open(path)]
    configured = Path(os.environ.get("HEARD_CONFIG", FILE))
    if _is_open(configured) and _holds_secrets(configured):
        found.append(configured)
    kept = (path for pattern in _KEPT for path in home.glob(pattern))
    if _is_open(home) and any(_is_open(path) for path in kept):
        found.append(home)
    for path in found:
        if mend:
            path.chmod(0o700 if path.is_dir() else 0o600)
        else:
            yield path


def _is_open(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except FileNotFoundError:
        return False


def _holds_secrets(path: Path) -> bool:
    """Whether a heard.toml holds more than anybody may know."""
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # what is wrong with it is said where the settings are read
    database = settings.get("database")
    return bool(_secret_names() & settings.keys()) or (
        isinstance(database, str) and re.search(r"://[^/@]*:[^/@]+@", database) is not None
    )


def _secret_names() -> set[str]:
    return {
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }


def look_at_secrets(app: Application) -> list[Finding]:
    """Secrets that somebody thought up; those that Heard makes are never weak."""
    findings = []
    for name in sorted(_secret_names()):
        value = getattr(app.settings, name)
        if not isinstance(value, SecretStr):
            continue
        weakness = _weakness(value.get_secret_value())
        if weakness is not None:
            variable = f"HEARD_{name.upper()}"
            findings.append(
                bad(
                    "secrets",
                    f"{variable} {weakness}: somebody may guess it",
                    f"set {variable} to what `openssl rand -base64 32` gives, here and where else "
                    "it is known; or unset it, and one is made",
                )
            )
    where = parse_url(app.database_url)
    if where.password is not None and _is_known(str(where.password), str(where.username)):
        findings.append(
            bad(
                "secrets",
                "the database's password is one that everybody tries first",
                "ALTER ROLE … PASSWORD, and HEARD_DATABASE accordingly",
            )
        )
    return findings or [good("secrets", "none that was set by hand is weak")]


def _weakness(secret: str) -> str | None:
    if _is_known(secret):
        return "is a word that everybody tries first"
    if len(secret) < _SHORTEST:
        return f"has fewer than {_SHORTEST} characters"
    if len(set(secret)) < _FEWEST_LETTERS:
        return "repeats a few characters"
    return None


def _is_known(secret: str, *names: str) -> bool:
    bare = secret.lower().strip("0123456789!?._-")
    return bare in _KNOWN or secret in names or not bare
