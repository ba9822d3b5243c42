"""What a handler can end in, besides being done."""

from __future__ import annotations

from schemas.refusals import RefusalCode
from schemas.replies import Result


class Refusal(Exception):
    """The request cannot be done. Its sender is told why; the refusal is kept.

    Attributes:
        code: the reason, as a device acts on it.
        message: one line for people: what is wrong and what to do.
        state: how the thing stands that was to be changed, where there is one.
    """

    def __init__(self, code: RefusalCode, message: str, state: Result | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.state = state


class Unanswerable(Exception):
    """The message cannot be understood, and there is no id to answer: into quarantine."""
