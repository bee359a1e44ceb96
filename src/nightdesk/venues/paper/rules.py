"""How one instrument trades at the paper exchange."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from nightdesk.model.enums import Side
from nightdesk.model.instrument import Instrument
from nightdesk.venues.paper.config import PaperConfig

ZERO = Decimal(0)
BPS = Decimal(10_000)
FEE_STEP = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The steps of an instrument, fees and slippage in basis points, and how far an account may stretch."""

    instrument: Instrument
    currency: str
    leverage: Decimal = Decimal(1)
    taker_bps: Decimal = ZERO
    maker_bps: Decimal = ZERO
    slippage_bps: Decimal = ZERO
    impact_bps: Decimal = ZERO


def rules_of(instrument: Instrument, config: PaperConfig) -> Rules:
    """The rules an instrument trades by under these settings."""
    return Rules(
        instrument=instrument,
        currency=config.currency,
        leverage=config.leverage,
        taker_bps=config.taker_bps,
        maker_bps=config.maker_bps,
        slippage_bps=config.slippage_bps,
        impact_bps=config.impact_bps,
    )


def fee_of(value: Decimal, bps: Decimal) -> Decimal:
    """The fee on a value, in the same currency, to eight decimals."""
    return (value * bps / BPS).quantize(FEE_STEP, rounding=ROUND_HALF_UP) if bps else ZERO


def slipped(
    touch: Decimal, side: Side, qty: Decimal, there: Decimal | None, limit: Decimal | None, rules: Rules
) -> Decimal:
    """What a taker pays: the touch worsened by slippage and impact, on a tick, never beyond a limit.

    `there` is the size the quote offers, None where it is unbounded and taking has no impact.
    """
    bps = rules.slippage_bps + (rules.impact_bps * qty / there if there else ZERO)
    if not bps:
        return touch
    tick = rules.instrument.tick_size
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    px = (touch * (BPS + side.sign * bps) / BPS / tick).to_integral_value(rounding=rounding) * tick
    if limit is not None:
        return min(px, limit) if side is Side.BUY else max(px, limit)
    return max(px, tick)
