"""FIX words as enums, and the few of our own that FIX has no word for."""

from enum import StrEnum


class Side(StrEnum):
    """The direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrdType(StrEnum):
    """How the price of an order is decided."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


class TimeInForce(StrEnum):
    """How long an order lives at the venue."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrdStatus(StrEnum):
    """Where an order stands; FIX words, plus DENIED (refused by us) and HELD (waits for a person)."""

    PENDING_NEW = "PENDING_NEW"
    HELD = "HELD"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"

    @property
    def terminal(self) -> bool:
        """True when nothing more is expected of the order."""
        return self in _TERMINAL


_TERMINAL = frozenset({OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED, OrdStatus.DENIED})


class Doubt(StrEnum):
    """What is not known about an order."""

    NONE = "NONE"
    UNKNOWN = "UNKNOWN"
    """Sent, and no answer says whether the venue took it."""
    MISSING = "MISSING"
    """The venue once knew it and no longer does."""
    DISPUTED = "DISPUTED"
    """The evidence contradicts itself."""


class ExecType(StrEnum):
    """Why an execution report was sent."""

    NEW = "NEW"
    TRADE = "TRADE"
    TRADE_CANCEL = "TRADE_CANCEL"
    CANCELED = "CANCELED"
    REPLACED = "REPLACED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    ORDER_STATUS = "ORDER_STATUS"


class CommandKind(StrEnum):
    """What is asked of a venue about one order."""

    NEW = "NEW"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"


class CommandState(StrEnum):
    """How far a command has come; QUEUED proves that no byte has left, only SENDING is in doubt."""

    QUEUED = "QUEUED"
    SENDING = "SENDING"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    ABSENT = "ABSENT"
    ENDED = "ENDED"
    """Given up before a byte left: denied, past its deadline, or halted."""


class ResendClass(StrEnum):
    """What a venue can prove about an order it may not have taken; it decides the resend, never a count of tries."""

    A = "A"
    """Client id unique and queryable."""
    B = "B"
    """Client id queryable, uniqueness unproven."""
    C = "C"
    """Signed transaction with a hash known before sending."""
    D = "D"
    """Client id unique but never returned."""
    E = "E"
    """Nothing: a person decides."""


class TradingState(StrEnum):
    """What new orders an account takes."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    """Only orders that reduce a position."""
    HALTED = "HALTED"
    """No new exposure, and only protective exits already placed stay."""
    RECONCILING = "RECONCILING"
    """Cancels only, until the venue's truth has been read."""


class SignalOutcome(StrEnum):
    """What became of a signal; every signal ends in exactly one."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"
    NO_ACTION = "NO_ACTION"
