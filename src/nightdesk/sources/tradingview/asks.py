"""From fields to asks: the part that all forms share."""

from decimal import Decimal

from nightdesk.model.signal import Aim, Ask, Size
from nightdesk.sources.tradingview.deeds import read_deed
from nightdesk.sources.tradingview.fields import WISHES, Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.reading import (
    plain_price,
    read_id,
    read_max_lag,
    read_prices,
    read_size,
    read_symbol,
    read_target,
    read_time,
    read_time_in_force,
    read_venues,
)
from nightdesk.sources.tradingview.refusal import missing
from nightdesk.sources.tradingview.words import BY_RISK, IDLE, Deed
from nightdesk.sources.wording import clip

NO_SIDE = "The alert names no side."
ONLY_POSITION = "The alert names a position and no side; switch the hook to following positions to trade it."


def understand(form: str, fields: Fields, settings: ParseSettings, *, notes: tuple[str, ...] = ()) -> Parsed:
    """The body whose fields mean what their names say; most forms end here after renaming their own."""
    if fields.flag("heartbeat"):
        return finish(form, fields, no_action=IDLE["heartbeat"], notes=notes)
    if "target_position" in fields:
        return finish(
            form, fields, to_target(fields, settings, fields.number("target_position", positive=False)), notes=notes
        )
    deed = read_deed(fields)
    if isinstance(deed, str):
        return finish(form, fields, no_action=deed, notes=notes)
    if settings.target_position and (deed is None or deed.aim is Aim.TRADE):
        target = read_target(fields)
        if target is not None:
            return finish(form, fields, to_target(fields, settings, target), notes=notes)
        if deed is not None:
            raise missing(
                "market_position", "this hook follows a position; send market_position and market_position_size"
            )
    if deed is None:
        reason = ONLY_POSITION if "market_position" in fields or "position_size" in fields else NO_SIDE
        return finish(form, fields, no_action=reason, notes=notes)
    return finish(form, fields, to_ask(fields, settings, deed, read_size(fields, deed.aim)), notes=notes)


def to_ask(
    fields: Fields,
    settings: ParseSettings,
    deed: Deed,
    size: Size | None,
    *,
    reduce_only: bool = False,
) -> Ask:
    """The ask of one deed, with symbol, price, stop and venues as the fields say."""
    symbol = read_symbol(fields, settings)
    venues = read_venues(fields) if "venues" in fields else ()
    if deed.aim is Aim.CANCEL:
        return Ask(aim=Aim.CANCEL, symbol=symbol, side=deed.side, venues=venues)
    ord_type, price, stop_px, signal_px = read_prices(fields)
    stop_loss_px = plain_price(fields, "stop_loss") if "stop_loss" in fields else None
    if size is not None and size.unit in BY_RISK and stop_loss_px is None and deed.aim is Aim.TRADE:
        raise missing(fields.key("stop_loss"), "a size by risk needs the price of the stop")
    return Ask(
        aim=deed.aim,
        symbol=symbol,
        side=deed.side,
        size=size,
        ord_type=ord_type,
        price=price,
        stop_px=stop_px,
        time_in_force=read_time_in_force(fields) if "time_in_force" in fields else None,
        reduce_only=reduce_only or ("reduce_only" in fields and fields.flag("reduce_only")),
        stop_loss_px=stop_loss_px,
        venues=venues,
        signal_px=signal_px,
    )


def to_target(fields: Fields, settings: ParseSettings, target: Decimal | None) -> Ask:
    """The ask to hold exactly `target` (signed, base units)."""
    ord_type, price, stop_px, signal_px = read_prices(fields)
    return Ask(
        aim=Aim.TARGET,
        symbol=read_symbol(fields, settings),
        target_qty=target,
        ord_type=ord_type,
        price=price,
        stop_px=stop_px,
        time_in_force=read_time_in_force(fields) if "time_in_force" in fields else None,
        venues=read_venues(fields) if "venues" in fields else (),
        signal_px=signal_px,
    )


def finish(
    form: str,
    fields: Fields,
    *asks: Ask,
    no_action: str | None = None,
    notes: tuple[str, ...] = (),
) -> Parsed:
    """The asks together with what the body says about itself: id, time, test mark, text, and wishes not granted."""
    for name, meaning in WISHES.items():
        if name in fields and fields.get(name) not in ("", False, "false"):
            notes += (f"{fields.key(name)} {clip(fields.get(name))} was read; {meaning}.",)
    return Parsed(
        form=form,
        asks=asks,
        no_action=no_action,
        explicit_id=read_id(fields),
        fired_at=read_time(fields),
        max_lag=read_max_lag(fields) if "max_lag" in fields else None,
        test="test" in fields and fields.flag("test"),
        notes=notes,
        strategy=fields.passed_on("strategy"),
        comment=fields.passed_on("comment"),
    )
