"""amqtt as it comes, with a correct access list: names, secrets and topics are all checked.

It is what one would build from its documentation, so that what the embedded broker closes
is seen to be amqtt's, not the policy's.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from broker_config.access import (
    SERVICES_USERNAME,
    Credential,
    Identity,
    may_publish,
    may_receive,
    may_subscribe,
    service_credentials,
    username_of,
)
from broker_config.secret import SecretHash, new_secret
from broker_config.settings import BrokerAddress, BrokerLogin
from schemas.devices import Role
from tests.patience import PATIENCE_S


class AccessList(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]  # amqtt's bases are untyped
    """Our own policy, asked wherever amqtt asks a plugin."""

    @dataclass
    class Config:
        accounts: Any

    def _credential(self, session: Session) -> Credential | None:
        found: Credential | None = self.config.accounts.get(session.username)
        return found

    async def authenticate(self, *, session: Session) -> bool:
        credential = self._credential(session)
        return credential is not None and credential.secret.verify(session.password or "")

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool:
        credential = None if session is None else self._credential(session)
        if credential is None or topic is None:
            return False
        judge = {
            Action.PUBLISH: may_publish,
            Action.RECEIVE: may_receive,
            Action.SUBSCRIBE: may_subscribe,
        }
        return action is not None and judge[action](credential.identity, topic)


class _Recording(Broker):  # type: ignore[misc]  # amqtt's bases are untyped
    """Remembers its connections, so that the test can close what amqtt leaves open."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.writers: list[Any] = []

    async def _client_connected(self, listener_name: str, reader: Any, writer: Any) -> None:
        self.writers.append(writer)
        await super()._client_connected(listener_name, reader, writer)


class Reachable(Protocol):
    """What the checks need of a broker."""

    @property
    def address(self) -> BrokerAddress: ...

    @property
    def services(self) -> BrokerLogin: ...

    def login(self, tenant: str, device: str) -> BrokerLogin: ...

    def add_device(self, tenant: str, device: str, role: Role) -> str: ...


class PlainAmqtt:
    """amqtt's broker on a thread of its own, with room for so many connections."""

    def __init__(self, max_connections: int) -> None:
        self._secrets = {SERVICES_USERNAME: new_secret()}
        ours = service_credentials(self.services.secret)
        self._accounts = {each.username: each for each in ours}
        self._max_connections = max_connections
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._port: int = listener.getsockname()[1]
        self.sessions: Any
        self._stopping: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._started.result(PATIENCE_S)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        plugin = f"{AccessList.__module__}.{AccessList.__qualname__}"
        listener = {
            "type": "tcp",
            "bind": f"127.0.0.1:{self._port}",
            "max_connections": self._max_connections,
        }
        broker = _Recording(
            {
                "listeners": {"default": listener},
                "plugins": {plugin: {"accounts": self._accounts}},
            }
        )
        await broker.start()
        self.sessions = broker.sessions
        self._started.set_result(None)
        await self._stopping.wait()
        # Its own shutdown waits for whom nothing ends.
        for server in broker._servers.values():
            server.instance.close()
        callers = asyncio.all_tasks() - {asyncio.current_task()}
        for each in callers:
            each.cancel()
        for writer in broker.writers:
            writer._writer.transport.abort()
        await asyncio.wait(callers, timeout=PATIENCE_S)

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress(port=self._port)

    @property
    def services(self) -> BrokerLogin:
        return BrokerLogin(username=SERVICES_USERNAME, secret=self._secrets[SERVICES_USERNAME])

    def login(self, tenant: str, device: str) -> BrokerLogin:
        name = username_of(tenant, device)
        return BrokerLogin(username=name, secret=self._secrets[name])

    def add_device(self, tenant: str, device: str, role: Role) -> str:
        identity, secret = Identity(tenant, device, role), new_secret()
        self._secrets[identity.client_id] = secret
        self._accounts[identity.client_id] = Credential(identity, SecretHash.of(secret))
        return secret

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE_S)
