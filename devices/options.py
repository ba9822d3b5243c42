"""The arguments that every device takes, for the signatures of the devices."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Required, TypedDict
from uuid import UUID

from devices.resending import Patience
from schemas.replies import Reply

OnReply = Callable[[UUID, Reply], None]
OnProblem = Callable[[str], None]


class DeviceOptions(TypedDict, total=False):
    """What `DeviceClient` takes by name; it says what each means."""

    tenant: Required[str]
    device: Required[str]
    secret: Required[str]
    username: str | None
    outbox: Path | None
    keepalive_s: int
    heartbeat_s: float
    patience: Patience | None
    tls: ssl.SSLContext | None
    plaintext: bool
    software: str | None
    on_reply: OnReply | None
    on_problem: OnProblem | None
