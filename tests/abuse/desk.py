"""The gateway of a stage, as `heard serve` joins it: where people log in."""

from __future__ import annotations

import base64
import json
import time
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr

from cli.gateway import gateway_of
from cli.settings import Settings
from schemas.gateway import Session
from schemas.people import PersonRole
from services.people.passwords import Passwords
from services.people.seal import Seal
from services.people.staffing import Staffing
from services.people.store import Taken
from services.runtime.gateway import Gateway
from tests.system import RunningSystem

PERSON: Final = "ada"
PASSWORD: Final = "quiet lemon staircase"
_SEAL_KEY: Final = "a seal of a test, with 256 bits if it were a real one"


class Desk:
    """A gateway, until `close`; in each tenant there is one manager.

    Args:
        system: runs.
        home: a folder for its files.
        tenants: where people log in.
        token_s: how long tokens are good for.
    """

    def __init__(
        self, system: RunningSystem, home: Path, tenants: tuple[str, ...], token_s: float
    ) -> None:
        self._system: Final = system
        self._tenants: Final = tenants
        settings = Settings(
            home=home, seal_key=SecretStr(_SEAL_KEY), gateway_port=0, token_s=token_s
        )
        served = system.served
        self._context: AbstractAsyncContextManager[Gateway | None] = gateway_of(
            settings, served.admission.database, served, system.broker.address, any_port=True
        )
        gateway = system.call(self._context.__aenter__())
        assert gateway is not None
        self.url: Final = gateway.url
        system.call(self._add_people())

    async def _add_people(self) -> None:
        passwords = Passwords()
        staffing = Staffing(self._system.served.admission, passwords, Seal(_SEAL_KEY))
        for tenant in self._tenants:
            try:
                await staffing.add(tenant, PERSON, "Ada Rossi", PersonRole.MANAGER, PASSWORD)
            except Taken:
                break  # by another desk of the same system
        passwords.close()

    def log_in(self, tenant: str) -> Session:
        """Open a screen of a tenant's manager."""
        asked = {"tenant": tenant, "person": PERSON, "password": PASSWORD}
        answer = httpx.post(f"{self.url}/v1/login", json=asked)
        assert answer.status_code == 200, answer.text
        return Session.model_validate_json(answer.text)

    def ask(self, method: str, path: str, token: str) -> tuple[int, Any]:
        """Ask with a token; returns the status, and the answer or its code."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, f"{self.url}{path}", headers=headers)
        told = answer.json() if answer.content else {}
        return answer.status_code, told.get("code", told)

    def close(self) -> None:
        """End it."""
        self._system.call(self._context.__aexit__(None, None, None))


def wait_for_its_end(session: Session) -> None:
    """Wait until a token's time is up."""
    left = (session.expires_at - datetime.now(UTC)).total_seconds()
    assert left < 10, "a token that lives too long for a test"
    time.sleep(max(0.0, left))


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, read without any belief."""
    header, claims, _ = token.split(".")
    return json.loads(_octets(header)), json.loads(_octets(claims))


def written(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """The part of a token that is signed."""
    return ".".join(encoded(json.dumps(each).encode()) for each in (header, claims))


def encoded(octets: bytes) -> str:
    """Base64 as it stands in tokens."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
