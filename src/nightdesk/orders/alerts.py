"""Events a person has to hear of: evidence that contradicts itself, orders that vanished, fills that came late."""

import json
import logging

from nightdesk.model.enums import Doubt
from nightdesk.runtime.database import Tx
from nightdesk.runtime.store import EventRow

log = logging.getLogger(__name__)

_DOUBTS = (Doubt.DISPUTED.value, Doubt.MISSING.value)


def point_out(_tx: Tx, event: EventRow) -> None:
    """The event is in the log as an error, with what to look at, if a person has to hear of it."""
    if event.topic != "order.updated":
        return
    data = json.loads(event.data)
    extra = {"cl_ord_id": event.cl_ord_id, "account_id": event.account_id, **data}
    if data.get("doubt") in _DOUBTS:
        log.error("order.in_doubt", extra=extra)
    elif "late_fill" in data:
        log.error("order.filled_late", extra=extra)
