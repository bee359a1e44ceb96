"""From what a signal says about size to a quantity in base units."""

from decimal import Decimal

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.model.instrument import Instrument
from nightdesk.model.signal import Size, SizeUnit

HUNDRED = Decimal(100)


def quantity_of(
    size: Size,
    instrument: Instrument,
    *,
    px: Decimal | None,
    equity: Decimal,
    position_qty: Decimal,
    stop_px: Decimal | None,
) -> Decimal:
    """The quantity a size asks for, in base units cut down to whole lots.

    `px` is the reference price, `equity` is in quote currency, `position_qty` signed base units. Raises Refused
    (SIZE_UNKNOWN) where something the rule needs is not known, because a size is never guessed.
    """
    match size.unit:
        case SizeUnit.BASE:
            return instrument.round_qty(size.value)
        case SizeUnit.QUOTE:
            return instrument.round_qty(size.value / _price(px, instrument))
        case SizeUnit.PERCENT_OF_EQUITY:
            return instrument.round_qty(equity * size.value / HUNDRED / _price(px, instrument))
        case SizeUnit.PERCENT_OF_POSITION:
            return instrument.round_qty(abs(position_qty) * size.value / HUNDRED)
        case SizeUnit.RISK_QUOTE:
            return instrument.round_qty(size.value / _distance(px, stop_px, instrument))
        case SizeUnit.RISK_PERCENT:
            return instrument.round_qty(equity * size.value / HUNDRED / _distance(px, stop_px, instrument))


def _price(px: Decimal | None, instrument: Instrument) -> Decimal:
    if px is None or px <= 0:
        raise Refused(
            DenyCode.SIZE_UNKNOWN, f"the size needs a price of {instrument.symbol}, and none is known", field="size"
        )
    return px


def _distance(px: Decimal | None, stop_px: Decimal | None, instrument: Instrument) -> Decimal:
    if stop_px is None:
        raise Refused(
            DenyCode.SIZE_UNKNOWN, "a size by risk needs a stop price: add stopLoss.stopPrice", field="stop_loss"
        )
    distance = abs(_price(px, instrument) - stop_px)
    if distance < instrument.tick_size:
        raise Refused(DenyCode.SIZE_UNKNOWN, "the stop price equals the market price", field="stop_loss")
    return distance
