"""What happened, in the order it became durable; consumers keep a cursor over the sequence of an account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from nightdesk.model.identifiers import AccountId, ClOrdId


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of an account's history; `seq` grows by one per account and never has a gap."""

    account_id: AccountId
    seq: int
    topic: str
    """`order.accepted`, `order.updated`, `position.changed`, `account.state`, ..."""
    cl_ord_id: ClOrdId | None
    at: datetime
    data: Mapping[str, str]
