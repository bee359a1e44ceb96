"""What can go wrong, drawn once.

NightdeskError
 ├ Refused            a signal or request of ours was not taken; nothing was traded
 └ VenueError
    ├ NotSent         provably never left: safe to send again under the same wire id
    │  ├ RateLimited · AuthExpired · VenueClosed · Unsupported · GateClosed
    └ OutcomeUnknown  timeout, dropped socket, 5xx, unreadable reply: never resent blindly

A venue's rejection is no error: it is an ExecutionReport with OrdStatus.REJECTED and its text.
"""

from nightdesk.model.denial import DenyCode


class NightdeskError(Exception):
    """The root of every error this product raises on purpose."""


class Refused(NightdeskError):
    """A signal or request that was not taken, with a code, the field at fault and words for the sender."""

    def __init__(self, code: DenyCode, text: str, *, field: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.field = field


class VenueError(NightdeskError):
    """Talking to a venue failed."""


class NotSent(VenueError):
    """Proven: no byte of the order left."""


class RateLimited(NotSent):
    """The venue's budget is spent; `retry_after` is in seconds where the venue named it."""

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class AuthExpired(NotSent):
    """The venue wants a new login first."""


class VenueClosed(NotSent):
    """The venue is closed or unreachable before any byte was written."""


class Unsupported(NotSent):
    """The venue cannot do what was asked; asking again will not help."""


class GateClosed(NotSent):
    """The last gate shut between the decision and the first byte: halted, fenced or past the deadline."""

    def __init__(self, code: DenyCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class OutcomeUnknown(VenueError):
    """Anything that leaves open whether the venue took the order."""
