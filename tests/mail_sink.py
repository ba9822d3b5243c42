"""A real mail server, on a thread, that keeps what it takes and refuses what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.ports import quiet_port

TAKEN = "250 taken"


@dataclass
class MailSink:
    """What arrived, and what is answered.

    Attributes:
        judge: the answer to the letter with this number, from one.
        letters: those that were taken.
        tries: how many were offered.
    """

    judge: Callable[[int], str] = field(default=lambda _number: TAKEN)
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    tries: int = 0
    port: int = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.tries += 1
        answer = self.judge(self.tries)
        if answer.startswith("2"):
            content = envelope.content
            assert isinstance(content, bytes)
            message = message_from_bytes(content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.letters.append(message)
            self.recipients.append([str(each) for each in envelope.rcpt_tos])
        return answer


@contextmanager
def mail_sink(judge: Callable[[int], str] | None = None) -> Iterator[MailSink]:
    """A mail server that runs as long as the context."""
    sink = MailSink() if judge is None else MailSink(judge)
    sink.port = quiet_port()
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
