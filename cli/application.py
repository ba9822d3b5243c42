"""What every command stands on: settings, where the broker is, and the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property, wraps
from typing import Any, TypeVar

import click

from broker_config.settings import BrokerAddress
from cli import logs
from cli.failures import Failure, of_another_version
from cli.files import Running, running
from cli.grammar import flags_of
from cli.settings import BrokerKind, Settings
from services.migrations.version import NEWEST, version
from services.runtime.database import Database, is_away

T = TypeVar("T")


class Application:
    """One call of the command line.

    Args:
        flags: the shared options that were given.
    """

    def __init__(self, flags: dict[str, Any]) -> None:
        self._flags = flags

    @cached_property
    def settings(self) -> Settings:
        """The settings, read once; from then on the logs go where these say."""
        settings = Settings.load(**self._flags)
        logs.configure(settings.log_level, settings.log_format)
        return settings

    @property
    def running(self) -> Running | None:
        """The `heard up` of this home folder, if there is one."""
        return running(self.settings)

    @property
    def embedded(self) -> bool:
        """Whether the broker is the one inside `heard up`."""
        return self.settings.broker is BrokerKind.EMBEDDED

    @property
    def database_url(self) -> str:
        """The database as set, or else the one that `heard up` uses here."""
        if self.settings.database is None and (found := self.running) is not None:
            return found.database
        return self.settings.database_url

    @property
    def serves_with(self) -> str:
        """The command that lets services run here."""
        return "heard up" if self.embedded else "heard serve"

    def address(self) -> BrokerAddress:
        """Where the broker is.

        Raises:
            Failure: it is the embedded one, and nothing runs.
        """
        if not self.embedded or self.settings.broker_port:
            return self.settings.address()
        found = self.running
        if found is None:
            raise Failure(
                "no broker runs here: start `heard up` in another terminal, or name one "
                "with --broker mosquitto --broker-host HOST"
            )
        return BrokerAddress(host=found.host, port=found.port)

    def run(self, use: Callable[[Database], Awaitable[T]], *, as_it_is: bool = False) -> T:
        """Run something that needs the database, and close it after.

        Args:
            use: what to do.
            as_it_is: also with a database of another version, or none yet.

        Raises:
            Failure: the database is not at the version of this program.
        """

        async def inside() -> T:
            database = Database(self.database_url)
            try:
                at = await _reached(database)
                if not as_it_is and at != NEWEST:
                    raise of_another_version(database.shown, at)
                return await use(database)
            finally:
                await database.close()

        return asyncio.run(inside())


async def _reached(database: Database) -> str | None:
    """The database's version; a plain word where it cannot be reached at all."""
    try:
        return await version(database)
    except Exception as error:
        if not is_away(error):
            raise
        why = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
        raise Failure(
            f"the database {database.shown} does not answer: {why}: start it, or name "
            "another with --database"
        ) from error


def application(context: click.Context | None = None) -> Application:
    """The application of the command that runs."""
    context = context or click.get_current_context()
    return Application(flags_of(context))


def pass_application(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its `Application` as the first argument."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        return function(application(), *arguments, **named)

    return called
