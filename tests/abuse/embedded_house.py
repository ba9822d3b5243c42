"""The embedded broker as `heard up` runs it: who may come in, it asks the database."""

from __future__ import annotations

import asyncio
import contextlib

from broker_config.access import Credential, Identity, service_credentials
from services.people.accounts import Accounts, EmbeddedAccounts
from services.people.credentials import DatabaseDirectory
from services.people.watch import Seen, put_out_changed
from services.runtime.database import Database
from services.runtime.moment import system_clock
from tests.brokers import EmbeddedInTest


class EmbeddedOnDatabase(EmbeddedInTest):
    """An embedded broker on a database, which is brought to its version before anybody comes."""

    def __init__(self, database_url: str) -> None:
        self._database = Database(database_url)
        super().__init__()
        ours = service_credentials(self.services.secret)
        self._seen = Seen(DatabaseDirectory(self._database, ours))
        self._watching: asyncio.Task[None] | None = None

    @property
    def accounts(self) -> Accounts:
        return EmbeddedAccounts()

    async def find(self, username: str) -> Credential | None:
        return await self._seen.find(username)

    def _do_add(self, devices: list[tuple[Identity, str]]) -> None:
        """Nothing: the rows let a device in, and are written by whoever adds it."""

    def watch(self) -> None:
        """Begin to put out whom the database no longer knows; its tables must be there."""

        async def begin() -> None:
            watch = put_out_changed(self._database, self.broker, system_clock, self._seen)
            self._watching = asyncio.create_task(watch)

        self._run(begin())

    def close(self) -> None:
        async def end() -> None:
            if self._watching is not None:
                self._watching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._watching
            await self.broker.stop()  # first: it asks the database
            await self._database.close()

        self._run(end())
        super().close()
