"""What may be done about an order in doubt. It depends on what its venue can prove, never on a count of tries. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from nightdesk.model.enums import CommandKind, ResendClass
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.order import Order
from nightdesk.model.venue import Capabilities
from nightdesk.orders.outgoing.store import StoredSend
from nightdesk.runtime.database import to_micros

CLOCK_SKEW = timedelta(seconds=1)
NOT_FOUNDS_NEEDED = 2


class Step(Enum):
    """What comes next for an order nobody has answered for."""

    RESEND = "resend under the same wire id"
    ABSENT = "the venue provably never took it"
    WAIT = "ask again later"
    PERSON = "a person decides"


def next_step(
    order: Order,
    capabilities: Capabilities,
    sends: Sequence[StoredSend],
    facts: Sequence[Fact],
    *,
    now: datetime,
    watched: timedelta,
) -> Step:
    """The step the venue's class allows for an order in doubt.

    `watched` is how long, by the monotonic clock, this process has known the order to be in doubt: a wall clock that
    jumps ahead must not make a validity look over that is not.
    """
    wanted = now < order.deadline_at
    absent = _absent(capabilities, sends, facts, watched)
    match capabilities.resend:
        case ResendClass.A:
            # The venue refuses a second order under the id, so that sending it again can only help.
            if wanted and _not_found_since_last_send(sends, facts):
                return Step.RESEND
            return _otherwise(absent, wanted, capabilities)
        case ResendClass.B:
            if absent:
                return Step.RESEND if wanted else Step.ABSENT
            return _otherwise(absent, wanted, capabilities)
        case ResendClass.C | ResendClass.D:
            # The same signed bytes, or the same unique id, are the question and the order in one.
            if wanted:
                return Step.RESEND
            return _otherwise(absent, wanted, capabilities)
        case ResendClass.E:
            return Step.PERSON


def _otherwise(absent: bool, wanted: bool, capabilities: Capabilities) -> Step:
    if absent:
        return Step.ABSENT
    if capabilities.validity is None and not wanted:
        return Step.PERSON
    return Step.WAIT


def _absent(capabilities: Capabilities, sends: Sequence[StoredSend], facts: Sequence[Fact], watched: timedelta) -> bool:
    """True when the validity of every message is over and the venue, asked twice since, knew nothing."""
    if capabilities.validity is None or watched < capabilities.validity + capabilities.settle:
        return False
    ends = [send.valid_until for send in sends if send.kind is CommandKind.NEW]
    known = [end for end in ends if end is not None]
    if not known or len(known) != len(ends):
        return False
    margin = CLOCK_SKEW + capabilities.settle
    after = max(known) + margin // timedelta(microseconds=1)
    return sum(1 for f in facts if f.kind is FactKind.NOT_FOUND and to_micros(f.at) >= after) >= NOT_FOUNDS_NEEDED


def _not_found_since_last_send(sends: Sequence[StoredSend], facts: Sequence[Fact]) -> bool:
    last = max((send.sending_at for send in sends if send.kind is CommandKind.NEW), default=0)
    return any(fact.kind is FactKind.NOT_FOUND and to_micros(fact.at) > last for fact in facts)
