"""What becomes of an answer on its way to the caller."""

from dataclasses import dataclass
from enum import StrEnum

from nightdesk.model.execution import ExecutionReport
from nightdesk.venues.paper.faults import FaultKind


class Fate(StrEnum):
    """How the caller gets to see an answer."""

    ANSWER = "answer"
    REFUSED = "refused"
    """Turned away at the door: definite, and the client id is still free."""
    RATE_LIMITED = "rate_limited"
    HANG = "hang"
    DROP = "drop"
    HTML_500 = "html_500"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer and its fate. `wake_after`: seconds until the exchange has more to do and wants to be pumped."""

    fate: Fate = Fate.ANSWER
    report: ExecutionReport | None = None
    text: str = ""
    retry_after: float | None = None
    wake_after: float | None = None


_FATES = {
    FaultKind.HANG_AFTER_ACCEPT: Fate.HANG,
    FaultKind.LATE_ACCEPT: Fate.HANG,
    FaultKind.REJECT_AND_HANG: Fate.HANG,
    FaultKind.LOST_REPLY: Fate.DROP,
    FaultKind.LOST_REQUEST: Fate.DROP,
    FaultKind.RATE_LIMITED: Fate.RATE_LIMITED,
    FaultKind.HTTP_500_HTML: Fate.HTML_500,
    FaultKind.GARBAGE_200: Fate.GARBAGE,
}


def fate_under(kind: FaultKind) -> Fate:
    """What becomes of the answer to a request that this fault strikes."""
    return _FATES.get(kind, Fate.ANSWER)
