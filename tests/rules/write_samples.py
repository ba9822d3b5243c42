"""Store a sample of every message that has none yet.

``python -m tests.rules.write_samples --write``. A stored sample is what was once
released: it is never written again, whatever becomes of the message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.catalogue import MESSAGES
from schemas.envelope import device_source, encode, service_source
from schemas.message import Message
from schemas.topics import DEVICE_PLANES
from tests.rules.wire import NOON, sample, sample_id, variants

SAMPLES = Path(__file__).parent / "samples"


def path_of(message: type[Message], variant: str = "") -> Path:
    """Where a message's sample is stored; a reply has one for each kind of result."""
    return SAMPLES / f"{message.type_name}{f'~{variant}' if variant else ''}.json"


def missing() -> Iterator[tuple[type[Message], str]]:
    """The messages, and the kinds of result, of which no sample is stored."""
    for message in MESSAGES:
        for variant in variants(message):
            if not path_of(message, variant).exists():
                yield message, variant


def make(message: type[Message], variant: str) -> dict[str, Any]:
    """A message with its topic, as both stand on the wire."""
    payload = message.model_validate(sample(message, variant))
    by_device = message.plane in DEVICE_PLANES
    wire = encode(
        payload,
        id=sample_id(message.type_name),
        source=device_source("demo", "pos-1") if by_device else service_source("demo"),
        time=NOON,
        causation=None if by_device else sample_id("cause"),
    )
    return {
        "topic": payload.topic(tenant="demo", device="pos-1", sensor="fridge", sub="event"),
        "payload": json.loads(wire),
    }


def write() -> list[Path]:
    """Store what is missing, and tell what was stored."""
    SAMPLES.mkdir(exist_ok=True)
    written = []
    for message, variant in list(missing()):
        path = path_of(message, variant)
        path.write_text(json.dumps(make(message, variant), indent=2, ensure_ascii=False) + "\n")
        written.append(path)
    return written


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("say --write to store a sample of every message that has none")
    for path in write():
        sys.stdout.write(f"{path.name}\n")
