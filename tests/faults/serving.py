"""A child: the services, and the embedded broker where it is asked for.

`live` takes the fields of `Serving` as JSON. It says ``ready``
when it handles requests, ends gracefully on SIGTERM, and kills itself where `Serving.crash`
says, as ``kill -9`` would.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack

import uvloop
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from broker_config.access import Credential, Identity, service_credentials
from broker_config.embedded import EmbeddedBroker
from broker_config.secret import SecretHash
from broker_config.settings import BrokerAddress
from cli.compose import assemble
from services.orders.provider_webhooks import ProviderWebhooks
from services.people.credentials import DatabaseDirectory
from services.people.device_login import DeviceLogins
from services.people.remembered_login import RememberedLogins
from services.runtime.database import Database
from services.runtime.gateway import Call, Gateway, GatewaySettings, Octets
from services.runtime.moment import system_clock
from services.runtime.reception import Received
from services.runtime.relay import Checkpoint, no_checkpoint
from services.runtime.worker import Worker
from services.tracking.position_routes import PositionRoutes

READY = "ready"


class Crash(BaseModel):
    """Where a serving process kills itself: at a checkpoint, the so many-th time it passes."""

    model_config = ConfigDict(frozen=True)

    point: str
    passing: int
    survives: bool = False
    """It goes on; but what it heard of the database there, each so many-th time, is an error."""

    def __str__(self) -> str:
        return f"{'answers lost' if self.survives else 'crash'} at {self.point} no. {self.passing}"


class Serving(BaseModel):
    """What one serving process needs to know."""

    model_config = ConfigDict(frozen=True)

    database_url: str
    port: int
    """Where the broker is; with `embedded`, where it is to be."""
    secret: str
    embedded: bool = False
    inspector: str = ""
    """The name of a second account of services, which the embedded broker lets in."""
    inspector_secret: str = ""
    crash: Crash | None = None
    webhooks: int = 0
    """The port on which providers are heard, and trackers; 0 is none."""


class Door:
    """Accounts as `heard up` has them, and the inspector's."""

    def __init__(self, directory: DatabaseDirectory, inspector: Credential) -> None:
        self._directory = directory
        self._inspector = inspector

    async def find(self, username: str) -> Credential | None:
        """See `broker_config.access.Directory.find`."""
        if username == self._inspector.username:
            return self._inspector
        return await self._directory.find(username)


def crashing(crash: Crash) -> Checkpoint:
    """A checkpoint at which this process dies at once."""
    passed = 0

    def pass_by(point: str) -> None:
        nonlocal passed
        if point != crash.point:
            return
        passed += 1
        if passed % crash.passing:
            return
        if crash.survives:
            raise ConnectionResetError("the answer to a commit is lost")
        os.kill(os.getpid(), signal.SIGKILL)

    return pass_by


async def serve(given: Serving) -> None:
    """Serve until SIGTERM."""
    async with AsyncExitStack() as stack:
        database = Database(given.database_url)
        stack.push_async_callback(database.close)
        address = BrokerAddress(port=given.port)
        if given.embedded:
            inspector = Credential(
                Identity.service(given.inspector), SecretHash.of(given.inspector_secret)
            )
            door = Door(DatabaseDirectory(database, service_credentials(given.secret)), inspector)
            await stack.enter_async_context(EmbeddedBroker(door, port=given.port))
        moments = Moments(no_checkpoint if given.crash is None else crashing(given.crash))
        served = assemble(database, address, given.secret, checkpoint=moments.passed)
        moments.watch(served.worker)
        backbone = served.backbone
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, backbone.stop)
        if given.webhooks:
            webhooks = MortalWebhooks(database, served.intake, str.encode, system_clock)
            webhooks.passed = moments.passed
            settings = GatewaySettings(host="127.0.0.1", port=given.webhooks)
            logins = RememberedLogins(DeviceLogins(DatabaseDirectory(database, ())), database)
            positions = PositionRoutes(served.line.brought, logins.identify)
            offers = (*webhooks.offers, *positions.offers)
            gateway = Gateway(offers, settings, serving=backbone.ready.is_set)
            await gateway.start()
            stack.push_async_callback(gateway.stop)
        telling = asyncio.create_task(_tell(backbone.ready))
        try:
            await backbone.run()
        finally:
            telling.cancel()


class Moments:
    """The worker's checkpoints, by another name too while it takes a provider's word."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._settling = False

    def watch(self, worker: Worker) -> None:
        """Know from now on when this worker takes what came another way than over MQTT."""
        decide = worker.decide

        async def deciding(requests: Sequence[Received]) -> bool:
            self._settling = True
            try:
                return await decide(requests)
            finally:
                self._settling = False

        setattr(worker, "decide", deciding)  # noqa: B010 - a method of one object alone

    def passed(self, point: str) -> None:
        """A checkpoint was passed."""
        self._checkpoint(point)
        if self._settling:
            self._checkpoint(f"settling {point}")


class MortalWebhooks(ProviderWebhooks):
    """The receiver of providers' words, which may die before and after it has done one."""

    passed: Checkpoint = staticmethod(no_checkpoint)

    async def receive(self, call: Call, asked: Octets) -> Response:
        """See `ProviderWebhooks.receive`."""
        self.passed("webhook arrived")
        response = await super().receive(call, asked)
        self.passed("webhook done")
        return response


async def _tell(ready: asyncio.Event) -> None:
    await ready.wait()
    print(READY, flush=True)


def live(given: str) -> None:
    """Be such a process."""
    said = Serving.model_validate_json(given)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(said))
