"""Settings of the paper exchange."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperConfig:
    """How the paper exchange behaves; basis points are hundredths of a percent of an order's value."""

    name: str = "paper"
    cash: Decimal = Decimal("100000")
    """What every new account starts with."""
    currency: str = "USD"
    """The only currency kept; an instrument quoted in another one is refused."""
    leverage: Decimal = Decimal(1)
    """Positions and open orders together may be worth this many times the equity."""
    taker_bps: Decimal = Decimal(5)
    maker_bps: Decimal = Decimal(2)
    """May be negative: a rebate."""
    slippage_bps: Decimal = Decimal(1)
    """Paid by every order that takes."""
    impact_bps: Decimal = Decimal(4)
    """Paid on top in proportion to how much of the quoted size is taken."""
    unique_ids: bool = True
    """False accepts a client order id again and makes the venue class B."""
    validity_seconds: float = 5.0
    """How long after it was made an order may still be taken."""
    timeout_seconds: float = 2.0
    """How long an answer is waited for."""
    url: str = ""
    """Of a `nightdesk paper` server; empty keeps the exchange inside the desk."""
    orders_per_second: float = 50.0
    """How many messages a second the desk sends, as real exchanges allow."""
    burst: int = 100
    """How many it sends at once before that rate counts."""
