"""The email channel: one letter, one recipient, over the operator's mail server."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.message import Message
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.notices.letter import Letter, Unusable
from services.notices.retrying import Delivered, Failed, Verdict, of_smtp

TIMEOUT_S: Final = 30.0
WHY_CHARS: Final = 200
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Plain dot-atoms alone (RFC 5322, 3.2.3): what else the grammar allows, nobody has, and a
# comma or a bracket would make two addresses of one.
_ADDRESS: Final = re.compile(rf"{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*", re.ASCII)
_PORTS: Final = {"smtp": 587, "smtps": 465}


class UnusableMailServer(Unusable):
    """The mail server's settings cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over, and in whose name."""

    host: str
    port: int
    sender: str
    """The address that letters come from, bare."""
    sender_name: str = ""
    """Shown beside it; the restaurant's, where it is empty."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    """TLS from the first byte (smtps)."""
    start_tls: bool = True
    """Change to TLS after the greeting, and say nothing where the server cannot."""

    @classmethod
    def of(cls, url: str, sender: str, *, plain: bool) -> Self:
        """Read the settings.

        Args:
            url: ``smtp://USER:PASSWORD@HOST:PORT``, or ``smtps://…``.
            sender: ``orders@roma.example``, or ``Roma <orders@roma.example>``.
            plain: whether ``smtp://`` goes without TLS.

        Raises:
            UnusableMailServer: they cannot be read.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        if parts.scheme not in _PORTS or not host or parts.path.strip("/"):
            # Not as it was given: there may be a password in it.
            raise UnusableMailServer("use smtp://USER:PASSWORD@HOST:587, or smtps://…:465")
        name, _, rest = sender.rpartition("<")
        address = rest.removesuffix(">").strip() if name else sender.strip()
        return cls(
            host=host,
            port=port or _PORTS[parts.scheme],
            sender=checked_address(address),
            sender_name=name.strip().strip('"'),
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            tls=parts.scheme == "smtps",
            start_tls=parts.scheme == "smtp" and not plain,
        )


def checked_address(text: str) -> str:
    """One address, and no more than one.

    Raises:
        UnusableMailServer: it is none that a letter can be sent to.
    """
    if len(text) > 254 or _ADDRESS.fullmatch(text) is None:
        raise UnusableMailServer(f"{text!r} is no address that mail can be sent to")
    return text


def message_of(letter: Letter, server: MailServer, now: datetime) -> Message:
    """Write the letter as mail (RFC 5322); its id follows from the notice's.

    Raises:
        UnusableMailServer: the recipient's address is none.
    """
    # Not an `EmailMessage`: its folding doubles the space before a word that is not ASCII.
    message = MIMEText(letter.text, "plain", "utf-8")
    shown = _header(server.sender_name or letter.house)
    message["From"] = formataddr((shown, server.sender))
    message["To"] = checked_address(letter.to or "")
    message["Subject"] = Header(_header(letter.headline), header_name="Subject").encode()
    message["Date"] = format_datetime(now)
    domain = server.sender.rpartition("@")[2]
    message["Message-ID"] = f"<{letter.notice_id}@{domain}>"
    message["Content-Language"] = letter.language
    # So that no holiday answer comes back (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    return message


def _header(text: str) -> str:
    """As it may stand in a header: a line's end in it would begin another."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


class Mail:
    """Hands letters to a mail server; each over a connection of its own.

    Args:
        server: None where none is set.
        timeout_s: for the whole of one letter.
    """

    def __init__(self, server: MailServer | None, *, timeout_s: float = TIMEOUT_S) -> None:
        self._server: Final = server
        self._timeout_s: Final = timeout_s

    async def give(self, letter: Letter, now: datetime) -> Verdict:
        """See `services.notices.letter.Adapter.give`."""
        server = self._server
        if server is None:
            return Failed("no mail server is set: HEARD_SMTP_URL and HEARD_SMTP_FROM")
        try:
            message = message_of(letter, server, now)
        except UnusableMailServer as error:
            return Failed(str(error), final=True)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._hand_over(server, message)
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._failed(error)

    async def _hand_over(self, server: MailServer, message: Message) -> Verdict:
        _, said = await aiosmtplib.send(
            message,
            sender=server.sender,
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.start_tls and not server.tls,
            timeout=self._timeout_s,
        )
        return Delivered(_header(said)[:WHY_CHARS])

    def _failed(self, error: Exception) -> Failed:
        match error:
            case TimeoutError():
                return Failed(f"the mail server gave no answer within {self._timeout_s:g} s")
            case aiosmtplib.SMTPAuthenticationError() | aiosmtplib.SMTPConnectResponseError():
                # Ours to mend, and then it goes out: nothing is wrong with the letter.
                return Failed(f"the mail server does not let us in: {_told(error)}")
            case aiosmtplib.SMTPRecipientsRefused():
                return _refused(error.recipients[0])
            case aiosmtplib.SMTPResponseException():
                return _refused(error)
        return Failed(f"the mail server cannot be used: {_told(error)}")


def _refused(error: aiosmtplib.SMTPResponseException) -> Failed:
    return of_smtp(error.code, _header(error.message)[:WHY_CHARS])


def _told(error: Exception) -> str:
    return _header(str(error))[:WHY_CHARS] or type(error).__name__
