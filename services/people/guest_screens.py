"""How guests' screens come in: by the signed link of a delivery, and for as long as it shows.

As with phones of a party, the screen makes its secret itself and its name follows from that: who
asks again with the same secret gets the same place. A link lets in few screens, for it may be
passed on; whoever has more may look at its page.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import Role
from services.people import credentials, store
from services.people.accounts import Account
from services.people.admission import Admission
from services.people.claims import check_secret
from services.people.guests import short_name
from services.people.seal import Seal
from services.people.store import Device
from services.runtime.link_door import LinkDoor, LinkOpens

log = structlog.get_logger(__name__)

MOST_SCREENS: Final = 4
"""Of one order: a phone, a tablet, and somebody who waits along."""
_NAME: Final = "screen-"


class LinkRefused(Exception):
    """A link shows nothing, or not any more; the message is for whoever tried it."""


class LinkFull(Exception):
    """A link has let in as many screens as it may; the message is for whoever tried it."""


class GuestScreens:
    """Lets guests' screens in.

    Args:
        admission: lets devices in.
        seal: under whose key screens get their names.
        door: tells what a link opens.
    """

    def __init__(self, admission: Admission, seal: Seal, door: LinkDoor) -> None:
        self._admission: Final = admission
        self._seal: Final = seal
        self._door: Final = door

    async def enter(self, token: str, secret: str, source: str) -> Account:
        """Let a screen in that shows a good link, by a secret of its own, until the link ends.

        Args:
            token: of the link, as a stranger wrote it.
            secret: 256 random bits that the screen made and keeps.
            source: the address it came from, for the audit.

        Raises:
            LinkRefused: there is nothing to show.
            LinkFull: it has let in `MOST_SCREENS`.
            SecretTooWeak: the secret would not do.
            ConnectionLost: the broker cannot be reached; nothing was changed.
        """
        check_secret(secret)
        now = self._admission.clock()
        async with self._admission.database.write() as connection:
            opens = await self._door.opened_by(connection, token, now)
            if opens is None:
                raise _refused()
            tenant, name = opens.tenant, self._name_of(opens, secret)
            device = Device(tenant, name, Role.GUEST, None, now, opens.until)
            account = Account(device.identity, secret)
            if await self._is_in(connection, account, now):
                return account
            if await self._door.screens(connection, opens) >= MOST_SCREENS:
                raise LinkFull(f"this link shows on {MOST_SCREENS} screens already: use its page")
            await self._admission.place(
                connection, [(device, account)], action="guest.screen-opened", source=source
            )
            await self._door.show(connection, opens, name)
            await self._admission.accounts.admit([account], anew=True)
        log.info("a guest's screen came in", tenant=tenant, device=name)
        return account

    async def _is_in(self, connection: AsyncConnection, account: Account, now: datetime) -> bool:
        """Whether this screen was let in already.

        Raises:
            LinkRefused: its name is another's. It takes a new secret, and tries again.
        """
        identity = account.identity
        if await store.seek_device(connection, identity.tenant, identity.device) is None:
            return False
        stored = await credentials.find(connection, account.username, now)
        if stored is None or not stored.secret.verify(account.secret):
            raise _refused()
        return True

    def _name_of(self, opens: LinkOpens, secret: str) -> str:
        text = f"{opens.tenant}/{opens.order_id}/{secret}"
        return _NAME + short_name(self._seal, "guests' screens", text)


def _refused() -> LinkRefused:
    return LinkRefused("this link shows nothing, or not any more")
