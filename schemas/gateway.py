"""What is asked and answered over HTTP: by browser screens, and by devices on their first day."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, Field, SecretStr

from schemas.devices import Role
from schemas.identifiers import Slug
from schemas.message import Part
from schemas.money import MAX_MINOR, Currency
from schemas.people import Permission, PersonRole
from schemas.text import Remark

MOST_PASSWORD: int = 256

Secret: TypeAlias = Annotated[str, Field(repr=False)]
"""Text that no log may show: a model that holds it does not print it."""


class ProblemCode(StrEnum):
    """Why the gateway did not do what was asked; a screen can act on each."""

    INVALID = "invalid"
    """A field is missing or wrong; the message names it."""
    NOT_JSON = "not-json"
    TOO_LARGE = "too-large"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    UNAUTHENTICATED = "unauthenticated"
    """There is no token, or none that will do: log in."""
    TOKEN_EXPIRED = "token-expired"  # noqa: S105 - a code of the contract
    BAD_SIGNATURE = "bad-signature"
    """A webhook that nobody we know has signed, or not just now."""
    LOGIN_REFUSED = "login-refused"
    """Name, password or code is wrong; which of them, nobody says."""
    CODE_NEEDED = "code-needed"
    """The password is right, and this person needs a code of their app with it."""
    CLAIM_REFUSED = "claim-refused"
    """The claim code is wrong, used, or its time is up."""
    PARTY_REFUSED = "party-refused"
    """No party is open under this code, or it is full."""
    NOT_ALLOWED = "not-allowed"
    """One may not do this in one's role."""
    TAKEN = "taken"
    """There is one of that name already."""
    RATE_LIMITED = "rate-limited"
    """Too many attempts: wait for ``retry_after_s``."""
    AWAY = "away"
    """Something that this needs is away for the moment: try again."""
    INTERNAL = "internal"
    """A fault of ours; the log says more."""


class Problem(Part):
    """The answer to what cannot be done."""

    code: ProblemCode
    message: str
    retry_after_s: float | None = None


class Nothing(Part):
    """A request without a body."""


class Health(Part):
    """That the gateway answers."""

    status: str = "ok"
    serving: bool
    """Whether this process also handles requests over MQTT; else it stands by."""


class LogIn(Part):
    """``POST /v1/login``: a person opens a screen."""

    tenant: Slug
    person: Slug
    password: Annotated[SecretStr, Field(max_length=MOST_PASSWORD)]
    code: Annotated[SecretStr | None, Field(max_length=16)] = None
    """Of the authenticator app, where the person has one."""
    operator: bool = False
    """An operator opens a screen in this restaurant."""


class BrokerPlace(Part):
    """Where a device reaches the broker."""

    host: str
    port: int
    tls: bool
    ca: str | None = None
    """The authority that signed the broker's certificate (PEM); None asks the system's own."""


class Session(Part):
    """A screen that is open: the answer to ``login`` and ``renew``."""

    token: Secret
    """For the gateway (``Authorization: Bearer``) and as the password at the broker."""
    expires_at: AwareDatetime
    """Before this the screen renews; then the token, and whatever rests on it, ends."""
    ends_at: AwareDatetime
    """No renewal goes further: then the person logs in again."""
    tenant: Slug
    person: str
    role: PersonRole
    device: Slug
    """The screen's name as a device."""
    device_role: Role
    username: str
    """The MQTT user name that goes with this token; each renewal brings another."""
    client_id: str
    """The MQTT client id; it stays the same, and with it the persistent session."""
    broker: BrokerPlace


class Me(Part):
    """``GET /v1/me``: who a token makes one."""

    tenant: Slug
    person: str
    name: str
    role: PersonRole
    device: Slug
    device_role: Role
    permissions: list[Permission]
    expires_at: AwareDatetime
    ends_at: AwareDatetime


class PublicKey(Part):
    """One key of a JWKS (RFC 8037): Ed25519."""

    kid: str
    x: str
    kty: str = "OKP"
    crv: str = "Ed25519"
    alg: str = "EdDSA"
    use: str = "sig"


class PublicKeys(Part):
    """``GET /v1/keys``: what tokens may be signed with now."""

    keys: list[PublicKey]


class ClaimDevice(Part):
    """``POST /v1/claim``: a device becomes what it was invited as."""

    code: Annotated[SecretStr, Field(max_length=32)]
    secret: Annotated[SecretStr, Field(min_length=43, max_length=128)]
    """256 random bits that the device made itself, and keeps durably before it asks."""


class EnterParty(Part):
    """``POST /v1/party/join``: a guest's phone comes in by the code of an open party.

    What it gets opens the broker for as long as the party lasts; there it joins
    (`heard.party.join.v1`), by the same code and under its guest's name.
    """

    tenant: Slug
    code: Annotated[SecretStr, Field(max_length=32)]
    secret: Annotated[SecretStr, Field(min_length=43, max_length=128)]
    """256 random bits that the phone made itself, and keeps before it asks."""


class OpenScreen(Part):
    """``POST /track/{token}/screen``: a guest's screen comes in by the link of an open delivery.

    What it gets opens the broker until the link ends; there its own topic shows what the
    link's page does (`heard.guest-tracking.v1`).
    """

    secret: Annotated[SecretStr, Field(min_length=43, max_length=128)]
    """256 random bits that the screen made itself, and keeps before it asks."""


class ClaimedDevice(Part):
    """All that a device needs in order to connect, with the secret that it made."""

    tenant: Slug
    device: Slug
    role: Role
    station: Slug | None
    username: str
    client_id: str
    broker: BrokerPlace


class InviteDevice(Part):
    """``POST /v1/invitations``: expect a device."""

    device: Slug
    role: Role
    station: Slug | None = None


class Invitation(Part):
    """The one time that a claim code is shown."""

    device: Slug
    code: Secret
    expires_at: AwareDatetime


class ListedDevice(Part):
    """One device of the restaurant."""

    device: Slug
    role: Role
    station: Slug | None
    person: str | None
    """Whose screen it is."""
    created_at: AwareDatetime
    expires_at: AwareDatetime | None


class Devices(Part):
    """``GET /v1/devices``."""

    devices: list[ListedDevice]


class AuditEntry(Part):
    """One thing that somebody did."""

    serial: int
    at: AwareDatetime
    actor: str
    action: str
    subject: str
    details: dict[str, str | int | bool | None]
    digest: str


class AuditPage(Part):
    """``GET /v1/audit?after=SERIAL``: the entries after a serial, oldest first."""

    entries: list[AuditEntry]
    more: bool
    """There are later ones: ask again, after the last serial."""


class PaymentNewsType(StrEnum):
    """What a payment provider may report."""

    AUTHORISED = "payment.authorised"
    """The money is promised, and not yet taken."""
    PAID = "payment.paid"
    FAILED = "payment.failed"
    REFUND_DONE = "refund.done"
    REFUND_FAILED = "refund.failed"


class PaymentNewsData(Part):
    """Of which payment a provider speaks."""

    order_id: UUID
    payment_id: UUID
    """As the reply to ``heard.order.pay.v1`` named it."""
    refund_id: UUID | None = None
    """With news of a refund: the id of the request that asked for it."""
    amount_minor: Annotated[int, Field(ge=0, le=MAX_MINOR, strict=True)]
    """Of the payment with its tip, or of the refund."""
    currency: Currency
    reason: Remark | None = None
    """Why it failed, for people."""


class PaymentNews(Part):
    """``POST /v1/tenants/{tenant}/payments/{provider}``: a signed webhook (Standard Webhooks)."""

    type: PaymentNewsType
    data: PaymentNewsData
