"""The accounts by which a broker lets devices in: one small port, for every broker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from broker_config import dynamic_security
from broker_config.access import Identity
from broker_config.dynamic_security import Command
from broker_config.secret import new_secret
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from services.people.control import command
from services.runtime.mqtt_bus import MqttBus

_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Account:
    """One secret with which a device may come in."""

    identity: Identity
    secret: str = field(repr=False)
    serial: int = 1

    @property
    def username(self) -> str:
        """The MQTT user name; the client id is the identity's."""
        return self.identity.username(self.serial)


class Accounts(Protocol):
    """Changes accounts on a running broker; each call may be done twice.

    Raises:
        ConnectionLost: the broker cannot be reached. The caller's transaction fails then, and
            nothing was changed.
    """

    async def admit(self, accounts: Sequence[Account], *, anew: bool) -> None:
        """Let these in; `anew` drops first whatever else bore the device's name."""
        ...

    async def withdraw(self, usernames: Iterable[str]) -> None:
        """End single accounts, and the connections that rest on them."""
        ...

    async def dismiss(self, devices: Iterable[tuple[Identity, Sequence[int]]]) -> None:
        """End devices with all their accounts (given by their serials), rights and sessions."""
        ...

    async def change_rights(self, identity: Identity, serials: Sequence[int]) -> None:
        """Give a device the rights of `identity`'s role; its connections are closed."""
        ...


class EmbeddedAccounts:
    """The embedded broker asks the database itself: see `services.people.watch`."""

    async def admit(self, accounts: Sequence[Account], *, anew: bool) -> None:
        """See `Accounts.admit`."""

    async def withdraw(self, usernames: Iterable[str]) -> None:
        """See `Accounts.withdraw`."""

    async def dismiss(self, devices: Iterable[tuple[Identity, Sequence[int]]]) -> None:
        """See `Accounts.dismiss`."""

    async def change_rights(self, identity: Identity, serials: Sequence[int]) -> None:
        """See `Accounts.change_rights`."""


class MosquittoAccounts:
    """The accounts of a running Mosquitto, changed through its control topic.

    Args:
        address: where it is.
        admin_secret: the password of heard-admin, who may change accounts and nothing else.
    """

    def __init__(self, address: BrokerAddress, admin_secret: str) -> None:
        self._address: Final = address
        self._admin_secret: Final = admin_secret
        # heard-admin is connected once at a time: who comes second would put the first out.
        self._one = asyncio.Lock()

    async def admit(self, accounts: Sequence[Account], *, anew: bool) -> None:
        """See `Accounts.admit`."""
        commands: list[Command] = []
        for each in accounts:
            commands += dynamic_security.add(each.identity, each.secret, each.serial, anew=anew)
        await self._do(commands)

    async def withdraw(self, usernames: Iterable[str]) -> None:
        """See `Accounts.withdraw`."""
        await self._do([one for each in usernames for one in dynamic_security.withdraw(each)])

    async def dismiss(self, devices: Iterable[tuple[Identity, Sequence[int]]]) -> None:
        """See `Accounts.dismiss`."""
        leavers = list(devices)
        await self._do(
            [
                one
                for identity, serials in leavers
                for one in dynamic_security.revoke(identity.client_id, serials)
            ]
        )
        await self._drop_sessions([identity.client_id for identity, _ in leavers])

    async def change_rights(self, identity: Identity, serials: Sequence[int]) -> None:
        """See `Accounts.change_rights`."""
        await self._do(dynamic_security.disabled(identity, serials))
        # What waits in its session was for the role it had.
        await self._drop_sessions([identity.client_id])
        await self._do(dynamic_security.change_rights(identity, serials))

    async def _drop_sessions(self, client_ids: Sequence[str]) -> None:
        """Take away what Mosquitto keeps for clients whose accounts are closed."""
        secret = new_secret()
        await self._do(
            [one for each in client_ids for one in dynamic_security.visitor(each, secret)]
        )
        try:
            few = asyncio.Semaphore(_AT_ONCE)

            async def visit(client_id: str) -> None:
                login = BrokerLogin(
                    username=dynamic_security.visitor_name(client_id), secret=secret
                )
                settings = BrokerSettings(address=self._address, login=login)
                async with few, MqttBus(settings, clean=True).session():
                    pass

            await asyncio.gather(*map(visit, client_ids))
        finally:
            await self.withdraw(map(dynamic_security.visitor_name, client_ids))

    async def _do(self, commands: Sequence[Command]) -> None:
        if commands:
            async with self._one:
                await command(self._address, self._admin_secret, commands)
