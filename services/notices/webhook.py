"""The webhook channel: a signed POST, as Standard Webhooks 1.0 has it.

Redirects are not followed: a signed letter goes where an operator said, and nowhere else.
Of an answer only the beginning is read, and of a good one nothing but its code.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from services.notices.letter import Letter, Unopened, Unseal, Unusable
from services.notices.retrying import Failed, Verdict, of_http
from services.runtime.signatures import UnusableSecret, signed_headers

TIMEOUT_S: Final = 10.0
EXCERPT_BYTES: Final = 2_048
EXCERPT_CHARS: Final = 200


class UnusableAddress(Unusable):
    """A webhook's address cannot be used; the message says why."""


def checked_url(url: str, *, plaintext: bool) -> str:
    """An address as it may stand in a channel.

    Args:
        url: what an operator gave.
        plaintext: to other machines too, http will do.

    Raises:
        UnusableAddress: it is none, has a password in it, or would be read on the way.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UnusableAddress(f"{url!r} is no address: as https://pos.example/hooks") from None
    if parts.scheme not in {"https", "http"} or not host or port == 0 or len(url) > 500:
        raise UnusableAddress(f"{url!r} is no address: as https://pos.example/hooks")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise UnusableAddress(f"{url!r} has characters that no address has")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UnusableAddress("leave name, password and #… out: the signature says who we are")
    if parts.scheme == "http" and not plaintext and not _is_loopback(host):
        raise UnusableAddress(
            f"{host} is another machine, and over http everybody on the way reads the orders: "
            "use https, or ask for it by name (--plaintext, HEARD_PLAINTEXT)"
        )
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def body_of(letter: Letter) -> bytes:
    """What is posted: a type, a time and the data, as Standard Webhooks advises."""
    order: dict[str, Any] = dict(letter.snapshot)
    document = {
        "type": f"order.{letter.change.value}",
        "timestamp": letter.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "notice_id": str(letter.notice_id),
            "tenant": letter.tenant,
            "rule": letter.rule,
            "channel": letter.channel.channel,
            "language": letter.language,
            "headline": letter.headline,
            "text": letter.text,
            **order,
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class Webhooks:
    """Posts letters; to be used as a context.

    Args:
        unseal: opens the channels' secrets.
        plaintext: to other machines too, http will do.
        timeout_s: from the look-up of the name to the head of the answer.
    """

    def __init__(
        self, unseal: Unseal, *, plaintext: bool = False, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._unseal: Final = unseal
        self._plaintext: Final = plaintext
        self._timeout_s: Final = timeout_s
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(),
            follow_redirects=False,
            trust_env=False,
            timeout=self._timeout_s,
            # How many go at once is the sender's to say.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def give(self, letter: Letter, now: datetime) -> Verdict:
        """See `services.notices.letter.Adapter.give`."""
        channel = letter.channel
        try:
            # Again, for what may be plain may have changed since the channel was made.
            url = checked_url(channel.url or "", plaintext=self._plaintext)
            secret = self._unseal(channel.secret or "").decode("ascii", "replace")
            body = body_of(letter)
            headers = signed_headers([secret], str(letter.notice_id), int(now.timestamp()), body)
        except UnusableAddress as error:
            return Failed(str(error), final=True)
        except (Unopened, UnusableSecret) as error:
            return Failed(f"its secret cannot be used: {error}")
        try:
            # httpx limits each step alone: a server that drips would never be given up.
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, headers, body, now)
        except (TimeoutError, httpx.TimeoutException):
            return Failed(f"no answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Failed(f"cannot be reached: {_one_line(str(error)) or type(error).__name__}")

    async def _post(self, url: str, headers: dict[str, str], body: bytes, now: datetime) -> Verdict:
        if self._client is None:
            raise RuntimeError("used outside its context")
        told = {**headers, "content-type": "application/json", "user-agent": "Heard"}
        async with self._client.stream("POST", url, content=body, headers=told) as answer:
            excerpt = "" if answer.is_success else await _excerpt(answer)
            return of_http(answer.status_code, answer.headers.get("retry-after"), excerpt, now)


async def _excerpt(answer: httpx.Response) -> str:
    """The beginning of an answer's body, as it came: nothing is unpacked."""
    read = b""
    async for chunk in answer.aiter_raw(EXCERPT_BYTES):
        read += chunk
        if len(read) >= EXCERPT_BYTES:
            break
    return _one_line(read[:EXCERPT_BYTES].decode("utf-8", "replace"))


def _one_line(text: str) -> str:
    shown = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(shown.split())[:EXCERPT_CHARS]
