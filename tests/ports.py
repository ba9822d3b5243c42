"""Ports that a test may listen on, now or later."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress
from typing import Final
from uuid import uuid4

_LEAST: Final = 20_000
_BLOCKS: Final = 4
_BLOCK: Final = 3_000
_NUMBERS: Final = itertools.count(uuid4().int % _BLOCK)


def quiet_port() -> int:
    """A free port below those that the system hands out: nobody takes it while it is down.

    Workers of one run have each a range of their own, and begin anywhere in it.

    Raises:
        OSError: there is none.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _LEAST + worker % _BLOCKS * _BLOCK
    for _ in range(_BLOCK):
        port = first + next(_NUMBERS) % _BLOCK
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"no free port in {_BLOCK} from {first} on")
