"""The parts of an order's history."""

from dataclasses import dataclass
from datetime import datetime

from nightdesk.model.execution import Fact
from nightdesk.web.records import OrderLine, SignalLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check the order passed, or the one that refused it: what was allowed and what was found."""

    name: str
    limit: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """One thing asked of the venue, and how far it came."""

    kind: str
    number: int
    state: str
    attempts: int
    actor: str
    text: str
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLine:
    """One message that left or may have left. `payload` is readable text, its secrets blanked.

    `first_byte_at` is None where no byte is known to have left, `answered_at` while there is no answer.
    """

    wire_id: str
    kind: str
    number: int
    attempt: int
    payload: str
    payload_hash: str
    valid_until: datetime | None
    sending_at: datetime
    first_byte_at: datetime | None
    answered_at: datetime | None
    outcome: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One line of the account's own sequence about the order; `data` is JSON."""

    seq: int
    topic: str
    at: datetime
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One order whole: why it is, what it passed, what was asked and sent, what came back."""

    order: OrderLine
    signal: SignalLine | None
    legs: tuple[OrderLine, ...]
    """All orders of the same signal, this one among them."""
    checks: tuple[Check, ...]
    """Those it passed; empty where it was refused, since `order` then names the check, its limit and the value."""
    config_version: str
    commands: tuple[CommandLine, ...]
    sends: tuple[SendLine, ...]
    facts: tuple[Fact, ...]
    """In the order of their times."""
    events: tuple[EventLine, ...]
