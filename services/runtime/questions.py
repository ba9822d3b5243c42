"""Questions: they change nothing, so they need neither inbox nor outbox."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final

import structlog

from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from services.runtime.database import Database, is_away
from services.runtime.ports import Ports
from services.runtime.reception import Received
from services.runtime.refusal import OUR_FAULT_UNKEPT, Refusal, refused, rejected
from services.runtime.router import Asking, Router

log = structlog.get_logger(__name__)


class Questions:
    """Answers questions, each from one view of the rows.

    Args:
        database: what is asked about.
        router: who answers what.
        ports: what areas offer each other.
        counts: what happened.
    """

    def __init__(
        self, database: Database, router: Router, ports: Ports, counts: Counter[str]
    ) -> None:
        self._database: Final = database
        self._router: Final = router
        self._ports: Final = ports
        self._counts: Final = counts

    async def reply_to(self, query: Received, now: datetime) -> Reply | None:
        """Answer a question; None where nobody here knows of such.

        Raises:
            Exception: the database is away (`services.runtime.database.is_away`).
        """
        answerer = self._router.answerers.get(type(query.message))
        request_id = query.request_id
        if answerer is None or request_id is None:
            return None
        try:
            async with self._database.read() as connection:
                asking = Asking(
                    connection, query.tenant, query.device, request_id, now, self._ports
                )
                result = await answerer(query.message, asking)
            reply = Reply(request=request_id, outcome=Outcome.ACCEPTED, result=result)
        except Refusal as refusal:
            reply = refused(request_id, refusal)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("a question could not be answered", topic=query.delivery.topic)
            self._counts["faults"] += 1
            reply = rejected(request_id, RefusalCode.INTERNAL, OUR_FAULT_UNKEPT)
        self._counts["answered"] += 1
        return reply
