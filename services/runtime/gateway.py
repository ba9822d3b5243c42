"""The gateway: what is asked over HTTP, by people's screens and by devices on their first day.

It runs on the event loop of the services. Areas offer routes; here is what holds for all
of them: JSON in and out, models for each, bounded bodies, one form of refusal, a log that
knows no secret. Who is behind a proxy shares one address with all who are: the addresses
that clients claim in headers are not believed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, NoReturn, TypeVar

import structlog
import uvicorn
from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from broker_config.settings import PlaintextRefused, UnusableCertificate, is_loopback
from schemas.gateway import Health, Nothing, Problem, ProblemCode
from services.runtime.bus import ConnectionLost
from services.runtime.database import is_away
from services.runtime.gateway_door import BACKLOG, Door, GatewayLimits, problem_json, source_of
from services.runtime.intake import RETRY_AFTER_S, NotServing
from services.runtime.ratelimit import Buckets, Rate

log = structlog.get_logger(__name__)

A = TypeVar("A", bound=BaseModel)

JSON: Final = "application/json"
_REFUSALS_SAID: Final = Rate(per_s=1.0, burst=30.0)
"""Log lines on the refusals of one address; a flood of them would bury the others."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where the gateway listens, and how.

    Raises:
        PlaintextRefused: it would listen to other machines with neither TLS nor `plaintext`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    """None where it stands in the certificate's file."""
    origin: str | None = None
    """Where browser screens come from, as ``https://screens.example``: CORS is for it alone."""
    plaintext: bool = False
    limits: GatewayLimits = field(default_factory=GatewayLimits)

    def __post_init__(self) -> None:
        if self.certificate is None and not self.plaintext and not is_loopback(self.host):
            raise PlaintextRefused(
                f"the gateway would listen on {self.host} without TLS, and everybody on the way "
                "would read passwords: make a certificate (`heard tls init`), or ask for it by "
                "name (--plaintext, HEARD_PLAINTEXT)"
            )

    def tls_context(self) -> ssl.SSLContext | None:
        """Build what guards the way; None where it is plain.

        Raises:
            UnusableCertificate: the files hold nothing that can be used.
            FileNotFoundError: one is not there.
        """
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            raise UnusableCertificate(
                f"{self.certificate} and {self.key or 'its key'} cannot be used together: "
                f"{getattr(error, 'reason', None) or error}"
            ) from error
        return context


def _no_password() -> NoReturn:
    # Without it OpenSSL would ask on the terminal, and a service would wait for ever.
    raise ValueError("the key has a password on it: remove it, and guard the file instead")


class Denied(Exception):
    """What was asked is not done; the text is for whoever asked."""

    def __init__(
        self,
        status: int,
        code: ProblemCode,
        message: str,
        *,
        retry_after_s: float | None = None,
        challenge: str = "Bearer",
    ) -> None:
        super().__init__(message)
        self.status: Final = status
        self.challenge: Final = challenge
        """With 401: how one shows who one is."""
        self.problem: Final = Problem(
            code=code,
            message=message,
            retry_after_s=None if retry_after_s is None else round(retry_after_s, 1),
        )


@dataclass(slots=True)
class Call:
    """What goes with a request beside its body."""

    source: str
    """The address it came from; see `source_of`."""
    bearer: str | None = field(repr=False)
    """The token it showed."""
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    """By their names in small letters."""
    who: str = ""
    """Whom the token made it; for the log, set by whoever believed it."""
    refused_as: str = ""
    """Why it was not done; for the log."""


class Octets(BaseModel):
    """A body as it came, for a route that reads it by itself: a signature is over octets."""

    octets: bytes = Field(repr=False)


@dataclass(frozen=True, slots=True)
class Offer(Generic[A]):
    """A route of an area; what it raises as `Denied` is answered, with no fault in the log.

    It answers with a model, with nothing, or with a whole response of its own.
    """

    method: str
    path: str
    asked: type[A]
    answer: Callable[[Call, A], Awaitable[BaseModel | Response | None]]
    kinds: tuple[str, ...] = (JSON,)
    """The content types that it takes."""
    body_bytes: int | None = None
    """The largest body; None for what holds for most routes."""


class Gateway:
    """Serves routes over HTTP.

    Args:
        offers: the areas' routes.
        settings: where and how.
        serving: tells whether this process also handles requests over MQTT.
    """

    def __init__(
        self,
        offers: Sequence[Offer[Any]],
        settings: GatewaySettings,
        *,
        serving: Callable[[], bool],
    ) -> None:
        self._settings: Final = settings
        self._serving: Final = serving
        self._said: Final = Buckets(_REFUSALS_SAID, most=1_000)
        self._unsaid = 0
        self._requests: Final = Buckets(settings.limits.requests, most=4_000)
        self._app: Final = self._application(offers)
        self._door: Door | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0
        """Where it listens; known once it was started."""

    @property
    def url(self) -> str:
        """How it is reached from this machine."""
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return f"{'https' if settings.certificate else 'http'}://{host}:{self.port}"

    async def start(self) -> None:
        """Listen; on return it takes connections.

        Raises:
            OSError: the port is taken, or the address none of this machine's.
            UnusableCertificate: the certificate cannot be used.
        """
        settings, limits = self._settings, self._settings.limits
        tls = settings.tls_context()
        listener = _listen(settings.host, settings.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=[("cache-control", "no-store"), ("x-content-type-options", "nosniff")],
            h11_max_incomplete_event_size=limits.header_bytes,
            timeout_keep_alive=limits.idle_s,
            timeout_graceful_shutdown=limits.graceful_s,
        )
        self._door = Door(config, listener, limits, tls)
        self._task = asyncio.create_task(self._door.serve())

    async def run(self) -> None:
        """Wait for its end, which only a fault of ours brings before `stop`."""
        if self._task is None or self._door is None:
            return
        try:
            await asyncio.shield(self._task)
        finally:
            self._door.should_exit = True  # whoever ends us ends it, too; `stop` waits for that

    async def stop(self) -> None:
        """Finish what is in hand, and end; within 2 s."""
        if self._door is None or self._task is None:
            return
        self._door.should_exit = True
        await asyncio.gather(self._task, return_exceptions=True)

    # -- what holds for every route -----------------------------------------------------

    def _application(self, offers: Sequence[Offer[Any]]) -> Starlette:
        async def healthz(_call: Call, _asked: Nothing) -> Health:
            return Health(serving=self._serving())

        origin = self._settings.origin
        screens = Middleware(
            CORSMiddleware,
            allow_origins=[origin or ""],
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
        app = Starlette(
            routes=[
                Route(each.path, self._endpoint(each), methods=[each.method])
                for each in (*offers, Offer("GET", "/healthz", Nothing, healthz))
            ],
            middleware=[screens] if origin else [],
            exception_handlers={HTTPException: self._no_route},
        )
        app.router.redirect_slashes = False
        return app

    def _endpoint(self, offer: Offer[Any]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            began = time.monotonic()
            call = _call(request)
            response = await self._answer(offer, request, call)
            say = log.debug if offer.path == "/healthz" else log.info
            if response.status_code >= 400:
                self._say_refused(offer.path, offer.method, response, call)
            else:
                say(
                    "http",
                    method=offer.method,
                    path=offer.path,
                    status=response.status_code,
                    address=call.source,
                    who=call.who,
                    ms=round((time.monotonic() - began) * 1000, 1),
                )
            return response

        return endpoint

    async def _answer(self, offer: Offer[Any], request: Request, call: Call) -> Response:
        if wait := self._requests.take(call.source, time.monotonic()):
            text = "too many requests: wait"
            return _denied(Denied(429, ProblemCode.RATE_LIMITED, text, retry_after_s=wait), call)
        try:
            asked = await _read(offer, request, self._settings.limits.body_bytes)
            answer = await offer.answer(call, asked)
        except Denied as denied:
            return _denied(denied, call)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends here, and says nothing outside
            return _denied(_fault(error, offer), call)
        return _written(answer)

    async def _no_route(self, request: Request, error: Exception) -> Response:
        """Answer what no route takes."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        code = ProblemCode.METHOD_NOT_ALLOWED if status == 405 else ProblemCode.NOT_FOUND
        call = _call(request)
        if wait := self._requests.take(call.source, time.monotonic()):
            text = "too many requests: wait"
            return _denied(Denied(429, ProblemCode.RATE_LIMITED, text, retry_after_s=wait), call)
        response = _denied(Denied(status, code, "there is no such route"), call)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        self._say_refused("", request.method[:16], response, call)
        return response

    def _say_refused(self, path: str, method: str, response: Response, call: Call) -> None:
        """Log a refusal, with what was left unsaid before where there were too many."""
        if self._said.take(call.source, time.monotonic()):
            self._unsaid += 1
            return
        unsaid, self._unsaid = self._unsaid, 0
        log.info(
            "http refused",
            method=method,
            path=path,
            status=response.status_code,
            code=call.refused_as,
            address=call.source,
            who=call.who,
            **({"unsaid": unsaid} if unsaid else {}),
        )


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.settimeout(0.0)
    except BaseException:
        listener.close()
        raise
    return listener


def _call(request: Request) -> Call:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return Call(
        source=source_of(request.client.host if request.client else ""),
        bearer=token.strip() if scheme.lower() == "bearer" else None,
        path=request.path_params,
        query=request.query_params,
        headers=request.headers,
    )


async def _read(offer: Offer[A], request: Request, usual: int) -> A:
    """Read a body; whatever is wrong with it is said without repeating it."""
    model, most = offer.asked, offer.body_bytes or usual
    if model is Nothing:
        return model()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in offer.kinds:
        raise Denied(415, ProblemCode.NOT_JSON, f"send {' or '.join(offer.kinds)}")
    body = b""
    with suppress(ValueError):
        if int(request.headers.get("content-length", "0")) > most:
            raise _too_large(most)
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise _too_large(most)
    if issubclass(model, Octets):
        return model(octets=body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        told = [
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}".removeprefix(": ")
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise Denied(400, ProblemCode.INVALID, "; ".join(told)[:500]) from None


def _written(answer: BaseModel | Response | None) -> Response:
    if answer is None:
        return Response(status_code=204)
    if isinstance(answer, Response):
        return answer
    return Response(answer.model_dump_json(), media_type=JSON)


def _too_large(most: int) -> Denied:
    return Denied(413, ProblemCode.TOO_LARGE, f"a body has at most {most} bytes")


def _fault(error: Exception, offer: Offer[Any]) -> Denied:
    if isinstance(error, NotServing):
        text = f"{error}: the same again, with the same id"
        return Denied(503, ProblemCode.AWAY, text, retry_after_s=RETRY_AFTER_S)
    if is_away(error) or isinstance(error, ConnectionLost):
        what = "broker" if isinstance(error, ConnectionLost) else "database"
        log.warning("gateway: something is away", what=what, path=offer.path)
        return Denied(503, ProblemCode.AWAY, f"the {what} is away: try again", retry_after_s=2.0)
    # The texts of some errors quote what they were given: only where it happened is said.
    where, trace = [], error.__traceback__
    while trace is not None:
        where.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    kind = type(error).__name__
    log.error("gateway: a fault of ours", path=offer.path, error=kind, where=" > ".join(where[-8:]))
    return Denied(500, ProblemCode.INTERNAL, "a fault of ours; the log says more")


def _denied(denied: Denied, call: Call) -> Response:
    problem, headers = denied.problem, {}
    call.refused_as = problem.code.value
    if problem.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(problem.retry_after_s + 0.5)))
    if denied.status == 401:
        headers["www-authenticate"] = denied.challenge
    if denied.status in {413, 415}:
        headers["connection"] = "close"  # the rest of the body is not read
    return Response(problem_json(problem), denied.status, headers, JSON)
