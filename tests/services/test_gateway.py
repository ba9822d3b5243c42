"""What holds for every route of the gateway: real HTTP, over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from pydantic import SecretStr

from broker_config.certificates import issue_server, make_authority
from broker_config.settings import PlaintextRefused, UnusableCertificate
from schemas.gateway import Health, Nothing, ProblemCode
from schemas.message import Part
from services.runtime.bus import ConnectionLost
from services.runtime.gateway import Call, Denied, Gateway, GatewaySettings, Offer
from services.runtime.gateway_door import GatewayLimits, source_of
from services.runtime.ratelimit import Rate
from tests.patience import PATIENCE_S

HASTY = GatewayLimits(arrive_s=0.4, answer_s=0.4, idle_s=1, handshake_s=0.4)
CALMER = GatewayLimits(arrive_s=2, answer_s=2, idle_s=2, handshake_s=2)
"""For who must be served meanwhile: a slow machine does it in time."""


class Said(Part):
    word: str
    password: SecretStr = SecretStr("")


class Waiting:
    """A route whose answer a test holds back."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = asyncio.Event()

    async def answer(self, _call: Call, _asked: Nothing) -> Health:
        self.asked.set()
        await self.go.wait()
        return Health(serving=True)


async def echo(call: Call, asked: Said) -> Said:
    call.who = "roma/ada"
    return Said(word=f"{asked.word} {call.bearer} {call.path.get('name', '')}".strip())


async def deny(_call: Call, _asked: Nothing) -> None:
    raise Denied(429, ProblemCode.RATE_LIMITED, "wait", retry_after_s=2.34)


def failing(error: Exception) -> Callable[[Call, Nothing], Awaitable[None]]:
    async def fail(_call: Call, _asked: Nothing) -> None:
        raise error

    return fail


async def done(_call: Call, _asked: Nothing) -> None:
    return None


async def large(_call: Call, _asked: Nothing) -> Said:
    return Said(word="x" * 8_000_000)


OFFERS: tuple[Offer[Any], ...] = (
    Offer("POST", "/v1/echo", Said, echo),
    Offer("POST", "/v1/echo/{name}", Said, echo),
    Offer("GET", "/v1/deny", Nothing, deny),
    Offer("GET", "/v1/fault", Nothing, failing(ValueError("the secret word is plum"))),
    Offer("GET", "/v1/broker", Nothing, failing(ConnectionLost("gone"))),
    Offer("GET", "/v1/database", Nothing, failing(ConnectionRefusedError("gone"))),
    Offer("DELETE", "/v1/thing", Nothing, done),
    Offer("GET", "/v1/large", Nothing, large),
)


@asynccontextmanager
async def running(*offers: Offer[Any], **settings: Any) -> AsyncIterator[Gateway]:
    gateway = Gateway(offers or OFFERS, GatewaySettings(**settings), serving=lambda: True)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running() as gateway:
        yield gateway


@pytest.fixture
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        yield client


Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def raw(gateway: Gateway, *pieces: bytes) -> AsyncIterator[Wire]:
    """A connection that says what a test wants."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        for piece in pieces:
            writer.write(piece)
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What still comes, to the end of the connection, which must be near."""
    said = b""
    async with asyncio.timeout(PATIENCE_S):
        with suppress(ConnectionResetError):
            while piece := await reader.read(65_536):
                said += piece
    return said


async def answer_to(gateway: Gateway, *pieces: bytes) -> bytes:
    """All that comes back, to the end of the connection."""
    async with raw(gateway, *pieces) as (reader, _):
        return await rest(reader)


def inside(gateway: Gateway) -> int:
    """How many connections it has."""
    assert gateway._door is not None
    return gateway._door._inside


async def test_json_goes_in_and_out(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/v1/echo/there", json={"word": "hi"}, headers={"Authorization": "Bearer abc"}
    )
    assert answer.status_code == 200
    assert answer.json()["word"] == "hi abc there"
    assert answer.headers["content-type"] == "application/json"
    assert (await http.delete("/v1/thing")).status_code == 204


async def test_no_answer_is_kept_by_anybody_nor_tells_who_serves(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/v1/deny", "/nowhere", "/v1/fault"):
        headers = (await http.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert (await http.get("/healthz")).json() == {"status": "ok", "serving": True}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v1/echo", 405, "method-not-allowed"),
        ("GET", "/healthz/", 404, "not-found"),
        ("GET", "/v1/deny", 429, "rate-limited"),
        ("GET", "/v1/fault", 500, "internal"),
        ("GET", "/v1/broker", 503, "away"),
        ("GET", "/v1/database", 503, "away"),
    ],
)
async def test_every_refusal_has_the_same_form(
    http: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.json()["message"]
    assert "Traceback" not in answer.text
    assert "plum" not in answer.text


async def test_who_must_wait_is_told_how_long(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/deny")
    assert answer.json()["retry_after_s"] == 2.3
    assert answer.headers["retry-after"] == "3"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"word": 1}', "application/json", 400),
        (b"{}", "application/json", 400),
        (b"not json", "application/json", 400),
        (b'{"word": "\\ud800"}', "application/json", 400),
        (b"[" * 30_000, "application/json", 400),
        (b'{"word": "x"}', "text/plain", 415),
        (b"word=x", "application/x-www-form-urlencoded", 415),
        (b'{"word": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ],
)
async def test_a_body_that_will_not_do_is_refused_without_being_repeated(
    http: httpx.AsyncClient, body: bytes, kind: str, status: int
) -> None:
    answer = await http.post("/v1/echo", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert len(answer.content) < 1_000


async def test_a_wrong_field_is_named_and_a_secret_in_it_is_not_repeated(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post("/v1/echo", json={"password": ["hunter2 hunter2"]})
    assert answer.status_code == 400
    assert "password" in answer.json()["message"]
    assert "hunter2" not in answer.text


async def test_a_body_is_bounded_whatever_its_header_says(gateway: Gateway) -> None:
    head = b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    assert b" 413 " in await answer_to(gateway, chunked, *[chunk] * 3)
    assert b" 413 " in await answer_to(gateway, head + b"Content-Length: 268435456\r\n\r\n")


@pytest.mark.parametrize(
    "sent",
    [b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 600_000 + b"\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_http_is_answered_once_and_cut_off(gateway: Gateway, sent: bytes) -> None:
    said = await answer_to(gateway, sent)
    if said:  # a reset may come before the answer was read
        head, _, body = said.partition(b"\r\n\r\n")
        assert b" 400 " in head.splitlines()[0]
        assert json.loads(body)["code"] == "invalid"
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nX-Slow: ",
        b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"  # noqa: ISC004 - one of three
        b"Content-Length: 500\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_who_sends_too_slowly_is_cut_off(sent: bytes) -> None:
    async with running(limits=HASTY) as gateway, raw(gateway, sent) as (reader, writer):
        dripping = asyncio.create_task(_drip(writer))
        assert b" 200 " not in await rest(reader)
        dripping.cancel()


async def _drip(writer: Any) -> None:
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.05)


async def test_an_idle_connection_is_closed_and_a_busy_one_is_kept() -> None:
    ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    async with running(limits=CALMER) as gateway, raw(gateway, ask) as (reader, writer):
        for _ in range(50):  # longer in all than any of its times, but never silent
            head = await asyncio.wait_for(reader.readuntil(b"}"), PATIENCE_S)
            assert b" 200 " in head
            await asyncio.sleep(0.05)
            writer.write(ask)
        assert (await rest(reader)).count(b" 200 ") == 1


async def test_who_does_not_read_the_answer_is_cut_off() -> None:
    async with running(limits=HASTY) as gateway:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", gateway.port))
        await loop.sock_sendall(sock, b"GET /v1/large HTTP/1.1\r\nHost: x\r\n\r\n")
        await _until(lambda: inside(gateway) == 1)
        await _until(lambda: inside(gateway) == 0)
        sock.close()


@pytest.mark.parametrize("bound", [{"connections_each": 3}, {"connections": 3}])
async def test_connections_are_bounded_by_address_and_in_all(bound: dict[str, Any]) -> None:
    async with running(limits=replace(GatewayLimits(), **bound)) as gateway:
        async with AsyncExitStack() as held:
            for _ in range(3):
                await held.enter_async_context(raw(gateway))
            await _until(lambda: inside(gateway) == 3)
            assert await answer_to(gateway, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        await _until(lambda: inside(gateway) == 0)
        assert gateway._door is not None
        assert gateway._door._from == {}
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_one_address_may_ask_so_often_and_come_so_often() -> None:
    limits = replace(GatewayLimits(), requests=Rate(per_s=0.001, burst=3))
    async with running(limits=limits) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            answers = [await client.get("/healthz") for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["code"] == "rate-limited"
    ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    limits = replace(GatewayLimits(), arrivals=Rate(per_s=0.001, burst=3))
    async with running(limits=limits) as gateway:
        said = [await answer_to(gateway, ask) for _ in range(4)]
        assert [b" 200 " in each for each in said] == [True, True, True, False]
        assert said[-1] == b""


async def test_it_ends_whatever_is_in_hand() -> None:
    waiting = Waiting()
    async with running(Offer("GET", "/wait", Nothing, waiting.answer)) as gateway:
        ask = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
        async with raw(gateway) as (silent, _), raw(gateway, ask) as (asking, _):
            await asyncio.wait_for(waiting.asked.wait(), PATIENCE_S)
            await asyncio.wait_for(gateway.stop(), PATIENCE_S)  # what is in hand never ends
            for reader in (silent, asking):
                assert b" 200 " not in await rest(reader)
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", gateway.port)


async def test_what_is_in_hand_when_it_ends_is_finished() -> None:
    waiting = Waiting()
    async with (
        running(Offer("GET", "/wait", Nothing, waiting.answer)) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        asking = asyncio.create_task(client.get("/wait"))
        await asyncio.wait_for(waiting.asked.wait(), PATIENCE_S)
        ending = asyncio.create_task(gateway.stop())
        await _until(lambda: gateway._door is not None and gateway._door.should_exit)
        waiting.go.set()
        assert (await asking).status_code == 200
        await ending


async def test_a_port_that_is_taken_is_an_error_of_the_system() -> None:
    async with running() as gateway:
        with pytest.raises(OSError, match="in use"):
            await Gateway(OFFERS, GatewaySettings(port=gateway.port), serving=bool).start()


@pytest.mark.parametrize("host", ["::", "192.0.2.1", "heard.example"])
def test_to_other_machines_it_speaks_plainly_only_when_asked_by_name(host: str) -> None:
    with pytest.raises(PlaintextRefused, match="heard tls init"):
        GatewaySettings(host=host)
    assert GatewaySettings(host=host, plaintext=True).host == host
    assert GatewaySettings(host=host, certificate=Path("server.pem")).host == host


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path, Path]:
    authority = make_authority(datetime.now(UTC))
    server = issue_server(authority, ["localhost", "127.0.0.1"], datetime.now(UTC))
    paths = tuple(tmp_path / name for name in ("ca.pem", "server.pem", "server.key"))
    for path, octets in zip(
        paths, (authority.certificate, server.certificate, server.key), strict=True
    ):
        path.write_bytes(octets)
    return paths[0], paths[1], paths[2]


async def test_it_speaks_tls_and_a_silent_handshake_is_cut_off(
    certificate: tuple[Path, Path, Path],
) -> None:
    ca, pem, key = certificate
    async with running(certificate=pem, key=key, limits=CALMER) as gateway:
        assert gateway.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(ca))
        async with httpx.AsyncClient(base_url=gateway.url, verify=context) as client:
            assert (await client.get("/healthz")).status_code == 200
        assert b"200" not in await answer_to(gateway)
        assert b"200" not in await answer_to(gateway, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await _until(lambda: inside(gateway) == 0)
        old = ssl.create_default_context(cafile=str(ca))
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        async with httpx.AsyncClient(base_url=gateway.url, verify=old) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get("/healthz")


async def test_a_key_of_another_certificate_is_named(
    certificate: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    other = tmp_path / "other.key"
    other.write_bytes(make_authority(datetime.now(UTC)).key)
    settings = GatewaySettings(certificate=certificate[1], key=other)
    with pytest.raises(UnusableCertificate, match=r"other\.key"):
        await Gateway(OFFERS, settings, serving=bool).start()


async def test_browsers_of_another_origin_are_let_in_only_where_it_is_set() -> None:
    asking = {"Origin": "https://screens.example", "Access-Control-Request-Method": "POST"}
    async with running() as gateway, httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.options("/v1/echo", headers=asking)
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers
    async with (
        running(origin="https://screens.example") as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        answer = await client.options("/v1/echo", headers=asking)
        assert answer.headers["access-control-allow-origin"] == "https://screens.example"
        strange = {**asking, "Origin": "https://evil.example"}
        answer = await client.options("/v1/echo", headers=strange)
        assert "access-control-allow-origin" not in answer.headers
        answer = await client.get("/healthz", headers={"Origin": "https://screens.example"})
        assert answer.headers["access-control-allow-origin"] == "https://screens.example"


async def test_the_log_tells_who_asked_what_and_no_secret(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as told:
        await http.post(
            "/v1/echo?token=in-the-query",
            json={"word": "in-the-body", "password": "in-the-password"},
            headers={"Authorization": "Bearer in-the-header"},
        )
        await http.post("/v1/echo", json={"password": "in-the-password"})
        await http.get("/v1/fault")
        await http.get("/in-the-path")
    # Other tests' systems may run in this process, and speak too.
    told = [each for each in told if each["event"].startswith(("http", "gateway"))]
    everything = f"{told} {caplog.text}".replace("HTTP Request", "")
    ours = "".join(str(each) for each in told) + "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("http")
    )
    assert [each["event"] for each in told] == [
        "http", "http refused", "gateway: a fault of ours", "http refused", "http refused",
    ]  # fmt: skip
    assert {**told[0]} | {"ms": 0} == {
        "event": "http", "log_level": "info", "method": "POST", "path": "/v1/echo", "status": 200,
        "address": "127.0.0.1", "who": "roma/ada", "ms": 0,
    }  # fmt: skip
    assert "fail:" in told[2]["where"]
    assert "in-the-" not in ours
    assert "plum" not in everything


async def test_a_flood_of_refusals_does_not_bury_the_log(http: httpx.AsyncClient) -> None:
    began = time.monotonic()
    with structlog.testing.capture_logs() as told:
        for _ in range(200):
            await http.get("/v1/deny")
    took = time.monotonic() - began
    refused = [each for each in told if each["event"].startswith("http")]
    assert 30 <= len(refused) <= 30 + took + 1, "a burst of thirty, and one a second"


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_stranger_is_known_by_what_it_can_hardly_have_many_of(host: str, source: str) -> None:
    assert source_of(host) == source


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another's hands
            await asyncio.sleep(0.01)
