"""The children of a test, from their start to their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from pydantic import BaseModel

ROOT: Final = Path(__file__).parent.parent.parent
END_S: Final = 10.0
GRACEFUL_S: Final = 5.0
"""How long a graceful end may take."""


class Child:
    """One life of a child; what it says goes into `log`."""

    def __init__(self, module: str, given: BaseModel, log: Path) -> None:
        self.log: Final = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, given.model_dump_json()],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def has_said(self, word: str) -> bool:
        """Whether these words stand in what it said."""
        return word in self.log.read_text(errors="replace")

    @property
    def ended(self) -> int | None:
        """Its exit status (negative: the signal that killed it), or None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """End it as ``kill -9`` does, with all of its own children."""
        if self.ended is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(END_S)

    def stall(self) -> None:
        """Stop its clock: it does nothing, and does not know it."""
        if self.ended is None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        if self.ended is None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end; returns its exit status.

        Raises:
            subprocess.TimeoutExpired: it is not gone in time.
        """
        self._process.terminate()
        return self._process.wait(GRACEFUL_S)

    def last_words(self, characters: int = 3_000) -> str:
        """The end of what it said; of a long end, its beginning and its last line."""
        said = self.log.read_text(errors="replace")
        trouble = said.find("Traceback")
        if trouble < 0:
            return said[-characters:]
        begun = said[max(0, trouble - characters // 2) : trouble]
        return f"{begun} … {said[-characters // 2 :]}"
