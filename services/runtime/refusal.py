"""What a handler can end in, besides being done."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply, Result

OUR_FAULT: Final = "a fault of ours: it is logged, and your request is kept for a person"
OUR_FAULT_UNKEPT: Final = "a fault of ours: it is logged"


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


class KeptRefusal(Refusal):
    """It cannot be done, and what the handler has changed until here stays: a try is counted."""


class Unanswerable(Exception):
    """The message cannot be understood, and there is no id to answer: into quarantine."""


def refused(request: UUID, refusal: Refusal, standing: Result | None = None) -> Reply:
    """Tell of a refusal, and how the thing stands that was to be changed."""
    return Reply(
        request=request,
        outcome=Outcome.REJECTED,
        code=refusal.code,
        message=refusal.message,
        result=refusal.state or standing,
    )


def rejected(request: UUID | None, code: RefusalCode, message: str) -> Reply:
    """Tell of what was not even tried."""
    return Reply(request=request, outcome=Outcome.REJECTED, code=code, message=message)


def reused(request: UUID | None) -> Reply:
    """Tell that an id stands for another request already."""
    text = "this id was used before for another request: make a new one"
    return rejected(request, RefusalCode.REQUEST_ID_REUSED, text)
