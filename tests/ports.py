"""Ports that a test may listen on, now or later."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress
from typing import Final

_LEAST: Final = 20_000
_MANY: Final = 12_000
_NUMBERS: Final = itertools.count()


def quiet_port() -> int:
    """A free port below those that the system hands out: nobody takes it while it is down.

    No two calls give the same one, and processes that were begun together begin far apart.

    Raises:
        OSError: there is none.
    """
    for _ in range(_MANY):
        port = _LEAST + (os.getpid() * 1_000 + next(_NUMBERS)) % _MANY
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"no free port from {_LEAST} on")
