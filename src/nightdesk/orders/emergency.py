"""Cancels when the database takes no writes: sent all the same, noted in a file, and settled by reconciling later.

This is the one command that may go out unrecorded: it can only make less of what is already at a venue.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from nightdesk.model.errors import VenueError
from nightdesk.model.identifiers import AccountId
from nightdesk.model.order import Order
from nightdesk.model.venue import Venue
from nightdesk.runtime.clock import Clock

log = logging.getLogger(__name__)

FILE_NAME = "emergency.jsonl"
CANCEL_SECONDS = 10.0


class Emergency:
    """Sends cancels straight to the venues."""

    def __init__(self, data_dir: Path, venues: Mapping[AccountId, Venue], clock: Clock) -> None:
        self._path = data_dir / FILE_NAME
        self._venues = venues
        self._clock = clock

    async def cancel(self, order: Order, actor: str) -> bool:
        """True when the venue answered; what it said is learnt by reconciling, once rows can be written again."""
        self._note(order, actor)
        try:
            async with self._clock.timeout(CANCEL_SECONDS):
                report = await self._venues[order.account_id].cancel(order, None, _open)
        except (VenueError, TimeoutError) as error:
            log.error("emergency.cancel_unanswered", extra={"cl_ord_id": order.cl_ord_id, "reason": str(error)})
            return False
        log.warning("emergency.canceled", extra={"cl_ord_id": order.cl_ord_id, "ord_status": report.ord_status.value})
        return True

    def _note(self, order: Order, actor: str) -> None:
        line = {
            "at": self._clock.now().isoformat(),
            "cl_ord_id": order.cl_ord_id,
            "venue": order.venue,
            "actor": actor,
            "action": "cancel",
        }
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            # With no room for one line the log's own queue is what is left; the cancel must go out all the same.
            log.error("emergency.not_noted", extra={**line, "reason": error.strerror})


def _open() -> None:
    """A cancel passes every gate."""
