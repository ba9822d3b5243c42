"""The folder in which `heard tls` keeps the authority and what it signed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from broker_config.certificate_checks import Facts, belongs, look
from broker_config.certificates import (
    SERVER_DAYS,
    Pair,
    authority_of,
    issue_client,
    issue_server,
    make_authority,
)
from broker_config.private_files import PUBLIC, write_private
from broker_config.settings import UnusableCertificate


@dataclass(frozen=True, slots=True)
class Place:
    """Where a certificate and its key stand."""

    certificate: Path
    key: Path

    @property
    def whole(self) -> bool:
        """Whether both are there and belong together.

        Raises:
            UnusableCertificate: one of them is something else.
        """
        there = self.certificate.exists() and self.key.exists()
        return there and belongs(self.certificate, self.key)

    def read(self) -> Pair:
        """Read both."""
        return Pair(self.certificate.read_bytes(), self.key.read_bytes())

    def write(self, pair: Pair) -> None:
        """Write both, the key for its owner alone."""
        # The key first: where only that came to be, `whole` says so, and both are made again.
        write_private(self.key, pair.key)
        write_private(self.certificate, pair.certificate, mode=PUBLIC)


class TlsFolder:
    """An authority (`ca.crt`, `ca.key`) and the broker's certificate (`server.crt`, `server.key`).

    Args:
        directory: where they stand; made when something is written.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = self._place(directory, "ca")
        self.server = self._place(directory, "server")

    @staticmethod
    def _place(directory: Path, name: str) -> Place:
        return Place(directory / f"{name}.crt", directory / f"{name}.key")

    def prepare(
        self,
        hosts: Callable[[], Sequence[str]],
        now: datetime,
        *,
        days: int = SERVER_DAYS,
        renew: bool = False,
    ) -> bool:
        """Make what is missing; what stands there whole is left alone.

        Args:
            hosts: tells the names and addresses of the broker, asked when one is made.
            now: the time.
            days: how long the server's certificate shall count.
            renew: make a new server's certificate although one stands there.

        Returns:
            Whether the server's certificate was made.

        Raises:
            UnusableCertificate: a host is none, or what stands there cannot be used.
        """
        with self._alone():
            if not self.authority.whole:
                self._make_authority(now)
            if self.server.whole and self._ours() and not renew:
                return False
            self.server.write(issue_server(self.authority.read(), list(hosts()), now, days))
            return True

    def _ours(self) -> bool:
        """Whether the authority here signed the server's: its name has its key in it."""
        return look(self.server.certificate).issuer == look(self.authority.certificate).subject

    def _make_authority(self, now: datetime) -> None:
        if self.authority.certificate.exists():
            raise UnusableCertificate(
                f"{self.authority.certificate} has no key beside it that is its own: put "
                f"{self.authority.key.name} back, or move the folder away and begin anew"
            )
        begun = self.authority.key.exists()
        self.authority.write(
            authority_of(self.authority.key.read_bytes(), now) if begun else make_authority(now)
        )

    def client(self, client_id: str, out: Place, now: datetime, days: int) -> None:
        """Make a client's certificate for mutual TLS, under the authority that stands here.

        Raises:
            UnusableCertificate: there is no authority, or its time is up.
        """
        self._need_authority()
        out.certificate.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        out.write(issue_client(self.authority.read(), client_id, now, days))

    def _need_authority(self) -> None:
        if not self.authority.whole:
            raise UnusableCertificate(f"no authority is in {self.directory}: run `heard tls init`")

    def facts(self) -> dict[str, Facts]:
        """What the certificates say that stand here, by the names of their files."""
        places = (self.authority, self.server)
        return {
            place.certificate.name: look(place.certificate)
            for place in places
            if place.certificate.exists()
        }

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep another process from making an authority in the same moment."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
