"""Guests of parties on the command line: who they are stands in a file from command to command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from broker_config.private_files import write_private
from broker_config.settings import BrokerAddress
from cli.admission import Admitted, a_device, admit
from cli.application import Application
from cli.failures import Failure
from cli.gateway import broker_place
from devices.enrolment import CredentialsBroken, DeviceCredentials, read_credentials
from devices.guest import PartyGuest
from devices.pending import Pending
from schemas.devices import Role
from schemas.identifiers import new_id, slug
from schemas.parties import Party

R = TypeVar("R")

_FOLDER: Final = "guests"


class Guest:
    """A guest who asks, and waits for the answer.

    Args:
        device: theirs; online soon.
        problems: what it says is wrong.
        patience: seconds to wait for each answer.
    """

    def __init__(self, device: PartyGuest, problems: list[str], patience: float) -> None:
        self.device: Final = device
        self._problems: Final = problems
        self._patience: Final = patience

    def wait(self, pending: Pending[R]) -> R:
        """Wait for an answer.

        Raises:
            Failure: none came in time.
            Rejected: the services refused it.
        """
        try:
            return pending.result(self._patience)
        except TimeoutError:
            raise self._silence() from None

    def party(self) -> Party:
        """The party they are in.

        Raises:
            Failure: there is none.
        """
        if not self.device.wait_online(self._patience):
            raise self._silence()
        party = self.device.know_party(self._patience)
        if party is None:
            raise Failure("this guest is in no party any more: heard party open, heard party join")
        return party

    def _silence(self) -> Failure:
        why = self._problems[-1] if self._problems else "do the services run? `heard doctor`"
        return Failure(f"no answer within {self._patience:g} s: {why}")


def file_of(app: Application, tenant: str, name: str) -> Path:
    """Where a guest's credentials are kept."""
    return app.settings.home / _FOLDER / f"{tenant}-{slug(name)}.json"


def new_host(app: Application, tenant: str, name: str) -> Path:
    """Let a phone in for who opens a party, by the right of this machine; returns its file."""
    device = f"guest-{new_id().hex[-8:]}"
    wanted = a_device(tenant, device, Role.GUEST, transient=True)
    place = broker_place(app.settings, app.address())
    (secret,) = app.run(lambda database: admit(app, database, [wanted], action="cli.visited"))
    identity = wanted.identity
    known = DeviceCredentials(
        tenant=tenant,
        device=device,
        role=Role.GUEST,
        username=identity.username(),
        client_id=identity.client_id,
        secret=secret,
        broker=place,
    )
    path = file_of(app, tenant, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, known.model_dump_json(indent=1) + "\n")
    return path


@contextmanager
def seated(app: Application, tenant: str, name: str, patience: float) -> Iterator[Guest]:
    """A guest that an earlier command has let in.

    Raises:
        Failure: there is none of that name.
    """
    path = file_of(app, tenant, name)
    try:
        known = read_credentials(path)
    except CredentialsBroken:
        raise Failure(
            f"{tenant} has no guest {name} here: heard party open {name} --tenant {tenant}, or "
            f"heard party join CODE {name} --tenant {tenant}"
        ) from None
    broker = known.broker
    address = BrokerAddress(
        host=broker.host,
        port=broker.port,
        tls=broker.tls,
        ca_pem=broker.ca,
        plaintext=app.settings.plaintext,
    )
    admitted = Admitted(known.tenant, known.device, known.secret, address, known.username)
    problems: list[str] = []
    device = PartyGuest(
        address.host, address.port, on_problem=problems.append, **admitted.options()
    )
    with device:
        yield Guest(device, problems, patience)
