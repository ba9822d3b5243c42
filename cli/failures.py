"""What went wrong, in one line that says what to do."""

from __future__ import annotations

import errno
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.pending import Rejected
    from schemas.kitchen import TicketStatus


class Failure(Exception):
    """A command cannot do what was asked; the text says why, and what to do."""


def of_another_version(database: str, at: str | None) -> Failure:
    """The failure of a database that is not at the version of this program."""
    from services.migrations.version import NEWEST  # noqa: PLC0415 - only where it went wrong

    how = "not set up" if at is None else f"at version {at}, not {NEWEST}"
    return Failure(f"the database {database} is {how}: run `heard db upgrade`")


def explain(error: BaseException) -> str | None:
    """One line on an error that can happen to anybody; None for what is our own fault."""
    if isinstance(error, Failure):
        return str(error)
    if isinstance(error, tomllib.TOMLDecodeError):
        return f"heard.toml cannot be read: {error}"
    return _of_settings(error) or _of_ours(error) or _of_the_database(error) or _of_system(error)


def _of_settings(error: BaseException) -> str | None:
    from pydantic import ValidationError  # noqa: PLC0415 - only where something went wrong

    if not isinstance(error, ValidationError):
        return None
    told = []
    for each in error.errors(include_url=False, include_context=False):
        name = ".".join(str(part) for part in each["loc"])
        what = each["msg"][:1].lower() + each["msg"][1:]
        told.append(f"{name}: {what}" if name else what)
    if error.title != "Settings":
        return f"{error.title} is not valid: " + "; ".join(told)
    return "a setting is wrong (flag, HEARD_… variable or heard.toml): " + "; ".join(told)


def _of_ours(error: BaseException) -> str | None:
    from broker_config.dynamic_security import DynamicSecurityRefused  # noqa: PLC0415 - the same
    from broker_config.embedded import NotLoopback  # noqa: PLC0415 - the same
    from broker_config.mosquitto_conf import PluginMissing  # noqa: PLC0415 - the same
    from broker_config.settings import (  # noqa: PLC0415 - the same
        PlaintextRefused,
        UnusableCertificate,
    )
    from devices.enrolment import CredentialsBroken, EnrolmentFailed  # noqa: PLC0415 - the same
    from devices.outbox import OutboxBroken, OutboxInUse  # noqa: PLC0415 - the same
    from devices.pending import Rejected, Unanswered  # noqa: PLC0415 - the same
    from services.notices.letter import Unusable  # noqa: PLC0415 - the same
    from services.people.limits import LimitsUnusable  # noqa: PLC0415 - the same
    from services.people.password_rules import WeakPassword  # noqa: PLC0415 - the same
    from services.people.seal import SealBroken  # noqa: PLC0415 - the same
    from services.people.store import Taken, Unknown  # noqa: PLC0415 - the same
    from services.runtime.bus import ConnectionLost  # noqa: PLC0415 - the same
    from services.runtime.database import DatabaseUnusable  # noqa: PLC0415 - the same

    if isinstance(error, ConnectionLost):
        return f"no connection to the broker: {error}: `heard doctor` says more"
    if isinstance(error, DynamicSecurityRefused):
        return f"Mosquitto refused: {error}: `heard doctor` says more"
    if isinstance(error, Rejected):
        return _refused(error)
    plain = (DatabaseUnusable, Unknown, Taken, LimitsUnusable, NotLoopback, PluginMissing)
    tls = (PlaintextRefused, UnusableCertificate, Unusable)
    people = (WeakPassword, SealBroken, EnrolmentFailed, CredentialsBroken)
    if isinstance(error, (*plain, *tls, *people, OutboxInUse, OutboxBroken, Unanswered)):
        return str(error)
    return None


def _refused(error: Rejected) -> str:
    """What the services refused, and how the thing stands that it was about."""
    from cli.standing import told  # noqa: PLC0415 - only where something went wrong
    from schemas.refusals import RefusalCode  # noqa: PLC0415 - the same
    from schemas.replies import OrderReceipt, TicketReceipt  # noqa: PLC0415 - the same

    state = error.state
    if isinstance(state, TicketReceipt) and error.code == RefusalCode.WRONG_STATE:
        return f"{error} (now {told(state)}; from here: {_what_a_cook_can_do(state.status)})"
    now = f" (now {told(state)})" if isinstance(state, OrderReceipt | TicketReceipt) else ""
    return f"{error}{now}"


def _what_a_cook_can_do(status: TicketStatus) -> str:
    """The commands of `heard kitchen` that the table has from here."""
    from schemas.kitchen import TICKET_STEPS, TicketStep  # noqa: PLC0415 - as above

    # Displays hear by themselves, and it is an order that is cancelled.
    others = {TicketStep.HEAR, TicketStep.CANCEL}
    steps = [step.value for (at, step) in TICKET_STEPS if at is status and step not in others]
    return ", ".join(steps) or "nothing, it has ended"


def _of_the_database(error: BaseException) -> str | None:
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError  # noqa: PLC0415 - the same

    if isinstance(error, DBAPIError):
        text = " ".join(str(error.orig).split())
        if "no such table" in text or ("does not exist" in text and "relation" in text):
            return "the database has no tables of this version: run `heard db upgrade`"
        return f"the database cannot be used: {text[:300]}"
    if isinstance(error, SQLAlchemyError) or type(error).__module__.startswith("asyncpg"):
        return f"the database cannot be used: {' '.join(str(error).split())[:300]}"
    return None


def _of_system(error: BaseException) -> str | None:
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.EADDRINUSE:
        return f"the port is in use: choose another with --broker-port ({error})"
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
