"""Why we refuse: one enum of codes for signals and orders, each with what it means and what to do next.

The table in `docs/codes.md` is generated from it.
"""

from dataclasses import dataclass
from enum import Enum


class DenyCode(Enum):
    """A machine-readable reason of ours; a venue's own words are never put under one of these."""

    # Intake: the signal was not understood or not allowed.
    INVALID_TOKEN = ("The token is missing or wrong.", "Copy the webhook URL from the desk again, or rotate the token.")
    INVALID_SIGNAL = (
        "The body could not be read as a signal.",
        "Compare the body with the message the desk offers to copy.",
    )
    BODY_TOO_LARGE = ("The body is larger than the desk reads.", "Send at most 16 KiB.")
    BODY_TOO_DEEP = ("The body is nested too deeply.", "Send at most 16 levels.")
    BODY_TIMEOUT = ("The body did not arrive in time.", "Send the whole body within 10 seconds.")
    FIELD_MISSING = ("A field that is needed is absent.", "Add the field named.")
    FIELD_INVALID = ("A field has a value that cannot be traded.", "Correct the field named.")
    PLACEHOLDER_UNFILLED = (
        "A placeholder was not filled in by the sender.",
        "Use the placeholder only in the kind of alert that fills it (strategy placeholders need a strategy alert).",
    )
    UNKNOWN_SYMBOL = ("No enabled venue lists the symbol.", "Use a listed symbol, or add a symbol mapping to the hook.")
    UNKNOWN_VENUE = ("The venue named is not enabled for this hook.", "Name an enabled venue, or leave it out.")
    SIZE_ABOVE_HOOK_MAXIMUM = (
        "The size is above the hook's maximum.",
        "Send a smaller size, or raise the hook's max_qty.",
    )
    DUPLICATE_SIGNAL = ("The same signal was taken already.", "Nothing: the first one counts.")
    IDEMPOTENCY_KEY_REUSED = ("The id was used before with another body.", "Send a new id with a new body.")
    STALE_SIGNAL = ("The signal is older than allowed.", "Check the sender's clock and delay, or raise max_lag.")
    SIGNAL_DISABLED = ("The hook is switched off.", "Switch the hook on.")
    RATE_LIMITED = ("Too many requests.", "Wait as long as Retry-After says.")
    NOT_SUPPORTED = ("The signal asks for something this desk cannot do.", "Ask for what the text names instead.")
    OVERLOADED = ("More is waiting than the desk can take.", "Send it again as Retry-After says; nothing was stored.")
    STORE_UNAVAILABLE = (
        "The database took no write, so nothing was stored.",
        "Run `nightdesk doctor`, then send it again.",
    )
    NO_ACTION = ("There is nothing to do.", "Nothing.")

    # Risk: the one gate before any venue.
    HALTED = ("Trading is halted.", "Find out why, then resume in two steps.")
    REDUCING_ONLY = ("The account takes only orders that reduce a position.", "Settle the mismatch and acknowledge it.")
    RECONCILING = ("The account is being compared with its venue.", "Wait until the start-up check has ended.")
    PRICE_MISSING = ("There is no usable reference price.", "Check the market feed.")
    PRICE_STALE = ("The reference price is too old to open a position on.", "Check the market feed.")
    PRICE_COLLAR = ("The price is too far from the market.", "Use a price nearer to the market, or widen the collar.")
    QTY_INVALID = ("The quantity is not a positive number in the instrument's steps.", "Use a whole number of lots.")
    QTY_BELOW_MINIMUM = ("The order is smaller than the venue takes.", "Use a larger quantity.")
    MAX_ORDER_QTY = ("The quantity is above the limit for one order.", "Use a smaller quantity, or raise the limit.")
    MAX_ORDER_NOTIONAL = ("The value is above the limit for one order.", "Use a smaller quantity, or raise the limit.")
    MAX_SYMBOL_EXPOSURE = (
        "The position and open orders in the symbol would exceed the limit.",
        "Reduce first, or raise the limit.",
    )
    MAX_TOTAL_EXPOSURE = (
        "Positions and open orders together would exceed the limit.",
        "Reduce first, or raise the limit.",
    )
    MAX_OPEN_ORDER_VALUE = ("The value of open orders would exceed the limit.", "Cancel some, or raise the limit.")
    MAX_LEVERAGE = ("Exposure would exceed the allowed multiple of equity.", "Reduce first, or raise the limit.")
    DAILY_LOSS = ("Today's loss has reached the limit.", "Wait for the next day, or raise the limit.")
    RATE_PER_MINUTE = ("More orders in a minute than allowed.", "Wait a minute, or raise the limit.")
    CHILDREN_PER_PARENT = (
        "One signal made more orders than allowed.",
        "Find out why; raise the limit only if it is meant.",
    )
    DUPLICATE_ORDER = (
        "An equal order was accepted a moment ago.",
        "Wait for the guard to pass, or send an explicit id.",
    )
    NOTHING_TO_REDUCE = ("There is no position this order would reduce.", "Check the position and its pending closes.")
    INSUFFICIENT_FUNDS = ("The account cannot pay for the order.", "Use a smaller quantity, or add funds.")
    MARKET_CLOSED = ("The market is closed.", "Send it when the market is open.")
    ORD_TYPE_UNSUPPORTED = ("The venue cannot do this type of order.", "Use a type the venue lists.")
    SIZE_UNKNOWN = ("The size cannot be worked out.", "Name a quantity, or what the sizing rule needs.")

    # Sending: ended by us after it was accepted.
    DEADLINE = ("The order was not sent before its deadline.", "Send a new signal if it is still wanted.")
    NOT_SENT = ("The order could not be sent, and provably never left.", "Check the venue, then send a new signal.")
    PROVEN_ABSENT = ("The venue provably never took the order.", "Send a new signal if it is still wanted.")
    ABANDONED = ("A person declared the order ended.", "Nothing.")
    DECLINED = ("A person declined the order.", "Nothing.")
    UNKNOWN_ORDER = ("No such order.", "Check the id.")
    ORDER_ENDED = ("The order has already ended.", "Nothing: it cannot fill any more.")

    def __init__(self, meaning: str, next_step: str) -> None:
        self.meaning = meaning
        self.next_step = next_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """One refused check: its code, the limit and the value that broke it, all as text for people."""

    code: DenyCode
    text: str
    field: str | None = None
    limit: str | None = None
    value: str | None = None
