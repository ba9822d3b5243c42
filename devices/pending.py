"""The handle of one request: a reply that is still to come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import ClassVar, Final, Generic, TypeVar, cast
from uuid import UUID

from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply, Result

R = TypeVar("R")

log = logging.getLogger("heard.devices")

DEVICE_THREADS: Final[set[int]] = set()
"""The threads on which replies come in; waiting for one there would wait for ever."""


class Rejected(Exception):
    """The services have refused a request, for good; it is not sent again.

    Attributes:
        code: why, for programs; None where the reply gives none.
        message: why, for people, and what to do.
        state: how the thing stands now that was to be changed, where the reply says so.
    """

    def __init__(
        self, code: RefusalCode | str | None, message: str, state: Result | None = None
    ) -> None:
        super().__init__(f"{code or 'rejected'}: {message}" if message else str(code or "rejected"))
        self.code = code
        self.message = message
        self.state = state


class Unanswered(Exception):
    """No reply will come through this handle.

    The device was closed (the request waits in its outbox and is sent at the next
    start), its outbox could not take the request (it was never sent), or it was a
    question whose time has run out.
    """


class _Flag:
    """An event that costs nothing until somebody waits for it."""

    __slots__ = ("_event", "up")

    # Thousands of flags are made and few are waited for: one lock for all, held an instant.
    _lock: ClassVar = threading.Lock()

    def __init__(self) -> None:
        self.up = False
        self._event: threading.Event | None = None

    def hoist(self) -> None:
        with self._lock:
            self.up = True
            event = self._event
        if event is not None:
            event.set()

    def wait(self, timeout: float | None) -> bool:
        with self._lock:
            if self.up:
                return True
            event = self._event = self._event or threading.Event()
        if threading.get_ident() in DEVICE_THREADS:
            raise RuntimeError("waiting for a reply inside a device's callback would never end")
        return event.wait(timeout)


class Pending(Generic[R]):
    """A request on its way. Thread-safe.

    Attributes:
        id: the request's id.
    """

    __slots__ = ("_done", "_error", "_kept", "_lock", "_result", "_then", "id")

    def __init__(self, id: UUID) -> None:  # noqa: A002 - the word of CloudEvents
        self.id: Final = id
        self._lock = threading.Lock()
        self._done = _Flag()
        self._kept = _Flag()
        self._result: R | None = None
        self._error: Exception | None = None
        self._then: list[Callable[[Pending[R]], None]] = []

    @property
    def done(self) -> bool:
        """Whether `result` would answer at once."""
        return self._done.up

    @property
    def error(self) -> Exception | None:
        """Why there is no result: `Rejected`, `Unanswered`, or None."""
        return self._error

    def result(self, timeout: float | None = None) -> R:
        """Wait for the reply and give its result.

        Args:
            timeout: seconds; None waits for as long as it takes.

        Raises:
            Rejected: the services refused it.
            Unanswered: no reply will come through this handle.
            TimeoutError: none has come yet. The request stays on its way.
            RuntimeError: called inside a device's callback, where no reply can come in.
        """
        if not self._done.wait(timeout):
            raise TimeoutError(f"no reply to {self.id} within {timeout} s; it is still on its way")
        if self._error is not None:
            raise self._error
        return cast("R", self._result)

    def wait_kept(self, timeout: float | None = None) -> bool:
        """Wait until the request is safe on the device's disk; tell whether it is.

        Questions are never kept.
        """
        return self._kept.wait(timeout)

    def then(self, callback: Callable[[Pending[R]], None]) -> None:
        """Call back once it is settled, at once if it is. The callback must not block."""
        with self._lock:
            if not self.done:
                self._then.append(callback)
                return
        callback(self)

    def say_kept(self) -> None:
        """For the device: it is safe on the disk."""
        self._kept.hoist()

    def settle(self, reply: Reply) -> None:
        """For the device: this is the reply."""
        if reply.outcome is Outcome.ACCEPTED:
            self._finish(cast("R", reply.result), None)
        else:
            self._finish(None, Rejected(reply.code, reply.message or "", reply.result))

    def give_up(self, why: str) -> None:
        """For the device: no reply will come through this handle."""
        self._finish(None, Unanswered(why))

    def _finish(self, result: R | None, error: Exception | None) -> None:
        with self._lock:
            if self.done:
                return
            self._result, self._error = result, error
            self._done.hoist()
            then, self._then = self._then, []
        for callback in then:
            try:
                callback(self)
            except Exception:
                log.exception("a callback of request %s failed", self.id)
