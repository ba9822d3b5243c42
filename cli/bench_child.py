"""Another `heard` beside a bench, with the same settings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cli.application import Application

SECRET: Final = "HEARD_BENCH_SECRET"  # noqa: S105 - the name of a variable


@contextmanager
def child(
    app: Application, folder: Path, *arguments: str, secret: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """Run it for as long as the context lasts; its log goes to a file, its secrets nowhere."""
    settings = app.settings
    environment = {
        **os.environ,
        "HEARD_HOME": str(settings.home),
        "HEARD_DATABASE": app.database_url,
        "HEARD_BROKER": settings.broker.value,
        "HEARD_BROKER_HOST": settings.broker_host,
        "HEARD_LOG_LEVEL": "warning",
        SECRET: secret,
    }
    if settings.broker_port is not None:
        environment["HEARD_BROKER_PORT"] = str(settings.broker_port)
    with (folder / f"{arguments[0]}-{len(arguments)}.log").open("w") as log:
        running = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", "from cli.main import main; main()", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
            if running.stdout:
                running.stdout.close()
