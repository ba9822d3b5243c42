"""The children of a test, from their start to their end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from tests.nursery import nursery
from tests.patience import PATIENCE_S


class Child:
    """One life of a child; what it says goes into `log`."""

    def __init__(self, module: str, given: BaseModel, log: Path) -> None:
        self.log: Final = log
        log.touch()
        self.pid: Final = nursery().begin(module, given.model_dump_json(), log)
        """The process's number."""

    def has_said(self, word: str) -> bool:
        """Whether these words stand in what it said."""
        return word in self.log.read_text(errors="replace")

    @property
    def ended(self) -> int | None:
        """Its exit status (negative: the signal that killed it), or None while it runs."""
        return nursery().ended(self.pid)

    def kill(self) -> None:
        """End it as ``kill -9`` does, with all of its own children."""
        if self.ended is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._wait(PATIENCE_S)

    def stall(self) -> None:
        """Stop its clock: it does nothing, and does not know it."""
        if self.ended is None:
            os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        if self.ended is None:
            os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Ask it to end as Ctrl-C does; or kill it, should it not."""
        if self.ended is None:
            os.kill(self.pid, signal.SIGINT)
            try:
                self._wait(PATIENCE_S)
            except TimeoutError:
                self.kill()

    def stop(self) -> int:
        """Ask it to end; returns its exit status.

        Raises:
            TimeoutError: it is not gone in time.
        """
        if self.ended is None:
            os.kill(self.pid, signal.SIGTERM)
        return self._wait(PATIENCE_S)

    def _wait(self, within: float) -> int:
        deadline = time.monotonic() + within
        while (status := self.ended) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.log.name} is not gone within {within:g} s")
            time.sleep(0.005)
        return status

    def last_words(self, characters: int = 3_000) -> str:
        """The end of what it said; of a long end, its beginning and its last line."""
        said = self.log.read_text(errors="replace")
        trouble = said.find("Traceback")
        if trouble < 0:
            return said[-characters:]
        begun = said[max(0, trouble - characters // 2) : trouble]
        return f"{begun} … {said[-characters // 2 :]}"
