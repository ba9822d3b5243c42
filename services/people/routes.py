"""What people and new devices ask of the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from schemas.devices import Role
from schemas.gateway import (
    AuditEntry,
    AuditPage,
    BrokerPlace,
    ClaimDevice,
    ClaimedDevice,
    Devices,
    Invitation,
    InviteDevice,
    ListedDevice,
    LogIn,
    Me,
    Nothing,
    ProblemCode,
    PublicKeys,
    Session,
)
from schemas.people import Permission
from services.people import store
from services.people.claims import ClaimRefused, Claims, SecretTooWeak
from services.people.entrance import Tries, let_in
from services.people.login import Opened, Screens
from services.people.permissions import STANDINGS
from services.people.seal import Seal
from services.people.standing import Standing
from services.people.store import Taken, Unknown
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.gateway import Call, Denied, Offer
from services.runtime.ratelimit import Rate

log = structlog.get_logger(__name__)

AUDIT_PAGE: Final = 200
_CLAIMS_EACH: Final = Rate(per_s=1 / 30, burst=10)
"""Wrong codes from one address. A code has 40 bits and lives for minutes."""
_CLAIMS_IN_ALL: Final = Rate(per_s=10, burst=100)


class PeopleRoutes:
    """The routes of people and of devices that come in.

    Args:
        database: where everything is kept.
        screens: opens and closes what people work at.
        seal: under whose key claim codes are kept.
        place: where devices reach the broker.
        monotonic: seconds, for what is counted.
    """

    def __init__(
        self,
        database: Database,
        screens: Screens,
        seal: Seal,
        place: BrokerPlace,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database: Final = database
        self._screens: Final = screens
        self._seal: Final = seal
        self._place: Final = place
        self._admission: Final = screens.admission
        self._claims: Final = Tries(_CLAIMS_EACH, _CLAIMS_IN_ALL, monotonic)

    @property
    def offers(self) -> tuple[Offer[Any], ...]:
        """All of them, for the gateway."""
        return (
            Offer("POST", "/v1/login", LogIn, self.log_in),
            Offer("POST", "/v1/renew", Nothing, self.renew),
            Offer("POST", "/v1/logout", Nothing, self.log_out),
            Offer("GET", "/v1/me", Nothing, self.me),
            Offer("GET", "/v1/keys", Nothing, self.keys),
            Offer("POST", "/v1/claim", ClaimDevice, self.claim),
            Offer("POST", "/v1/invitations", InviteDevice, self.invite),
            Offer("GET", "/v1/devices", Nothing, self.devices),
            Offer("DELETE", "/v1/devices/{device}", Nothing, self.revoke),
            Offer("GET", "/v1/audit", Nothing, self.audit),
        )

    # -- screens --------------------------------------------------------------------------

    async def log_in(self, call: Call, asked: LogIn) -> Session:
        """Open a screen."""
        opened = await self._screens.log_in(asked, call.source)
        call.who = opened.person.subject
        return self._session(opened)

    async def renew(self, call: Call, _asked: Nothing) -> Session:
        """Give a screen its next token."""
        return self._session(await self._screens.renew(await self._who(call)))

    async def log_out(self, call: Call, _asked: Nothing) -> None:
        """Close a screen."""
        await self._screens.log_out(await self._who(call))

    async def me(self, call: Call, _asked: Nothing) -> Me:
        """Tell whom a token makes one."""
        standing = await self._who(call)
        person, device = standing.person, standing.device
        return Me(
            tenant=device.tenant,
            person=person.person,
            name=person.name,
            role=person.role,
            device=device.device,
            device_role=device.role,
            permissions=sorted(STANDINGS[person.role].may),
            expires_at=standing.grant.expires_at,
            ends_at=device.expires_at or standing.grant.expires_at,
        )

    async def keys(self, _call: Call, _asked: Nothing) -> PublicKeys:
        """Tell what tokens may be signed with."""
        return PublicKeys(keys=[each.as_jwk for each in await self._screens.keys.listed()])

    # -- devices --------------------------------------------------------------------------

    async def claim(self, call: Call, asked: ClaimDevice) -> ClaimedDevice:
        """Let a device in that knows its code."""
        self._claims.take(call)
        claims = Claims(self._admission(f"address:{call.source}"), self._seal)
        try:
            account = await claims.claim(
                asked.code.get_secret_value(), asked.secret.get_secret_value(), call.source
            )
        except ClaimRefused as refused:
            raise Denied(403, ProblemCode.CLAIM_REFUSED, str(refused)) from None
        except SecretTooWeak as weak:
            raise Denied(400, ProblemCode.INVALID, str(weak)) from None
        self._claims.give_back(call)
        identity = account.identity
        async with self._database.read() as connection:
            device = await store.find_device(connection, identity.tenant, identity.device)
        return let_in(call, account, self._place, station=device.station)

    async def invite(self, call: Call, asked: InviteDevice) -> Invitation:
        """Expect a device."""
        standing = await self._who(call, Permission.DEVICES_INVITE)
        if asked.role is Role.SERVICE:
            raise Denied(400, ProblemCode.INVALID, "role: a service is no device")
        if asked.role is Role.MANAGER:
            # A stolen token of minutes must not become a device for good that sees everything.
            raise Denied(
                403, ProblemCode.NOT_ALLOWED, "a manager's device is invited on the command line"
            )
        claims = Claims(self._admission(standing.person.actor), self._seal)
        try:
            invitation, code = await claims.invite(
                standing.device.tenant, asked.device, asked.role, station=asked.station
            )
        except Taken:
            raise Denied(
                409, ProblemCode.TAKEN, f"there is a device {asked.device} already"
            ) from None
        return Invitation(device=invitation.device, code=code, expires_at=invitation.expires_at)

    async def devices(self, call: Call, _asked: Nothing) -> Devices:
        """List the restaurant's devices."""
        standing = await self._who(call, Permission.DEVICES_READ)
        async with self._database.read() as connection:
            found = await store.devices(connection, standing.device.tenant)
        return Devices(
            devices=[
                ListedDevice(
                    device=each.device,
                    role=each.role,
                    station=each.station,
                    person=each.person,
                    created_at=each.created_at,
                    expires_at=each.expires_at,
                )
                for each in found
            ]
        )

    async def revoke(self, call: Call, _asked: Nothing) -> None:
        """Put a device out for good."""
        standing = await self._who(call, Permission.DEVICES_REVOKE)
        try:
            await self._admission(standing.person.actor).revoke(
                standing.device.tenant, [call.path["device"]]
            )
        except Unknown:
            raise Denied(404, ProblemCode.NOT_FOUND, "there is no such device") from None

    # -- the audit ------------------------------------------------------------------------

    async def audit(self, call: Call, _asked: Nothing) -> AuditPage:
        """Read who did what in the restaurant, a page at a time."""
        standing = await self._who(call, Permission.AUDIT_READ)
        after = call.query.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 16):
            raise Denied(400, ProblemCode.INVALID, "after: the serial of an entry")
        async with self._database.read() as connection:
            found = await audit.entries(
                connection, standing.device.tenant, after=int(after), most=AUDIT_PAGE + 1
            )
        return AuditPage(
            entries=[
                AuditEntry(
                    serial=each.serial,
                    at=each.at,
                    actor=each.actor,
                    action=each.action,
                    subject=each.subject,
                    details=dict(each.details),
                    digest=each.digest,
                )
                for each in found[:AUDIT_PAGE]
            ],
            more=len(found) > AUDIT_PAGE,
        )

    # -------------------------------------------------------------------------------------

    async def _who(self, call: Call, permission: Permission | None = None) -> Standing:
        """Believe the token of a call; hold what is asked against the person's role."""
        standing = await self._screens.authenticate(call.bearer, call.source)
        call.who = standing.person.subject
        if permission is not None and not standing.may(permission):
            raise Denied(
                403, ProblemCode.NOT_ALLOWED, f"a {standing.person.role} may not: {permission}"
            )
        return standing

    def _session(self, opened: Opened) -> Session:
        device = opened.device
        return Session(
            token=opened.token,
            expires_at=opened.expires_at,
            ends_at=opened.ends_at,
            tenant=device.tenant,
            person=opened.person.person,
            role=opened.person.role,
            device=device.device,
            device_role=device.role,
            username=opened.account.username,
            client_id=opened.account.identity.client_id,
            broker=self._place,
        )
